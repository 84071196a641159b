/** How the mutex of a scope is started: by a worker, and by whoever asks it first. */
import type { RateLimit } from '../model/settings.ts';
import { formatScope, type Scope } from '../model/scope.ts';
import { type AddressPoolInput, addressPoolWorkflowId, scopeTaskQueue } from './messages.ts';
import { WORKFLOW_TASK_TIMEOUT } from './timeouts.ts';
import { md, plainSummary, uiMarkdown } from './ui-markdown.ts';

/** @returns the options of `signalWithStart`, but the signal. One that runs is left as it is. */
export function addressPoolStart(scope: Scope, pacing: RateLimit) {
  const input: AddressPoolInput = { scope, pacing };
  return {
    workflowId: addressPoolWorkflowId(scope),
    taskQueue: scopeTaskQueue(scope),
    workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT,
    args: [input] as [AddressPoolInput],
    workflowIdConflictPolicy: 'USE_EXISTING',
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    staticSummary: plainSummary(`Mutex of ${formatScope(scope)}`),
    staticDetails: uiMarkdown([
      md`
Decides which node of which cluster gets which static address of this account and region, and when. It never completes by itself. Who waits, and what is claimed for whom, is in the current details below and in the \`status\` query.
      `,
    ]),
  } as const;
}
