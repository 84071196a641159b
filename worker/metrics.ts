/** What the worker counts, beside the metrics of the Temporal SDK. */
import { createServer } from 'node:net';
import type { InjectedSinks } from '@temporalio/worker';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Survey } from '../activities/contract.ts';
import type { CloudCallEvent } from '../clouds/provider.ts';
import type { Config } from '../config/config.ts';
import { formatScope, type Scope } from '../model/scope.ts';
import { createRegistry } from '../program/program-metrics.ts';
import type { MeasureSinks } from '../workflows/measures.ts';
import { workflowMetrics } from './workflow-metrics.ts';

export interface WorkerMetrics {
  readonly registry: Registry;
  /** Hear of what workflow code decides. */
  readonly sinks: InjectedSinks<MeasureSinks>;
  readonly countCloudCall: (event: CloudCallEvent) => void;
  readonly onSurvey: (scope: Scope, found: Survey) => void;
  readonly onPublishDenied: () => void;
}

export function createWorkerMetrics({ cluster, pools }: Pick<Config, 'cluster' | 'pools'>): WorkerMetrics {
  const registry = createRegistry('worker', cluster);
  const requests = new Counter({
    name: 'kubeip_cloud_requests_total',
    help: 'Requests to the cloud by action and by outcome: ok, or the error code of the cloud.',
    labelNames: ['action', 'code'],
    registers: [registry],
  });
  const duration = new Histogram({
    name: 'kubeip_cloud_request_duration_seconds',
    help: 'How long requests to the cloud took.',
    labelNames: ['action'],
    buckets: [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10],
    registers: [registry],
  });
  const throttled = new Counter({
    name: 'kubeip_cloud_throttled_requests_total',
    help: 'Requests that the cloud refused since there were too many, by action.',
    labelNames: ['action'],
    registers: [registry],
  });
  const denied = new Counter({
    name: 'kubeip_cloud_denied_requests_total',
    help: 'Requests that the cloud refused for a missing permission or bad credentials, by action.',
    labelNames: ['action'],
    registers: [registry],
  });
  const publishDenied = new Counter({
    name: 'kubeip_publish_denied_total',
    help: 'Writes on a Node that the Kubernetes API denied: labels, annotations, taints and Events.',
    registers: [registry],
  });
  return {
    registry,
    onPublishDenied: () => publishDenied.inc(),
    sinks: workflowMetrics(
      registry,
      pools.map(({ name }) => name),
    ),
    onSurvey: surveyMetrics(registry),
    countCloudCall: ({ action, outcome, kind, seconds }) => {
      requests.inc({ action, code: outcome });
      duration.observe({ action }, seconds);
      // Also by nothing: the series of an action is there before it is refused for the first time.
      throttled.inc({ action }, kind === 'Throttled' ? 1 : 0);
      denied.inc({ action }, kind === 'Denied' ? 1 : 0);
    },
  };
}

const unclaimedReasons: readonly Survey['unclaimed'][number]['why'][] = [
  'attachedByHand',
  'failed',
  'canceled',
  'poolKeepsIt',
  'leftBehind',
];

/** What the last audit saw. One worker carries it out: the others have no such series, or older ones. */
function surveyMetrics(registry: Registry): WorkerMetrics['onSurvey'] {
  const registers = [registry];
  const labelNames = ['scope'];
  const addresses = new Gauge({
    name: 'kubeip_audit_addresses',
    help: "Addresses of the cluster's pools, as the last audit saw them, by state: free or associated.",
    labelNames: [...labelNames, 'state'],
    registers,
  });
  const drifted = new Gauge({
    name: 'kubeip_audit_drifted_nodes',
    help: 'Nodes whose instance did not have the address that it should, as the last audit saw them.',
    labelNames,
    registers,
  });
  const unclaimed = new Gauge({
    name: 'kubeip_audit_unclaimed_addresses',
    help: 'Addresses of pools on instances that no workflow looks after, as the last audit saw them, by reason.',
    labelNames: [...labelNames, 'reason'],
    registers,
  });
  const at = new Gauge({
    name: 'kubeip_audit_last_timestamp_seconds',
    help: 'When this worker last looked for an audit.',
    labelNames,
    registers,
  });
  return (of, found) => {
    const scope = formatScope(of);
    addresses.set({ scope, state: 'free' }, found.free);
    addresses.set({ scope, state: 'associated' }, found.addresses - found.free);
    drifted.set({ scope }, found.drifted.length);
    for (const reason of unclaimedReasons) {
      unclaimed.set({ scope, reason }, found.unclaimed.filter(({ why }) => why === reason).length);
    }
    at.setToCurrentTime({ scope });
  };
}

/** How often there is an audit of each scope: without that, its absence could not be told from an audit that is switched off. */
export function showAuditInterval(registry: Registry, intervalMs: number, scopes: Iterable<string>): void {
  const interval = new Gauge({
    name: 'kubeip_audit_interval_seconds',
    help: 'How often an audit is to be carried out. Absent while audits are switched off.',
    labelNames: ['scope'],
    registers: [registry],
  });
  for (const scope of scopes) interval.set({ scope }, intervalMs / 1000);
}

/** The SDK serves its metrics on a port of its own, on loopback; the worker's `/metrics` passes them on. */
export async function freeLoopbackPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Names and units by Prometheus' conventions, which are not the SDK's default: counters end in `_total`, times are seconds. */
export function sdkMetricsOptions(port: number) {
  return {
    bindAddress: `127.0.0.1:${port}`,
    countersTotalSuffix: true,
    unitSuffix: true,
    useSecondsForDurations: true,
  };
}

/** @returns the SDK's metrics in the Prometheus text format; nothing while it does not answer */
export async function sdkMetrics(port: number): Promise<string> {
  try {
    return await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  } catch {
    return '# the metrics of the Temporal SDK are not available\n';
  }
}
