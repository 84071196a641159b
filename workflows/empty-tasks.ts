/**
 * Keeps a workflow in step with its replay where a workflow task leaves no event (docs/decisions/0019).
 *
 * If two tasks in a row leave no event, and the next task follows at once, as that of an Update does, then SDK 1.24 may take the second
 * and the third for one. A worker without the workflow in memory does, a replay does not: it does the commands of that task in another
 * order, or at another time. So of two such tasks the second leaves an event: it modifies no memo.
 * test/integration/update-after-empty-tasks.test.ts has the minimal case.
 *
 * A task that brings only Updates, and refuses them all, is in the history only if something else came meanwhile, and no replay hears of
 * it. Nothing may depend on it: it counts as no task here, and {@link lastTask} does not tell of it. But where the history is so much
 * longer than it must be that such a task may lie in between, it is taken for one that left no event.
 */
import { defaultPayloadConverter } from '@temporalio/common';
import { workflowInfo, type WorkflowInterceptorsFactory } from '@temporalio/workflow';
import { type Command, EVENTS_BETWEEN_TASKS, eventsOf, hasOnlyUpdates, leastEvents } from './task-events.ts';

/** What the server tells of the run's history. */
export interface TaskInfo {
  readonly historyLength: number;
  readonly continueAsNewSuggested: boolean;
  readonly targetWorkerDeploymentVersionChanged: boolean;
}

let last: TaskInfo | undefined;

/** @returns what `workflowInfo()` said in the last workflow task that brought more than Updates */
export function lastTask(): TaskInfo {
  return last ?? workflowInfo();
}

const leaveEvent: Command = {
  modifyWorkflowProperties: {
    upsertedMemo: { fields: { emptyTask: defaultPayloadConverter.toPayload(undefined) } },
  },
};

interface Task {
  /** Of the history, with the event that it was started. */
  readonly length: number;
  readonly isOfUpdates: boolean;
  commands: readonly Command[];
}

const isEmpty = ({ commands }: Task): boolean => leastEvents(commands) === 0;

/** @returns the least length of the history when the task after it is started, without the events that bring that one about */
const lengthAfter = ({ length, commands }: Task): number =>
  length + EVENTS_BETWEEN_TASKS + leastEvents(commands);

/** Called once for each workflow, before its code. */
export const interceptors: WorkflowInterceptorsFactory = () => {
  let isQuery = false;
  /** Whether the task before left no event. The first one has none before it that did. */
  let isEmptyBefore = true;
  let before: Task | undefined;
  let task: Task | undefined;

  return {
    internals: [
      {
        activate(input, next) {
          const { activation, batchIndex } = input;
          const jobs = activation.jobs ?? [];
          const length = activation.historyLength ?? 0;
          isQuery = jobs.length > 0 && jobs.every(({ queryWorkflow }) => queryWorkflow != null);
          if (!isQuery && batchIndex === 0) {
            const isOfUpdates = hasOnlyUpdates(activation);
            // A worker may hear more than once in a task.
            if (length !== task?.length || isOfUpdates) {
              if (task !== undefined && !(task.isOfUpdates && isEmpty(task))) before = task;
              task = { length, isOfUpdates, commands: [] };
              isEmptyBefore =
                before === undefined ||
                isEmpty(before) ||
                length - eventsOf(activation) - lengthAfter(before) >= EVENTS_BETWEEN_TASKS;
            }
            if (!isOfUpdates) last = infoOf(workflowInfo());
          }
          next(input);
        },
        concludeActivation(input, next) {
          const output = next(input);
          if (isQuery || task === undefined) return output;
          task.commands = [...task.commands, ...output.commands];
          if (!isEmptyBefore || task.isOfUpdates || !isEmpty(task)) return output;
          task.commands = [...task.commands, leaveEvent];
          return { ...output, commands: [...output.commands, leaveEvent] };
        },
      },
    ],
  };
};

function infoOf({ historyLength, continueAsNewSuggested, ...info }: TaskInfo): TaskInfo {
  const { targetWorkerDeploymentVersionChanged } = info;
  return { historyLength, continueAsNewSuggested, targetWorkerDeploymentVersionChanged };
}
