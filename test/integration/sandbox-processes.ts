/** Looks at a sandbox from outside, by the operating system's process list. */
import { execFileSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';

/** Processes, supervisors included, whose command line names the folder: every server of a sandbox does. */
export function processesNaming(folder: string): string[] {
  const list = execFileSync('ps', ['-A', '-ww', '-o', 'pid=,stat=,args='], { encoding: 'utf8' });
  const lines = list.split('\n').filter((line) => line.includes(folder));
  return lines.filter((line) => !/^\s*\d+\s+Z/.test(line)).map((line) => line.trim());
}

/** Waits, for at most 60 s, until the condition holds. */
export async function eventually(condition: () => boolean): Promise<boolean> {
  const deadline = Date.now() + 60_000;
  while (!condition()) {
    if (Date.now() > deadline) return false;
    await delay(100);
  }
  return true;
}
