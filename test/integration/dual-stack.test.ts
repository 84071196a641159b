import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { WorkflowFailedError } from '@temporalio/client';
import { publicIpv4Annotation, publicIpv6Annotation } from '../../kubernetes/keys.ts';
import { type Family, familyOf } from '../../model/address.ts';
import type { AddressStatus, AssignIpStatus } from '../../workflows/messages.ts';
import { poolTag } from './cloud-facts.ts';
import { dualStackPool } from './harness-config.ts';
import { type Harness, openHarness } from './harness.ts';
import { expectSound } from './soundness.ts';
import type { TestNode } from './test-nodes.ts';
import { waitFor } from './wait-for.ts';

const taintKey = 'example.com/no-address';
const taints = [{ key: taintKey, effect: 'NoSchedule' }];
const clouds = ['aws', 'gcp'] as const;
type Cloud = (typeof clouds)[number];

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness({
    pools: [
      ...clouds.flatMap((cloud) => [
        dualStackPool(cloud, `${cloud}-both`),
        dualStackPool(cloud, `${cloud}-all`, { taintKey, require: 'all' }),
        dualStackPool(cloud, `${cloud}-any`, { taintKey, require: 'any' }),
        dualStackPool(cloud, `${cloud}-back`),
      ]),
      dualStackPool('aws', 'unlisted'),
      { name: 'failing', provider: 'gcp', retries: { attempts: 3, interval: '1s' } },
    ],
  });
}, 900_000);
afterEach(async () => {
  harness.gce.clearFaults();
  harness.ec2.clearFaults();
  await expectSound(harness);
});
afterAll(() => harness?.close());

/** One IPv4 address, or IPv6 addresses for the subnet of the nodes. */
function reserve(cloud: Cloud, pool: string, family: Family): void {
  if (cloud === 'gcp') harness.reserveOnGce(pool, family);
  else if (family === 'ipv4') harness.reserve(pool);
  else harness.ec2.reserveIpv6({ tags: { [poolTag]: pool }, prefixLength: 127 });
}

/** IPv6 addresses of the pool in a subnet where no node is. */
function reserveIpv6Elsewhere(cloud: Cloud, pool: string): void {
  const tags = { [poolTag]: pool };
  if (cloud === 'gcp') harness.gce.reserveAddress({ labels: tags, ipVersion: 'IPV6', subnetwork: 'other' });
  else harness.ec2.reserveIpv6({ tags, zone: `${harness.ec2.region}b` });
}

function subnetOf(cloud: Cloud, node: TestNode): string | undefined {
  if (cloud === 'gcp') return 'default';
  return harness.ec2.instances().find(({ instanceId }) => instanceId === node.instanceId)?.subnetId;
}

const ofFamily = ({ addresses }: AssignIpStatus, family: Family): AddressStatus | undefined =>
  addresses.find((address) => address.family === family);

/** What the instance has of the pools, by the cloud's own word. */
function ipsOn(node: TestNode): Partial<Record<Family, string>> {
  const known = harness.facts().flatMap(({ addresses }) => addresses);
  const held = known.filter(({ instance, tag }) => instance === node.instanceId && tag !== undefined);
  return Object.fromEntries(held.map(({ family, ip }) => [family, ip]));
}

/** What the Node shows. */
async function shownOn(node: TestNode) {
  const { metadata, spec } = await harness.nodes.read(node);
  return {
    ipv4: metadata?.annotations?.[publicIpv4Annotation],
    ipv6: metadata?.annotations?.[publicIpv6Annotation],
    isTainted: (spec?.taints ?? []).some(({ key }) => key === taintKey),
  };
}

/** Waits until the node has the IPv4 address and says why it has no IPv6 one. */
function waitForIpv4Only(node: TestNode): Promise<AssignIpStatus> {
  return harness.waitForStatus(
    node,
    'with IPv4 only',
    (status) =>
      ofFamily(status, 'ipv4')?.phase === 'assigned' && ofFamily(status, 'ipv6')?.lastError !== undefined,
  );
}

