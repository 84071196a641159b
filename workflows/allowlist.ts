/** Every address of a cluster's pools, as `kubeip allowlist` shows them. Short-lived; it reads only. */
import { proxyActivities } from '@temporalio/workflow';
import type { ClusterActivities } from '../activities/contract.ts';
import { clusterTaskQueue } from './messages.ts';
import type { AllowlistInput, PoolNetworks } from './reports.ts';
import { HEARTBEAT_TIMEOUT } from './timeouts.ts';

export async function AllowlistWorkflow({ cluster, pool }: AllowlistInput): Promise<readonly PoolNetworks[]> {
  const { listNetworks } = proxyActivities<ClusterActivities>({
    taskQueue: clusterTaskQueue(cluster),
    startToCloseTimeout: '1 minute',
    heartbeatTimeout: HEARTBEAT_TIMEOUT,
    retry: { initialInterval: '1 second', maximumAttempts: 3 },
  });
  const summary = pool === undefined ? 'addresses of all pools' : `addresses of pool ${pool}`;
  return listNetworks.executeWithOptions({ summary }, [pool === undefined ? {} : { pool }]);
}
