/**
 * `npm run bench -- SCENARIO --json`: the real programs in a sandbox on this machine, measured. Each scenario ends with one
 * JSON object on stdout. What the figures mean and how to repeat them is in docs/performance.md.
 */
import { cpus, loadavg, totalmem } from 'node:os';
import { Command } from 'commander';
import { burst } from './burst.ts';
import { churn } from './churn.ts';
import { cost } from './cost.ts';
import { fleet } from './fleet.ts';
import { recover } from './recover.ts';
import { rollingRestart } from './rolling-restart.ts';
import type { Scenario } from './scenario.ts';
import { single } from './single.ts';
import { useTemporalStore } from './lab.ts';
import { type TemporalStore, temporalOption } from '../sandbox/temporal-store.ts';
import { workers } from './workers.ts';

const scenarios: readonly Scenario[] = [burst, single, fleet, churn, cost, workers, recover, rollingRestart];

/** What commander parsed: the options that are common to all scenarios, and the scenario's own. */
type Given = { readonly json?: boolean; readonly temporal: TemporalStore } & Readonly<
  Record<string, unknown>
>;

const program = new Command('npm run bench --').description(
  'Measures the programs in a sandbox on this machine: a real Temporal server, a real kube-apiserver and an emulated cloud with ' +
    'the latency and the rate limits of the real one (Oracle publishes none: they are assumed).',
);
for (const { name, summary, options, run } of scenarios) {
  options(program.command(name).description(summary))
    .addOption(temporalOption())
    .option('--json', 'the last line is one JSON object; everything else goes to stderr')
    .action((given: Given) => play(name, given, run));
}
program.addHelpText('after', '\nExample: npm run bench -- burst --cloud aws --nodes 500 --json');
await program.parseAsync();

async function play(name: string, { json, temporal, ...rest }: Given, run: Scenario['run']): Promise<void> {
  const begun = Date.now();
  useTemporalStore(temporal);
  const options = { ...rest, temporal };
  const output = json === true ? process.stderr : process.stdout;
  const say = (line: string): void => {
    output.write(`${((Date.now() - begun) / 1000).toFixed(1).padStart(7)}s  ${line}\n`);
  };
  const before = loadavg()[0] ?? 0;
  // Commander has made of them what this scenario declared.
  const measured = await run(options as never, say);
  const result = { scenario: name, options, machine: machine(before), ...measured };
  process.stdout.write(`${JSON.stringify(result, undefined, json === true ? undefined : 2)}\n`);
}

/** Seconds and rates are of this machine, and of what else it did: the load before the run tells. */
function machine(loadBefore: number): object {
  return {
    cpus: cpus().length,
    model: cpus()[0]?.model ?? 'unknown',
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    node: process.version,
    loadBefore,
  };
}
