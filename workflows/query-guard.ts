/**
 * Keeps a query from changing a workflow (docs/decisions/0019).
 *
 * A query that no workflow task carries reaches a worker with the whole history. If events lie behind the last workflow task (a
 * timer that fired while its worker was gone), SDK 1.24 applies them to the workflow that it keeps in memory. The next workflow task
 * then brings only what came later, so the workflow sees two activations where a replay sees one, with the signals first. It may
 * schedule other commands than a replay does, and its history cannot be replayed any more.
 *
 * So such an activation fails: the query gets an error, the worker drops the workflow from memory, and the next workflow task
 * replays it from the start. Nothing is recorded. test/integration/query-between-tasks.test.ts has the minimal case.
 *
 * A workflow task may lie behind the last one too: it was handed out to a worker that was killed meanwhile. In a workflow that was read
 * from its history, it is the first task that is no replay, and the history ends with it: that query fails. (So does the first query
 * after a first task of its own, for nothing.) In a workflow that the worker kept it cannot be told from a task of its own as the query
 * comes. It can when the next task comes, which may have been done elsewhere: the commands of a task of its own are in the history by
 * then. So that task fails, and is done again from the start: test/replay/random-histories.test.ts. It also fails where the history is
 * longer than those commands make it, as another lost task may be the reason. Not seen is only a lost task without commands, or one after
 * which nothing comes that the workflow hears of, in a workflow that the worker kept.
 *
 * The same where the query has brought that a task is scheduled: the SDK then takes that task for the one before, and may handle an Update
 * of it twice.
 */
import type { WorkflowInterceptorsFactory } from '@temporalio/workflow';
import {
  type Activation,
  type Command,
  bringsEvents,
  EVENTS_BETWEEN_TASKS,
  eventsOf,
  hasOnlyUpdates,
  leastEvents,
} from './task-events.ts';

/** The error of a query that came between two workflow tasks. It is answered once the next task is done. */
export const QUERY_BETWEEN_TASKS =
  'the workflow has events that no workflow task has handled yet: ask again in a few seconds';

/** The error of a workflow task that follows on such a query. The server hands it out again at once. */
export const AFTER_QUERY_BETWEEN_TASKS =
  'a query has changed the workflow in memory: the workflow task is done again from the start';

/** That a task is scheduled and started. */
const EVENTS_OF_START = 2;

interface Task {
  /** Of its history. */
  readonly length: number;
  readonly commands: Command[];
  /** How many events its activations come from at least. There may be more: then the task is done again for nothing. */
  seen: number;
  readonly hasOnlyUpdates: boolean;
  readonly isReplay: boolean;
  /** The first one that is no replay, in a workflow that was read from its history. */
  readonly isFirstAfterReplay: boolean;
}

/** A task that refused all the Updates that came, and brought nothing else: the server may drop it, and count its events anew. */
const leavesNothing = (task: Task): boolean => task.hasOnlyUpdates && leastEvents(task.commands) === 0;

/** Called once for each workflow, before its code. It adds no command. */
export const interceptors: WorkflowInterceptorsFactory = () => {
  let lastTime = '';
  let lastLength = -1;
  /** The task before. */
  let before: Task = {
    length: 0,
    commands: [],
    seen: 0,
    hasOnlyUpdates: false,
    isReplay: false,
    isFirstAfterReplay: false,
  };
  let task = before;
  /** No workflow task has come since a query that none carried. */
  let isQueried = false;
  let isAfterQuery = false;
  /** The length of the history that the last query brought. */
  let queried = 0;

  const enter = (activation: Activation, time: string, length: number): void => {
    if (time !== lastTime) {
      if (!leavesNothing(task)) before = task;
      const isReplay = activation.isReplaying === true;
      task = {
        length,
        commands: [],
        seen: 0,
        hasOnlyUpdates: hasOnlyUpdates(activation),
        isReplay,
        isFirstAfterReplay: task.isReplay && !isReplay,
      };
      isAfterQuery = isQueried;
      isQueried = false;
    }
    task.seen += eventsOf(activation);
    if (isAfterQuery && isChangedByQuery(length)) throw new Error(AFTER_QUERY_BETWEEN_TASKS);
  };
  const isChangedByQuery = (length: number): boolean => {
    const expected = EVENTS_BETWEEN_TASKS + leastEvents(before.commands) + task.seen;
    return length - before.length !== expected || length - queried < EVENTS_OF_START + task.seen;
  };

  return {
    internals: [
      {
        activate(input, next) {
          const { activation } = input;
          const { timestamp, isReplaying, jobs } = activation;
          const length = activation.historyLength ?? 0;
          const time = `${timestamp?.seconds?.toString()}.${timestamp?.nanos}`;
          // Each workflow task has the time of its own WorkflowTaskStarted event. Later events under the time of the task before
          // belong to no task. After a task that the server dropped, the history is no longer than it was then. A replay never fails here:
          // it takes all events of a task together.
          const isOfNoTask = length > lastLength || (leavesNothing(task) && bringsEvents(activation));
          if (!isReplaying && time === lastTime && isOfNoTask) throw new Error(QUERY_BETWEEN_TASKS);
          // The SDK's name of a query that no task carries.
          if (jobs?.some(({ queryWorkflow }) => queryWorkflow?.queryId === 'legacy_query') === true) {
            if (task.isFirstAfterReplay && length === task.length) throw new Error(QUERY_BETWEEN_TASKS);
            [isQueried, queried] = [true, length];
          } else enter(activation, time, length);
          lastTime = time;
          lastLength = length;
          next(input);
        },
        concludeActivation(input, next) {
          const output = next(input);
          task.commands.push(...output.commands);
          return output;
        },
      },
    ],
  };
};
