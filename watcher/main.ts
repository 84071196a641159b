/** `npm run watcher`: starts and signals a workflow for each Node that a pool selects. */
import { loadConfig } from '../config/config.ts';
import { connectKubernetes } from '../kubernetes/client.ts';
import { readClusterUid } from '../kubernetes/cluster-uid.ts';
import { openClusterIdentity } from '../program/cluster-identity.ts';
import { startHttpServer } from '../program/http-server.ts';
import { toggleDebugOnSignal } from '../program/log-level.ts';
import { startTracing } from '../program/tracing.ts';
import { createLogger } from '../program/logger.ts';
import { commandName } from '../program/origin.ts';
import {
  type CommonOptions,
  createCommand,
  type ProgramContext,
  runProgram,
} from '../program/run-program.ts';
import { watchTemporalSettings } from '../program/settings-watch.ts';
import { connectClient } from '../program/temporal-connection.ts';
import { checkSearchAttributes } from '../program/search-attributes.ts';
import { createWatcherMetrics } from './metrics.ts';
import { createWatcher } from './watcher.ts';

const command = commandName('watcher');
const options = createCommand(
  command,
  'Watches the Nodes of a cluster and tells Temporal of them. Any number may run side by side.',
)
  .addHelpText('after', `\nExample: TEMPORAL_ADDRESS=temporal:7233 ${command} --config kubeip.yaml`)
  .parse()
  .opts<CommonOptions>();

await runProgram('watcher', main, options);

async function main({ signal, useLogger }: ProgramContext): Promise<void> {
  const config = loadConfig({ file: options.config, env: process.env });
  const logger = createLogger({ name: 'watcher', ...config.log, fields: { cluster: config.cluster } });
  useLogger(logger);
  toggleDebugOnSignal(logger);
  for (const notice of config.notices) logger.warn(notice);

  // Whatever is missing is found before anything is watched.
  const tracing = await startTracing('watcher', config.cluster, logger);
  const outdated = watchTemporalSettings({ logger, signal });
  const temporal = await connectClient({ signal }, { interceptors: tracing?.clientInterceptors ?? {} });
  await checkSearchAttributes(temporal.connection, temporal.namespace);
  const kubernetes = await connectKubernetes();
  const identity = await openClusterIdentity({
    client: temporal.client,
    namespace: temporal.namespace,
    cluster: config.cluster,
    server: kubernetes.server,
    readUid: () => readClusterUid(kubernetes),
  });

  const metrics = createWatcherMetrics(config.cluster);
  const watcher = createWatcher({
    config,
    kubernetes,
    identity,
    client: temporal.client,
    metrics,
    logger,
  });
  const http = await startHttpServer({
    host: config.http.host,
    port: config.http.watcherPort,
    ready: () => watcher.readiness(),
    metrics: metrics.registry,
  });
  logger.info(
    { http: http.url, temporal: temporal.address, kubernetes: kubernetes.server },
    'watcher started',
  );
  await watcher.run(AbortSignal.any([signal, outdated]));
  await http.close();
  await temporal.close();
  await tracing?.stop();
  logger.info('watcher stopped');
}
