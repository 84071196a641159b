/** A signal to a workflow that may have ended. */
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { SignalDefinition } from '@temporalio/common';

/** Does nothing where the workflow does not run. Any other error is thrown. */
export async function signalIfRunning<Input>(
  client: Client,
  workflowId: string,
  signal: SignalDefinition<[Input]>,
  input: Input,
): Promise<void> {
  try {
    await client.workflow.getHandle(workflowId).signal(signal, input);
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}
