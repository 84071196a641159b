/**
 * Prometheus' own checker of rules and metrics: one on the PATH, else the one in Debian's package `prometheus`, unpacked into
 * the cache folder. The package is not installed: that would start a server on this machine, and take root.
 */
import { readdirSync, rmSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheRoot, fillOnce, platformName } from './cache.ts';
import { findOnPath, isExecutable, runLongCommand, tryCommand } from './command.ts';
import type { EnsureOptions } from './ensure-tools.ts';
import { createProgress } from './progress.ts';
import { ToolError } from './tool-error.ts';

/** Environment variable with the path of a promtool to use instead. */
export const promtoolVariable = 'KUBEIP_SANDBOX_PROMTOOL';

/**
 * Makes sure that promtool is there.
 *
 * @returns its path
 * @throws ToolError with what to do about it
 */
export async function ensurePromtool(options: EnsureOptions = {}): Promise<string> {
  const env = options.env ?? process.env;
  const named = env[promtoolVariable];
  if (named !== undefined && named !== '') {
    if (await isPromtool(named, env)) return named;
    throw new ToolError(`${promtoolVariable} is ${named}, where no promtool runs.`);
  }
  for (const path of findOnPath('promtool', env)) if (await isPromtool(path, env)) return path;
  const entry = join(cacheRoot(env), `promtool-debian-${platformName()}`);
  const path = join(entry, 'promtool');
  if (!isExecutable(path)) await fillOnce(entry, (partial) => unpack(partial, options));
  return path;
}

async function isPromtool(path: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  return /^promtool, version /m.test((await tryCommand(path, ['--version'], env)) ?? '');
}

async function unpack(partial: string, options: EnsureOptions): Promise<void> {
  const env = options.env ?? process.env;
  const [aptGet] = findOnPath('apt-get', env);
  const [dpkgDeb] = findOnPath('dpkg-deb', env);
  if (aptGet === undefined || dpkgDeb === undefined) {
    throw new ToolError(
      `There is no promtool on the PATH, and this machine has no Debian packages. ${advice}`,
    );
  }
  const progress = options.progress ?? createProgress();
  const done = progress.task(
    "unpacking promtool from Debian's package prometheus",
    'what checks the alert rules and metrics; not on this machine yet',
    '1 min',
  );
  const run = (what: string, command: string, args: string[]): Promise<void> =>
    runLongCommand({ what, command, args, env, cwd: partial });
  const download = (): Promise<void> =>
    run('downloading the package prometheus', aptGet, [
      '--quiet=2',
      '-o',
      'Acquire::Retries=3',
      'download',
      'prometheus',
    ]);
  try {
    await download().catch(async () => {
      // A machine without lists of packages, or with old ones; it takes root to renew them.
      const wait = ['-o', 'DPkg::Lock::Timeout=600', '-o', 'Acquire::Retries=3'];
      await run('updating the lists of packages', aptGet, ['--quiet=2', ...wait, 'update']);
      await download();
    });
    const deb = readdirSync(partial).find((name) => name.endsWith('.deb'));
    if (deb === undefined) throw new ToolError('apt-get downloaded nothing.');
    await run('unpacking the package prometheus', dpkgDeb, ['--extract', deb, 'unpacked']);
    await copyFile(join(partial, 'unpacked/usr/bin/promtool'), join(partial, 'promtool'));
    for (const rest of [deb, 'unpacked']) rmSync(join(partial, rest), { recursive: true });
    if (!(await isPromtool(join(partial, 'promtool'), env)))
      throw new ToolError('The promtool of the package does not run.');
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new ToolError(`${message}\n${advice}`, { cause: error });
  } finally {
    done();
  }
}

const advice =
  'Put promtool on the PATH (Debian: `apt-get install prometheus` as root; elsewhere it is in the release of Prometheus), or set ' +
  `${promtoolVariable} to the path of one. Only the tests of the alert rules and metrics need it.`;
