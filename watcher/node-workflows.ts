/** The workflows of the cluster's nodes, as the watcher starts, signals and lists them. */
import { type Client, type WorkflowStartOptions, WorkflowNotFoundError } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import type { PoolConfig } from '../config/config.ts';
import {
  type AssignIpInput,
  assignIpWorkflowId,
  clusterTaskQueue,
  nodeChangedSignal,
  nodeDeletedSignal,
  type NodeRef,
} from '../workflows/messages.ts';
import type { OpenRun } from './plan-reconcile.ts';

const workflowType = 'AssignIpWorkflow';
const clusterAttribute = defineSearchAttributeKey('KubeipCluster', 'KEYWORD');
const nodeAttribute = defineSearchAttributeKey('KubeipNode', 'KEYWORD');
const poolHashAttribute = defineSearchAttributeKey('KubeipPoolHash', 'KEYWORD');
const phaseAttribute = defineSearchAttributeKey('KubeipPhase', 'KEYWORD');

/** The longest that one call to Temporal may take, the SDK's own retries included. */
const callTimeoutMs = 10_000;
const pingTimeoutMs = 2_000;

/** All methods may be repeated: what was done already is not done again. */
export interface NodeWorkflows {
  /** Starts the node's workflow. One that runs is left as it is. */
  start(node: NodeRef, pool: PoolConfig): Promise<void>;
  /** Tells the node's workflow to look at its Node, and starts it if none runs. */
  signalChanged(node: NodeRef, pool: PoolConfig): Promise<void>;
  /** As {@link signalChanged}, for a workflow that runs only. @returns false if none runs */
  nudge(node: NodeRef): Promise<boolean>;
  /** Tells the node's workflow that the Node is gone. @returns false if none runs */
  signalDeleted(node: NodeRef): Promise<boolean>;
  /** @throws whatever the Temporal client throws if the server does not answer at once */
  ping(): Promise<void>;
  /** All open runs of the cluster. A failure half-way is thrown: half a list is none. */
  listOpen(): Promise<OpenRun[]>;
}

export function createNodeWorkflows(client: Client, cluster: string): NodeWorkflows {
  const inTime = <T>(call: () => Promise<T>): Promise<T> =>
    client.connection.withDeadline(Date.now() + callTimeoutMs, call);

  const ifRunning = async (send: () => Promise<void>): Promise<boolean> => {
    try {
      await inTime(send);
      return true;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
  };
  const handleOf = (name: string) => client.workflow.getHandle(assignIpWorkflowId(cluster, name));

  return {
    start: async (node, pool) => {
      await inTime(() => client.workflow.start(workflowType, startOptions(cluster, node, pool)));
    },
    signalChanged: async (node, pool) => {
      await inTime(() =>
        client.workflow.signalWithStart(workflowType, {
          ...startOptions(cluster, node, pool),
          signal: nodeChangedSignal,
          signalArgs: [{ uid: node.uid }],
        }),
      );
    },
    nudge: ({ name, uid }) => ifRunning(() => handleOf(name).signal(nodeChangedSignal, { uid })),
    signalDeleted: ({ name, uid }) => ifRunning(() => handleOf(name).signal(nodeDeletedSignal, { uid })),
    ping: async () => {
      const { connection } = client;
      await connection.withDeadline(Date.now() + pingTimeoutMs, () =>
        connection.workflowService.getSystemInfo({}),
      );
    },
    listOpen: () => listOpen(client, cluster),
  };
}

type Start = WorkflowStartOptions<(input: AssignIpInput) => Promise<unknown>>;

function startOptions(cluster: string, { name, uid }: NodeRef, pool: PoolConfig): Start {
  const workflowId = assignIpWorkflowId(cluster, name);
  return {
    workflowId,
    taskQueue: clusterTaskQueue(cluster),
    args: [{ cluster, node: { name, uid }, retries: pool.retries }],
    // A node that comes again after its workflow ended gets a new one.
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    workflowIdConflictPolicy: 'USE_EXISTING',
    // The reconcile reads it back: the list tells which Node a run is for.
    memo: { uid },
    typedSearchAttributes: [
      { key: clusterAttribute, value: cluster },
      { key: nodeAttribute, value: name },
      { key: phaseAttribute, value: 'discovering' },
    ],
    staticSummary: `Static public address for node ${name}`,
    staticDetails: [
      `Gives node **${name}** of cluster **${cluster}** an address of its pool, and takes it back when the Node is deleted.`,
      '',
      `- Release it by hand: \`temporal workflow signal --workflow-id ${workflowId} --name release\``,
      `- Assign one again: \`temporal workflow signal --workflow-id ${workflowId} --name assign\``,
      `- Where it stands: \`temporal workflow query --workflow-id ${workflowId} --type status\``,
    ].join('\n'),
  };
}

async function listOpen(client: Client, cluster: string): Promise<OpenRun[]> {
  const prefix = assignIpWorkflowId(cluster, '');
  // By name: a workflow that continues as new between two pages is listed twice.
  const runs = new Map<string, OpenRun>();
  const query = `WorkflowType = '${workflowType}' AND ExecutionStatus = 'Running' AND KubeipCluster = '${cluster}'`;
  for await (const { workflowId, memo, typedSearchAttributes } of client.workflow.list({ query })) {
    if (!workflowId.startsWith(prefix)) continue;
    const node = workflowId.slice(prefix.length);
    const uid = memo?.['uid'];
    runs.set(node, {
      node,
      uid: typeof uid === 'string' ? uid : undefined,
      poolHash: typedSearchAttributes.get(poolHashAttribute),
      phase: typedSearchAttributes.get(phaseAttribute),
    });
  }
  return [...runs.values()];
}
