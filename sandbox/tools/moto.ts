/** moto's EC2 server and boto3, in a Python virtual environment in the cache folder. */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cacheRoot, platformName, withLock } from './cache.ts';
import { findOnPath, runLongCommand, tryCommand } from './command.ts';
import type { EnsureOptions } from './ensure-tools.ts';
import { createProgress } from './progress.ts';
import { ToolError } from './tool-error.ts';

export const motoVersion = '5.2.5';
const requirements = [`moto[ec2,server]==${motoVersion}`, 'boto3==1.44.5'];

/** Environment variable with the path of the Python to make the virtual environment with. */
export const pythonVariable = 'KUBEIP_SANDBOX_PYTHON';

export interface MotoTools {
  /** Path of the `moto_server` command. */
  readonly server: string;
  /** Path of the virtual environment's Python, which has boto3. */
  readonly python: string;
  readonly source: 'cache' | 'installed';
}

/**
 * Makes sure that moto's server is there.
 *
 * @returns the path of `moto_server`
 * @throws ToolError with what to install
 */
export async function ensureMoto(options: EnsureOptions = {}): Promise<string> {
  return (await resolveMoto(options)).server;
}

/** As {@link ensureMoto}, with the Python that has boto3. */
export async function resolveMoto(options: EnsureOptions = {}): Promise<MotoTools> {
  const env = options.env ?? process.env;
  const entry = join(cacheRoot(env), `moto-${motoVersion}-${platformName()}`);
  const paths = { server: join(entry, 'bin', 'moto_server'), python: join(entry, 'bin', 'python') };
  if (await isUsable(entry, env)) return { ...paths, source: 'cache' };

  const progress = options.progress ?? createProgress();
  return withLock(entry, async () => {
    if (await isUsable(entry, env)) return { ...paths, source: 'cache' };
    const done = progress.task(
      `installing moto ${motoVersion}`,
      'the EC2 server that the emulator is held against; not on this machine yet',
      '1 min',
    );
    await install(entry, env).finally(done);
    return { ...paths, source: 'installed' };
  });
}

/** Scripts of a virtual environment hold its path, so it cannot be renamed into place: a marker tells a whole one. */
const marker = (entry: string): string => join(entry, 'complete');

/** False also when the Python that it was made with is gone. */
async function isUsable(entry: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  if (!existsSync(marker(entry))) return false;
  return (await tryCommand(join(entry, 'bin', 'python'), ['--version'], env)) !== undefined;
}

async function install(entry: string, env: NodeJS.ProcessEnv): Promise<void> {
  const python = findPython(env);
  rmSync(entry, { recursive: true, force: true });
  const cwd = dirname(entry);
  try {
    const what = `making a Python environment for moto ${motoVersion}`;
    await runLongCommand({ what, command: python, args: ['-m', 'venv', entry], env, cwd });
    await runLongCommand({
      what: `installing moto ${motoVersion}`,
      command: join(entry, 'bin', 'python'),
      args: ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...requirements],
      env,
      cwd,
    });
  } catch (error) {
    rmSync(entry, { recursive: true, force: true });
    if (!(error instanceof ToolError)) throw error;
    throw new ToolError(`${error.message}\n${advice}`, { cause: error });
  }
  writeFileSync(marker(entry), '');
}

function findPython(env: NodeJS.ProcessEnv): string {
  const named = env[pythonVariable];
  const python = named !== undefined && named !== '' ? named : findOnPath('python3', env)[0];
  if (python === undefined)
    throw new ToolError(`moto needs Python; there is no \`python3\` on the PATH. ${advice}`);
  return python;
}

const advice =
  `Install Python 3.10 or later with its venv module (Debian: the package python3-venv), ` +
  `or set ${pythonVariable} to the path of such a Python. Only the conformance tests need it.`;
