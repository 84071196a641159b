/** The per-user cache folder: outside the project, so that a new clone finds what an older one built. */
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import lockfile from 'proper-lockfile';

/** @returns `$XDG_CACHE_HOME/kubeip-temporal/tools`, or the same under ~/.cache */
export function cacheRoot(env: NodeJS.ProcessEnv = process.env): string {
  const base = env.XDG_CACHE_HOME;
  return join(
    base !== undefined && base !== '' ? base : join(homedir(), '.cache'),
    'kubeip-temporal',
    'tools',
  );
}

/** The platforms for which programs are published, as Go names them. */
export type Platform = 'linux-amd64' | 'linux-arm64' | 'darwin-amd64' | 'darwin-arm64';

/** This machine as Go names it: `linux-amd64`, `darwin-arm64`. It may be none of the published platforms. */
export function platformName(): Platform {
  return `${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}` as Platform;
}

/**
 * Fills one entry of the cache, unless it is there. Of several processes that want the same entry one does the work and
 * the others wait; a process that dies at it leaves no entry, and its lock lapses after some seconds.
 *
 * @param entry the entry's folder
 * @param fill puts the content into a temporary folder beside it, which is then renamed
 * @returns whether this call filled it
 */
export async function fillOnce(entry: string, fill: (partial: string) => Promise<void>): Promise<boolean> {
  if (existsSync(entry)) return false;
  return withLock(entry, async () => {
    if (existsSync(entry)) return false;
    const partial = `${entry}.partial`;
    rmSync(partial, { recursive: true, force: true }); // of somebody who died
    mkdirSync(partial, { recursive: true });
    try {
      await fill(partial);
      renameSync(partial, entry);
    } finally {
      rmSync(partial, { recursive: true, force: true });
    }
    return true;
  });
}

/** Runs the work while no other process holds the lock of that entry. Waits as long as it takes. */
export async function withLock<T>(entry: string, work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(entry), { recursive: true });
  const release = await lockfile.lock(entry, {
    realpath: false, // the entry does not exist yet
    stale: 15_000,
    update: 5_000,
    retries: { forever: true, minTimeout: 200, maxTimeout: 1_000, retries: 1 },
  });
  try {
    return await work();
  } finally {
    await release();
  }
}
