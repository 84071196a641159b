/** What a workflow task brings, and what it is sure to leave in the history: for empty-tasks.ts and query-guard.ts. Pure. */
import type { WorkflowInterceptors } from '@temporalio/workflow';

type Internals = NonNullable<WorkflowInterceptors['internals']>[number];
export type Activation = Parameters<NonNullable<Internals['activate']>>[0]['activation'];
export type Command = Parameters<NonNullable<Internals['concludeActivation']>>[0]['commands'][number];

/** That a task has been completed, and the next one scheduled and started. */
export const EVENTS_BETWEEN_TASKS = 3;

export function hasOnlyUpdates({ jobs }: Activation): boolean {
  return jobs != null && jobs.length > 0 && jobs.every(({ doUpdate }) => doUpdate != null);
}

/** @returns whether there is more in it than Updates and queries */
export function bringsEvents({ jobs }: Activation): boolean {
  return jobs?.some(({ doUpdate, queryWorkflow }) => doUpdate == null && queryWorkflow == null) === true;
}

/** Commands of which each leaves an event. */
const LEAVING = [
  'setPatchMarker',
  'signalExternalWorkflowExecution',
  'startChildWorkflowExecution',
  'upsertWorkflowSearchAttributes',
  'modifyWorkflowProperties',
  'completeWorkflowExecution',
  'failWorkflowExecution',
  'cancelWorkflowExecution',
  'continueAsNewWorkflowExecution',
] as const;

/**
 * @param commands all of one workflow task
 * @returns how many events they leave at least. What is begun and cancelled in one task leaves none; an Update that is accepted leaves one
 */
export function leastEvents(commands: readonly Command[]): number {
  const timers = commands.flatMap(({ startTimer }) => startTimer?.seq ?? []);
  const cancelledTimers = commands.flatMap(({ cancelTimer }) => cancelTimer?.seq ?? []);
  const cancelledActivities = commands.flatMap(
    ({ requestCancelActivity }) => requestCancelActivity?.seq ?? [],
  );
  return commands.filter((command) => {
    const { startTimer, cancelTimer, scheduleActivity, updateResponse } = command;
    if (startTimer != null) return !cancelledTimers.includes(startTimer.seq ?? 0);
    if (cancelTimer != null) return !timers.includes(cancelTimer.seq ?? 0);
    if (scheduleActivity != null) return !cancelledActivities.includes(scheduleActivity.seq ?? 0);
    if (updateResponse != null) return updateResponse.rejected == null;
    return LEAVING.some((name) => command[name] != null);
  }).length;
}

/** @returns how many events these jobs come from at least */
export function eventsOf({ jobs }: Activation): number {
  let events = 0;
  for (const { signalWorkflow, fireTimer, cancelWorkflow, resolveActivity, ...job } of jobs ?? []) {
    const { resolveSignalExternalWorkflow, resolveChildWorkflowExecutionStart } = job;
    const others = [cancelWorkflow, resolveSignalExternalWorkflow, resolveChildWorkflowExecutionStart];
    if ([signalWorkflow, fireTimer, ...others].some((one) => one != null)) events += 1;
    const { completed, failed } = resolveActivity?.result ?? {};
    const isTimeout = failed?.failure?.timeoutFailureInfo ?? failed?.failure?.cause?.timeoutFailureInfo;
    // Started and closed. One that timed out may never have been started.
    if (completed != null || (failed != null && isTimeout == null)) events += 2;
  }
  return events;
}
