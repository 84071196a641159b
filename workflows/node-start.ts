/** How the workflow of a node is started, by the watcher as by an audit. Pure. */
import { type Family, type InstanceRef, instanceKey } from '../model/address.ts';
import { assignIpWorkflowId, clusterTaskQueue, type NodeRef, searchAttributes } from './messages.ts';
import { code, emptyLine, md, plainSummary, uiMarkdown } from './ui-markdown.ts';
import { WORKFLOW_TASK_TIMEOUT } from './timeouts.ts';

/** What whoever starts a node's workflow knows of the node. The workflow finds it out itself, and puts it right where it is wrong. */
export interface KnownAtStart {
  readonly pool?: { readonly name: string; readonly hash: string };
  readonly instance?: InstanceRef;
  /** Of which families the instance had an ephemeral address, as the memo of the run before tells. */
  readonly ephemeral?: readonly Family[];
}

/**
 * @param failures how many runs for this Node failed for good in a row
 * @param clusterUid of the cluster that the Node is in
 * @param known to be shown in lists from the beginning
 * @returns what is common to all ways of starting it: id, task queue, memo, search attributes and what the UI shows
 */
export function nodeStart(
  cluster: string,
  { name, uid }: NodeRef,
  failures = 0,
  clusterUid?: string,
  { pool, instance, ephemeral = [] }: KnownAtStart = {},
) {
  const workflowId = assignIpWorkflowId(cluster, name);
  return {
    workflowId,
    taskQueue: clusterTaskQueue(cluster),
    workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT,
    // A node that comes again after its workflow ended gets a new one.
    workflowIdReusePolicy: 'ALLOW_DUPLICATE' as const,
    // The reconcile reads it back: the lists tell which Node a run is for, and how many failed before it.
    // An audit reads what must come back.
    memo: {
      uid,
      ...(failures === 0 ? {} : { failures }),
      ...(clusterUid === undefined ? {} : { clusterUid }),
      ...(ephemeral.length === 0 ? {} : { ephemeral }),
    },
    typedSearchAttributes: [
      { key: searchAttributes.KubeipCluster, value: cluster },
      { key: searchAttributes.KubeipNode, value: name },
      { key: searchAttributes.KubeipPhase, value: 'discovering' },
      // Free of charge here: docs/cost.md.
      ...(pool === undefined
        ? []
        : [
            { key: searchAttributes.KubeipPool, value: pool.name },
            { key: searchAttributes.KubeipPoolHash, value: pool.hash },
          ]),
      ...(instance === undefined
        ? []
        : [{ key: searchAttributes.KubeipInstance, value: instanceKey(instance) }]),
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
