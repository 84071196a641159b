/** Many Nodes that are gone at once while their machines run: nothing is released before an operator confirms it. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import type { AssignIpStatus } from '../../workflows/messages.ts';
import type { HarnessOptions } from './harness-config.ts';
import { type Harness, openHarness } from './harness.ts';
import { expectSound } from './soundness.ts';
import type { TestNode } from './test-nodes.ts';
import { waitFor } from './wait-for.ts';

const COUNT = 6;
/** Long enough for all Nodes to be deleted on a busy machine before the first is past it. */
const options: HarnessOptions = {
  pools: [{ name: 'all', release: { gracePeriod: '15s' } }, { name: 'now' }],
  // What an earlier test released is not of the next one's many.
  releaseBrake: { window: '0s' },
};

let harness: Harness;
let nodes: TestNode[];
let held: Map<string, string | undefined>;

beforeAll(async () => {
  harness = await openHarness(options);
  harness.reserve('all', COUNT);
}, 900_000);
beforeEach(async () => {
  nodes = [];
  for (let i = 0; i < COUNT; i++) nodes.push(await harness.addNode(`all-${i}`, { pool: 'all' }));
  await Promise.all(nodes.map((node) => harness.waitUntilAssigned(node)));
  held = addresses();
  await shown('assigned', COUNT);
});
afterEach(async () => {
  for (const node of nodes) {
    // As after a real end: the machines are gone, and so is all that they held.
    harness.ec2.terminateInstance(node.instanceId);
    await harness.nodes.delete(node).catch(() => undefined);
    await harness.tellDeleted(node);
  }
  for (const node of nodes) expect(await harness.waitForEnd(node)).toBe('COMPLETED');
  await shown('held', 0);
  await expectSound(harness);
});
afterAll(() => harness?.close());

const addresses = () => new Map(nodes.map((node) => [node.name, harness.elasticIpOf(node.instanceId)]));

/** Visibility, which the brake counts in, lags. */
async function shown(phase: string, count: number): Promise<void> {
  const query = `KubeipCluster = 'test' AND KubeipPhase = '${phase}' AND ExecutionStatus = 'Running'`;
  await waitFor(
    `${count} nodes shown as ${phase}`,
    () => harness.client.workflow.count(query),
    (found) => found.count === count,
  );
}

/** As `kubectl delete nodes --all`, and a watcher that sees it. */
async function deleteAll(): Promise<void> {
  for (const node of nodes) await harness.nodes.delete(node);
  for (const node of nodes) await harness.tellDeleted(node);
}

async function allHeld(): Promise<AssignIpStatus[]> {
  const statuses = await Promise.all(nodes.map((node) => harness.waitForPhase(node, 'held')));
  expect(addresses()).toEqual(held);
  return statuses;
}

const confirm = (node: TestNode): Promise<AssignIpStatus> =>
  harness.handle(node).executeUpdate<AssignIpStatus, []>('confirmRelease');

