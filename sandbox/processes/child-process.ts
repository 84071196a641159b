/**
 * Child processes that cannot outlive this one: each is started through a supervisor (see supervisor.ts).
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const supervisorScript = fileURLToPath(new URL('./supervisor.ts', import.meta.url));

/** How long a child gets between SIGTERM and SIGKILL, in milliseconds. */
const defaultGraceMs = 5_000;

export interface ProcessSpec {
  /** What messages call it. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** The whole environment of the child. */
  readonly env: NodeJS.ProcessEnv;
  /** Run it with this uid and gid, which takes root. Default: this process's. */
  readonly user?: number;
  /** Gets the child's stdout and stderr, appended. Its folder is made. */
  readonly logFile: string;
}

/** How a process ended: an exit code or the signal that killed it. Both are null if that is unknown. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What the supervisor is told, as JSON in its only argument. */
export interface SupervisorSpec {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string | undefined;
  readonly user: number | undefined;
  /** Between SIGTERM and SIGKILL once the parent is gone, in milliseconds. */
  readonly orphanGraceMs: number;
}

export interface ManagedProcess {
  readonly name: string;
  readonly pid: number;
  /** The supervisor's pid: for tests that look for leftovers. */
  readonly supervisorPid: number;
  readonly logFile: string;
  /** Resolves, never rejects, once the process is gone. */
  readonly exited: Promise<Exit>;
  /** True until the process is known to be gone. */
  running(): boolean;
  /** Sends a signal to the process and its children, at once. Does nothing once it is gone. */
  kill(signal?: NodeJS.Signals): void;
  /** SIGTERM, then SIGKILL after the grace time (milliseconds). May be called again. */
  stop(graceMs?: number): Promise<Exit>;
  /** All that it wrote since it was started. */
  output(): string;
}

/** A process could not be started, or ended before it was ready. The message shows the last lines of its log. */
export class ProcessStartError extends Error {
  override readonly name = 'ProcessStartError';
  readonly logFile: string;
  /** All that the process wrote. */
  readonly output: string;

  constructor(processName: string, reason: string, logFile: string, output: string) {
    const tail = lastLines(output, 12);
    super(
      `${processName} did not start: ${reason}\n  log: ${logFile}` +
        (tail === '' ? ' (empty)' : `\n${tail.replace(/^/gm, '  | ')}`),
    );
    this.logFile = logFile;
    this.output = output;
  }
}

/**
 * Starts a process that ends when this process ends, however that happens.
 *
 * @throws ProcessStartError when the command cannot be run
 */
export async function startProcess(spec: ProcessSpec): Promise<ManagedProcess> {
  mkdirSync(dirname(spec.logFile), { recursive: true });
  const log = openSync(spec.logFile, 'a');
  const logStart = statSync(spec.logFile).size;
  const output = (): string => readFileSync(spec.logFile).subarray(logStart).toString('utf8');

  const supervisor = spawn(process.execPath, [supervisorScript, JSON.stringify(supervisorSpec(spec))], {
    detached: true,
    env: spec.env,
    stdio: ['pipe', 'pipe', log],
  });
  closeSync(log);
  const { started, exited } = readReports(supervisor);
  const first = await started;
  if (first.pid === undefined) throw new ProcessStartError(spec.name, first.error, spec.logFile, output());

  return manage(spec, { pid: first.pid, supervisorPid: supervisor.pid ?? 0, exited, output });
}

/** The last lines of a text, without trailing blank lines. */
export function lastLines(text: string, count: number): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}

/** `exit code 1` or `signal SIGKILL`. */
export function describeExit(exit: Exit): string {
  if (exit.signal !== null) return `signal ${exit.signal}`;
  return exit.code === null ? 'it is gone' : `exit code ${exit.code}`;
}

function supervisorSpec(spec: ProcessSpec): SupervisorSpec {
  const { command, args, cwd, user } = spec;
  return { command, args, cwd, user, orphanGraceMs: 2_000 };
}

type FirstReport = { readonly pid: number } | { readonly pid: undefined; readonly error: string };

/** Follows the supervisor's reports: the first one, and the end. */
function readReports(supervisor: ChildProcess): { started: Promise<FirstReport>; exited: Promise<Exit> } {
  const started = Promise.withResolvers<FirstReport>();
  const exited = Promise.withResolvers<Exit>();
  let pid: number | undefined;

  if (supervisor.stdout) {
    createInterface({ input: supervisor.stdout }).on('line', (line) => {
      const report = JSON.parse(line) as { pid?: number; error?: string } & Partial<Exit>;
      if (report.pid !== undefined) started.resolve({ pid: (pid = report.pid) });
      else if (report.error !== undefined) started.resolve({ pid: undefined, error: report.error });
      else exited.resolve({ code: report.code ?? null, signal: report.signal ?? null });
    });
  }
  supervisor.stdin?.on('error', () => {}); // EPIPE: the supervisor is gone, `close` says so
  supervisor.on('error', (error) => started.resolve({ pid: undefined, error: error.message }));
  supervisor.on('close', () => {
    // Somebody killed the supervisor itself: then nobody else would end the child.
    if (pid !== undefined) killGroup(pid, 'SIGKILL');
    started.resolve({ pid: undefined, error: 'its supervisor ended early' });
    exited.resolve({ code: null, signal: null });
  });
  return { started: started.promise, exited: exited.promise };
}

function manage(
  spec: ProcessSpec,
  parts: Pick<ManagedProcess, 'pid' | 'supervisorPid' | 'exited' | 'output'>,
): ManagedProcess {
  let running = true;
  const exited = parts.exited.then((exit) => {
    running = false;
    return exit;
  });
  const kill = (signal: NodeJS.Signals = 'SIGTERM'): void => {
    if (running) killGroup(parts.pid, signal);
  };
  const stop = async (graceMs: number = defaultGraceMs): Promise<Exit> => {
    kill('SIGTERM');
    const timeout = new AbortController();
    const late = delay(graceMs, 'late' as const, { signal: timeout.signal }).catch(() => 'late' as const);
    if ((await Promise.race([exited, late])) === 'late') kill('SIGKILL');
    timeout.abort();
    return exited;
  };
  return {
    name: spec.name,
    pid: parts.pid,
    supervisorPid: parts.supervisorPid,
    logFile: spec.logFile,
    exited,
    running: () => running,
    kill,
    stop,
    output: parts.output,
  };
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // The group is gone already.
  }
}
