/** The workflows of the cluster's nodes, as the watcher starts, signals and lists them. */
import {
  type Client,
  type WorkflowExecutionInfo,
  type WorkflowStartOptions,
  WorkflowNotFoundError,
} from '@temporalio/client';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { PoolConfig } from '../config/config.ts';
import type { NodeView } from '../kubernetes/nodes.ts';
import { parseProviderId } from '../kubernetes/provider-id.ts';
import {
  type AssignIpInput,
  assignIpWorkflowId,
  nodeChangedSignal,
  nodeDeletedSignal,
  type NodeRef,
  searchAttributes,
} from '../workflows/messages.ts';
import { nodeStart } from '../workflows/node-start.ts';
import type { RetrySettings } from '../model/settings.ts';
import type { FailedRun } from './failure-cooldown.ts';
import type { OpenRun } from './plan-reconcile.ts';

const workflowType = 'AssignIpWorkflow';

/** The longest that one call to Temporal may take, the SDK's own retries included. */
const callTimeoutMs = 10_000;
/** The longest that one list may take, all its pages included. */
export const LIST_TIMEOUT_MS = 60_000;
const pingTimeoutMs = 2_000;

/** A Node as the watcher sees it. */
export type SeenNode = Pick<NodeView, 'name' | 'uid' | 'providerID'>;

/** All methods may be repeated: what was done already is not done again. */
export interface NodeWorkflows {
  /**
   * Starts the node's workflow. One that runs is left as it is.
   *
   * @param failures how many runs for this Node failed for good in a row
   * @returns false if one runs
   */
  start(node: SeenNode, pool: PoolConfig, failures: number): Promise<boolean>;
  /** Tells the node's workflow to look at its Node, and starts it if none runs. */
  signalChanged(node: SeenNode, pool: PoolConfig): Promise<void>;
  /** As {@link signalChanged}, for a workflow that runs only. @returns false if none runs */
  nudge(node: NodeRef): Promise<boolean>;
  /** Tells the node's workflow that the Node is gone. @returns false if none runs */
  signalDeleted(node: NodeRef): Promise<boolean>;
  /**
   * For a Node that is gone: if its latest run failed for good, starts one that finds no Node and ends, so that the node is not listed
   * as failed any more. If there is a Node again, that run is for it.
   *
   * @returns false if its latest run did not fail
   */
  closeFailed(node: NodeRef, retries: RetrySettings): Promise<boolean>;
  /** @throws whatever the Temporal client throws if the server does not answer at once */
  ping(): Promise<void>;
  /** All open runs of the cluster. A failure half-way, or no end within a minute, is thrown: half a list is none. */
  listOpen(): Promise<OpenRun[]>;
  /** The nodes whose latest run that ended after `since` failed for good. Throws as {@link listOpen} does. */
  listFailed(since: Date): Promise<FailedRun[]>;
}

