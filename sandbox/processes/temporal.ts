/** A real Temporal dev server with its UI, on loopback, with the project's search attributes. */
import { copyFileSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { searchAttributeCliTypes, searchAttributeNumbers } from '../../program/search-attributes.ts';
import { startProcess, type ManagedProcess } from './child-process.ts';
import { isolatedEnvironment } from './environment.ts';
import { loopback, withPorts } from './ports.ts';
import { copyPostgresData, removePostgresData } from './postgres.ts';
import { waitUntilReady } from './readiness.ts';

export const temporalNamespace = 'default';

export interface TemporalServerOptions {
  /** Path of the `temporal` command. */
  readonly binary: string;
  /** Folder of the database and the log. A database that is there already is continued. */
  readonly dir: string;
  /** gRPC port; default: a free one. */
  readonly port?: number | undefined;
  /** Port of the Web UI; default: a free one. */
  readonly uiPort?: number | undefined;
}

export interface TemporalServer {
  /** `host:port` of the frontend, as TEMPORAL_ADDRESS wants it. */
  readonly address: string;
  readonly namespace: string;
  /** Base URL of the Web UI, which the dev server has. */
  readonly uiUrl: string | undefined;
  /** Where the server shows its own metrics, in the Prometheus text format. */
  readonly metricsUrl: string;
  /** Path of the `temporal` command that it was started with: a CLI of the right version. */
  readonly cli: string;
  readonly process: ManagedProcess;
  /** The PostgreSQL that it keeps its data in. Undefined: it keeps them in a file itself. */
  readonly database: ManagedProcess | undefined;
  /** Of a server that has ended, and its database: both with their data, where they were. */
  startAgain(): Promise<TemporalServer>;
  stop(): Promise<void>;
}

/**
 * Starts the server and waits until the namespace and the search attributes are there.
 *
 * @throws ProcessStartError
 */
export function startTemporal(options: TemporalServerOptions): Promise<TemporalServer> {
  return withPorts([options.port, options.uiPort, undefined], async ([port = 0, uiPort = 0, metrics = 0]) => {
    const child = await startProcess({
      name: 'Temporal dev server',
      command: options.binary,
      args: [
        'server',
        'start-dev',
        `--ip=${loopback}`,
        `--port=${port}`,
        `--ui-port=${uiPort}`,
        `--metrics-port=${metrics}`,
        `--db-filename=${databaseOf(options.dir)}`,
        ...sqlitePragmas.map((pragma) => `--sqlite-pragma=${pragma}`),
        `--dynamic-config-value=${pollsEndAtShutdown}`,
        '--log-level=warn',
        '--color=never',
        ...searchAttributeFlags(),
      ],
      env: isolatedEnvironment(),
      logFile: join(options.dir, 'temporal.log'),
    });
    const address = `${loopback}:${port}`;
    await waitUntilReady(child, () => isServing(address));
    return {
      address,
      namespace: temporalNamespace,
      uiUrl: `http://${loopback}:${uiPort}`,
      metricsUrl: `http://${loopback}:${metrics}/metrics`,
      cli: options.binary,
      process: child,
      database: undefined,
      startAgain: () => startTemporal({ ...options, port, uiPort }),
      stop: async () => void (await child.stop()),
    };
  });
}

/**
 * By its own default SQLite waits for the disk several times in each transaction, and a transaction is all that this server does
 * at a time. So it survives a SIGKILL at any moment, as it must here, but not for certain the loss of the machine's power.
 */
const sqlitePragmas = ['journal_mode=WAL', 'synchronous=NORMAL'];

/**
 * The server ends the polls of a worker that stops. Server 1.32 has this, off by default; 1.29 ignores it. With SDK 1.24 a workflow task
 * can still be lost.
 */
const pollsEndAtShutdown = 'frontend.enableCancelWorkerPollsOnShutdown=true';

/** SQLite's write-ahead log is part of the database. */
const databaseSuffixes = ['', '-wal', '-shm', '-journal'];

/** Deletes the database of a server that does not run. @param dir as the server was given it */
export function removeTemporalData(dir: string): void {
  for (const suffix of databaseSuffixes) rmSync(databaseOf(dir) + suffix, { force: true });
  removePostgresData(dir);
}

/** Copies the database of a server that does not run, over what is there. @param from a folder with a database; @param to likewise */
export function copyTemporalData(from: string, to: string): void {
  removeTemporalData(to);
  for (const suffix of databaseSuffixes) {
    if (existsSync(databaseOf(from) + suffix)) {
      copyFileSync(databaseOf(from) + suffix, databaseOf(to) + suffix);
    }
  }
  copyPostgresData(from, to);
}

function databaseOf(dir: string): string {
  return join(dir, 'temporal.db');
}

/** `--search-attribute KubeipNode=Keyword …`, as `temporal server start-dev` takes it. */
function searchAttributeFlags(): string[] {
  return Object.entries(searchAttributeCliTypes).flatMap(([name, type]) => [
    '--search-attribute',
    `${name}=${type}`,
  ]);
}

/** @returns whether the namespace and the search attributes are there, which are registered if they are not */
export async function isServing(address: string): Promise<boolean> {
  const connection = await Connection.connect({ address, connectTimeout: 1_000 });
  try {
    await connection.workflowService.describeNamespace({ namespace: temporalNamespace });
    return await hasSearchAttributes(connection);
  } finally {
    await connection.close();
  }
}

/** A database that an earlier version made lacks some, or has them with another type: those are registered anew. */
async function hasSearchAttributes({ operatorService }: Connection): Promise<boolean> {
  const namespace = temporalNamespace;
  const { customAttributes: present } = await operatorService.listSearchAttributes({ namespace });
  const others = Object.entries(searchAttributeNumbers).filter(
    ([name, type]) => Number(present?.[name]) !== type,
  );
  if (others.length === 0) return true;
  const wrong = others.flatMap(([name]) => (present?.[name] === undefined ? [] : [name]));
  if (wrong.length > 0) await operatorService.removeSearchAttributes({ namespace, searchAttributes: wrong });
  await operatorService.addSearchAttributes({ namespace, searchAttributes: Object.fromEntries(others) });
  return false;
}
