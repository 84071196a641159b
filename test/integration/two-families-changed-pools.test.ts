/** Pools whose settings change under nodes that have addresses of both families, or are held released. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { publicIpv4Annotation, publicIpv6Annotation } from '../../kubernetes/keys.ts';
import { poolTag } from './cloud-facts.ts';
import { ipsOn } from './family-addresses.ts';
import { dualStackPool, type HarnessOptions, type PoolOptions } from './harness-config.ts';
import { type Harness, openHarness } from './harness.ts';
import { expectSound } from './soundness.ts';
import type { TestNode } from './test-nodes.ts';
import { waitFor } from './wait-for.ts';

const clouds = ['aws', 'gcp'] as const;

/** The pools whose settings were changed. */
const changed = new Set<string>();
function options(): HarnessOptions {
  const shrinking = clouds.flatMap((provider): PoolOptions[] => {
    const name = `${provider}-both`;
    return [
      changed.has(name) ? { provider, name } : dualStackPool(provider, name),
      { provider, name: `${provider}-ipv4` },
    ];
  });
  const moving = clouds.flatMap((provider): PoolOptions[] => [
    dualStackPool(provider, `${provider}-dual`),
    { provider, name: `${provider}-single` },
  ]);
  return { pools: [...shrinking, ...moving, { name: 'held', priority: changed.has('held') ? 7 : 1 }] };
}

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness(options());
}, 900_000);
afterEach(() => expectSound(harness));
afterAll(() => harness?.close());

/** New settings for a node's pool, and one word about it to the node's workflow: it knows them when this returns. */
async function changePoolOf(node: TestNode): Promise<void> {
  const before = await hashOf(node);
  changed.add(node.pool);
  await harness.restartWorkers(options());
  await harness.nudge(node);
  await waitFor(
    'the new settings in the workflow',
    () => hashOf(node),
    (hash) => hash !== undefined && hash !== before,
  );
}

/** The hash of its pool's settings that visibility shows for the node's workflow. */
async function hashOf(node: TestNode): Promise<unknown> {
  const { searchAttributes } = await harness.handle(node).describe();
  return searchAttributes['KubeipPoolHash']?.[0];
}

async function shownOn(node: TestNode) {
  const { metadata } = await harness.nodes.read(node);
  const { [publicIpv4Annotation]: ipv4, [publicIpv6Annotation]: ipv6 } = metadata?.annotations ?? {};
  return { ...(ipv4 && { ipv4 }), ...(ipv6 && { ipv6 }) };
}

/** Waits until the node has an IPv4 address of the pool, and no other. */
async function movedTo(pool: string, node: TestNode): Promise<void> {
  await harness.waitForStatus(
    node,
    'in the other pool',
    (seen) => seen.pool === pool && seen.phase === 'assigned' && seen.addresses.length === 1,
  );
  await waitFor(
    'the one address alone, on the instance as on the Node',
    async () => ({ has: ipsOn(harness, node), shown: await shownOn(node) }),
    ({ has, shown }) => has.ipv6 === undefined && has.ipv4 !== undefined && isDeepStrictEqual(has, shown),
  );
}

test.each(clouds)(
  'on %s a node keeps its address of a family that its pool has no more, until it moves to another pool',
  async (cloud) => {
    const pool = `${cloud}-both`;
    const next = `${cloud}-ipv4`;
    if (cloud === 'aws') {
      harness.reserve(pool);
      harness.ec2.reserveIpv6({ tags: { [poolTag]: pool }, prefixLength: 127 });
      harness.reserve(next);
    } else {
      harness.reserveOnGce(pool);
      harness.reserveOnGce(pool, 'ipv6');
      harness.reserveOnGce(next);
    }
    const node = await harness.addNode(`${cloud}-1`, { pool, cloud, dualStack: true });
    await harness.waitUntilAssigned(node);
    const both = ipsOn(harness, node);
    expect(Object.keys(both).toSorted()).toEqual(['ipv4', 'ipv6']);

    await changePoolOf(node);
    await harness.waitForPhase(node, 'assigned');
    expect(ipsOn(harness, node)).toEqual(both);
    expect(await shownOn(node)).toEqual(both);

    harness.moved.add(node.instanceId);
    await harness.nodes.patch(node, { metadata: { labels: { pool: next } } });
    await harness.tellChanged(node);
    await movedTo(next, node);
    expect(ipsOn(harness, node).ipv4).not.toBe(both.ipv4);
  },
);

