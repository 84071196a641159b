/** Commands: run, wait, read. */
import { execFile } from 'node:child_process';
import { accessSync, constants, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { describeExit, lastLines, startProcess } from '../processes/child-process.ts';
import { ToolError } from './tool-error.ts';

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

export interface LongCommand {
  /** What it does, in a message: `building etcd v3.6.4`. */
  readonly what: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** Run it with this uid and gid, which takes root. Default: this process's. */
  readonly user?: number;
  /** Gets a function that reads all that the command has written so far. */
  readonly onOutput?: (read: () => string) => void;
}

/**
 * Runs a command that may take minutes; it ends when this process ends.
 *
 * @throws ToolError with the command's last lines; the log file that it names is kept
 */
export async function runLongCommand(spec: LongCommand): Promise<void> {
  const name = spec.what.replace(/[^\w.-]+/g, '-');
  const logFile = join(tmpdir(), `kubeip-${name}-${process.pid}.log`);
  const child = await startProcess({ ...spec, name: spec.what, logFile });
  spec.onOutput?.(() => child.output());
  const exit = await child.exited;
  if (exit.code !== 0) {
    throw new ToolError(
      `${spec.what} failed (${describeExit(exit)}, log: ${logFile}):\n${lastLines(child.output(), 15)}`,
    );
  }
  rmSync(logFile, { force: true });
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
