/** Oracle's CLI at a pinned version, in the cache folder: the emulator is tried with the client that people use. */
import { join } from 'node:path';
import { cacheRoot, fillOnce, platformName } from './cache.ts';
import { findOnPath, runLongCommand } from './command.ts';
import type { EnsureOptions } from './ensure-tools.ts';
import { pythonVariable } from './moto.ts';
import { createProgress } from './progress.ts';
import { ToolError } from './tool-error.ts';

const ociCliVersion = '3.95.1';

/** Runs as `<python> <arguments> …` with these variables. */
export interface OciCli {
  readonly python: string;
  readonly arguments: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Makes sure that the `oci` CLI is there: pip puts it into a folder of its own, which needs no virtual environment.
 *
 * @throws ToolError with what to install
 */
export async function ensureOciCli(options: EnsureOptions = {}): Promise<OciCli> {
  const env = options.env ?? process.env;
  const named = env[pythonVariable];
  const python = named !== undefined && named !== '' ? named : findOnPath('python3', env)[0];
  if (python === undefined) {
    throw new ToolError(
      `The oci CLI needs Python 3.10 or later with pip; there is no \`python3\` on the PATH. Install it, or set ` +
        `${pythonVariable} to the path of one. Only the tests of the Oracle Cloud emulator need it.`,
    );
  }
  const entry = join(cacheRoot(env), `oci-cli-${ociCliVersion}-${platformName()}`);
  // The CLI looks for its own files by this name in its path.
  const packages = 'site-packages';
  await fillOnce(entry, async (partial) => {
    const what = `installing the oci CLI ${ociCliVersion}`;
    const progress = options.progress ?? createProgress();
    const done = progress.task(what, 'a client that the Oracle Cloud emulator is tried with', '1 min');
    // All services of Oracle come with it. What is used is compiled when it is.
    const quick = ['--quiet', '--disable-pip-version-check', '--no-compile'];
    const args = ['-m', 'pip', 'install', ...quick, '--target', packages];
    await runLongCommand({
      what,
      command: python,
      args: [...args, `oci-cli==${ociCliVersion}`],
      env,
      cwd: partial,
    }).finally(done);
  });
  return {
    python,
    arguments: ['-c', 'from oci_cli.cli import cli; cli()'],
    env: { PYTHONPATH: join(entry, packages) },
  };
}
