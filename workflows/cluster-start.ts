/** How the workflow that keeps a cluster's identity is started, and how its memo is read. Pure. */
import { clusterTaskQueue, clusterWorkflowId } from './messages.ts';
import { code, emptyLine, md, plainSummary, uiMarkdown } from './ui-markdown.ts';
import { WORKFLOW_TASK_TIMEOUT } from './timeouts.ts';

export const clusterWorkflowType = 'ClusterWorkflow';

/** The cluster that a name stands for. It is the memo of the name's workflow, so it is read without a worker. */
export interface ClusterRecord {
  /** Of the cluster's `kube-system` namespace. */
  readonly clusterUid: string;
  /** An operator accepted it: workflows that were started under an earlier uid belong to this cluster. */
  readonly accepted: boolean;
}

/** @returns id, task queue, memo and what the UI shows */
export function clusterStart(cluster: string, { clusterUid, accepted }: ClusterRecord) {
  return {
    workflowId: clusterWorkflowId(cluster),
    taskQueue: clusterTaskQueue(cluster),
    workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT,
    workflowIdReusePolicy: 'ALLOW_DUPLICATE' as const,
    memo: { clusterUid, accepted },
    args: [] as [],
    staticSummary: plainSummary(`Identity of cluster ${cluster}`),
    staticDetails: uiMarkdown([
      md`**${cluster}** stands for the cluster whose \`kube-system\` namespace has the uid ${code(clusterUid)}.`,
      emptyLine,
      md`
A worker or watcher that reaches another cluster under this name does nothing. This workflow never completes by itself.
      `,
      md`
Terminate it only if the cluster is given up.
      `,
    ]),
  };
}

/** @returns the record in a workflow's memo; undefined if it has none */
export function clusterRecordOf(
  memo: Readonly<Record<string, unknown>> | undefined,
): ClusterRecord | undefined {
  const { clusterUid, accepted } = memo ?? {};
  if (typeof clusterUid !== 'string' || clusterUid === '') return undefined;
  return { clusterUid, accepted: accepted === true };
}

/** The `temporal` command that accepts a cluster: what `kubeip cluster accept` does. No worker needs to run. */
export function acceptCommand(cluster: string, clusterUid: string): string {
  return (
    `temporal workflow start --workflow-id ${clusterWorkflowId(cluster)} --type ${clusterWorkflowType} ` +
    `--task-queue ${clusterTaskQueue(cluster)} --id-conflict-policy TerminateExisting ` +
    `--memo 'clusterUid="${clusterUid}"' --memo accepted=true`
  );
}