describe('all Nodes deleted while their machines run', () => {
  test('nothing is released, and each says why; Nodes that register again keep what they have', async () => {
    await deleteAll();
    const [status] = await allHeld();
    expect(status?.message).toBe(
      `6 of 6 nodes with an address are gone at once while instances run, so nothing is released: ${held.get('all-0')} stays on ` +
        `${nodes[0]?.instanceId}. A Node that registers again keeps it. If they are meant to be gone: ` +
        '`kubeip release --confirm-mass`.',
    );
    // That most are back releases none of the others.
    const [last, ...others] = nodes.toReversed();
    if (last === undefined) throw new Error('no nodes');
    nodes = [];
    for (const node of others.toReversed()) {
      const again = await harness.nodes.make(node.name, { pool: 'all', instanceId: node.instanceId });
      await harness.tellChanged(again);
      await harness.waitForStatus(again, 'kept', (s) => s.phase === 'assigned' && s.node.uid === again.uid);
      nodes.push(again);
    }
    nodes.push(last);
    expect(await harness.status(last)).toMatchObject({ phase: 'held' });
    expect(addresses()).toEqual(held);
  });

  test('a Node that registers without the labels of its pool keeps what it has', async () => {
    await deleteAll();
    await allHeld();
    const [node, ...others] = nodes;
    if (node === undefined) throw new Error('no nodes');
    const again = await harness.nodes.make(node.name, { pool: 'none', instanceId: node.instanceId });
    await harness.tellChanged({ ...again, pool: 'all' });
    const status = await harness.waitForStatus(again, 'kept', (s) => s.phase === 'assigned');
    expect(status.message).toMatch(/^No pool selects node all-0 any more, since its labels changed/);
    nodes = [again, ...others];
    expect(addresses()).toEqual(held);
  });

  test('confirmed by an operator: they are released, by Update as by signal', async () => {
    await deleteAll();
    await allHeld();
    const [first, second, ...others] = nodes;
    if (first === undefined || second === undefined) throw new Error('no nodes');
    expect(await confirm(first)).toMatchObject({ phase: 'released' });
    await harness.handle(second).signal('confirmRelease');
    expect(await harness.waitForEnd(second)).toBe('COMPLETED');
    for (const node of others) expect((await harness.status(node)).phase).toBe('held');
    for (const node of others) await confirm(node);
    expect([...addresses().values()]).toEqual(nodes.map(() => undefined));
  });

  test('what is held survives new workers, and other commands do not release it', async () => {
    await deleteAll();
    await allHeld();
    await harness.restartWorkers(options);
    for (const node of nodes) {
      await harness.tellDeleted(node);
      await harness.handle(node).signal('release');
      await harness.handle(node).signal('nodeChanged', { uid: node.uid });
    }
    await allHeld();
    const refused = harness.handle(nodes[0] ?? raise()).executeUpdate('release');
    await expect(refused).rejects.toThrow(WorkflowUpdateFailedError);
  });

  test('machines that are terminated are waited for no longer', async () => {
    await deleteAll();
    await allHeld();
    const [node] = nodes;
    if (node === undefined) throw new Error('no nodes');
    harness.ec2.terminateInstance(node.instanceId);
    await harness.handle(node).signal('nodeChanged', { uid: node.uid });
    expect(await harness.waitForEnd(node)).toBe('COMPLETED');
    expect((await harness.status(nodes[1] ?? raise())).phase).toBe('held');
  });
});

describe('a Node that is deleted alone', () => {
  test('is released as ever while its machine runs', async () => {
    harness.reserve('now');
    const node = await harness.addNode('now-0', { pool: 'now' });
    await harness.waitUntilAssigned(node);
    await harness.deleteNode(node);
    expect(await harness.waitForEnd(node)).toBe('COMPLETED');
    expect(harness.elasticIpOf(node.instanceId)).toBeUndefined();
    expect(addresses()).toEqual(held);
    await expect(confirm(nodes[0] ?? raise())).rejects.toThrow(WorkflowUpdateFailedError);
  });

  test('gives its address back at once if its machine is terminated, whatever the grace period', async () => {
    const [node] = nodes;
    if (node === undefined) throw new Error('no nodes');
    harness.ec2.terminateInstance(node.instanceId);
    await harness.deleteNode(node);
    expect(await harness.waitForEnd(node)).toBe('COMPLETED');
    const events = (await harness.handle(node).fetchHistory()).events ?? [];
    const deleted = events.findIndex(
      ({ workflowExecutionSignaledEventAttributes: signal }) => signal?.signalName === 'nodeDeleted',
    );
    const waits = events.slice(deleted).filter((event) => event.timerStartedEventAttributes);
    expect({ deleted: deleted >= 0, waits }).toEqual({ deleted: true, waits: [] });
  });
});

function raise(): never {
  throw new Error('no nodes');
}
