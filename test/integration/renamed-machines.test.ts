/** Machines that register under other names: each address passes to the new Node, and is neither a release nor held. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { type Harness, openHarness } from './harness.ts';
import { expectSound } from './soundness.ts';
import type { TestNode } from './test-nodes.ts';
import { waitFor } from './wait-for.ts';

const COUNT = 6;
/** Long enough for all Nodes to be deleted on a busy machine before the first is past it. */
const release = { gracePeriod: '10s' };

let harness: Harness;
let round = 0;
/** The machines of a test by their first names, and each Node that there was. */
let nodes: TestNode[];
let registered: TestNode[];

beforeAll(async () => {
  harness = await openHarness({
    pools: [{ name: 'all', release }, { name: 'now' }],
    releaseBrake: { window: '10m' },
  });
  harness.reserve('all', COUNT);
  harness.reserve('now', 1);
}, 900_000);
beforeEach(async () => {
  round += 1;
  nodes = [];
  for (let i = 0; i < COUNT; i++) nodes.push(await harness.addNode(`old-${round}-${i}`, { pool: 'all' }));
  registered = [...nodes];
  await Promise.all(nodes.map((node) => harness.waitUntilAssigned(node)));
  // Visibility, which the brake counts in, lags.
  const query = `KubeipCluster = 'test' AND KubeipPhase = 'assigned' AND ExecutionStatus = 'Running'`;
  await waitFor(
    'all in visibility',
    () => harness.client.workflow.count(query),
    ({ count }) => count === COUNT,
  );
});
afterEach(async () => {
  for (const node of registered) {
    // As after a real end: the machines are gone, and so is all that they held.
    harness.ec2.terminateInstance(node.instanceId);
    await harness.deleteNode(node);
  }
  for (const node of registered) expect(await harness.waitForEnd(node)).toBe('COMPLETED');
  await expectSound(harness);
});
afterAll(() => harness?.close());

const addresses = () => new Map(nodes.map(({ instanceId }) => [instanceId, harness.elasticIpOf(instanceId)]));

/** The machine registers under another name. */
async function rename({ name, instanceId }: TestNode): Promise<TestNode> {
  const fresh = await harness.addNode(name.replace('old', 'new'), { pool: 'all', instanceId });
  registered.push(fresh);
  return fresh;
}

async function passedOn(old: TestNode, fresh: TestNode): Promise<void> {
  expect(await harness.waitForEnd(old)).toBe('COMPLETED');
  expect(await harness.handle(old).result()).toMatchObject({
    message: expect.stringContaining('it passes to that Node') as unknown,
  });
  await harness.waitUntilAssigned(fresh);
}

test('many at once: what passes on is no release, and holds no later one', async () => {
  const before = addresses();
  const renamed: TestNode[] = [];
  for (const node of nodes) renamed.push(await rename(node));
  for (const node of nodes) await harness.deleteNode(node);
  for (const [index, old] of nodes.entries()) await passedOn(old, renamed[index] ?? old);
  expect(addresses()).toEqual(before);

  const single = await harness.addNode('single', { pool: 'now' });
  await harness.waitUntilAssigned(single);
  await harness.deleteNode(single);
  expect(await harness.waitForEnd(single)).toBe('COMPLETED');
  expect(harness.elasticIpOf(single.instanceId)).toBeUndefined();
});

test('among many that are gone: one that has another name by then is not held, one that gets one later no longer', async () => {
  const before = addresses();
  const [first, second, ...others] = nodes;
  if (first === undefined || second === undefined) throw new Error('no nodes');
  const fresh = await rename(first);
  for (const node of nodes) await harness.deleteNode(node);
  await passedOn(first, fresh);
  for (const node of [second, ...others]) await harness.waitForPhase(node, 'held');

  const late = await rename(second);
  await passedOn(second, late);
  expect(addresses()).toEqual(before);
  for (const node of others) expect((await harness.status(node)).phase).toBe('held');
});
