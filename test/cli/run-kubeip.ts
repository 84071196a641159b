/** The command line as a real process: what it says on which stream, and how it ends. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { isolatedEnvironment } from '../../sandbox/processes/environment.ts';

export const mainFile = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Without a terminal, as in a script.
 *
 * @param env added to an environment without cloud, Temporal and Kubernetes settings
 */
export async function runKubeip(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return runProcess(process.execPath, [mainFile, ...args], env);
}

export async function runProcess(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Ended> {
  const child = spawn(command, args, {
    env: isolatedEnvironment({ KUBEIP_CLUSTER: undefined, KUBEIP_CONFIG: undefined, ...env }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.on('error', reject);
  child.on('close', resolve);
  return { code: await promise, stdout, stderr };
}
