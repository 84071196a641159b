/**
 * Anybody with access to the namespace can send anything: signals and Updates of every shape to both workflows on a real
 * server, and afterwards everything works as before.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ActivityNotFoundError, type WorkflowHandle } from '@temporalio/client';
import proto from '@temporalio/proto';
import fc from 'fast-check';
import { queryWorkflow } from '../../program/query-workflow.ts';
import { type Payload, payloadsOf, send } from './raw-signal.ts';
import { type Harness, openHarness } from './harness.ts';
import { freedSignal } from '../../workflows/messages.ts';
import { pressUntilContinued } from './press-until-continued.ts';
import { waitFor } from './wait-for.ts';

const poolSignals = ['request', 'settle', 'withdraw', 'freed', 'configure', 'releaseClaim'];
const nodeSignals = ['nodeDeleted', 'nodeChanged', 'release', 'assign', 'move', 'pin', 'unpin'];
const strangers = ['unknown', '__proto__', 'constructor', 'ünïcode', 'x'.repeat(900)];
/** Command-like input is left out: what follows `release` and `assign` must be bad to be ignored. */
const commands = ['release', 'assign', 'unpin'];

const completed =
  proto.temporal.api.enums.v1.UpdateWorkflowExecutionLifecycleStage
    .UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED;

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const json = (value: string): Payload => ({ metadata: { encoding: text('json/plain') }, data: text(value) });
/** What other SDKs, codecs and clients send, whole or broken. */
const oddPayloads: readonly (readonly [string, readonly Payload[]])[] = [
  ['bytes', [{ metadata: { encoding: text('binary/plain') }, data: text('{"workflowId":"w"}') }]],
  ['encrypted', [{ metadata: { encoding: text('binary/encrypted') }, data: Uint8Array.of(0, 255, 7) }]],
  ['protobuf as JSON', [{ metadata: { encoding: text('json/protobuf') }, data: text('{}') }]],
  ['protobuf', [{ metadata: { encoding: text('binary/protobuf') }, data: Uint8Array.of(8, 1) }]],
  ['compressed', [{ metadata: { encoding: text('binary/zlib') }, data: Uint8Array.of(120, 156) }]],
  ['an unknown encoding', [{ metadata: { encoding: text('text/ünknown') }, data: text('?') }]],
  ['no encoding', [{ metadata: {}, data: text('{}') }]],
  ['nothing at all', [{}]],
  ['JSON that is cut off', [json('{"workflowId":"assign-ip/te')]],
  ['an empty JSON text', [json('')]],
  [
    'bytes that are no UTF-8, as JSON',
    [{ metadata: { encoding: text('json/plain') }, data: Uint8Array.of(255, 254) }],
  ],
  ['a number out of range', [json('1e309')]],
  ['deep nesting', [json('['.repeat(5_000) + ']'.repeat(5_000))]],
  [
    'a second payload that cannot be read',
    [json('"x"'), { metadata: { encoding: text('binary/encrypted') }, data: text('?') }],
  ],
  ['a hundred payloads', Array.from({ length: 100 }, () => json('"x"'))],
];

/** Texts of JSON that are no input of any signal: without the keys that would make them one, or with wrong values. */
const hostileJson = fc.oneof(
  fc.json({ maxDepth: 4 }).filter((it) => !it.startsWith('{') && it !== 'null'),
  fc.constantFrom(
    '"x"',
    '[[[]]]',
    '1e309',
    '{"__proto__":{"uid":"x"},"reason":7}',
    '{"constructor":{"prototype":{}},"reason":[]}',
    '{"workflowId":"w","requestId":"r","addressId":"a","token":1e309,"outcome":"associated","reason":1}',
    '{"workflowId":"w","runId":"r","requestId":"r","pool":"p","priority":"high","query":{},"instance":{},"reason":1}',
    '{"pacing":{"burst":-1,"perSecond":1e-400},"reason":1}',
    '{"addressId":"eipalloc-1","disassociated":"yes","reason":1}',
    '{"uid":{"toString":1},"reason":1}',
    `{"uid":"${'x'.repeat(100_000)}","reason":1}`,
    '{"kind":"granted","requestId":"r","address":{"id":1},"token":"1","held":0,"reason":1}',
  ),
);

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness({ pools: [{ name: 'busy' }, { name: 'flooded' }, { name: 'granted' }] });
}, 900_000);
afterAll(() => harness?.close());

/** The workflow answers, has not failed a task for ever, and is open. */
async function expectAlive(handle: WorkflowHandle): Promise<void> {
  await queryWorkflow(handle, 'status');
  const { status, raw } = await handle.describe();
  expect(status.name).toBe('RUNNING');
  expect(raw.pendingWorkflowTask?.attempt ?? 1).toBe(1);
}

async function expectServed(name: string, pool: string): Promise<void> {
  harness.reserve(pool);
  const node = await harness.addNode(name, { pool });
  await harness.waitUntilAssigned(node);
}

