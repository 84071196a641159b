/** Pools whose settings change under nodes that have addresses of both families, or are held released. */
import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals';
import { publicIpv4Annotation, publicIpv6Annotation } from '../../kubernetes/keys.ts';
import { poolTag } from './cloud-facts.ts';
import { ipsOn } from './family-addresses.ts';
import { dualStackPool, type HarnessOptions, type PoolOptions } from './harness-config.ts';
import { type Harness, openHarness } from './harness.ts';
import { expectSound } from './soundness.ts';
import type { TestNode } from './test-nodes.ts';
import { waitFor } from './wait-for.ts';

jest.setTimeout(300_000);

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
  return { pools: [...shrinking, { name: 'held', priority: changed.has('held') ? 7 : 1 }] };
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
    const status = await harness.waitForStatus(
      node,
      'in the other pool',
      (seen) => seen.pool === next && seen.phase === 'assigned',
    );
    expect(status.addresses.map(({ family }) => family)).toEqual(['ipv4']);
    const { ipv4, ...others } = ipsOn(harness, node);
    expect(others).toEqual({});
    expect(ipv4).not.toBe(both.ipv4);
    await waitFor(
      'the one address alone on the Node',
      () => shownOn(node),
      (shown) => shown.ipv4 === ipv4 && shown.ipv6 === undefined,
    );
  },
);

test('a node that is held released learns of its pool’s new settings, and stays released', async () => {
  harness.reserve('held');
  const node = await harness.addNode('held-1', { pool: 'held' });
  await harness.waitUntilAssigned(node);
  await harness.release(node);
  await changePoolOf(node);
  expect(await harness.status(node)).toMatchObject({ phase: 'released', releasedByHand: true });
  expect(harness.elasticIpOf(node.instanceId)).toBeUndefined();
});
