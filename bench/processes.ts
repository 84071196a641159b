/** What processes used, as Linux tells it in /proc (man 5 proc). */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Linux's USER_HZ, which is 100 on every platform that Node.js supports. */
const TICKS_PER_SECOND = 100;

export interface Usage {
  /** In user and kernel mode, since its start. */
  readonly cpuSeconds: number;
  readonly residentMiB: number;
  /** The most that was resident at any time. */
  readonly peakMiB: number;
}

/** @returns undefined if no such process runs */
export function usageOf(pid: number): Usage | undefined {
  try {
    // The second field is the command in parentheses, and may itself have spaces in it.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]);
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return {
      cpuSeconds: ticks / TICKS_PER_SECOND,
      residentMiB: kibibytes(status, 'VmRSS') / 1024,
      peakMiB: kibibytes(status, 'VmHWM') / 1024,
    };
  } catch {
    return undefined;
  }
}

function kibibytes(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0);
}

/** @returns the size of a SQLite database in MiB, what is not yet in the main file included */
export function databaseMiB(file: string): number {
  const parts = [file, `${file}-wal`].filter((part) => existsSync(part));
  return parts.reduce((bytes, part) => bytes + statSync(part).size, 0) / 2 ** 20;
}

/** @returns the size in MiB of all files in a folder and those below it */
export function folderMiB(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
  return files.reduce((bytes, { parentPath, name }) => bytes + sizeOf(join(parentPath, name)), 0) / 2 ** 20;
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

/** @returns the pids of a process and its children, such as PostgreSQL's, of which one serves each connection */
export function processesOf(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return [pid, ...children.split(' ').filter(Boolean).map(Number)];
  } catch {
    return [pid];
  }
}
