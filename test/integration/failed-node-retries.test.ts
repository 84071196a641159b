/** The watcher's reconcile and nodes that failed for good: on real workflows, at times that the test chooses. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { deleteNode } from '../../sandbox/nodes.ts';
import { createWatcherMetrics } from '../../watcher/metrics.ts';
import { createNodeWorkflows } from '../../watcher/node-workflows.ts';
import { reconcile } from '../../watcher/reconcile.ts';
import { nodeChangedSignal } from '../../workflows/messages.ts';
import { type HarnessOptions, harnessConfig } from './harness-config.ts';
import { testLogger } from './harness-workers.ts';
import { type Harness, openHarness } from './harness.ts';
import { pressUntilContinued } from './press-until-continued.ts';
import { expectSound } from './soundness.ts';
import type { TestNode } from './test-nodes.ts';
import { openIdentity } from './test-identity.ts';
import { waitFor } from './wait-for.ts';

const minute = 60_000;
const options: HarnessOptions = { pools: [{ name: 'public' }, { name: 'empty' }] };

let harness: Harness;
let node: TestNode;
let metrics: ReturnType<typeof createWatcherMetrics>;
beforeAll(async () => {
  harness = await openHarness(options);
}, 900_000);
beforeEach(() => {
  metrics = createWatcherMetrics('test');
  harness.ec2.configure({ denied: ['AssociateAddress'] });
});
afterEach(async () => {
  harness.ec2.configure({ denied: [] });
  await deleteNode(harness.world.kubernetes, node.name);
  if ((await harness.handle(node).describe()).status.name === 'RUNNING') {
    await harness.tellDeleted(node);
    await harness.waitForEnd(node);
  }
  await expectSound(harness);
});
afterAll(() => harness?.close());

/** A reconcile as the watcher would make it at another time. */
async function reconcileIn(ms: number, changed: HarnessOptions = options): Promise<void> {
  const dependencies = {
    config: harnessConfig(harness.world, 'test', changed),
    kubernetes: harness.kubernetes,
    identity: await openIdentity(harness.client, harness.kubernetes, 'test'),
    workflows: createNodeWorkflows(harness.client, 'test'),
    metrics,
    logger: testLogger('watcher'),
    now: () => Date.now() + ms,
  };
  await reconcile(dependencies, new AbortController().signal);
}

async function failingNode(name: string): Promise<void> {
  harness.reserve('public');
  node = await harness.addNode(name, { pool: 'public' });
  await untilFailed();
}

/** Also in visibility, which the reconcile reads. */
async function untilFailed(): Promise<string> {
  expect(await harness.waitForEnd(node)).toBe('FAILED');
  const { runId } = await harness.handle(node).describe();
  const query = `RunId = '${runId}' AND ExecutionStatus = 'Failed'`;
  await waitFor(
    'visibility to show the failure',
    () => harness.client.workflow.count(query),
    ({ count }) => count === 1,
  );
  return runId;
}

const runId = async (): Promise<string> => (await harness.handle(node).describe()).runId;
const memo = async () => (await harness.handle(node).describe()).memo;

async function valueOf(metric: 'failedNodes' | 'failureRetries'): Promise<number | undefined> {
  const { values } = await metrics[metric].get();
  return values.find(({ labels }) => labels.pool === 'public')?.value;
}

test('a node that failed is left alone, and then tried again after pauses that grow until it succeeds', async () => {
  await failingNode('grows');
  const first = await runId();
  await reconcileIn(0);
  expect(await runId()).toBe(first);
  expect(await valueOf('failedNodes')).toBe(1);

  await reconcileIn(1.5 * minute);
  const second = await untilFailed();
  expect(second).not.toBe(first);
  expect(await harness.status(node)).toMatchObject({ phase: 'failed', attempt: 2 });
  expect(await valueOf('failureRetries')).toBe(1);
  expect(await valueOf('failedNodes')).toBe(0);

  await reconcileIn(1.5 * minute);
  expect(await runId()).toBe(second);
  await reconcileIn(2.5 * minute);
  const third = await untilFailed();
  expect(await memo()).toMatchObject({ failures: 2 });

  harness.ec2.configure({ denied: [] });
  await reconcileIn(3.5 * minute);
  expect(await runId()).toBe(third);
  await reconcileIn(4.5 * minute);
  await harness.waitUntilAssigned(node);
  expect(await harness.status(node)).not.toHaveProperty('attempt');
  expect(await memo()).toEqual({ uid: node.uid });
});

