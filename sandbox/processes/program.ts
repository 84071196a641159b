/** The project's own programs as real processes, for the demo and for tests that kill them. */
import { fileURLToPath } from 'node:url';
import { startProcess, type ManagedProcess } from './child-process.ts';
import { isolatedEnvironment } from './environment.ts';

const projectRoot = fileURLToPath(new URL('../../', import.meta.url));

export interface ProgramSpec {
  /** What messages call it. */
  readonly name: string;
  /** Path from the project's root: `worker/main.ts`. */
  readonly script: string;
  readonly args?: readonly string[];
  /** Added to the caller's environment, out of which cloud, Temporal and Kubernetes settings are taken. */
  readonly env?: NodeJS.ProcessEnv;
  /** Folder of the sources. Default: this project's. */
  readonly root?: string;
  /** Gets its stdout and stderr, appended. */
  readonly logFile: string;
}

/**
 * Starts one of the project's programs with this process's Node. It ends when this process ends.
 *
 * @throws ProcessStartError when it cannot be started; a program that starts and then fails shows in `exited`
 */
export function startProgram(spec: ProgramSpec): Promise<ManagedProcess> {
  // `npm test` has the programs' libraries in few files: test/program-libraries.ts.
  const preload = process.env['KUBEIP_PROGRAM_PRELOAD'];
  return startProcess({
    name: spec.name,
    command: process.execPath,
    args: [...(preload ? [`--require=${preload}`] : []), spec.script, ...(spec.args ?? [])],
    cwd: spec.root ?? projectRoot,
    env: isolatedEnvironment(spec.env),
    logFile: spec.logFile,
  });
}
