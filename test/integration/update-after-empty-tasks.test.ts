/**
 * An Update after two workflow tasks that left no event: the minimal case of docs/decisions/0019, with the SDK alone and with
 * `workflows/empty-tasks.ts`.
 *
 * A signal and an activity's result come, and the workflow does nothing. Its worker is killed. The Update comes to a worker that has to
 * read the history: the SDK takes the task of the result and that of the Update for one, and hands the Update to the workflow first. In
 * a replay it keeps the two apart. The SDK's issue: https://github.com/temporalio/sdk-rust/issues/1146
 *
 * The task of an Update that is refused may take the place of the signal's. If something comes meanwhile the server keeps it, and no replay
 * hears of it.
 */
import { fileURLToPath } from 'node:url';
import { Client, Connection, type WorkflowHandle, WorkflowUpdateFailedError } from '@temporalio/client';
import proto from '@temporalio/proto';
import { DeterminismViolationError } from '@temporalio/workflow';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startWorld, type World } from '../../sandbox/world.ts';
import { eventTypes, type History, replay, startTwoWorkers } from './killed-workers.ts';
import { waitFor } from './wait-for.ts';

const { PendingWorkflowTaskState } = proto.temporal.api.enums.v1;
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const workflowsPath = here('./update-after-empty-tasks/waiter.ts');
const guard = [here('../../workflows/empty-tasks.ts')];

interface Outcome {
  /** Whether the result came before the Update. */
  readonly hadLooked: unknown;
  readonly types: readonly string[];
  readonly history: History;
}

let world: World;
let connection: Connection;
let client: Client;
let alone: Outcome;
let guarded: Outcome;
let refused: Outcome;
beforeAll(async () => {
  world = await startWorld({ temporal: true });
  connection = await Connection.connect({ address: world.temporal.address });
  client = new Client({ connection });
  [alone, guarded, refused] = await Promise.all([
    updateAfter('alone', [], afterSignal),
    updateAfter('guarded', guard, afterSignal),
    updateAfter('refused', guard, afterRefusal),
  ]);
}, 900_000);
afterAll(async () => {
  await connection?.close();
  await world?.stop();
});

/** Brings two tasks that leave no event: the second one is that of the activity's result. */
type BringTwo = (workflow: WorkflowHandle, untilTasks: (count: number) => Promise<unknown>) => Promise<void>;

const complete = ({ workflowId }: WorkflowHandle): Promise<void> =>
  client.activity.complete({ workflowId, activityId: '1' }, undefined);

const afterSignal: BringTwo = async (workflow, untilTasks) => {
  await workflow.signal('nudge');
  await untilTasks(2);
  await complete(workflow);
  await untilTasks(3);
};

/** The result comes while the Update is being refused: so the server keeps that task, and hands out another one. */
const afterRefusal: BringTwo = async (workflow, untilTasks) => {
  const refusal = expect(workflow.executeUpdate('refused')).rejects.toThrow(WorkflowUpdateFailedError);
  await waitFor(
    'the task of the Update',
    async () => (await workflow.describe()).raw.pendingWorkflowTask?.state,
    (state) => state === PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_STARTED,
  );
  await complete(workflow);
  await refusal;
  await untilTasks(3);
};

async function updateAfter(taskQueue: string, modules: string[], bringTwo: BringTwo): Promise<Outcome> {
  const [first, second] = await startTwoWorkers(world, { taskQueue, workflowsPath, modules });
  try {
    first.kill('SIGUSR2');
    const workflow = await client.workflow.start('WaiterWorkflow', { taskQueue, workflowId: taskQueue });
    const types = (): Promise<string[]> => eventTypes(workflow);
    const untilTasks = (count: number): Promise<unknown> =>
      waitFor(
        `${count} completed tasks`,
        types,
        (all) => all.filter((type) => type.startsWith('workflowTaskCompleted')).length === count,
      );
    await untilTasks(1);
    await bringTwo(workflow, untilTasks);
    first.kill('SIGKILL');
    await first.exited;
    second.kill('SIGUSR2');
    const hadLooked = await workflow.executeUpdate('rest');
    await workflow.result();
    return { hadLooked, types: await types(), history: await workflow.fetchHistory() };
  } finally {
    await Promise.all([first.stop(), second.stop()]);
  }
}

test('with the SDK alone the Update overtakes the result, and the history cannot be replayed', async () => {
  // If this fails because a newer SDK keeps the two tasks apart, then workflows/empty-tasks.ts is needed no more.
  expect(alone.hadLooked).toBe(false);
  expect(await replay(alone.history, { workflowsPath, modules: [] })).toBeInstanceOf(
    DeterminismViolationError,
  );
});

test('where the second task leaves an event they come in order, and the history is replayed', async () => {
  expect(guarded.hadLooked).toBe(true);
  expect(guarded.types.filter((type) => type.startsWith('workflowPropertiesModified'))).toHaveLength(1);
  expect(await replay(guarded.history, { workflowsPath, modules: guard })).toBeUndefined();
});

test('the task of a refused Update counts as one that left no event', async () => {
  expect(refused.hadLooked).toBe(true);
  expect(refused.types.filter((type) => type.startsWith('workflowPropertiesModified'))).toHaveLength(1);
  expect(await replay(refused.history, { workflowsPath, modules: guard })).toBeUndefined();
});
