/** Which cluster a name stands for, as Temporal keeps it: read, adopted and accepted without a worker. */
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import {
  type ClusterRecord,
  clusterRecordOf,
  clusterStart,
  clusterWorkflowType,
} from '../workflows/cluster-start.ts';
import { clusterWorkflowId } from '../workflows/messages.ts';

/** A record, and the run that has it. */
export interface KeptRecord extends ClusterRecord {
  readonly since: Date;
  /** False: its workflow was terminated. The record counts for as long as Temporal remembers the run. */
  readonly running: boolean;
}

/** The longest that one call to Temporal may take, the SDK's own retries included. */
const callTimeoutMs = 10_000;

/** @returns undefined if Temporal knows nothing of the name. @throws whatever the Temporal client throws */
export async function readClusterRecord(client: Client, cluster: string): Promise<KeptRecord | undefined> {
  try {
    const handle = client.workflow.getHandle(clusterWorkflowId(cluster));
    const { memo, startTime, status } = await inTime(client, () => handle.describe());
    const record = clusterRecordOf(memo);
    return record && { ...record, since: startTime, running: status.name === 'RUNNING' };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

/** Keeps the record unless there is one. Of several programs at once, the first one has its way. */
export async function adoptCluster(client: Client, cluster: string, record: ClusterRecord): Promise<void> {
  const workflowIdConflictPolicy = 'USE_EXISTING' as const;
  await inTime(client, () =>
    client.workflow.start(clusterWorkflowType, {
      ...clusterStart(cluster, record),
      workflowIdConflictPolicy,
    }),
  );
}

/** An operator's word that the name stands for this cluster from now on. Saying it again changes nothing. */
export async function acceptCluster(client: Client, cluster: string, clusterUid: string): Promise<void> {
  const record = { clusterUid, accepted: true };
  const workflowIdConflictPolicy = 'TERMINATE_EXISTING' as const;
  await inTime(client, () =>
    client.workflow.start(clusterWorkflowType, {
      ...clusterStart(cluster, record),
      workflowIdConflictPolicy,
    }),
  );
}

function inTime<T>(client: Client, call: () => Promise<T>): Promise<T> {
  return client.connection.withDeadline(Date.now() + callTimeoutMs, call);
}
