/** The command line as a real process: what it says on which stream, and how it ends. */
import { type ChildProcess, spawn } from 'node:child_process';
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
  const child = spawn(command, args, { env: environment(env), stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return { code: await closed(child), stdout, stderr };
}

export interface Running {
  /** What it has written so far. At a terminal both streams, otherwise standard output. */
  output(): string;
  /** Standard error, where it is a stream of its own. */
  errors(): string;
  type(text: string): void;
  interrupt(signal?: 'SIGINT' | 'SIGTERM'): void;
  /** Its exit code. */
  readonly ended: Promise<number | null>;
}

/** Without a terminal, while it runs. */
export function startKubeip(args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
  return start(process.execPath, [mainFile, ...args], env);
}

/** At a terminal, which shows both streams: the one that `script` of util-linux makes. */
export function startAtTerminal(args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
  const command = [process.execPath, mainFile, ...args].map((word) => `'${word}'`).join(' ');
  return start('script', ['--quiet', '--return', '--command', command, '/dev/null'], env);
}

function start(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Running {
  const child = spawn(command, args, { env: environment(env), stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  return {
    output: () => output,
    errors: () => errors,
    type: (text) => void child.stdin.write(text),
    interrupt: (signal = 'SIGINT') => void child.kill(signal),
    ended: closed(child),
  };
}

function environment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return isolatedEnvironment({ KUBEIP_CLUSTER: undefined, KUBEIP_CONFIG: undefined, ...env });
}

function closed(child: ChildProcess): Promise<number | null> {
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.on('error', reject);
  child.on('close', resolve);
  return promise;
}
