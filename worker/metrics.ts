/** What the worker counts, beside the metrics of the Temporal SDK. */
import { createServer } from 'node:net';
import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client';
import type { CloudCallEvent } from '../clouds/provider.ts';

export interface WorkerMetrics {
  readonly registry: Registry;
  readonly countCloudCall: (event: CloudCallEvent) => void;
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
  return {
    registry,
    countCloudCall: ({ action, outcome, seconds }) => {
      requests.inc({ action, code: outcome });
      duration.observe({ action }, seconds);
    },
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
