/** The workflows of the cluster's nodes, as visibility lists them: without a worker, but possibly some seconds old. */
import type { WorkflowExecutionInfo } from '@temporalio/client';
import type { Phase } from '../model/phase.ts';
import { assignIpWorkflowId, searchAttributes } from '../workflows/messages.ts';
import { mapLimited } from '../program/concurrency.ts';
import type { Session } from './session.ts';

const DESCRIBED_AT_ONCE = 20;

/** A node by the latest run of its workflow: one that runs, that failed for good, or that has ended since its Node is gone. */
export interface NodeRow {
  readonly node: string;
  readonly workflowId: string;
  readonly phase: Phase;
  readonly pool?: string;
  readonly addresses: readonly string[];
  readonly instance?: string;
  /** Runs in a row without success, this one included. */
  readonly attempts: number;
  /** ISO 8601; of the run, which may be younger than the phase. */
  readonly startedAt: string;
  /** ISO 8601; of a run that has ended. */
  readonly endedAt?: string;
  /** Its Node is gone, and its workflow has ended. */
  readonly gone?: true;
}

export interface NodeFilter {
  readonly pool?: string;
  readonly phase?: Phase;
  /** Also nodes that are gone, as long as Temporal keeps their workflows. */
  readonly all?: boolean;
}

export async function listNodeRuns(session: Session, filter: NodeFilter = {}): Promise<NodeRow[]> {
  const rows = new Map<string, NodeRow>();
  for await (const row of listRows(session, `ExecutionStatus = 'Running'`, filter)) {
    rows.set(row.node, row);
  }
  for (const row of await failedNodes(session, filter)) {
    if (!rows.has(row.node)) rows.set(row.node, row);
  }
  if (filter.all === true) {
    for await (const row of listRows(session, `ExecutionStatus = 'Completed'`, filter)) {
      const known = rows.get(row.node);
      if (known === undefined || (known.gone === true && row.startedAt > known.startedAt)) {
        rows.set(row.node, { ...row, gone: true });
      }
    }
  }
  return [...rows.values()].toSorted((a, b) => (a.node < b.node ? -1 : 1));
}

/** Of each node the latest run counts: a failed one may have been followed by one that ended otherwise. */
async function failedNodes(session: Session, filter: NodeFilter): Promise<NodeRow[]> {
  if (filter.phase !== undefined && filter.phase !== 'failed') return [];
  const latest = new Map<string, NodeRow>();
  for await (const row of listRows(session, `ExecutionStatus = 'Failed'`, { pool: filter.pool })) {
    const known = latest.get(row.node);
    if (known === undefined || row.startedAt > known.startedAt) latest.set(row.node, row);
  }
  const rows = [...latest.values()];
  const isLatest = await mapLimited(rows, DESCRIBED_AT_ONCE, async ({ workflowId }) => {
    const { status } = await session.client.workflow.getHandle(workflowId).describe();
    return status.name === 'FAILED';
  });
  return rows.filter((_, index) => isLatest[index]);
}

async function* listRows(
  { client, cluster }: Session,
  which: string,
  { pool, phase }: { pool?: string | undefined; phase?: Phase | undefined },
): AsyncGenerator<NodeRow> {
  const terms = [
    `WorkflowType = 'AssignIpWorkflow'`,
    `KubeipCluster = '${cluster}'`,
    which,
    // A name of a pool has no quotes: the configuration refuses it, and so does the option.
    ...(pool === undefined ? [] : [`KubeipPool = '${pool}'`]),
    // Only phases that last are written to visibility; a node on its way is shown in the one before.
    ...(phase === undefined ? [] : [`KubeipPhase = '${phase}'`]),
  ];
  const prefix = assignIpWorkflowId(cluster, '');
  for await (const run of client.workflow.list({ query: terms.join(' AND ') })) {
    if (run.workflowId.startsWith(prefix)) yield rowOf(run.workflowId.slice(prefix.length), run);
  }
}

function rowOf(node: string, run: WorkflowExecutionInfo): NodeRow {
  const attributes = run.typedSearchAttributes;
  const pool = attributes.get(searchAttributes.KubeipPool);
  const instance = attributes.get(searchAttributes.KubeipInstance);
  const failures = run.memo?.['failures'];
  const hasFailed = run.status.name === 'FAILED';
  return {
    node,
    workflowId: run.workflowId,
    phase: hasFailed ? 'failed' : ((attributes.get(searchAttributes.KubeipPhase) ?? 'discovering') as Phase),
    ...(pool === undefined ? {} : { pool }),
    addresses: attributes.get(searchAttributes.KubeipAddress) ?? [],
    ...(instance === undefined ? {} : { instance }),
    attempts: (typeof failures === 'number' ? failures : 0) + 1,
    startedAt: run.startTime.toISOString(),
    ...(run.closeTime !== undefined ? { endedAt: run.closeTime.toISOString() } : {}),
  };
}