/** @param clusterUid of the cluster: workflows are started for it */
export function createNodeWorkflows(client: Client, cluster: string, clusterUid?: string): NodeWorkflows {
  const of: Cluster = { cluster, clusterUid };
  const inTime = <T>(call: () => Promise<T>, timeoutMs = callTimeoutMs): Promise<T> =>
    client.connection.withDeadline(Date.now() + timeoutMs, call);

  const ifRunning = async (send: () => Promise<void>): Promise<boolean> => {
    try {
      await inTime(send);
      return true;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
  };
  const startIfNone = async (node: SeenNode, pool: PoolConfig, failures: number): Promise<boolean> => {
    const options = { ...startOptions(of, node, pool, failures), workflowIdConflictPolicy: 'FAIL' as const };
    try {
      await inTime(() => client.workflow.start(workflowType, options));
      return true;
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
      throw error;
    }
  };
  const handleOf = (name: string) => client.workflow.getHandle(assignIpWorkflowId(cluster, name));

  return {
    start: startIfNone,
    signalChanged: async (node, pool) => {
      // A run that begins now looks at the Node anyway: a signal would be one more thing for it to read. A change of the Node is a new
      // beginning: what failed before may be what was changed.
      if (await startIfNone(node, pool, 0)) return;
      await inTime(() =>
        client.workflow.signalWithStart(workflowType, {
          ...startOptions(of, node, pool, 0),
          signal: nodeChangedSignal,
          signalArgs: [{ uid: node.uid }],
        }),
      );
    },
    nudge: ({ name, uid }) => ifRunning(() => handleOf(name).signal(nodeChangedSignal, { uid })),
    signalDeleted: ({ name, uid }) => ifRunning(() => handleOf(name).signal(nodeDeletedSignal, { uid })),
    closeFailed: async (node, retries) => {
      try {
        const { status } = await inTime(() => handleOf(node.name).describe());
        if (status.name !== 'FAILED') return false;
        const start = nodeStart(cluster, node, 0, clusterUid);
        const under = clusterUid === undefined ? {} : { clusterUid };
        const args: [AssignIpInput] = [{ cluster, ...under, node, retries }];
        await inTime(() => client.workflow.start(workflowType, { ...start, args }));
        return true;
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return false;
        // Somebody was quicker.
        if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
        throw error;
      }
    },
    ping: async () => {
      const { connection } = client;
      await connection.withDeadline(Date.now() + pingTimeoutMs, () =>
        connection.workflowService.getSystemInfo({}),
      );
    },
    listOpen: () => inTime(() => listOpen(client, cluster), LIST_TIMEOUT_MS),
    listFailed: (since) => inTime(() => listFailed(client, cluster, since), LIST_TIMEOUT_MS),
  };
}

interface Cluster {
  readonly cluster: string;
  readonly clusterUid: string | undefined;
}

type Start = WorkflowStartOptions<(input: AssignIpInput) => Promise<unknown>>;

function startOptions(
  { cluster, clusterUid }: Cluster,
  { name, uid, providerID }: SeenNode,
  { name: pool, hash, retries, taintKey, taintPolicy }: PoolConfig,
  failures: number,
): Start {
  const under = clusterUid === undefined ? {} : { clusterUid };
  const count = failures === 0 ? {} : { failures };
  const known = { name: pool, hash, taintPolicy, ...(taintKey === undefined ? {} : { taintKey }) };
  const parsed = providerID === undefined ? undefined : parseProviderId(providerID);
  const instance = parsed !== undefined && 'instance' in parsed ? { instance: parsed.instance } : {};
  return {
    ...nodeStart(cluster, { name, uid }, failures, clusterUid, { pool: { name: pool, hash }, ...instance }),
    args: [{ cluster, ...under, node: { name, uid }, retries, pool: known, ...count }],
    workflowIdConflictPolicy: 'USE_EXISTING',
  };
}

async function listOpen(client: Client, cluster: string): Promise<OpenRun[]> {
  // By name: a workflow that continues as new between two pages is listed twice.
  const runs = new Map<string, OpenRun>();
  for await (const { node, run } of listRuns(client, cluster, `ExecutionStatus = 'Running'`)) {
    runs.set(node, {
      node,
      uid: uidOf(run),
      poolHash: run.typedSearchAttributes.get(searchAttributes.KubeipPoolHash),
      phase: run.typedSearchAttributes.get(searchAttributes.KubeipPhase),
    });
  }
  return [...runs.values()];
}

async function listFailed(client: Client, cluster: string, since: Date): Promise<FailedRun[]> {
  // All that ended, since one that ended otherwise after a failure (terminated by hand) makes that one history.
  const latest = new Map<string, { node: string; run: WorkflowExecutionInfo; closedAt: number }>();
  const ended = `CloseTime > '${since.toISOString()}' AND ExecutionStatus != 'ContinuedAsNew'`;
  for await (const { node, run } of listRuns(client, cluster, ended)) {
    const closedAt = run.closeTime?.getTime();
    if (closedAt === undefined || closedAt < (latest.get(node)?.closedAt ?? 0)) continue;
    latest.set(node, { node, run, closedAt });
  }
  return [...latest.values()]
    .filter(({ run }) => run.status.name === 'FAILED')
    .map(({ node, run, closedAt }) => ({
      node,
      uid: uidOf(run),
      poolHash: run.typedSearchAttributes.get(searchAttributes.KubeipPoolHash),
      failures: failuresBefore(run) + 1,
      closedAt,
    }));
}

/** @param which further terms of the visibility query */
async function* listRuns(
  client: Client,
  cluster: string,
  which: string,
): AsyncGenerator<{ node: string; run: WorkflowExecutionInfo }> {
  const prefix = assignIpWorkflowId(cluster, '');
  const query = `WorkflowType = '${workflowType}' AND KubeipCluster = '${cluster}' AND ${which}`;
  for await (const run of client.workflow.list({ query })) {
    if (run.workflowId.startsWith(prefix)) yield { node: run.workflowId.slice(prefix.length), run };
  }
}

function uidOf({ memo }: WorkflowExecutionInfo): string | undefined {
  const uid = memo?.['uid'];
  return typeof uid === 'string' ? uid : undefined;
}

function failuresBefore({ memo }: WorkflowExecutionInfo): number {
  const failures = memo?.['failures'];
  return typeof failures === 'number' && Number.isSafeInteger(failures) && failures > 0 ? failures : 0;
}
