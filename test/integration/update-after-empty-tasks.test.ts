/**
 * An Update after two workflow tasks that left no event: the minimal case of docs/decisions/0019, with the SDK alone and with
 * `workflows/empty-tasks.ts`.
 *
 * A signal and an activity's result come, and the workflow does nothing. Its worker is killed. The Update comes to a worker that has to
 * read the history: the SDK takes the task of the result and that of the Update for one, and hands the Update to the workflow first. In
 * a replay it keeps the two apart. The SDK's issue: https://github.com/temporalio/sdk-rust/issues/1146
 */
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { DeterminismViolationError } from '@temporalio/workflow';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startWorld, type World } from '../../sandbox/world.ts';
import { eventTypes, type History, replay, startTwoWorkers } from './killed-workers.ts';
import { waitFor } from './wait-for.ts';

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
beforeAll(async () => {
  world = await startWorld({ temporal: true });
  connection = await Connection.connect({ address: world.temporal.address });
  client = new Client({ connection });
  [alone, guarded] = await Promise.all([updateAfter('alone', []), updateAfter('guarded', guard)]);
}, 900_000);
afterAll(async () => {
  await connection?.close();
  await world?.stop();
});

async function updateAfter(taskQueue: string, modules: string[]): Promise<Outcome> {
  const [first, second] = await startTwoWorkers(world, { taskQueue, workflowsPath, modules });
  try {
    first.kill('SIGUSR2');
    const workflow = await client.workflow.start('WaiterWorkflow', { taskQueue, workflowId: taskQueue });
    const types = (): Promise<string[]> => eventTypes(workflow);
    const tasks = (all: readonly string[]): number =>
      all.filter((type) => type.startsWith('workflowTaskCompleted')).length;
    await waitFor('the activity', types, (all) => tasks(all) === 1);
    await workflow.signal('nudge');
    await waitFor('the first empty task', types, (all) => tasks(all) === 2);
    await client.activity.complete({ workflowId: taskQueue, activityId: '1' }, undefined);
    await waitFor('the second empty task', types, (all) => tasks(all) === 3);
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
