/**
 * Which node would get which address now: `kubeip plan` starts it. The mutex' own core decides on a copy of the mutex' state and on
 * the list that the mutex itself would make; nothing is claimed, nobody is told. Short-lived; each of its activities reads only.
 */
import { proxyActivities } from '@temporalio/workflow';
import type { ClusterActivities, ScopeActivities } from '../activities/contract.ts';
import type { NodesInspection } from '../activities/inspect-contract.ts';
import { formatScope, type Scope } from '../model/scope.ts';
import { clusterTaskQueue, scopeTaskQueue } from './messages.ts';
import { asking, goneAmong, planRows, standing } from './plan-rows.ts';
import { beginForecast, finishForecast } from './pool/forecast.ts';
import { readClock } from './pool/clock.ts';
import { unpack } from './pool/packed-state.ts';
import { newPoolState } from './pool/state.ts';
import type { PlanInput, PlanReport, PlanRow } from './reports.ts';
import { HEARTBEAT_TIMEOUT } from './timeouts.ts';

const RETRY = { initialInterval: '1 second', maximumInterval: '10 seconds', maximumAttempts: 3 } as const;

export async function PlanWorkflow({ cluster }: PlanInput): Promise<PlanReport> {
  const { inspectNodes } = clusterInspections(cluster);
  const found = await inspectNodes.executeWithOptions({ summary: 'nodes, pools and instances' }, []);
  const scopes = new Map(found.pools.map(({ scope }) => [formatScope(scope), scope]));
  const parts = await Promise.all([...scopes.values()].map((scope) => planScope(cluster, scope, found)));
  const rows = parts.flatMap((part) => part.rows);
  return {
    cluster,
    rows: rows.sort((a, b) => compare(a.node, b.node) || compare(a.family, b.family)),
    unselected: found.unselected,
    others: {
      waiting: parts.reduce((sum, { others }) => sum + others.waiting, 0),
      served: parts.reduce((sum, { others }) => sum + others.served, 0),
    },
  };
}

function clusterInspections(cluster: string) {
  return proxyActivities<ClusterActivities>({
    taskQueue: clusterTaskQueue(cluster),
    startToCloseTimeout: '5 minutes',
    heartbeatTimeout: HEARTBEAT_TIMEOUT,
    retry: RETRY,
  });
}

async function planScope(
  cluster: string,
  scope: Scope,
  found: NodesInspection,
): Promise<{ rows: PlanRow[]; others: PlanReport['others'] }> {
  const { readMutex } = clusterInspections(cluster);
  const { listAddresses } = proxyActivities<ScopeActivities>({
    taskQueue: scopeTaskQueue(scope),
    startToCloseTimeout: '1 minute',
    heartbeatTimeout: HEARTBEAT_TIMEOUT,
    retry: RETRY,
  });
  const packed = await readMutex.executeWithOptions({ summary: 'who waits' }, [{ scope }]);
  const temporalNow = Date.now();
  const state = packed === null ? newPoolState({ burst: 1, perSecond: 1 }, temporalNow) : unpack(packed);
  const now = readClock(state.clock, temporalNow);
  const places = standing(cluster, scope, found, state);
  const forecast = beginForecast(state, asking(places), goneAmong(cluster, scope, found, state), now);
  const list = await listAddresses.executeWithOptions({ summary: 'free addresses' }, [
    { scope, ...forecast.look, whole: true },
  ]);
  return planRows(cluster, places, forecast.waited, finishForecast(forecast, list, now));
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
