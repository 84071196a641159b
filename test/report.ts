/** What jest's JSON report says: counts, the time of each suite, the slowest tests, and how to run again what failed. */
import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

export interface Report {
  readonly passed: number;
  /** With files that could not be loaded. A run without any test counts as one. */
  readonly failed: number;
  readonly files: readonly ReportedFile[];
}

export interface ReportedFile {
  /** From the root: `test/unit/ip.test.ts`. */
  readonly path: string;
  /** In seconds, with what its tests share. */
  readonly seconds: number;
  /** That the file and its processes computed, without the shared API servers; undefined where that is not known. */
  readonly cpuSeconds: number | undefined;
  /** The file could not be loaded. */
  readonly isBroken: boolean;
  readonly tests: readonly ReportedTest[];
}

export interface ReportedTest {
  readonly name: string;
  readonly seconds: number;
  readonly passed: boolean;
  /** Why it failed; undefined if it passed. */
  readonly failure: string | undefined;
}

interface JestReport {
  readonly numPassedTests?: number;
  readonly numFailedTests?: number;
  readonly numRuntimeErrorTestSuites?: number;
  readonly testResults?: readonly {
    readonly name: string;
    readonly startTime: number;
    readonly endTime: number;
    readonly status: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly duration?: number | null;
      readonly failureMessages?: readonly string[];
    }[];
  }[];
}

/**
 * @param file that jest wrote; one that is missing counts as a failure
 * @param cpuLog lines of `{path, seconds}`, as runner/cpu-seconds.mjs writes them
 */
export function readReport(file: string, root: string, cpuLog?: string): Report {
  let report: JestReport;
  try {
    report = JSON.parse(readFileSync(file, 'utf8')) as JestReport;
  } catch {
    return { passed: 0, failed: 1, files: [] };
  }
  const passed = report.numPassedTests ?? 0;
  const failed = (report.numFailedTests ?? 0) + (report.numRuntimeErrorTestSuites ?? 0);
  const cpu = readCpuLog(cpuLog);
  const files = (report.testResults ?? []).map((result) => ({
    path: relative(root, result.name),
    seconds: (result.endTime - result.startTime) / 1_000,
    cpuSeconds: cpu.get(result.name),
    isBroken:
      result.status === 'failed' && result.assertionResults.every(({ status }) => status !== 'failed'),
    tests: result.assertionResults
      .filter(({ status }) => status === 'passed' || status === 'failed')
      .map(({ fullName, duration, status, failureMessages }) => ({
        name: fullName,
        seconds: (duration ?? 0) / 1_000,
        passed: status === 'passed',
        failure: failureMessages?.[0],
      })),
  }));
  return { passed, failed: passed + failed === 0 ? 1 : failed, files };
}

/** The seconds of each file, by its path. */
function readCpuLog(file: string | undefined): Map<string, number> {
  if (file === undefined || !existsSync(file)) return new Map();
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
  return new Map(
    lines.map((line) => {
      const { path, seconds } = JSON.parse(line) as { path: string; seconds: number };
      return [path, seconds];
    }),
  );
}

interface SuiteTimes {
  readonly suite: string;
  readonly files: number;
  readonly tests: number;
  /** Of one jest worker. */
  readonly seconds: number;
  /** Of all that is known. */
  readonly cpuSeconds: number;
}

/** The slowest suite first. */
function suiteTimes({ files }: Report): SuiteTimes[] {
  const bySuite = Map.groupBy(files, ({ path }) => path.split('/')[1] ?? path);
  return [...bySuite]
    .map(([suite, its]) => ({
      suite,
      files: its.length,
      tests: its.reduce((sum, { tests }) => sum + tests.length, 0),
      seconds: its.reduce((sum, { seconds }) => sum + seconds, 0),
      cpuSeconds: its.reduce((sum, { cpuSeconds = 0 }) => sum + cpuSeconds, 0),
    }))
    .toSorted((a, b) => b.seconds - a.seconds);
}

/** A line for each suite: files, tests, seconds of one jest worker, CPU seconds. */
export function suiteTable(report: Report): string {
  const line = (suite: string, ...numbers: (string | number)[]): string =>
    suite.padEnd(14) + numbers.map((number) => String(number).padStart(8)).join('');
  return [
    line('suite', 'files', 'tests', 'seconds', 'cpu'),
    ...suiteTimes(report).map((row) =>
      line(row.suite, row.files, row.tests, row.seconds.toFixed(0), row.cpuSeconds.toFixed(0)),
    ),
  ].join('\n');
}

function slowest({ files }: Report, count: number): (ReportedTest & { readonly path: string })[] {
  return files
    .flatMap(({ path, tests }) => tests.map((test) => ({ path, ...test })))
    .toSorted((a, b) => b.seconds - a.seconds)
    .slice(0, count);
}

export function slowestTests(report: Report, count: number): string {
  return slowest(report, count)
    .map(({ path, name, seconds }) => `${seconds.toFixed(1).padStart(6)} s  ${path}: ${name}`)
    .join('\n');
}

/** The files that computed most, for what to make cheaper. */
export function costliestFiles({ files }: Report, count: number): string {
  return files
    .flatMap(({ path, cpuSeconds, tests }) => (cpuSeconds === undefined ? [] : [{ path, cpuSeconds, tests }]))
    .toSorted((a, b) => b.cpuSeconds - a.cpuSeconds)
    .slice(0, count)
    .map(
      ({ path, cpuSeconds, tests }) =>
        `${cpuSeconds.toFixed(1).padStart(6)} CPU s  ${path} (${tests.length})`,
    )
    .join('\n');
}

/** A command for each failed test, to be pasted into a shell, and below it the beginning of why it failed. */
export function rerunCommands({ files }: Report): string[] {
  return files.flatMap(({ path, tests, isBroken }) => {
    if (isBroken) return [`npm test -- ${path}`];
    const failed = tests.filter((test) => !test.passed);
    return failed.map(({ name, failure }) =>
      [`npm test -- ${path} -t ${shellWord(escapePattern(name))}`, ...beginningOf(failure)].join('\n'),
    );
  });
}

/** Enough to see the cause where a CI system keeps the end of the output only. */
function beginningOf(failure = ''): string[] {
  const lines = stripVTControlCharacters(failure)
    .split('\n')
    .filter((line) => line.trim() !== '');
  return lines.slice(0, 6).map((line) => `    # ${line.trim().slice(0, 300)}`);
}

function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