test('signals that cannot be read, or mean nothing, stop neither the mutex nor a node', async () => {
  harness.reserve('busy');
  const node = await harness.addNode('target', { pool: 'busy' });
  const before = await harness.waitUntilAssigned(node);
  const { mutex } = harness;
  const own = harness.handle(node);
  const fuzzed = fc
    .sample(hostileJson, { numRuns: 200, seed: 5 })
    .map((it): readonly Payload[] => [json(it)]);
  for (const payloads of [...oddPayloads.map(([, payloads]) => payloads), ...fuzzed]) {
    await Promise.all([
      ...[...poolSignals, ...strangers].map((signal) => send(harness.client, mutex, signal, payloads)),
      ...[...nodeSignals, ...strangers].map((signal) => send(harness.client, own, signal, payloads)),
    ]);
  }
  await expectAlive(mutex);
  await expectAlive(own);
  expect(await harness.status(node)).toMatchObject({
    phase: 'assigned',
    releasedByHand: false,
    addresses: before.addresses,
  });
  await expectServed('after-signals', 'busy');
});

test.each(oddPayloads)('an Update with %s is refused, or answered, and hurts nobody', async (_, payloads) => {
  harness.reserve('busy');
  const node = await harness.addNode(`update-${oddPayloads.findIndex(([, it]) => it === payloads)}`, {
    pool: 'busy',
  });
  await harness.waitUntilAssigned(node);
  for (const name of [...commands, 'unknown']) {
    const answer = await harness.client.workflowService.updateWorkflowExecution({
      namespace: harness.client.options.namespace,
      workflowExecution: { workflowId: harness.workflowId(node) },
      waitPolicy: { lifecycleStage: completed },
      request: { meta: { updateId: `${name}-1` }, input: { name, args: payloadsOf(payloads) } },
    });
    expect(answer.outcome?.failure?.message ?? 'answered').toMatch(/takes nothing|has .* already|unknown/);
  }
  await expectAlive(harness.handle(node));
  expect(await harness.status(node)).toMatchObject({ phase: 'assigned', releasedByHand: false });
});

test('a flood of signals that say nothing leads to a new run long before the server takes no more', async () => {
  harness.reserve('flooded');
  const node = await harness.addNode('flooded-1', { pool: 'flooded' });
  await harness.waitUntilAssigned(node);
  await flood(harness.mutex, 'request');
  await flood(harness.handle(node), 'nodeChanged');
  await harness.release(node);
  await flood(harness.handle(node), 'unknown');
  await expectAlive(harness.mutex);
  await expectAlive(harness.handle(node));
  expect(await harness.status(node)).toMatchObject({ phase: 'released', releasedByHand: true });
  await expectServed('after-flood', 'flooded');
});

async function flood(handle: WorkflowHandle, signal: string): Promise<void> {
  await pressUntilContinued(handle, () => send(harness.client, handle, signal, [json('"x"')]), {
    inFlight: 100,
  });
}

test('a mutex that is told much does not end its run meanwhile, which the server would refuse', async () => {
  const { mutex } = harness;
  const runs = [(await mutex.describe()).runId];
  const tell = async (count: number): Promise<void> => {
    for (let sent = 0; sent < count; sent++)
      await mutex.signal(freedSignal, { addressId: 'eipalloc-0', disassociated: false });
  };
  await Promise.all(Array.from({ length: 8 }, () => tell(100)));
  runs.push(
    await waitFor(
      'a new run, once nothing comes any more',
      async () => (await mutex.describe()).runId,
      (runId) => runId !== runs[0],
    ),
  );
  const causes = await Promise.all(
    runs.map(async (runId) => {
      const { events } = await harness.client.workflow.getHandle(mutex.workflowId, runId).fetchHistory();
      return (events ?? []).flatMap((event) => event.workflowTaskFailedEventAttributes?.cause ?? []);
    }),
  );
  expect(causes.flat()).toEqual([]);
});

type PendingActivity = NonNullable<
  Awaited<ReturnType<WorkflowHandle['describe']>>['raw']['pendingActivities']
>[number];

test('an answer that the mutex never gave does not end the wait of a node', async () => {
  const node = await harness.addNode('forged-1', { pool: 'granted' });
  await harness.waitForPhase(node, 'waiting');
  const handle = harness.handle(node);
  const isOpenSelect = (it: PendingActivity): boolean =>
    it.activityType?.name === 'select' && Boolean(it.lastStartedTime);
  /** Between two attempts of the activity, as after one that was late, the server takes no answer. */
  const tryToForge = async (answer: unknown): Promise<string | undefined> => {
    const { runId, raw } = await handle.describe();
    const activityId = raw.pendingActivities?.find(isOpenSelect)?.activityId;
    if (!activityId) return undefined;
    try {
      await harness.client.activity.complete({ workflowId: handle.workflowId, runId, activityId }, answer);
      return activityId;
    } catch (error) {
      if (error instanceof ActivityNotFoundError) return undefined;
      throw error;
    }
  };
  const forge = (answer: unknown): Promise<string | undefined> =>
    waitFor(
      'a forged answer to be taken',
      () => tryToForge(answer),
      (activityId) => activityId !== undefined,
    );
  const address = { id: 'eipalloc-1', ip: '192.0.2.1' };
  const first = await forge({ kind: 'granted', requestId: 'forged', address, token: 1, held: false });
  expect(await forge('nonsense')).not.toBe(first);
  expect(await harness.status(node)).toMatchObject({ phase: 'waiting' });
  const [reserved] = harness.reserve('granted');
  await harness.assign(node);
  expect((await harness.waitUntilAssigned(node)).address.id).toBe(reserved);
});
