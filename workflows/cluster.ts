/**
 * Keeps the identity of a cluster with its name, for as long as Temporal's database lives. The identity is the workflow's memo: programs
 * read it before any worker runs, and continue-as-new carries it.
 */
import {
  condition,
  continueAsNew,
  setDefaultSignalHandler,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { clusterRecordOf } from './cluster-start.ts';
import { isToContinueAsNew } from './long-history.ts';
import { clusterStatusQuery } from './messages.ts';

export async function ClusterWorkflow(): Promise<void> {
  const { memo, startTime } = workflowInfo();
  const record = clusterRecordOf(memo);
  setHandler(clusterStatusQuery, () => ({
    clusterUid: record?.clusterUid ?? null,
    accepted: record?.accepted ?? false,
    since: startTime.toISOString(),
  }));
  // It has no signals. Those without a handler would be kept in memory.
  setDefaultSignalHandler(() => {});
  await condition(isToContinueAsNew);
  await continueAsNew<typeof ClusterWorkflow>();
}
