/**
 * The browser of the browser tests: a Chromium that is there, else Debian's package. Looked for in this order: a path in the
 * environment, the PATH, what `playwright-core install chromium` left in its cache.
 */
import { join } from 'node:path';
import { cacheRoot, withLock } from './cache.ts';
import { findOnPath, isExecutable, runLongCommand, tryCommand } from './command.ts';
import type { EnsureOptions } from './ensure-tools.ts';
import { createProgress } from './progress.ts';
import { ToolError } from './tool-error.ts';

/** Environment variable with the path of a Chromium or Chrome to use instead. */
export const chromiumVariable = 'KUBEIP_SANDBOX_CHROMIUM';

/** As the package, Ubuntu's wrapper and Google's own are called. */
const names = ['chromium', 'chromium-browser', 'google-chrome'];

export interface ResolvedChromium {
  readonly path: string;
  /** What the browser says of itself. */
  readonly version: string;
  readonly source: 'environment' | 'path' | 'playwright' | 'package';
}

export interface ChromiumOptions extends EnsureOptions {
  /** Where Playwright would keep its own download. Default: as playwright-core says. */
  readonly playwrightPath?: string;
  /** Whether packages may be installed. Default: whether this is root on a machine with `apt-get`. */
  readonly canInstall?: boolean;
}

/**
 * Makes sure that a Chromium is there.
 *
 * @throws ToolError with what to do about it
 */
export async function resolveChromium(options: ChromiumOptions = {}): Promise<ResolvedChromium> {
  const env = options.env ?? process.env;
  const found = (await fromEnvironment(env)) ?? (await findChromium(options));
  if (found !== undefined) return found;
  const aptGet = findOnPath('apt-get', env)[0];
  const { canInstall = process.getuid?.() === 0 } = options;
  if (!canInstall || aptGet === undefined) {
    throw new ToolError(`There is no Chromium, and it takes root and apt-get to install one. ${advice}`);
  }
  // Several processes wait for one: the second finds what the first installed.
  return withLock(join(cacheRoot(env), 'chromium'), async () => {
    const installed = (await findChromium(options)) ?? (await install(aptGet, options));
    if (installed === undefined) {
      throw new ToolError(`The package chromium is installed, but no browser runs. ${advice}`);
    }
    return installed;
  });
}

/** A path that the user gave is used, or is an error: nothing else is tried in its place. */
async function fromEnvironment(env: NodeJS.ProcessEnv): Promise<ResolvedChromium | undefined> {
  const path = env[chromiumVariable];
  if (path === undefined || path === '') return undefined;
  const version = await reportedVersion(path, env);
  if (version === undefined) {
    throw new ToolError(
      `${chromiumVariable} is ${path}, where no Chromium runs: \`${path} --version\` gave no version`,
    );
  }
  return { path, version, source: 'environment' };
}

async function findChromium(options: ChromiumOptions): Promise<ResolvedChromium | undefined> {
  const env = options.env ?? process.env;
  for (const path of names.flatMap((name) => findOnPath(name, env))) {
    // Ubuntu's `chromium-browser` without snap is a script that says so.
    const version = await reportedVersion(path, env);
    if (version !== undefined) return { path, version, source: 'path' };
  }
  const path = options.playwrightPath ?? (await pathOfPlaywright());
  if (!isExecutable(path)) return undefined;
  const version = await reportedVersion(path, env);
  return version === undefined ? undefined : { path, version, source: 'playwright' };
}

async function pathOfPlaywright(): Promise<string> {
  const { chromium } = await import('playwright-core');
  return chromium.executablePath();
}

async function install(aptGet: string, options: ChromiumOptions): Promise<ResolvedChromium | undefined> {
  const env = { ...(options.env ?? process.env), DEBIAN_FRONTEND: 'noninteractive' };
  const progress = options.progress ?? createProgress();
  const why = "the browser that Temporal's UI is tried with; not on this machine yet";
  const done = progress.task("installing Debian's package chromium", why, '1 to 2 min');
  // Another apt-get may be at it: that one is waited for.
  const common = ['-o', 'DPkg::Lock::Timeout=600', '-o', 'Acquire::Retries=3', '--quiet=2'];
  const run = (what: string, args: string[]): Promise<void> =>
    runLongCommand({ what, command: aptGet, args: [...common, ...args], env, cwd: '/' });
  try {
    await run('updating the lists of packages', ['update']);
    await run('installing the package chromium', [
      'install',
      '--assume-yes',
      '--no-install-recommends',
      'chromium',
    ]);
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    throw new ToolError(`${error.message}\n${advice}`, { cause: error });
  } finally {
    done();
  }
  const found = await findChromium(options);
  return found && { ...found, source: 'package' };
}

/** @returns the version of Chromium, Chrome, or Chrome for Testing; undefined if this is something else */
async function reportedVersion(path: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const output = await tryCommand(path, ['--version'], env);
  return /(?:Chromium|Chrome)[^\d\n]* (\d+(?:\.\d+){3})/.exec(output ?? '')?.[1];
}

const advice =
  'Install one (Debian: `apt-get install chromium` as root; elsewhere `npx playwright-core install --with-deps chromium`, or ' +
  `Google Chrome), or set ${chromiumVariable} to the path of one. Only the browser tests need it.`;
