/** Temporal's server as it runs in production, with all of its services, on a PostgreSQL of its own. On loopback, without its UI. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { stringify } from 'yaml';
import { runLongCommand } from '../tools/command.ts';
import { type ManagedProcess, startProcess } from './child-process.ts';
import { isolatedEnvironment } from './environment.ts';
import { lastingPorts, loopback } from './ports.ts';
import { postgresUser, startPostgres } from './postgres.ts';
import { waitUntilReady } from './readiness.ts';
import { isServing, temporalNamespace, type TemporalServer } from './temporal.ts';

export interface TemporalOnPostgresOptions {
  /** Paths of `temporal-server`, `temporal-sql-tool` and the `temporal` command. */
  readonly server: string;
  readonly sqlTool: string;
  readonly cli: string;
  /** Folder of the data, the configuration and the logs. Data that is there already is continued. */
  readonly dir: string;
  /** gRPC port; default: a free one. */
  readonly port?: number | undefined;
}

const databases = [
  { name: 'temporal', schema: 'postgresql/v12/temporal' },
  { name: 'temporal_visibility', schema: 'postgresql/v12/visibility' },
] as const;
const services = ['frontend', 'history', 'matching', 'worker'] as const;
/** Cannot be changed once there is data. Temporal's own example for one machine has so many. */
const historyShards = 4;
const retentionSeconds = 3 * 24 * 3_600;

/**
 * Starts both, and waits until the namespace and the search attributes are there.
 *
 * @throws ToolError if PostgreSQL is not installed
 * @throws ProcessStartError
 */
export async function startTemporalOnPostgres(options: TemporalOnPostgresOptions): Promise<TemporalServer> {
  // Its table of services has no ports above 32767.
  const [free = 0, postgresPort = 0, metricsPort = 0, ...ports] = await lastingPorts(3 + 2 * services.length);
  const { dir, port = free } = options;
  const postgres = await startPostgres(dir, postgresPort);
  const processes: ManagedProcess[] = [postgres];
  const stop = async (): Promise<void> => {
    for (const one of processes.toReversed()) await one.stop();
  };
  try {
    await makeTables(options, postgresPort);
    const address = `${loopback}:${port}`;
    const server = await startProcess({
      name: 'Temporal server',
      command: options.server,
      args: [
        '--config-file',
        writeConfig(dir, { port, postgresPort, metricsPort, ports }),
        '--allow-no-auth',
        'start',
      ],
      env: isolatedEnvironment(),
      logFile: join(dir, 'temporal.log'),
    });
    processes.push(server);
    await waitUntilReady(server, async () => (await hasNamespace(address)) && isServing(address));
    return {
      address,
      namespace: temporalNamespace,
      uiUrl: undefined,
      metricsUrl: `http://${loopback}:${metricsPort}/metrics`,
      cli: options.cli,
      process: server,
      database: postgres,
      startAgain: () => startTemporalOnPostgres({ ...options, port }),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Of a new database. */
async function makeTables({ dir, sqlTool }: TemporalOnPostgresOptions, port: number): Promise<void> {
  // Beside the data: what is copied or deleted with them.
  const done = join(dir, 'postgres', 'temporal-tables');
  if (existsSync(done)) return;
  for (const { name, schema } of databases) {
    const connection = ['--plugin', 'postgres12', '--ep', loopback, '-p', String(port), '-u', postgresUser];
    const run = (...args: string[]): Promise<void> =>
      runLongCommand({
        what: `making the tables of ${name}`,
        command: sqlTool,
        args: [...connection, '--db', name, ...args],
        env: isolatedEnvironment(),
        cwd: dir,
      });
    await run('create-database');
    await run('setup-schema', '--version', '0.0');
    await run('update-schema', '--schema-name', schema);
  }
  writeFileSync(done, '');
}

interface Ports {
  readonly port: number;
  readonly postgresPort: number;
  readonly metricsPort: number;
  /** For each service one for calls, and then for each one to find the others. The frontend's calls come to `port`. */
  readonly ports: readonly number[];
}

/** @returns the file */
function writeConfig(dir: string, { port, postgresPort, metricsPort, ports }: Ports): string {
  const dynamicConfig = join(dir, 'temporal-dynamic-config.yaml');
  writeFileSync(
    dynamicConfig,
    stringify({
      'frontend.enableCancelWorkerPollsOnShutdown': [{ value: true }],
      // Else it takes up to a minute until new search attributes can be used.
      'system.forceSearchAttributesCacheRefreshOnRead': [{ value: true }],
    }),
  );
  const dataStores = Object.fromEntries(
    databases.map(({ name }) => [
      name,
      {
        sql: {
          pluginName: 'postgres12',
          databaseName: name,
          connectAddr: `${loopback}:${postgresPort}`,
          connectProtocol: 'tcp',
          user: postgresUser,
          maxConns: 20,
          maxIdleConns: 20,
          maxConnLifetime: '1h',
        },
      },
    ]),
  );
  const rpcOf = (index: number): object => ({
    grpcPort: index === 0 ? port : ports[index],
    membershipPort: ports[services.length + index],
    bindOnIP: loopback,
  });
  const config = {
    log: { stdout: true, level: 'warn' },
    persistence: {
      defaultStore: databases[0].name,
      visibilityStore: databases[1].name,
      numHistoryShards: historyShards,
      datastores: dataStores,
    },
    global: {
      membership: { maxJoinDuration: '30s', broadcastAddress: loopback },
      metrics: { prometheus: { timerType: 'histogram', listenAddress: `${loopback}:${metricsPort}` } },
    },
    services: Object.fromEntries(services.map((name, index) => [name, { rpc: rpcOf(index) }])),
    clusterMetadata: {
      enableGlobalNamespace: false,
      failoverVersionIncrement: 10,
      masterClusterName: 'active',
      currentClusterName: 'active',
      clusterInformation: {
        active: {
          enabled: true,
          initialFailoverVersion: 1,
          rpcName: 'frontend',
          rpcAddress: `${loopback}:${port}`,
        },
      },
    },
    dcRedirectionPolicy: { policy: 'noop' },
    archival: { history: { state: 'disabled' }, visibility: { state: 'disabled' } },
    namespaceDefaults: { archival: { history: { state: 'disabled' }, visibility: { state: 'disabled' } } },
    dynamicConfigClient: { filepath: dynamicConfig, pollInterval: '10s' },
    publicClient: { hostPort: `${loopback}:${port}` },
  };
  const file = join(dir, 'temporal-server.yaml');
  writeFileSync(file, stringify(config));
  return file;
}

/** @returns whether it is there; it is registered if it is not */
async function hasNamespace(address: string): Promise<boolean> {
  const connection = await Connection.connect({ address, connectTimeout: 1_000 });
  const namespace = temporalNamespace;
  try {
    await connection.workflowService.describeNamespace({ namespace });
    return true;
  } catch {
    await connection.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: { seconds: retentionSeconds as never },
    });
    return false;
  } finally {
    await connection.close();
  }
}