describe.each(clouds)('on %s: the Node’s labels move it to a pool of one family', (cloud) => {
  const from = `${cloud}-dual`;
  const next = `${cloud}-single`;
  const reserve = (pool: string): void => {
    if (cloud === 'aws') harness.reserve(pool);
    else harness.reserveOnGce(pool);
  };

  async function relabelled(name: string): Promise<{ node: TestNode; both: ReturnType<typeof ipsOn> }> {
    reserve(from);
    if (cloud === 'aws') harness.ec2.reserveIpv6({ tags: { [poolTag]: from }, prefixLength: 127 });
    else harness.reserveOnGce(from, 'ipv6');
    const node = await harness.addNode(name, { pool: from, cloud, dualStack: true });
    await harness.waitUntilAssigned(node);
    const both = ipsOn(harness, node);
    harness.moved.add(node.instanceId);
    await harness.nodes.patch(node, { metadata: { labels: { pool: next } } });
    await harness.tellChanged(node);
    return { node, both };
  }

  test('it keeps both addresses until it has one of that pool; the other is released then, and shown no more', async () => {
    const { node, both } = await relabelled(`${cloud}-waits`);
    const { message } = await harness.waitForStatus(node, 'waiting for the pool', (status) =>
      status.message.includes(`Pool ${next} has no free IPv4 address`),
    );
    expect(ipsOn(harness, node)).toEqual(both);
    expect(message).toContain(
      `The node keeps ${both.ipv6} of pool ${from} until it has one: pool ${next} gives no IPv6 addresses, so this one is released then.`,
    );
    expect(await shownOn(node)).toEqual(both);
    reserve(next);
    await movedTo(next, node);
  });

  test('words about its Node that come all the time do not keep it from moving', async () => {
    reserve(next);
    const { node } = await relabelled(`${cloud}-hurried`);
    await waitFor(
      'an address of the other pool',
      async () => {
        // Nearly as often as a look takes. On Compute Engine that is a second where many come at once, and more on a busy machine.
        await harness.nudge(node);
        await sleep(cloud === 'gcp' ? 4_000 : 500);
        return ipsOn(harness, node);
      },
      ({ ipv4 }) => ipv4 !== undefined && tagOf(ipv4) === next,
    );
    await movedTo(next, node);
  });

  test('visibility shows the settings of that pool while it waits: no reconcile tells it again and again', async () => {
    const { node } = await relabelled(`${cloud}-quiet`);
    const hash = harness.pools.find(({ name }) => name === next)?.hash;
    await waitFor(
      'the hash of the other pool',
      () => hashOf(node),
      (shown) => shown === hash,
    );
    expect((await harness.status(node)).pool).toBe(from);
    await harness.deleteNode(node);
    expect(await harness.waitForEnd(node)).toBe('COMPLETED');
    expect(ipsOn(harness, node)).toEqual({});
  });
});

/** Of which pool an address is, by the cloud's own word. */
function tagOf(ip: string): string | undefined {
  return harness
    .facts()
    .flatMap(({ addresses }) => addresses)
    .find((address) => address.ip === ip)?.tag;
}

test('a node that is held released learns of its pool’s new settings, and stays released', async () => {
  harness.reserve('held');
  const node = await harness.addNode('held-1', { pool: 'held' });
  await harness.waitUntilAssigned(node);
  await harness.release(node);
  await changePoolOf(node);
  expect(await harness.status(node)).toMatchObject({ phase: 'released', releasedByHand: true });
  expect(harness.elasticIpOf(node.instanceId)).toBeUndefined();
});
