/** One address family does not suffer from what befalls the other, nor one pool from what EC2 refuses about another. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { addressOf } from './assigned-address.ts';
import { poolTag } from './cloud-facts.ts';
import { ipsOn, ofFamily } from './family-addresses.ts';
import { dualStackPool } from './harness-config.ts';
import { type Harness, openHarness } from './harness.ts';
import { expectSound } from './soundness.ts';
import { waitFor } from './wait-for.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness({
    pools: [
      dualStackPool('aws', 'throttled'),
      dualStackPool('aws', 'denied', { require: 'all' }),
      dualStackPool('aws', 'kept-ipv6'),
      dualStackPool('aws', 'kept-ipv4'),
      { name: 'from' },
      { name: 'to' },
    ],
  });
}, 900_000);
afterEach(async () => {
  harness.ec2.clearFaults();
  harness.ec2.configure({ denied: [] });
  await expectSound(harness);
});
afterAll(() => harness?.close());

/** One address of each family. */
function reserveBoth(pool: string): void {
  harness.reserve(pool);
  harness.ec2.reserveIpv6({ tags: { [poolTag]: pool }, prefixLength: 127 });
}

/** How often a client gave an instance an address of either family. */
function associations(): number {
  return harness.ec2.journal().filter(({ by, cause }) => by === 'api' && cause === 'associated').length;
}

test('IPv4 that is throttled once comes soon, although IPv6 waits for an address that there is not', async () => {
  harness.reserve('throttled');
  harness.ec2.addFaults({
    kind: 'error',
    action: 'AssociateAddress',
    code: 'RequestLimitExceeded',
    times: 1,
  });
  const node = await harness.addNode('throttled-1', { pool: 'throttled' });
  const status = await waitFor(
    'IPv4',
    () => harness.status(node),
    (seen) => ofFamily(seen, 'ipv4')?.phase === 'assigned',
    120_000,
  );
  expect(ofFamily(status, 'ipv6')?.phase).toBe('waiting');
  expect(harness.ec2.faults()).toEqual([]);
});

test('a node that moves to another pool while EC2 does not answer gets its address there, and gives the other back', async () => {
  const [from = ''] = harness.reserve('from');
  const [to = ''] = harness.reserve('to');
  const node = await harness.addNode('moved-1', { pool: 'from' });
  expect((await harness.waitUntilAssigned(node)).address.id).toBe(from);

  harness.ec2.addFaults({
    kind: 'error',
    action: 'DescribeAddresses',
    code: 'RequestLimitExceeded',
    times: 6,
  });
  harness.moved.add(node.instanceId);
  await harness.nodes.patch(node, { metadata: { labels: { pool: 'to' } } });
  await harness.tellChanged(node);
  await waitFor(
    'the address of the other pool',
    () => harness.elasticIpOf(node.instanceId),
    (ip) => ip === harness.ipOf(to),
  );
  const status = await harness.waitForStatus(node, 'moved', (s) => s.phase === 'assigned' && s.pool === 'to');
  expect(addressOf(status)?.id).toBe(to);
  const left = harness.ec2.addresses().find(({ allocationId }) => allocationId === from);
  expect(left?.associationId).toBeUndefined();
});

test('with `require: all` a node is released by hand also while one family has failed for good', async () => {
  reserveBoth('denied');
  harness.ec2.configure({ denied: ['AssignIpv6Addresses'] });
  const node = await harness.addNode('denied-1', { pool: 'denied' });
  await harness.waitForStatus(
    node,
    'with IPv4, and IPv6 failed',
    (status) =>
      ofFamily(status, 'ipv4')?.phase === 'assigned' && ofFamily(status, 'ipv6')?.phase === 'failed',
  );

  expect(await harness.release(node)).toMatchObject({ phase: 'released', releasedByHand: true });
  expect(ipsOn(harness, node)).toEqual({});
});

describe('a release by hand of which EC2 refuses one family', () => {
  test.each([
    { pool: 'kept-ipv6', denied: 'UnassignIpv6Addresses', refused: 'ipv6', other: 'ipv4' },
    { pool: 'kept-ipv4', denied: 'DisassociateAddress', refused: 'ipv4', other: 'ipv6' },
  ] as const)('($refused) frees the other one for good, and all once EC2 allows it', async (of) => {
    const { pool, denied, refused, other } = of;
    reserveBoth(pool);
    const node = await harness.addNode(`${pool}-1`, { pool });
    await harness.waitUntilAssigned(node);
    const { [refused]: stays } = ipsOn(harness, node);
    const before = associations();

    harness.ec2.configure({ denied: [denied] });
    await harness.handle(node).signal('release', {});
    await waitFor(
      `${other} to be free`,
      () => ipsOn(harness, node),
      (has) => has[other] === undefined,
    );
    await harness.waitForStatus(node, 'told', (status) =>
      (ofFamily(status, refused)?.lastError ?? status.lastError ?? '').includes(`"ec2:${denied}" is missing`),
    );
    await harness.tellChanged(node);
    expect(ipsOn(harness, node)).toEqual({ [refused]: stays });

    harness.ec2.configure({ denied: [] });
    await harness.handle(node).signal('release', {});
    const released = await harness.waitForPhase(node, 'released');
    expect(released.addresses.map(({ address }) => address)).toEqual([undefined, undefined]);
    expect(ipsOn(harness, node)).toEqual({});
    expect(associations()).toBe(before);
  });
});
