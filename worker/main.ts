/** `npm run worker`: carries out the workflows of a cluster's nodes and of the scopes of its pools. */
import { Runtime, type Worker } from '@temporalio/worker';
import type { ProviderCallEvent } from '../clouds/registry.ts';
import { loadConfig } from '../config/config.ts';
import { connectKubernetes } from '../kubernetes/client.ts';
import { readClusterUid } from '../kubernetes/cluster-uid.ts';
import { startHttpServer } from '../program/http-server.ts';
import { toggleDebugOnSignal } from '../program/log-level.ts';
import { startTracing } from '../program/tracing.ts';
import { createLogger, type Logger } from '../program/logger.ts';
import { commandName } from '../program/origin.ts';
import { toTemporalLogger } from '../program/temporal-logger.ts';
import {
  type CommonOptions,
  createCommand,
  type ProgramContext,
  runProgram,
} from '../program/run-program.ts';
import { watchTemporalSettings } from '../program/settings-watch.ts';
import { connectClient, connectWorker } from '../program/temporal-connection.ts';
import { openClusterIdentity } from '../program/cluster-identity.ts';
import { keepChecking } from './keep-checking.ts';
import { workerVersion } from './deployment-version.ts';
import {
  createWorkerMetrics,
  freeLoopbackPort,
  sdkMetrics,
  sdkMetricsOptions,
  showAuditInterval,
} from './metrics.ts';
import { addHealthMetrics } from './health-metrics.ts';
import { addPoolMetrics } from './pool-metrics.ts';
import { openProviders } from './providers.ts';
import { traceCloudCall, traceWorker } from './tracing.ts';
import { createWorkers, workflowBundle } from './run-workers.ts';
import { keepAddressPools } from './address-pool-starter.ts';
import { PatchActivation } from './patch-activation.ts';
import { keepVersions, polledQueues, UNVERSIONED_CHECK_MS } from './version-keeper.ts';
import { clusterTaskQueue } from '../workflows/messages.ts';
import { knownPatches } from '../workflows/patches.ts';
import {
  checkSearchAttributes,
  cloudCommands,
  registerSearchAttributes,
} from '../program/search-attributes.ts';

const command = commandName('worker');
const options = createCommand(
  command,
  'Gives static addresses to nodes: runs the workflows and their activities. Any number may run side by side.',
)
  .option(
    '--register-search-attributes',
    "register what the Temporal namespace lacks of this project's search attributes, and end",
  )
  .addHelpText('after', `\nExample: TEMPORAL_ADDRESS=temporal:7233 ${command} --config kubeip.yaml`)
  .parse()
  .opts<CommonOptions & { registerSearchAttributes?: boolean }>();

await runProgram('worker', options.registerSearchAttributes === true ? register : main, options);

/** The chart's Job before an installation. Needs neither configuration nor cluster nor cloud. */
async function register({ signal }: ProgramContext): Promise<void> {
  const temporal = await connectClient({ signal });
  const { namespace } = temporal;
  const done = await registerSearchAttributes(temporal.connection, namespace);
  if (done === 'unknown') {
    console.log(
      `The server does not say which search attributes namespace "${namespace}" has. If they are not there yet:\n` +
        cloudCommands(namespace),
    );
  } else if (done.added.length === 0) console.log(`Namespace "${namespace}" has all search attributes.`);
  else console.log(`Registered in namespace "${namespace}": ${done.added.join(', ')}.`);
  await temporal.close();
}

