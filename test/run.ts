/**
 * `npm test`: makes sure that the tools are there, runs the suites, and ends with a table of their times and with
 * `N passed, N failed`. A suite that cannot be loaded, or a run in which no test was executed, counts as failed.
 */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Command } from 'commander';
import { cacheRoot } from '../sandbox/tools/cache.ts';
import {
  costliestFiles,
  type Report,
  readReport,
  rerunCommands,
  slowestTests,
  suiteTable,
} from './report.ts';
import { bundleLibraries } from './program-libraries.ts';
import { startSharedServers } from './shared-kubernetes.ts';
import { suites, suitesTouchedBy } from './suites.ts';
import { writeWorkflowBundle } from './workflow-bundle.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

interface Options {
  readonly suite: string[];
  readonly changed?: string | true;
  readonly slowest?: string;
  readonly workers?: string;
}

const command = new Command('npm test --')
  .description(
    'Runs the tests. Files and more arguments go to jest: npm test -- test/unit/ip.test.ts -t "name".',
  )
  .option('--suite <names...>', `only these: ${suites.map(({ name }) => name).join(', ')}`, [])
  .option('--changed [commit]', 'only the suites that the change since that commit touches (default: HEAD)')
  .option(
    '--slowest <count>',
    'also print that many of the slowest tests, and of the files that compute most',
  )
  .option(
    '--workers <count>',
    'so many files at once (default: twice the cores, or as many where no server runs)',
  )
  .allowUnknownOption()
  .allowExcessArguments()
  .parse();
const { suite: named, changed, slowest, workers: wanted } = command.opts<Options>();
const files = command.args.filter((arg) => existsSync(join(root, arg)));

process.exitCode = await main();

