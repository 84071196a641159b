import type { WorkflowHandle } from '@temporalio/client';

/** @returns what the UI shows of the activities that are tried again and again, a line each; empty if there are none */
export async function pendingFailures(workflow: Pick<WorkflowHandle, 'describe'>): Promise<string> {
  const { raw } = await workflow.describe();
  return (raw.pendingActivities ?? []).map(({ lastFailure }) => lastFailure?.message ?? '').join('\n');
}
