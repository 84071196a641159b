/** The folder of a world's data, logs and kubeconfigs: a given one that lasts, or a temporary one. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface DataFolder {
  readonly path: string;
  /** Gives the folder up; a temporary one is deleted unless its logs are still wanted. */
  release(options?: { keep: boolean }): void;
}

/** Another sandbox that runs uses the folder. */
export class FolderInUseError extends Error {
  override readonly name = 'FolderInUseError';
}

/**
 * Claims the folder for this process, or makes a temporary one.
 *
 * @throws FolderInUseError two servers on one database would spoil it
 */
export function claimDataFolder(path: string | undefined): DataFolder {
  if (path === undefined) {
    const temporary = mkdtempSync(join(tmpdir(), 'kubeip-sandbox-'));
    return {
      path: temporary,
      release: ({ keep } = { keep: false }) =>
        void (keep || rmSync(temporary, { recursive: true, force: true })),
    };
  }
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const pidFile = join(path, 'sandbox.pid');
  const owner = readPid(pidFile);
  if (owner !== undefined && isAlive(owner)) {
    throw new FolderInUseError(
      `${path} is used by another sandbox (process ${owner}): stop that one or name another folder`,
    );
  }
  writeFileSync(pidFile, `${process.pid}\n`);
  return { path, release: () => rmSync(pidFile, { force: true }) };
}

function readPid(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
