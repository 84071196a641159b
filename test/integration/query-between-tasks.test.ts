/**
 * A query between two workflow tasks: the minimal case of docs/decisions/0019, with the SDK alone and with our guard.
 *
 * A worker is killed. A query waits for another one; meanwhile a timer fires. The second worker answers the query. Only then comes
 * a signal, and after it the workflow task. Without the guard, the SDK writes a history that it cannot replay.
 */
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { DeterminismViolationError } from '@temporalio/workflow';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startWorld, type World } from '../../sandbox/world.ts';
import { QUERY_BETWEEN_TASKS } from '../../workflows/query-guard.ts';
import { eventTypes, type History, replay, startTwoWorkers } from './killed-workers.ts';
import { waitFor } from './wait-for.ts';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

interface Outcome {
  /** The answer of the query, or its error. */
  readonly query: unknown;
  /** Activities that the workflow scheduled. */
  readonly looks: number;
  readonly history: History;
}

const signaled = 'workflowExecutionSignaledEventAttributes';

let world: World;
let connection: Connection;
let client: Client;
const workflowsPath = here('./query-between-tasks/waiter.ts');
const guard = [here('../../workflows/query-guard.ts')];
let alone: Outcome;
let guarded: Outcome;
beforeAll(async () => {
  world = await startWorld({ temporal: true });
  connection = await Connection.connect({ address: world.temporal.address });
  client = new Client({ connection });
  [alone, guarded] = await Promise.all([inThatOrder('alone', []), inThatOrder('guarded', guard)]);
}, 900_000);
afterAll(async () => {
  await connection?.close();
  await world?.stop();
});

/**
 * On a busy machine the timer may fire before its worker is killed, or the server may give the task to the second worker before the
 * signal comes. That shows nothing, and is done again.
 */
async function inThatOrder(name: string, modules: string[]): Promise<Outcome> {
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await queryBetweenTasks(`${name}-${attempt}`, modules);
    if (outcome !== undefined) return outcome;
    if (attempt === 6)
      throw new Error(`The query did not come between the two tasks in ${attempt} attempts.`);
  }
}

/** @returns undefined if things came in another order */
async function queryBetweenTasks(taskQueue: string, modules: string[]): Promise<Outcome | undefined> {
  const [first, second] = await startTwoWorkers(world, { taskQueue, workflowsPath, modules });
  try {
    first.kill('SIGUSR2');
    const workflow = await client.workflow.start('WaiterWorkflow', { taskQueue, workflowId: taskQueue });
    const events = (): Promise<string[]> => eventTypes(workflow);
    await waitFor('the timer', events, (all) => all.includes('timerStartedEventAttributes'));
    first.kill('SIGKILL');
    await first.exited;
    const asked = connection
      .withDeadline(Date.now() + 60_000, () => workflow.query('count'))
      .catch((error: unknown) => error);
    await waitFor('the timer to fire', events, (all) => all.includes('timerFiredEventAttributes'));
    second.kill('SIGUSR2');
    const query = await asked;
    await workflow.signal('request');
    await workflow.result();
    const all = await events();
    const next = all.slice(all.indexOf('timerFiredEventAttributes'));
    if (next.indexOf(signaled) > next.indexOf('workflowTaskStartedEventAttributes')) return undefined;
    return {
      query,
      looks: all.filter((name) => name.startsWith('activityTaskScheduled')).length,
      history: await workflow.fetchHistory(),
    };
  } finally {
    await Promise.all([first.stop(), second.stop()]);
  }
}

test('with the SDK alone the query changes the workflow, and its history cannot be replayed', async () => {
  // If this fails because a newer SDK keeps the query apart, then workflows/query-guard.ts is not needed any more.
  expect(alone.query).toBe(0);
  expect(alone.looks).toBe(2);
  expect(await replay(alone.history, { workflowsPath, modules: [] })).toBeInstanceOf(
    DeterminismViolationError,
  );
});

test('with the guard the query fails and says so, and the history is replayed', async () => {
  expect(String(guarded.query)).toContain(QUERY_BETWEEN_TASKS);
  expect(guarded.looks).toBe(1);
  expect(await replay(guarded.history, { workflowsPath, modules: guard })).toBeUndefined();
});
