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
 */
import type { WorkflowInterceptorsFactory } from '@temporalio/workflow';

/** The error of a query that came between two workflow tasks. It is answered once the next task is done. */
export const QUERY_BETWEEN_TASKS =
  'the workflow has events that no workflow task has handled yet: ask again in a few seconds';

/** Called once for each workflow, before its code. It adds no command. */
export const interceptors: WorkflowInterceptorsFactory = () => {
  let lastTime = '';
  let lastLength = -1;
  return {
    internals: [
      {
        activate(input, next) {
          const { timestamp, isReplaying } = input.activation;
          const length = input.activation.historyLength ?? 0;
          const time = `${timestamp?.seconds?.toString()}.${timestamp?.nanos}`;
          // Each workflow task has the time of its own WorkflowTaskStarted event. Later events under the time of the task before
          // belong to no task. A replay never fails here: it takes all events of a task together.
          if (!isReplaying && time === lastTime && length > lastLength) throw new Error(QUERY_BETWEEN_TASKS);
          lastTime = time;
          lastLength = length;
          next(input);
        },
      },
    ],
  };
};
