/** How the workflow of a node is started, by the watcher as by an audit. Pure. */
import { assignIpWorkflowId, clusterTaskQueue, type NodeRef, searchAttributes } from './messages.ts';
import { code, emptyLine, md, plainSummary, uiMarkdown } from './ui-markdown.ts';
import { WORKFLOW_TASK_TIMEOUT } from './timeouts.ts';

/**
 * @param failures how many runs for this Node failed for good in a row
 * @param clusterUid of the cluster that the Node is in
 * @returns what is common to all ways of starting it: id, task queue, memo, search attributes and what the UI shows
 */
export function nodeStart(cluster: string, { name, uid }: NodeRef, failures = 0, clusterUid?: string) {
  const workflowId = assignIpWorkflowId(cluster, name);
  return {
    workflowId,
    taskQueue: clusterTaskQueue(cluster),
    workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT,
    // A node that comes again after its workflow ended gets a new one.
    workflowIdReusePolicy: 'ALLOW_DUPLICATE' as const,
    // The reconcile reads it back: the lists tell which Node a run is for, and how many failed before it.
    memo: {
      uid,
      ...(failures === 0 ? {} : { failures }),
      ...(clusterUid === undefined ? {} : { clusterUid }),
    },
    typedSearchAttributes: [
      { key: searchAttributes.KubeipCluster, value: cluster },
      { key: searchAttributes.KubeipNode, value: name },
      { key: searchAttributes.KubeipPhase, value: 'discovering' },
    ],
    staticSummary: plainSummary(`Static public address for node ${name}`),
    staticDetails: uiMarkdown([
      md`Gives node **${name}** of cluster **${cluster}** an address of its pool, and takes it back when the Node is deleted.`,
      emptyLine,
      md`- Release it by hand: ${code(`temporal workflow signal --workflow-id ${workflowId} --name release`)}`,
      md`- Assign one again: ${code(`temporal workflow signal --workflow-id ${workflowId} --name assign`)}`,
      md`- Where it stands: ${code(`temporal workflow query --workflow-id ${workflowId} --type status`)}`,
      md`
- All that can be asked of it: docs/messages.md
      `,
    ]),
  };
}