async function main(): Promise<number> {
  const wrong = named.find((name) => !suites.some((suite) => suite.name === name));
  if (wrong !== undefined) {
    console.error(`There is no suite ${wrong}: ${suites.map(({ name }) => name).join(', ')}.`);
    return 1;
  }
  // jest would take it for a pattern, and everything would run.
  const missing = command.args.find((arg) => /^(\.\/)?test\/.*\.ts$/.test(arg) && !files.includes(arg));
  if (missing !== undefined) {
    console.error(`There is no file ${missing}.`);
    return 1;
  }
  const chosen = chooseSuites();
  if (chosen.length === 0) {
    console.log('The change touches no suite.');
    return 0;
  }
  const tools = [...new Set(chosen.flatMap((suite) => suite.tools))];
  if (tools.length > 0 && (await run(process.execPath, ['sandbox/setup.ts', '--only', ...tools])) !== 0) {
    console.log('0 passed, 1 failed');
    return 1;
  }
  const folder = mkdtempSync(join(tmpdir(), 'kubeip-test-'));
  try {
    const reportFile = join(folder, 'report.json');
    const cpuLog = join(folder, 'cpu-seconds.jsonl');
    const code = await runJest(chosen, reportFile, folder, cpuLog);
    const report = readReport(reportFile, root, cpuLog);
    print(report, chosen.length > 1);
    return report.failed > 0 || code !== 0 ? 1 : 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function chooseSuites(): typeof suites {
  if (named.length > 0) return suites.filter(({ name }) => named.includes(name));
  if (files.length > 0)
    return suites.filter(({ name }) => files.some((file) => file.startsWith(`test/${name}`)));
  if (changed === undefined) return suites;
  const touched = suitesTouchedBy(changedFiles(changed === true ? 'HEAD' : changed));
  console.log(`The change touches: ${touched.map(({ name }) => name).join(', ')}`);
  return touched;
}

/** Also what git does not know yet. */
function changedFiles(since: string): string[] {
  const git = (...args: string[]): string[] =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8' }).split('\n').filter(Boolean);
  return [...git('diff', '--name-only', since), ...git('ls-files', '--others', '--exclude-standard')];
}

async function runJest(
  chosen: typeof suites,
  reportFile: string,
  folder: string,
  cpuLog: string,
): Promise<number> {
  const needs = (tool: string): boolean => chosen.some(({ tools }) => tools.includes(tool));
  // Most suites wait for servers more than they compute.
  const usual = needs('temporal') ? availableParallelism() * 2 : availableParallelism();
  const most = wanted === undefined ? usual : Number(wanted);
  // A worker without a file would have an API server started for it.
  const workers = files.length > 0 ? Math.min(most, files.length) : most;
  // Made and started once here, not by each of many files.
  const bundle = needs('temporal') && (await writeWorkflowBundle(join(folder, 'workflows.js')));
  const servers = needs('kube-apiserver') ? await startSharedServers(workers) : undefined;
  const programs = needs('temporal') ? await preparePrograms() : {};
  try {
    return await startJest(chosen, reportFile, workers, {
      KUBEIP_TEST_CPU_LOG: cpuLog,
      NODE_COMPILE_CACHE: join(cacheRoot(), '../compiled/others'),
      ...programs,
      ...servers?.env,
      ...(bundle && { KUBEIP_WORKFLOW_BUNDLE: bundle }),
    });
  } finally {
    await servers?.stop();
  }
}

/**
 * The programs that tests start, some hundred times, are compiled once for all runs, with their libraries: Node.js sees what has
 * changed. A program that a test kills leaves nothing compiled behind.
 *
 * @returns for the environment of jest
 */
async function preparePrograms(): Promise<Record<string, string>> {
  const { register, fingerprint } = await bundleLibraries();
  const env = {
    // Of this checkout: what is compiled goes by its path.
    NODE_COMPILE_CACHE: join(cacheRoot(), '../compiled', fingerprint, root.replaceAll(/\W+/g, '-')),
    KUBEIP_PROGRAM_PRELOAD: register,
  };
  if (!existsSync(env.NODE_COMPILE_CACHE)) {
    // What these load beside the main program is loaded on demand.
    const onDemand = [
      'aws/aws-provider',
      'aws/account',
      'gcp/gcp-provider',
      'gcp/project',
      'oci/oci-provider',
    ];
    const imports = onDemand.map((name) => `--import=./clouds/${name}.ts`);
    const compile = (...args: string[]): Promise<unknown> =>
      promisify(execFile)(process.execPath, [...args, '--help'], {
        cwd: root,
        env: { ...process.env, ...env },
      });
    await Promise.all([
      compile(`--require=${register}`, ...imports, 'worker/main.ts'),
      compile(`--require=${register}`, 'watcher/main.ts'),
      compile('--import=./cli/session.ts', '--import=./cli/commands/status.ts', 'cli/main.ts'),
    ]);
  }
  return env;
}

function startJest(
  chosen: typeof suites,
  reportFile: string,
  workers: number,
  env: NodeJS.ProcessEnv,
): Promise<number> {
  const paths =
    files.length > 0 ? [] : [`--testPathPatterns=test/(${chosen.map(({ name }) => name).join('|')})/`];
  return run(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      join(root, 'node_modules/jest/bin/jest.js'),
      '--json',
      `--outputFile=${reportFile}`,
      `--maxWorkers=${workers}`,
      ...paths,
      ...command.args,
    ],
    env,
  );
}

function run(program: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<number> {
  const child = spawn(program, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  // The JSON report goes to a file; jest prints it on stdout as well if nobody reads it.
  child.stdout.on('data', (chunk: Buffer) => {
    if (!args.includes('--json')) process.stdout.write(chunk);
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode) => resolve(exitCode ?? 1));
  });
}

function print(report: Report, withTable: boolean): void {
  if (withTable) console.log(suiteTable(report));
  if (slowest !== undefined) {
    console.log(slowestTests(report, Number(slowest)));
    console.log(costliestFiles(report, Number(slowest)));
  }
  const again = rerunCommands(report);
  if (again.length > 0) console.log(`Run again what failed:\n${again.map((line) => `  ${line}`).join('\n')}`);
  console.log(`${report.passed} passed, ${report.failed} failed`);
}
