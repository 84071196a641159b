import type { Client } from '@temporalio/client';
import type { RateLimit } from '../model/settings.ts';
import { formatScope, type Scope } from '../model/scope.ts';
import {
  type AddressPoolInput,
  addressPoolWorkflowId,
  configureSignal,
  scopeTaskQueue,
} from '../workflows/messages.ts';
import { WORKFLOW_TASK_TIMEOUT } from '../workflows/timeouts.ts';
import { md, plainSummary, uiMarkdown } from '../workflows/ui-markdown.ts';

/** Starts the scope's mutex, or tells the one that runs this worker's pacing settings. Calling it again changes nothing. */
export async function startAddressPool(client: Client, scope: Scope, pacing: RateLimit): Promise<void> {
  const input: AddressPoolInput = { scope, pacing };
  await client.workflow.signalWithStart('AddressPoolWorkflow', {
    workflowId: addressPoolWorkflowId(scope),
    taskQueue: scopeTaskQueue(scope),
    workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT,
    args: [input],
    signal: configureSignal,
    signalArgs: [{ pacing }],
    workflowIdConflictPolicy: 'USE_EXISTING',
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    staticSummary: plainSummary(`Mutex of ${formatScope(scope)}`),
    staticDetails: uiMarkdown([
      md`
Decides which node of which cluster gets which static address of this account and region, and when. It never completes by itself. Who waits, and what is claimed for whom, is in the current details below and in the \`status\` query.
      `,
    ]),
  });
}
