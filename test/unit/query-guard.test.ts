/** The decision of the guard on synthetic activations. What the SDK and the server do: test/integration/query-between-tasks.test.ts. */
import { expect, test } from '@jest/globals';
import { AFTER_QUERY_BETWEEN_TASKS, interceptors, QUERY_BETWEEN_TASKS } from '../../workflows/query-guard.ts';
import type { Activation, Command } from '../../workflows/task-events.ts';

/** One that the server never gave up before: a task is scheduled and started after the event that the workflow starts with. */
const FIRST_LENGTH = 3;
const signal = { signalWorkflow: {} };
const query = { queryWorkflow: { queryId: 'legacy_query' } };
const command: Command = { upsertWorkflowSearchAttributes: {} };

interface Arrival {
  /** Of the WorkflowTaskStarted event that it belongs to. */
  readonly at: number;
  readonly length: number;
  readonly jobs: Activation['jobs'];
  readonly commands?: Command[];
  readonly isReplaying?: boolean;
}

/** A workflow's guard: what comes after its first workflow task, which had no command. */
function guardedWorkflow(): (arrival: Arrival) => void {
  const internals = interceptors().internals?.[0];
  const come = ({ at, length, jobs, commands = [], isReplaying = false }: Arrival): void => {
    const activation = { timestamp: { seconds: at, nanos: 0 }, historyLength: length, isReplaying, jobs };
    const input = { activation, batchIndex: 0 } as unknown as Parameters<
      NonNullable<NonNullable<typeof internals>['activate']>
    >[0];
    internals?.activate?.(input, () => undefined);
    internals?.concludeActivation?.({ commands }, (concluded) => concluded);
  };
  come({ at: 1, length: FIRST_LENGTH, jobs: [{ initializeWorkflow: {} }] });
  return come;
}

test('a query that brings events behind the last task fails, but not in a replay', () => {
  const late = { at: 1, length: FIRST_LENGTH + 2, jobs: [query] };
  expect(() => guardedWorkflow()(late)).toThrow(QUERY_BETWEEN_TASKS);
  expect(() => guardedWorkflow()({ ...late, isReplaying: true })).not.toThrow();
});

test('a query that brings nothing new changes nothing', () => {
  const come = guardedWorkflow();
  come({ at: 1, length: FIRST_LENGTH, jobs: [query] });
  // Completed, signaled, scheduled, started.
  come({ at: 2, length: FIRST_LENGTH + 4, jobs: [signal] });
});

/** After a query that brought a task which was handed out and came to nothing: completed, signaled, scheduled, started. */
function queriedAfterLostTask(): (arrival: Arrival) => void {
  const come = guardedWorkflow();
  come({ at: 2, length: FIRST_LENGTH + 4, jobs: [query] });
  return come;
}

test('a task that follows a query fails where one more task was lost in between', () => {
  // The lost one timed out; a signal, and the task that comes. Of its two signals, the query has applied the first.
  const next = { at: 3, length: FIRST_LENGTH + 8, jobs: [signal] };
  expect(() => queriedAfterLostTask()(next)).toThrow(AFTER_QUERY_BETWEEN_TASKS);
});

test('a task that follows a query fails where another worker has done one in between', () => {
  // Completed with one command; a signal, and the task that comes.
  const next = { at: 3, length: FIRST_LENGTH + 9, jobs: [signal] };
  expect(() => queriedAfterLostTask()(next)).toThrow(AFTER_QUERY_BETWEEN_TASKS);
});

test('only the first task after a query is judged', () => {
  const come = guardedWorkflow();
  come({ at: 1, length: FIRST_LENGTH, jobs: [query] });
  come({ at: 2, length: FIRST_LENGTH + 4, jobs: [signal], commands: [command] });
  // Longer than the commands before it make it: there may be events that no job comes from.
  come({ at: 3, length: FIRST_LENGTH + 11, jobs: [signal] });
});

test('a task that follows a query passes where the commands before it make the history that long', () => {
  const come = guardedWorkflow();
  come({ at: 2, length: FIRST_LENGTH + 4, jobs: [signal], commands: [command] });
  come({ at: 2, length: FIRST_LENGTH + 4, jobs: [query] });
  // Completed, the command's event, signaled, scheduled, started.
  come({ at: 3, length: FIRST_LENGTH + 9, jobs: [signal] });
});

test('a query that brought that a task is scheduled makes the next task fail', () => {
  const come = guardedWorkflow();
  // Completed, signaled, scheduled.
  come({ at: 1.5, length: FIRST_LENGTH + 3, jobs: [query] });
  const next = { at: 2, length: FIRST_LENGTH + 4, jobs: [signal] };
  expect(() => come(next)).toThrow(AFTER_QUERY_BETWEEN_TASKS);
});

test('after a task that was dropped, as it refused its Update, a query that brings no longer history fails too', () => {
  const refuse = (come: (arrival: Arrival) => void, isReplaying = false): void =>
    come({ at: 2, length: FIRST_LENGTH + 3, jobs: [{ doUpdate: {} }], isReplaying });
  // In place of the dropped task's events: fired, scheduled.
  const late = { at: 2, length: FIRST_LENGTH + 3, jobs: [{ fireTimer: {} }] };
  const come = guardedWorkflow();
  refuse(come);
  expect(() => come(late)).toThrow(QUERY_BETWEEN_TASKS);
  const other = guardedWorkflow();
  refuse(other);
  other({ ...late, jobs: [query] });
  const replayed = guardedWorkflow();
  refuse(replayed, true);
  replayed({ ...late, isReplaying: true });
});

test('a query whose history ends with the first task that is no replay fails: its worker may be gone', () => {
  const come = guardedWorkflow();
  come({ at: 2, length: FIRST_LENGTH + 4, jobs: [signal], isReplaying: true });
  // Completed, signaled, scheduled, started; not completed.
  come({ at: 3, length: FIRST_LENGTH + 8, jobs: [signal] });
  const late = { at: 3, length: FIRST_LENGTH + 8, jobs: [query] };
  expect(() => come(late)).toThrow(QUERY_BETWEEN_TASKS);
});

test('it passes where the history has the end of that task, and where all was replayed', () => {
  const come = guardedWorkflow();
  come({ at: 2, length: FIRST_LENGTH + 4, jobs: [signal], isReplaying: true });
  come({ at: 2, length: FIRST_LENGTH + 4, jobs: [query], isReplaying: true });
  const done = guardedWorkflow();
  done({ at: 2, length: FIRST_LENGTH + 4, jobs: [signal], isReplaying: true });
  done({ at: 3, length: FIRST_LENGTH + 8, jobs: [signal] });
  done({ at: 3, length: FIRST_LENGTH + 9, jobs: [query], isReplaying: true });
});
