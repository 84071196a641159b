/**
 * Keeps a workflow in step with its replay where a workflow task leaves no event (docs/decisions/0019).
 *
 * If two tasks in a row leave no event, and the next task follows at once, as that of an Update does, then SDK 1.24 may take the second
 * and the third for one. A worker without the workflow in memory does, a replay does not: it does the commands of that task in another
 * order, or at another time. So of two such tasks the second leaves an event: it modifies no memo.
 * test/integration/update-after-empty-tasks.test.ts has the minimal case.
 *
 * A task that brings only Updates, all of which the SDK itself refuses (their input cannot be read), leaves nothing in the history. Nothing
 * may depend on it: it counts as no task here, and {@link lastTask} does not tell of it.
 */
import { defaultPayloadConverter } from '@temporalio/common';
import { workflowInfo, type WorkflowInterceptorsFactory } from '@temporalio/workflow';
import { type Command, hasOnlyUpdates, leastEvents } from './task-events.ts';

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

/** Called once for each workflow, before its code. */
export const interceptors: WorkflowInterceptorsFactory = () => {
  let isQuery = false;
  /** Whether the task before left no event. The first one has none before it that did. */
  let isEmptyBefore = true;
  let task = { length: -1, isOfUpdates: false, commands: [] as readonly Command[] };

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
            if (length !== task.length || isOfUpdates) {
              const isEmpty = leastEvents(task.commands) === 0;
              if (task.length >= 0 && !(isEmpty && task.isOfUpdates)) isEmptyBefore = isEmpty;
              task = { length, isOfUpdates, commands: [] };
            }
            if (!isOfUpdates) last = infoOf(workflowInfo());
          }
          next(input);
        },
        concludeActivation(input, next) {
          const output = next(input);
          if (isQuery) return output;
          task.commands = [...task.commands, ...output.commands];
          if (!isEmptyBefore || task.isOfUpdates || leastEvents(task.commands) > 0) return output;
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
