/**
 * What a worker can tell about itself and what it needs, with its own identity: `kubeip doctor` starts it. Short-lived; it changes
 * nothing, and each of its activities reads only.
 */
import { isCancellation, proxyActivities } from '@temporalio/workflow';
import type { ClusterActivities, ScopeActivities } from '../activities/contract.ts';
import type { ScopeProbe } from '../activities/inspect-contract.ts';
import { formatScope } from '../model/scope.ts';
import { failureMessage } from './failures.ts';
import { clusterTaskQueue, scopeTaskQueue } from './messages.ts';
import type { DiagnoseInput, DiagnoseReport, ScopeDiagnosis } from './reports.ts';
import { HEARTBEAT_TIMEOUT } from './timeouts.ts';

/** Somebody waits for the answer: what is not taken up by then is reported so. */
const IN_TIME = {
  scheduleToStartTimeout: '15 seconds',
  startToCloseTimeout: '1 minute',
  heartbeatTimeout: HEARTBEAT_TIMEOUT,
  retry: { initialInterval: '1 second', maximumAttempts: 2 },
} as const;

export async function DiagnoseWorkflow({ cluster }: DiagnoseInput): Promise<DiagnoseReport> {
  const { diagnoseCluster } = proxyActivities<ClusterActivities>({
    taskQueue: clusterTaskQueue(cluster),
    ...IN_TIME,
  });
  const summary = 'Kubernetes, pools and nodes';
  const { found, probes } = await diagnoseCluster.executeWithOptions({ summary }, []);
  return { ...found, scopes: await Promise.all(probes.map(checkScope)) };
}

async function checkScope(probe: ScopeProbe): Promise<ScopeDiagnosis> {
  const scope = formatScope(probe.scope);
  const { checkPermissions } = proxyActivities<ScopeActivities>({
    taskQueue: scopeTaskQueue(probe.scope),
    ...IN_TIME,
  });
  try {
    const permissions = await checkPermissions.executeWithOptions({ summary: `permissions in ${scope}` }, [
      probe,
    ]);
    return { scope, permissions };
  } catch (error) {
    if (isCancellation(error)) throw error;
    return { scope, permissions: [], error: failureMessage(error) };
  }
}
