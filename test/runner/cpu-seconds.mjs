/** What a process and the children that it has waited for have computed. */
import { appendFileSync, readFileSync } from 'node:fs';

/** Of user and system time in /proc: Linux reports it in hundredths of a second on every platform that Node.js runs on. */
const ticksPerSecond = 100;

/** @returns the CPU seconds of this process, its ended children and theirs; undefined where there is no /proc */
export function cpuSeconds() {
  let stat;
  try {
    stat = readFileSync('/proc/self/stat', 'utf8');
  } catch {
    return undefined;
  }
  // proc_pid_stat(5): the command may have spaces; after it utime, stime, cutime and cstime are the 12th to the 15th field.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / ticksPerSecond;
}

/** The file that gets them, as lines of JSON: `{path, seconds}`. `npm test` names it. */
const log = process.env['KUBEIP_TEST_CPU_LOG'];

/** Runs the work of one test file, and notes what it took. */
export async function noteCpuSeconds(path, work) {
  const before = cpuSeconds();
  try {
    return await work();
  } finally {
    const after = cpuSeconds();
    if (log !== undefined && before !== undefined && after !== undefined) {
      appendFileSync(log, `${JSON.stringify({ path, seconds: after - before })}\n`);
    }
  }
}