describe.each(clouds)('on %s', (cloud) => {
  test('a node of a pool with two families gets both; its status and its Node show them', async () => {
    const pool = `${cloud}-both`;
    reserve(cloud, pool, 'ipv4');
    reserve(cloud, pool, 'ipv6');
    const node = await harness.addNode(`${cloud}-both-1`, { pool, cloud, dualStack: true });

    const { addresses } = await harness.waitUntilAssigned(node);
    expect(addresses.map(({ family, phase }) => `${family} ${phase}`)).toEqual([
      'ipv4 assigned',
      'ipv6 assigned',
    ]);
    const ips = addresses.map(({ address }) => address?.ip ?? '');
    expect(ips.map(familyOf)).toEqual(['ipv4', 'ipv6']);
    const [ipv4, ipv6] = ips;
    expect(ipsOn(node)).toEqual({ ipv4, ipv6 });
    await waitFor(
      'both on the Node',
      () => shownOn(node),
      (shown) => shown.ipv4 === ipv4 && shown.ipv6 === ipv6,
    );
  });

  test('with `require: all` the taint stays until the second address is there; the first one comes at once', async () => {
    const pool = `${cloud}-all`;
    reserve(cloud, pool, 'ipv4');
    reserveIpv6Elsewhere(cloud, pool);
    const node = await harness.addNode(`${cloud}-all-1`, { pool, cloud, dualStack: true, taints });

    const waiting = await waitForIpv4Only(node);
    expect(waiting.phase).toBe('waiting');
    expect(waiting.message).toContain(
      `Pool ${pool} has no free IPv6 address: nothing matches its filter in subnet ${subnetOf(cloud, node)}`,
    );
    const { ipv4 } = ipsOn(node);
    expect(ofFamily(waiting, 'ipv4')?.address?.ip).toBe(ipv4);
    expect(ipv4).toBeDefined();
    await waitFor(
      'IPv4 on the Node',
      () => shownOn(node),
      (shown) => shown.ipv4 === ipv4,
    );
    expect((await shownOn(node)).isTainted).toBe(true);

    reserve(cloud, pool, 'ipv6');
    await harness.waitUntilAssigned(node);
    await waitFor(
      'no taint',
      () => shownOn(node),
      (shown) => !shown.isTainted,
    );
    const { ipv6 } = ipsOn(node);
    expect(await shownOn(node)).toEqual({ ipv4, ipv6, isTainted: false });
    expect(ipv6).toBeDefined();
  });

  test('with `require: any` the first address lifts the taint; the second one is awaited all the same', async () => {
    const pool = `${cloud}-any`;
    reserve(cloud, pool, 'ipv4');
    const node = await harness.addNode(`${cloud}-any-1`, { pool, cloud, dualStack: true, taints });
    await waitFor(
      'no taint',
      () => shownOn(node),
      (shown) => !shown.isTainted,
    );
    const status = await waitForIpv4Only(node);
    expect(status.phase).toBe('assigned');
    expect(ofFamily(status, 'ipv6')?.phase).toBe('waiting');

    reserve(cloud, pool, 'ipv6');
    const both = await harness.waitForStatus(
      node,
      'with both',
      (seen) => ofFamily(seen, 'ipv6')?.phase === 'assigned',
    );
    expect(both.phase).toBe('assigned');
    expect(Object.keys(ipsOn(node)).toSorted()).toEqual(['ipv4', 'ipv6']);
  });

  test('both addresses come back when the Node is deleted, and the instance that lives on has what it had', async () => {
    const pool = `${cloud}-back`;
    reserve(cloud, pool, 'ipv4');
    reserve(cloud, pool, 'ipv6');
    const node = await harness.addNode(`${cloud}-back-1`, { pool, cloud, dualStack: true });
    await harness.waitUntilAssigned(node);
    expect(Object.keys(ipsOn(node)).toSorted()).toEqual(['ipv4', 'ipv6']);

    await harness.deleteNode(node);
    expect(await harness.waitForEnd(node)).toBe('COMPLETED');
    expect(ipsOn(node)).toEqual({});
    if (cloud === 'gcp') {
      expect(harness.nodes.externalOf(node.instanceId)).toEqual({ ipv4: 'ephemeral', ipv6: 'ephemeral' });
    }
    const next = await harness.addNode(`${cloud}-back-2`, { pool, cloud, dualStack: true });
    await harness.waitUntilAssigned(next);
  });
});

test('while EC2 lists no IPv6 range, nodes get their IPv4 addresses, and the mutex says why they wait', async () => {
  reserve('aws', 'unlisted', 'ipv6');
  const code = 'RequestLimitExceeded';
  harness.ec2.addFaults({ kind: 'error', action: 'GetSubnetCidrReservations', code });
  const nodes: TestNode[] = [];
  // The second one comes when only the first one's IPv6 is waited for.
  for (const name of ['unlisted-1', 'unlisted-2']) {
    reserve('aws', 'unlisted', 'ipv4');
    const node = await harness.addNode(name, { pool: 'unlisted', dualStack: true });
    nodes.push(node);
    const ipv4 = () => harness.elasticIpOf(node.instanceId);
    await waitFor('the IPv4 address', ipv4, (ip) => ip !== undefined, 12_000);
  }
  const isSaid = ({ lastError }: { lastError?: string }) => lastError !== undefined;
  const { lastError, waiting } = await waitFor('the error', () => harness.mutexStatus(), isSaid);
  expect(waiting).toMatchObject(nodes.map(() => ({ family: 'ipv6', pool: 'unlisted' })));
  expect(lastError).toMatch(/^Pool unlisted in subnet-\w+ could not be listed: .*RequestLimitExceeded/);

  harness.ec2.clearFaults();
  for (const node of nodes) await harness.waitUntilAssigned(node);
  expect((await harness.mutexStatus()).lastError).toBeUndefined();
});

test('where Compute Engine refuses a static address for good, the node ends with an ephemeral one', async () => {
  harness.reserveOnGce('failing');
  const add = { kind: 'operationError', action: 'instances.addAccessConfig' } as const;
  harness.gce.addFaults(
    { ...add, code: 'QUOTA_EXCEEDED', match: { natIP: '198.18.*' } },
    // And the ephemeral one at first, so that it is not done with the provider's own try.
    { ...add, code: 'QUOTA_EXCEEDED', times: 2 },
  );
  const node = await harness.addNode('failing-1', { pool: 'failing', cloud: 'gcp' });
  await expect(harness.handle(node).result()).rejects.toBeInstanceOf(WorkflowFailedError);
  expect(harness.nodes.externalOf(node.instanceId)).toEqual({ ipv4: 'ephemeral' });
  const { counts } = harness.gce.calls();
  expect(counts['instances.deleteAccessConfig']?.['ok']).toBeGreaterThan(0);
  // The faults struck both kinds.
  expect(harness.gce.faults()).toEqual([expect.objectContaining({ match: { natIP: '198.18.*' } })]);
});
