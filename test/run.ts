/**
 * `npm test`: fetches or builds the tools that tests embed, runs every suite, and ends with `N passed, N failed`.
 * A suite that cannot be loaded, or a run in which no test was executed, counts as failed.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';

const root = fileURLToPath(new URL('..', import.meta.url));

const { suite, args } = readArguments();
if (suite !== 'unit') {
  const withoutBrowser = suite === undefined || suite === 'browser' ? [] : ['--no-browser'];
  const setup = await run(process.execPath, ['sandbox/setup.ts', ...withoutBrowser]);
  if (setup !== 0) {
    console.log('0 passed, 1 failed');
    process.exit(1);
  }
}
const folder = mkdtempSync(join(tmpdir(), 'kubeip-test-'));
const report = join(folder, 'report.json');
const jest = join(root, 'node_modules/jest/bin/jest.js');
const code = await run(process.execPath, [
  '--experimental-vm-modules',
  '--disable-warning=ExperimentalWarning',
  jest,
  '--json',
  `--outputFile=${report}`,
  '--maxWorkers=2',
  ...(suite === undefined ? [] : [`--testPathPatterns=test/${suite}/`]),
  ...args,
]);
const { passed, failed } = count(report);
rmSync(folder, { recursive: true, force: true });
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || code !== 0 ? 1 : 0;

function readArguments(): { suite?: string; args: string[] } {
  const command = new Command('npm test --')
    .description('Runs the tests; more arguments go to jest.')
    .option('--suite <folder>', 'only the tests in this folder of test/')
    .allowUnknownOption()
    .allowExcessArguments()
    .parse();
  return { ...command.opts<{ suite?: string }>(), args: command.args };
}

function run(command: string, commandArgs: string[]): Promise<number> {
  const child = spawn(command, commandArgs, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  // The JSON report goes to a file; jest prints it on stdout as well if nobody reads it.
  child.stdout.on('data', (chunk: Buffer) => {
    if (!commandArgs.includes('--json')) process.stdout.write(chunk);
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode) => resolve(exitCode ?? 1));
  });
}

function count(file: string): { passed: number; failed: number } {
  let result: Partial<Record<'numPassedTests' | 'numFailedTests' | 'numRuntimeErrorTestSuites', number>>;
  try {
    result = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return { passed: 0, failed: 1 };
  }
  const passed = result.numPassedTests ?? 0;
  const failed = (result.numFailedTests ?? 0) + (result.numRuntimeErrorTestSuites ?? 0);
  return { passed, failed: passed + failed === 0 ? 1 : failed };
}
