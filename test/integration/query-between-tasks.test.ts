/**
 * A query between two workflow tasks: the minimal case of docs/decisions/0019, with the SDK alone and with our guard.
 *
 * A worker is killed. A query waits for another one; meanwhile a timer fires. The second worker answers the query. Only then comes
 * a signal, and after it the workflow task. Without the guard, the SDK writes a history that it cannot replay.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { DeterminismViolationError } from '@temporalio/workflow';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type ManagedProcess, startProcess } from '../../sandbox/processes/child-process.ts';
import { isolatedEnvironment } from '../../sandbox/processes/environment.ts';
import { startWorld, type World } from '../../sandbox/world.ts';
import { QUERY_BETWEEN_TASKS } from '../../workflows/query-guard.ts';
import { waitFor } from './wait-for.ts';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

interface Outcome {
  /** The answer of the query, or its error. */
  readonly query: unknown;
  /** Activities that the workflow scheduled. */
  readonly looks: number;
  readonly history: History;
}

type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;

let world: World;
let connection: Connection;
let client: Client;
const guard = [here('../../workflows/query-guard.ts')];
let alone: Outcome;
let guarded: Outcome;
beforeAll(async () => {
  world = await startWorld({ temporal: true });
  connection = await Connection.connect({ address: world.temporal.address });
  client = new Client({ connection });
  [alone, guarded] = await Promise.all([queryBetweenTasks('alone', []), queryBetweenTasks('guarded', guard)]);
}, 900_000);
afterAll(async () => {
  await connection?.close();
  await world?.stop();
});

/** @returns a worker that is ready to poll once it gets SIGUSR2 */
async function startWorker(taskQueue: string, name: string, modules: string[]): Promise<ManagedProcess> {
  const worker = await startProcess({
    name: `worker ${name}`,
    command: process.execPath,
    args: [here('./query-between-tasks/worker.ts'), world.temporal.address, taskQueue, ...modules],
    env: isolatedEnvironment(),
    logFile: join(world.dir, `${taskQueue}-${name}.log`),
  });
  await waitFor(
    `worker ${name}`,
    () => worker.output(),
    (output) => output.includes('ready'),
  );
  return worker;
}

async function queryBetweenTasks(taskQueue: string, workflowInterceptorModules: string[]): Promise<Outcome> {
  const [first, second] = await Promise.all(
    ['first', 'second'].map((name) => startWorker(taskQueue, name, workflowInterceptorModules)),
  );
  try {
    first?.kill('SIGUSR2');
    const workflow = await client.workflow.start('WaiterWorkflow', { taskQueue, workflowId: taskQueue });
    const events = async (): Promise<string[]> =>
      ((await workflow.fetchHistory()).events ?? []).map(
        (event) => Object.keys(event).find((key) => key.endsWith('EventAttributes')) ?? '',
      );
    await waitFor('the timer', events, (all) => all.includes('timerStartedEventAttributes'));
    first?.kill('SIGKILL');
    await first?.exited;
    const asked = connection
      .withDeadline(Date.now() + 60_000, () => workflow.query('count'))
      .catch((error: unknown) => error);
    const fired = await waitFor(
      'the timer to fire',
      events,
      (all) => all.at(-1)?.includes('Scheduled') === true,
    );
    expect(fired.slice(-2)).toEqual(['timerFiredEventAttributes', 'workflowTaskScheduledEventAttributes']);
    second?.kill('SIGUSR2');
    const query = await asked;
    await workflow.signal('request');
    await workflow.result();
    const all = await events();
    return {
      query,
      looks: all.filter((name) => name.startsWith('activityTaskScheduled')).length,
      history: await workflow.fetchHistory(),
    };
  } finally {
    await Promise.all([first?.stop(), second?.stop()]);
  }
}

/**
 * One at a time: the SDK's runtime ends with the last worker of its process, also while another one begins.
 *
 * @returns the error of the replay; undefined if the history is replayed
 */
async function replay({ history }: Outcome, workflowModules: string[]): Promise<unknown> {
  const workflowsPath = here('./query-between-tasks/waiter.ts');
  return await Worker.runReplayHistory({ workflowsPath, interceptors: { workflowModules } }, history).catch(
    (error: unknown) => error,
  );
}

test('with the SDK alone the query changes the workflow, and its history cannot be replayed', async () => {
  // If this fails because a newer SDK keeps the query apart, then workflows/query-guard.ts is not needed any more.
  expect(alone.query).toBe(0);
  expect(alone.looks).toBe(2);
  expect(await replay(alone, [])).toBeInstanceOf(DeterminismViolationError);
});

test('with the guard the query fails and says so, and the history is replayed', async () => {
  expect(String(guarded.query)).toContain(QUERY_BETWEEN_TASKS);
  expect(guarded.looks).toBe(1);
  expect(await replay(guarded, guard)).toBeUndefined();
});
