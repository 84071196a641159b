/** The runner: its table of suites, what a change touches, and what it says of a report. */
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { expect, test } from '@jest/globals';
import { costliestFiles, readReport, rerunCommands, slowestTests, suiteTable } from '../report.ts';
import { suites, suitesTouchedBy } from '../suites.ts';

const root = join(import.meta.dirname, '../..');
const names = suites.map(({ name }) => name);
const touched = (...files: string[]): string[] => suitesTouchedBy(files).map(({ name }) => name);

test('every folder with tests is a suite, and every suite is described in docs/testing.md', () => {
  const folders = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => path.split('/')[0] ?? '');
  expect(new Set(folders)).toEqual(new Set(names));
  const page = readFileSync(join(root, 'docs/testing.md'), 'utf8');
  for (const name of names) expect(page).toContain(`| \`${name}\` |`);
});

test.each([
  [
    'a workflow',
    'workflows/assign-ip/apply.ts',
    ['unit', 'mutex', 'node', 'replay', 'integration', 'crash', 'chaos', 'cli', 'image', 'browser'],
  ],
  [
    'a provider',
    'clouds/aws/associate.ts',
    ['unit', 'contract', 'conformance', 'integration', 'crash', 'chaos', 'cli', 'image'],
  ],
  [
    'an alert rule',
    'deploy/helm/kubeip-temporal/rules.yaml',
    ['unit', 'integration', 'helm', 'image', 'alerts'],
  ],
  ['a test', 'test/crash/watcher.test.ts', ['crash']],
  ['a helper of tests', 'test/crash/scene.ts', ['integration', 'crash', 'chaos', 'image']],
  ['what all tests share', 'test/run.ts', names],
])('a change of %s touches the suites that play it', (_, file, expected) => {
  expect(touched(file)).toEqual(expected);
});

test('the table names the suites whose helpers a suite imports', () => {
  for (const { name, borrows } of suites) {
    const folder = join(root, 'test', name);
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) =>
      path.endsWith('.ts'),
    );
    const imports = files.flatMap((path) =>
      [
        ...readFileSync(join(folder, path), 'utf8').matchAll(
          /^(?:import|export|\} from).* '(\.\.\/[^']+)'/gm,
        ),
      ].map(([, file = '']) => {
        const [top, suite = ''] = relative(root, join(folder, dirname(path), file)).split('/');
        return top === 'test' && suite !== name ? suite : '';
      }),
    );
    const others = imports.filter((other) => names.includes(other));
    expect({ name, borrows: [...new Set(others)].toSorted() }).toEqual({ name, borrows });
  }
});

test('no change touches no suite', () => {
  expect(touched()).toEqual([]);
});

function reportOf(report: object): ReturnType<typeof readReport> {
  const folder = mkdtempSync(join(tmpdir(), 'kubeip-report-'));
  const file = join(folder, 'report.json');
  writeFileSync(file, JSON.stringify(report));
  const cpuLog = join(folder, 'cpu.jsonl');
  writeFileSync(cpuLog, `${JSON.stringify({ path: join(root, 'test/unit/a.test.ts'), seconds: 1.5 })}\n`);
  return readReport(file, root, cpuLog);
}

const times = { startTime: 1_000, endTime: 4_000 };
const report = {
  numPassedTests: 1,
  numFailedTests: 1,
  numRuntimeErrorTestSuites: 1,
  testResults: [
    {
      ...times,
      name: join(root, 'test/unit/a.test.ts'),
      status: 'failed',
      assertionResults: [
        {
          fullName: "a (b) isn't c",
          status: 'failed',
          duration: 2_000,
          failureMessages: ['Error: \u001B[31mno c\u001B[39m\n\n    at a.test.ts:1:1'],
        },
        { fullName: 'd', status: 'passed', duration: 10 },
      ],
    },
    { ...times, name: join(root, 'test/crash/b.test.ts'), status: 'failed', assertionResults: [] },
  ],
};

test('a report is counted, with files that cannot be loaded', () => {
  expect(reportOf(report)).toMatchObject({ passed: 1, failed: 2 });
  expect(suiteTable(reportOf(report))).toMatch(/^suite .*\nunit +1 +2 +3 +2\ncrash +1 +0 +3 +0$/);
  expect(slowestTests(reportOf(report), 1)).toBe("   2.0 s  test/unit/a.test.ts: a (b) isn't c");
  expect(costliestFiles(reportOf(report), 9)).toBe('   1.5 CPU s  test/unit/a.test.ts (2)');
});

test('a run without tests, or without a report, is a failure', () => {
  expect(reportOf({ numPassedTests: 0, numFailedTests: 0 })).toMatchObject({ passed: 0, failed: 1 });
  expect(readReport('/no/such/file', root)).toEqual({ passed: 0, failed: 1, files: [] });
});

test('each failure has a command that can be pasted into a shell, and says why', () => {
  expect(rerunCommands(reportOf(report))).toEqual([
    `npm test -- test/unit/a.test.ts -t 'a \\(b\\) isn'\\''t c'\n    # Error: no c\n    # at a.test.ts:1:1`,
    'npm test -- test/crash/b.test.ts',
  ]);
});
