import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { pinnedAnnotations } from '../../kubernetes/keys.ts';
import type { AddressRef } from '../../model/address.ts';
import type { AssignIpStatus } from '../../workflows/messages.ts';
import { poolTag } from './cloud-facts.ts';
import { type Harness, openHarness } from './harness.ts';
import { expectSound } from './soundness.ts';
import type { TestNode } from './test-nodes.ts';

const clouds = ['aws', 'gcp'] as const;

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness({
    pools: [
      ...clouds.flatMap((provider) =>
        ['free', 'used', 'strange'].map((name) => ({
          provider,
          name: `${provider}-${name}`,
          pins: 'annotation',
        })),
      ),
      { name: 'range', family: 'ipv6', pins: 'annotation' },
    ],
  });
}, 900_000);
afterEach(() => expectSound(harness));
afterAll(() => harness?.close());

const pinnedTo = (address: string) => ({ [pinnedAnnotations.ipv4]: address });

/** @returns the status once the node has been told why it cannot have what it is pinned to */
function waitUntilTold(node: TestNode): Promise<AssignIpStatus> {
  return harness.waitForStatus(node, 'told', ({ lastError }) => lastError !== undefined);
}

describe.each(clouds)('on %s', (cloud) => {
  /** @returns new addresses of the pool */
  function reserve(pool: string): [AddressRef, AddressRef, AddressRef] {
    const ids = cloud === 'aws' ? harness.reserve(pool, 3) : harness.reserveOnGce(pool, 'ipv4', 3);
    const known = harness.facts().flatMap(({ addresses }) => addresses);
    const [first, second, third] = known.flatMap(({ id, ip }) => (ids.includes(id) ? [{ id, ip }] : []));
    if (first === undefined || second === undefined || third === undefined) throw new Error('not reserved');
    return [first, second, third];
  }

  test('a node that is pinned to a free address gets that one, named by its IP or by its id', async () => {
    const pool = `${cloud}-free`;
    const [, second, third] = reserve(pool);
    const byIp = await harness.addNode(`${pool}-ip`, { pool, cloud, annotations: pinnedTo(third.ip) });
    const byId = await harness.addNode(`${pool}-id`, { pool, cloud, annotations: pinnedTo(second.id) });
    expect((await harness.waitUntilAssigned(byIp)).address).toEqual(third);
    expect((await harness.waitUntilAssigned(byId)).address).toEqual(second);
  });

  test('a node that is pinned to one in use says so and waits for it, though others are free', async () => {
    const pool = `${cloud}-used`;
    const [wanted] = reserve(pool);
    const annotations = pinnedTo(wanted.ip);
    const holder = await harness.addNode(`${pool}-1`, { pool, cloud, annotations });
    await harness.waitUntilAssigned(holder);
    // Its pin is of no use to it any more; the next Node's is.
    const node = await harness.addNode(`${pool}-2`, { pool, cloud, annotations });
    const waiting = await waitUntilTold(node);
    expect(waiting.phase).toBe('waiting');
    expect(waiting.message).toContain(`pinned by an annotation to ${wanted.ip}, which is in use`);
    // One that is not pinned is served meanwhile.
    const other = await harness.addNode(`${pool}-3`, { pool, cloud });
    expect((await harness.waitUntilAssigned(other)).address).not.toEqual(wanted);
    expect((await harness.status(node)).phase).toBe('waiting');

    await harness.deleteNode(holder);
    expect((await harness.waitUntilAssigned(node)).address).toEqual(wanted);
  });

  test('a node that is pinned to an address of no pool says so; it is served once its annotation names another', async () => {
    const pool = `${cloud}-strange`;
    const [, , free] = reserve(pool);
    const strange =
      cloud === 'aws' ? harness.ec2.allocateAddress().publicIp : harness.gce.reserveAddress().name;
    const node = await harness.addNode(`${pool}-1`, { pool, cloud, annotations: pinnedTo(strange) });
    const waiting = await waitUntilTold(node);
    expect(waiting.phase).toBe('waiting');
    expect(waiting.message).toContain(`${strange}, which is not an address of pool ${pool}`);

    await harness.nodes.patch(node, { metadata: { annotations: pinnedTo(free.ip) } });
    await harness.tellChanged(node);
    expect((await harness.waitUntilAssigned(node)).address).toEqual(free);
  });
});

test('a node on EC2 can be pinned to any address of its subnet’s range', async () => {
  const { cidr } = harness.ec2.reserveIpv6({ tags: { [poolTag]: 'range' }, prefixLength: 124 });
  const fifth = cidr.replace(/0\/124$/, '5');
  const annotations = { [pinnedAnnotations.ipv6]: fifth };
  const node = await harness.addNode('range-1', { pool: 'range', annotations });
  expect((await harness.waitUntilAssigned(node)).address).toEqual({ id: fifth, ip: fifth });
});
