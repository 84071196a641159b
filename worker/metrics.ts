/** What the worker counts, beside the metrics of the Temporal SDK. */
import { createServer } from 'node:net';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Survey } from '../activities/contract.ts';
import type { CloudCallEvent } from '../clouds/provider.ts';
import { formatScope, type Scope } from '../model/scope.ts';

export interface WorkerMetrics {
  readonly registry: Registry;
  readonly countCloudCall: (event: CloudCallEvent) => void;
  readonly onSurvey: (scope: Scope, found: Survey) => void;
}

export function createWorkerMetrics(): WorkerMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
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
  const survey = surveyMetrics(registry);
  return {
    registry,
    onSurvey: survey,
    countCloudCall: ({ action, outcome, seconds }) => {
      requests.inc({ action, code: outcome });
      duration.observe({ action }, seconds);
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

/** @returns the SDK's metrics in the Prometheus text format; nothing while it does not answer */
export async function sdkMetrics(port: number): Promise<string> {
  try {
    return await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  } catch {
    return '# the metrics of the Temporal SDK are not available\n';
  }
}
