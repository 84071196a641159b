/**
 * Stands between a sandbox's parent process and one of its children, so that no orphan remains.
 *
 * Its stdin is a pipe that only the parent holds. When the parent ends, in whatever way, the kernel closes the pipe and
 * the child's whole process group is ended. It reports on stdout, one JSON object a line: `{pid}` or `{error}` first,
 * `{code, signal}` at the end. The child writes to the file behind this process's stderr.
 */
import { spawn } from 'node:child_process';
import { writeSync } from 'node:fs';
import type { Exit, SupervisorSpec } from './child-process.ts';

const spec = JSON.parse(process.argv[2] ?? '{}') as SupervisorSpec;

// Ctrl-C reaches a terminal's foreground processes; this one must outlive them for the moment it takes to clean up.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

// A group of its own: so a signal can reach the child's own children too, and the terminal's Ctrl-C does not.
const child = spawn(spec.command, spec.args, {
  cwd: spec.cwd,
  ...(spec.user !== undefined && { uid: spec.user, gid: spec.user }),
  detached: true,
  stdio: ['ignore', 2, 2],
});

child.on('spawn', () => report({ pid: child.pid }));
child.on('error', (error) => {
  report({ error: error.message });
  process.exit(1);
});
child.on('exit', (code, signal) => {
  killGroup('SIGKILL'); // what the child itself left behind
  report({ code, signal } satisfies Exit);
  process.exit(0);
});

process.stdin.on('end', endChild);
process.stdin.on('error', endChild);
process.stdin.resume();

function endChild(): void {
  killGroup('SIGTERM');
  setTimeout(() => killGroup('SIGKILL'), spec.orphanGraceMs);
}

function killGroup(signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group is gone already.
  }
}

function report(line: unknown): void {
  try {
    writeSync(1, JSON.stringify(line) + '\n');
  } catch {
    // The parent is gone; nobody is left to be told.
  }
}
