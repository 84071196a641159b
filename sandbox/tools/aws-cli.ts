/** The AWS CLI and boto3 at pinned versions, in the cache folder: the emulator is tried with the clients that people use. */
import { join } from 'node:path';
import { cacheRoot, fillOnce, platformName } from './cache.ts';
import { findOnPath, runLongCommand } from './command.ts';
import type { EnsureOptions } from './ensure-tools.ts';
import { pythonVariable } from './moto.ts';
import { createProgress } from './progress.ts';
import { ToolError } from './tool-error.ts';

/** The two share botocore, so their versions go together. */
const awsCliVersion = '1.46.3';
const requirements = [`awscli==${awsCliVersion}`, 'boto3==1.44.5'];

/** Runs as `<python> -m awscli …` with these variables; any other program of this Python finds boto3. */
export interface AwsCli {
  readonly python: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Makes sure that the AWS CLI is there: pip puts it into a folder of its own, which needs no virtual environment.
 *
 * @throws ToolError with what to install
 */
export async function ensureAwsCli(options: EnsureOptions = {}): Promise<AwsCli> {
  const env = options.env ?? process.env;
  const named = env[pythonVariable];
  const python = named !== undefined && named !== '' ? named : findOnPath('python3', env)[0];
  if (python === undefined) {
    throw new ToolError(
      `The AWS CLI needs Python 3.10 or later with pip; there is no \`python3\` on the PATH. Install it, or set ` +
        `${pythonVariable} to the path of one. Only the tests of the EC2 emulator need it.`,
    );
  }
  const entry = join(cacheRoot(env), `aws-cli-${awsCliVersion}-${platformName()}`);
  await fillOnce(entry, async (partial) => {
    const what = `installing the AWS CLI ${awsCliVersion}`;
    const progress = options.progress ?? createProgress();
    const done = progress.task(what, 'a client that the EC2 emulator is tried with', '1 min');
    const args = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', partial];
    await runLongCommand({
      what,
      command: python,
      args: [...args, ...requirements],
      env,
      cwd: partial,
    }).finally(done);
  });
  return { python, env: { PYTHONPATH: entry } };
}