test('a pool with other settings is tried with at once, and as for the first time', async () => {
  await failingNode('changed-pool');
  await reconcileIn(1.5 * minute);
  const before = await untilFailed();
  const changed: HarnessOptions = { pools: [{ name: 'public', priority: 7 }] };
  await reconcileIn(0, changed);
  expect(await runId()).not.toBe(before);
  expect(await memo()).toEqual({ uid: node.uid });
  expect(await harness.waitForEnd(node)).toBe('FAILED');
});

test('so is one that failed before its pool was known', async () => {
  node = await harness.addNode('unknown-pool', { pool: 'public', region: 'us-east-1' });
  const before = await untilFailed();
  await reconcileIn(0);
  expect(await runId()).toBe(before);
  await reconcileIn(0, { pools: [{ name: 'public', priority: 7 }] });
  expect(await runId()).not.toBe(before);
  expect(await harness.waitForEnd(node)).toBe('FAILED');
});

test('one whose Node is deleted is closed by a reconcile, and not listed as failed any more', async () => {
  await failingNode('ghost');
  const before = await runId();
  await deleteNode(harness.world.kubernetes, node.name);
  await reconcileIn(0);
  expect(await harness.waitForEnd(node)).toBe('COMPLETED');
  const after = await runId();
  expect(after).not.toBe(before);
  await reconcileIn(0);
  expect(await runId()).toBe(after);
});

test('another Node under the name is tried at once', async () => {
  await failingNode('reborn');
  const before = await runId();
  await deleteNode(harness.world.kubernetes, node.name);
  node = await harness.nodes.make('reborn', { pool: 'public' });
  await reconcileIn(0);
  expect(await runId()).not.toBe(before);
  expect(await harness.waitForEnd(node)).toBe('FAILED');
});

test('a run that was terminated after a failure is started again at the next reconcile', async () => {
  await failingNode('terminated');
  harness.ec2.addFaults({ kind: 'hang', action: 'AssociateAddress', ms: 2_000, times: 1 });
  await harness.tellChanged(node);
  const before = await runId();
  await harness.handle(node).terminate('an accident');
  await waitFor(
    'visibility to show the end',
    () => harness.client.workflow.count(`RunId = '${before}' AND ExecutionStatus = 'Terminated'`),
    ({ count }) => count === 1,
  );
  await reconcileIn(0);
  expect(await runId()).not.toBe(before);
  expect(await harness.waitForEnd(node)).toBe('FAILED');
  harness.ec2.clearFaults();
});

test('a run that continues as new still knows how many failed before it', async () => {
  node = await harness.nodes.make('long-lived', { pool: 'empty' });
  const pool = harness.pools.find(({ name }) => name === 'empty');
  if (pool === undefined) throw new Error('no pool');
  await createNodeWorkflows(harness.client, 'test').start(node, pool, 2);
  await harness.waitForPhase(node, 'waiting');
  const handle = harness.handle(node);
  await pressUntilContinued(handle, () => handle.signal(nodeChangedSignal, { uid: node.uid }));
  expect(await memo()).toMatchObject({ uid: node.uid, failures: 2 });
  await harness.waitForStatus(node, 'at its third attempt', ({ attempt }) => attempt === 3);
});

test('two watchers that find the node due count its failure once', async () => {
  await failingNode('two-watchers');
  await Promise.all([reconcileIn(1.5 * minute), reconcileIn(1.5 * minute)]);
  await untilFailed();
  expect(await memo()).toMatchObject({ failures: 1 });
});

test('a watcher whose clock is years behind tries again at each reconcile, one that is years ahead too', async () => {
  const years = 20 * 365 * 24 * 60 * minute;
  await failingNode('wrong-clock');
  for (const wrong of [-years, years]) {
    const before = await runId();
    await reconcileIn(wrong);
    expect(await untilFailed()).not.toBe(before);
  }
});
