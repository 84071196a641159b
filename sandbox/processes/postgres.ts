/** A real PostgreSQL on loopback, of the package that is installed on this machine. */
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { findOnPath, runLongCommand, tryCommand } from '../tools/command.ts';
import { ToolError } from '../tools/tool-error.ts';
import { type ManagedProcess, startProcess } from './child-process.ts';
import { isolatedEnvironment } from './environment.ts';
import { loopback } from './ports.ts';
import { waitUntilReady } from './readiness.ts';

/** The superuser of the database, who needs no password: nobody but this machine reaches it. */
export const postgresUser = 'temporal';

/** Names the folder of `postgres` and `initdb`. */
const pathVariable = 'KUBEIP_SANDBOX_POSTGRES';
/** Debian's package keeps them off the PATH. */
const debianFolder = '/usr/lib/postgresql';
/** `nobody`: PostgreSQL refuses to run as root. */
const unprivilegedUser = 65_534;

/**
 * Starts it with the data that is in the folder, or makes its data first.
 *
 * @param dir gets a folder `postgres` with the data, and the log
 * @throws ToolError if PostgreSQL is not installed
 * @throws ProcessStartError when it does not come up
 */
export async function startPostgres(dir: string, port: number): Promise<ManagedProcess> {
  const programs = findPostgres();
  const env = isolatedEnvironment();
  const data = dataOf(dir);
  const asOther = process.getuid?.() === 0 ? { user: unprivilegedUser } : {};
  const logFile = join(dir, 'postgres.log');
  mkdirSync(data, { recursive: true, mode: 0o700 });
  if (asOther.user !== undefined) {
    chmodSync(dir, 0o711); // It may go through, and read nothing.
    await runLongCommand({
      what: 'giving PostgreSQL its folder',
      command: 'chown',
      args: ['-R', `${asOther.user}:${asOther.user}`, data],
      env,
      cwd: dir,
    });
  }
  if (readdirSync(data).length === 0) {
    const args = ['-D', data, '-U', postgresUser, '--auth=trust', '-E', 'UTF8', '--locale=C', '--no-sync'];
    await runLongCommand({
      what: 'making a database',
      command: join(programs, 'initdb'),
      args,
      env,
      cwd: data,
      ...asOther,
    });
  }
  const settings = { listen_addresses: loopback, port, unix_socket_directories: '', max_connections: 200 };
  const server = await startProcess({
    name: 'PostgreSQL',
    command: join(programs, 'postgres'),
    args: ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    cwd: data,
    env,
    logFile,
    ...asOther,
  });
  const probe = ['-h', loopback, '-p', String(port), '-U', postgresUser, '-d', 'postgres'];
  await waitUntilReady(
    server,
    async () => (await tryCommand(join(programs, 'pg_isready'), probe, env)) !== undefined,
  );
  return server;
}

/** Deletes the data of a server that does not run. @param dir as the server was given it */
export function removePostgresData(dir: string): void {
  rmSync(dataOf(dir), { recursive: true, force: true });
}

/** Copies the data of a server that does not run, if it has any, over what is there. */
export function copyPostgresData(from: string, to: string): void {
  removePostgresData(to);
  if (existsSync(dataOf(from))) cpSync(dataOf(from), dataOf(to), { recursive: true });
}

function dataOf(dir: string): string {
  return join(dir, 'postgres');
}

/**
 * @returns the folder of its programs
 * @throws ToolError if it is not installed
 */
export function findPostgres(env: NodeJS.ProcessEnv = process.env): string {
  const named = env[pathVariable];
  const [onPath] = findOnPath('pg_isready', env);
  const versions = existsSync(debianFolder) ? readdirSync(debianFolder) : [];
  const folders = [
    ...(named ? [named] : []),
    ...versions
      .toSorted((a, b) => Number(b) - Number(a))
      .map((version) => join(debianFolder, version, 'bin')),
    ...(onPath === undefined ? [] : [join(onPath, '..')]),
  ];
  const complete = folders.find((folder) =>
    ['postgres', 'initdb', 'pg_isready'].every((program) => existsSync(join(folder, program))),
  );
  if (complete === undefined || (named && complete !== named)) {
    throw new ToolError(
      `PostgreSQL is needed, and ${named ? `${pathVariable} names ${named}, which has no postgres, initdb and pg_isready` : 'is not installed'}. ` +
        `Install your system's package (\`postgresql\` on Debian), or set ${pathVariable} to the folder of its programs.`,
    );
  }
  return complete;
}
