/** Short commands: run, wait, read. */
import { execFile } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const execFileAsync = promisify(execFile);

/** @returns stdout and stderr of a command that ends well within the time (milliseconds); undefined otherwise */
export async function tryCommand(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  timeout = 30_000,
): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await execFileAsync(command, args, { env, timeout });
    return stdout + stderr;
  } catch {
    return undefined;
  }
}

/** @returns the executable files of that name on the PATH, in its order */
export function findOnPath(name: string, env: NodeJS.ProcessEnv): string[] {
  const folders = (env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, name)).filter(isExecutable);
}

export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