async function main({ signal, useLogger }: ProgramContext): Promise<void> {
  const config = loadConfig({ file: options.config, env: process.env });
  const logger = createLogger({ name: 'worker', ...config.log, fields: { cluster: config.cluster } });
  useLogger(logger);
  toggleDebugOnSignal(logger);
  for (const notice of config.notices) logger.warn(notice);

  const version = workerVersion(process.env);
  const metrics = createWorkerMetrics(config);
  const sdkMetricsPort = await freeLoopbackPort();
  Runtime.install({
    logger: toTemporalLogger(logger),
    // runProgram listens to signals.
    shutdownSignals: [],
    telemetryOptions: {
      metrics: { prometheus: sdkMetricsOptions(sdkMetricsPort) },
      // Otherwise the SDK's native part writes lines of its own among the JSON.
      logging: { forward: {}, filter: { core: 'WARN', other: 'ERROR' } },
    },
  });

  // Whatever is missing is found before the first task is taken.
  const outdated = watchTemporalSettings({ logger, signal });
  const temporal = await connectClient({ signal });
  await checkSearchAttributes(temporal.connection, temporal.namespace);
  const kubernetes = await connectKubernetes();
  const identity = await openClusterIdentity({
    client: temporal.client,
    namespace: temporal.namespace,
    cluster: config.cluster,
    server: kubernetes.server,
    readUid: () => readClusterUid(kubernetes),
  });
  const onCall = (event: ProviderCallEvent): void => {
    metrics.countCloudCall(event);
    traceCloudCall(event);
  };
  const providers = await openProviders({ config, logger, onCall, signal });
  const worker = await connectWorker({ signal });
  const tracing = await startTracing('worker', config.cluster, logger);
  const pools = [...providers.byScope.values()].map(({ scope }) => ({
    scope,
    pacing: config.pacing[scope.provider],
  }));
  const taskQueues = polledQueues(clusterTaskQueue(config.cluster), pools);
  const patches = new PatchActivation({
    connection: temporal.connection,
    namespace: temporal.namespace,
    taskQueues,
    patches: knownPatches,
    rollbackWindowMs: config.worker.rollbackWindowMs,
    logger,
  });
  const workers = await createWorkers({
    config,
    client: temporal.client,
    connection: worker.connection,
    namespace: temporal.namespace,
    kubernetes,
    identity,
    providers,
    logger,
    metrics,
    tracing: tracing && (await traceWorker(tracing)),
    version,
    isPatchActive: patches.callback,
    bundle: await workflowBundle(process.env, logger),
  });

  const { audit } = config;
  if (audit.enabled) showAuditInterval(metrics.registry, audit.intervalMs, providers.byScope.keys());
  addPoolMetrics({ registry: metrics.registry, config, client: temporal.client, providers, logger });
  addHealthMetrics({
    registry: metrics.registry,
    client: temporal.client,
    cluster: config.cluster,
    audited: audit.enabled ? [...providers.byScope.values()].map(({ scope }) => scope) : [],
    logger,
  });
  const http = await startHttpServer({
    host: config.http.host,
    port: config.http.workerPort,
    ready: () => readiness(workers),
    metrics: metrics.registry,
    extraMetrics: () => sdkMetrics(sdkMetricsPort),
  });
  logger.info(
    {
      http: http.url,
      temporal: temporal.address,
      scopes: [...providers.byScope.keys()],
      ...(version === undefined ? {} : { version }),
    },
    'worker started',
  );
  const ending = AbortSignal.any([signal, identity.mismatch, outdated]);
  void keepChecking(identity, config.watcher.reconcileIntervalMs, ending, logger);
  void keepAddressPools({ client: temporal.client, pools, logger }, ending);
  void patches.watch(ending);
  const keeper = { client: temporal.client, taskQueues, pools, logger };
  void keepVersions(version === undefined ? { ...keeper, checkMs: UNVERSIONED_CHECK_MS } : keeper, ending);
  await runUntilStopped(workers, ending, logger);
  identity.mismatch.throwIfAborted();
  await http.close();
  await worker.close();
  await temporal.close();
  await tracing?.stop();
  for (const provider of providers.byScope.values()) provider.close();
  logger.info('worker stopped');
}

/** Runs all Workers; when one fails, the others are stopped and its error is thrown. */
async function runUntilStopped(workers: Worker[], signal: AbortSignal, logger: Logger): Promise<void> {
  const stop = (): void => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  signal.addEventListener('abort', () => {
    logger.info('stopping: no new tasks; what is under way may end');
    stop();
  });
  const running = workers.map(async (worker) => {
    try {
      await worker.run();
    } finally {
      stop();
    }
  });
  // It may have come while they were being made, and they can be shut down only once they run.
  if (signal.aborted) stop();
  const ends = await Promise.allSettled(running);
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

function readiness(workers: Worker[]): { ok: boolean; detail: string } {
  const lines = workers.map((worker) => `${worker.options.taskQueue}: ${worker.getState()}`);
  return { ok: workers.every((worker) => worker.getState() === 'RUNNING'), detail: lines.join('\n') };
}
