/** A worker may die just after it took up `select` and before it asked: then the mutex knows an activity that is over, and grants to that. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { queryWorkflow } from '../../program/query-workflow.ts';
import { poolStateQuery, requestSignal } from '../../workflows/messages.ts';
import { type PackedPoolState, unpack } from '../../workflows/pool/packed-state.ts';
import { type Harness, openHarness } from './harness.ts';
import { expectSound } from './soundness.ts';
import { waitFor } from './wait-for.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness({ pools: [{ name: 'short' }] });
}, 900_000);
afterEach(() => expectSound(harness));
afterAll(() => harness?.close());

test('a node whose grant finds no activity asks again at once, and not after half an hour', async () => {
  const node = await harness.addNode('asks-again', { pool: 'short' });
  await harness.waitForStatus(node, 'knows why it waits', ({ message }) => message.includes('has no free'));
  const workflowId = harness.workflowId(node);
  const waiter = await waitFor(
    'its request',
    async () => unpack((await queryWorkflow(harness.mutex, poolStateQuery)) as PackedPoolState).queue,
    (queue) => queue.some((it) => it.workflowId === workflowId && it.told === 'empty'),
  ).then((queue) => queue.find((it) => it.workflowId === workflowId));
  if (waiter === undefined) throw new Error('it does not wait');
  const { runId, requestId, priority } = waiter;
  const [query] = harness.pools[0]?.queries ?? [];
  if (query === undefined) throw new Error('a pool without addresses');
  // As the mutex knows it if the activity that followed never asked: `1` is the first look, and over.
  const asked = { workflowId, runId, requestId, priority, query, pool: 'short', told: true };
  const instance = { provider: 'aws', id: node.instanceId, zone: `${harness.ec2.region}a` } as const;
  await harness.mutex.signal(requestSignal, { ...asked, instance, activityId: '1' });
  const [allocationId] = harness.reserve('short');
  expect((await harness.waitUntilAssigned(node)).address.id).toBe(allocationId);
});
