/** The project's own Workers of every cluster, in this process, and what they run with. */
import type { Worker, WorkflowBundleOption } from '@temporalio/worker';
import type { Client } from '@temporalio/client';
import type { Config, PoolConfig } from '../../config/config.ts';
import type { KubernetesClient } from '../../kubernetes/client.ts';
import type { RateLimit } from '../../model/settings.ts';
import type { Scope } from '../../model/scope.ts';
import { createLogger, type Logger } from '../../program/logger.ts';
import { type ConnectedWorker, connectWorker } from '../../program/temporal-connection.ts';
import type { World } from '../../sandbox/world.ts';
import { createWorkerMetrics, type WorkerMetrics } from '../../worker/metrics.ts';
import { openProviders, type Providers } from '../../worker/providers.ts';
import { createWorkers } from '../../worker/run-workers.ts';
import { type HarnessOptions, harnessConfig } from './harness-config.ts';
import { openIdentity } from './test-identity.ts';

export interface WorkerParts {
  readonly world: World;
  readonly client: Client;
  readonly kubernetes: KubernetesClient;
  readonly bundle: WorkflowBundleOption;
}

interface ClusterParts {
  readonly config: Config;
  readonly providers: Providers;
}

export class HarnessWorkers {
  readonly #parts: WorkerParts;
  #clusters: readonly ClusterParts[] = [];
  readonly #metrics: WorkerMetrics[] = [];
  #connections: ConnectedWorker[] = [];
  #running: { readonly worker: Worker; readonly ended: Promise<void> }[] = [];

  constructor(parts: WorkerParts) {
    this.#parts = parts;
  }

  /** Of the first cluster, as all that follow. */
  get pools(): readonly PoolConfig[] {
    return this.#clusters[0]?.config.pools ?? [];
  }

  get scopes(): readonly Scope[] {
    return [...(this.#clusters[0]?.providers.byScope.values() ?? [])].map(({ scope }) => scope);
  }

  get pacing(): RateLimit {
    const [first] = this.#clusters;
    if (first === undefined) throw new Error('a harness without a configuration');
    return first.config.pacing.aws;
  }

  /** Reads the configuration of every cluster anew. */
  async configure(options: HarnessOptions): Promise<void> {
    this.#closeProviders();
    const clusters: ClusterParts[] = [];
    for (const cluster of options.clusters ?? ['test']) {
      const config = harnessConfig(this.#parts.world, cluster, options);
      clusters.push({
        config,
        providers: await openProviders({ config, logger: testLogger(cluster), onCall: () => {} }),
      });
    }
    this.#clusters = clusters;
  }

  /** Their start also starts the mutexes. */
  async start(): Promise<void> {
    const { world, client, kubernetes, bundle } = this.#parts;
    for (const { config, providers } of this.#clusters) {
      // One for each cluster: clusters share a scope's queue, which one connection may poll only once.
      const connected = await connectWorker({ env: world.env });
      this.#connections.push(connected);
      const metrics = createWorkerMetrics(config);
      const workers = await createWorkers({
        config,
        providers,
        client,
        connection: connected.connection,
        namespace: connected.namespace,
        kubernetes,
        identity: await openIdentity(client, kubernetes, config.cluster),
        logger: testLogger(config.cluster),
        bundle,
        metrics,
      });
      this.#metrics.push(metrics);
      this.#running.push(...workers.map((worker) => ({ worker, ended: worker.run() })));
    }
  }

  /** What the workers show, in the Prometheus text format. */
  async metrics(): Promise<string> {
    return (await Promise.all(this.#metrics.map(({ registry }) => registry.metrics()))).join('\n');
  }

  async stop(): Promise<void> {
    const running = this.#running.splice(0);
    for (const { worker } of running) worker.shutdown();
    await Promise.all(running.map(({ ended }) => ended));
    await Promise.all(this.#connections.splice(0).map((connection) => connection.close()));
  }

  async close(): Promise<void> {
    await this.stop();
    this.#closeProviders();
  }

  #closeProviders(): void {
    for (const { providers } of this.#clusters) {
      for (const provider of providers.byScope.values()) provider.close();
    }
  }
}

/** Quiet unless asked, so that a test's own output is found: `KUBEIP_TEST_LOG=debug`. */
export function testLogger(name: string): Logger {
  const level = process.env['KUBEIP_TEST_LOG'] === 'debug' ? 'debug' : 'fatal';
  return createLogger({ name, level, format: 'json' });
}
