/** Signals with payloads of any encoding, past the SDK's data converter. */
import type { Client, WorkflowHandle } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';

export type Payload = temporal.api.common.v1.IPayload;

export function payloadsOf(payloads: readonly Payload[]): temporal.api.common.v1.IPayloads {
  return { payloads: [...payloads] };
}

export async function send(
  client: Client,
  { workflowId }: WorkflowHandle,
  signalName: string,
  payloads: readonly Payload[],
): Promise<void> {
  await client.workflowService.signalWorkflowExecution({
    namespace: client.options.namespace,
    workflowExecution: { workflowId },
    signalName,
    input: payloadsOf(payloads),
  });
}
