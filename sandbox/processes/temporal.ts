/** A real Temporal dev server with its UI, on loopback, with the project's search attributes. */
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { searchAttributeCliTypes } from '../../program/search-attributes.ts';
import { startProcess, type ManagedProcess } from './child-process.ts';
import { isolatedEnvironment } from './environment.ts';
import { loopback, withPorts } from './ports.ts';
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
  /** Base URL of the Web UI. */
  readonly uiUrl: string;
  /** Path of the `temporal` command that it was started with: a CLI of the right version. */
  readonly cli: string;
  readonly process: ManagedProcess;
  stop(): Promise<void>;
}

/**
 * Starts the server and waits until the namespace and the search attributes are there.
 *
 * @throws ProcessStartError
 */
export function startTemporal(options: TemporalServerOptions): Promise<TemporalServer> {
  return withPorts([options.port, options.uiPort], async ([port = 0, uiPort = 0]) => {
    const child = await startProcess({
      name: 'Temporal dev server',
      command: options.binary,
      args: [
        'server',
        'start-dev',
        `--ip=${loopback}`,
        `--port=${port}`,
        `--ui-port=${uiPort}`,
        `--db-filename=${join(options.dir, 'temporal.db')}`,
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
      cli: options.binary,
      process: child,
      stop: async () => void (await child.stop()),
    };
  });
}

/** `--search-attribute KubeipNode=Keyword …`, as `temporal server start-dev` takes it. */
function searchAttributeFlags(): string[] {
  return Object.entries(searchAttributeCliTypes).flatMap(([name, type]) => [
    '--search-attribute',
    `${name}=${type}`,
  ]);
}

async function isServing(address: string): Promise<boolean> {
  const connection = await Connection.connect({ address, connectTimeout: 1_000 });
  try {
    const namespace = temporalNamespace;
    await connection.workflowService.describeNamespace({ namespace });
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    return Object.keys(searchAttributeCliTypes).every((name) => name in (customAttributes ?? {}));
  } finally {
    await connection.close();
  }
}
