/** `npm run chaos`: the programs on a bad week, in a sandbox on this machine. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { ProviderName } from '../../model/scope.ts';
import { listenForShutdown } from '../../program/shutdown.ts';
import { mutate, mutations } from './mutations.ts';
import { stepKinds } from './plan.ts';
import { runChaos } from './run.ts';

interface Options {
  readonly seed: number;
  readonly minutes: number;
  readonly clouds: readonly ProviderName[];
  readonly episodes?: number;
  readonly fromEpisode?: number;
  readonly without?: readonly string[];
  readonly mutation?: string;
  readonly json?: boolean;
}

const options = new Command('npm run chaos --')
  .description(
    'Lets a cluster live on emulated clouds while everything fails: programs and servers are killed, networks break, calls get ' +
      'lost, people meddle. After each episode all is let settle, and every invariant is checked.',
  )
  .option('--seed <n>', 'the same seed makes the same plan', wholeNumber, 1)
  .option('--minutes <m>', 'how long; the episode that has begun is played to its end', positive, 5)
  .option('--clouds <list>', 'aws, gcp, or both with a comma between them', cloudList, ['aws', 'gcp'])
  .option('--episodes <n>', 'so many, in place of a time', wholeNumber)
  .addOption(new Option('--from-episode <n>', 'begin with this one').argParser(wholeNumber))
  .addOption(
    new Option(
      '--without <kinds>',
      'leave these kinds of steps out, to find out which ones it takes',
    ).argParser(kindList),
  )
  .addOption(
    new Option('--mutation <name>', 'take a safeguard out of the programs: the run must fail').choices(
      Object.keys(mutations),
    ),
  )
  .option('--json', 'the last line is one JSON object with the result; the rest goes to stderr')
  .addHelpText(
    'after',
    '\nExit code: 0 if nothing was violated, leaked or stuck, otherwise 1.\n' +
      'Example: npm run chaos -- --seed 7 --minutes 10 --clouds aws,gcp --json',
  )
  .parse()
  .opts<Options>();

process.exitCode = await main();

async function main(): Promise<number> {
  const { seed, minutes, clouds, episodes, fromEpisode, without, json } = options;
  const mutation = options.mutation === undefined ? undefined : mutations[options.mutation];
  const sourceRoot = mutation && mutate(join(import.meta.dirname, '../..'), mutation);
  const { signal } = listenForShutdown();
  const output = json === true ? process.stderr : process.stdout;
  const result = await runChaos({
    seed,
    clouds,
    lengthMs: minutes * 60_000,
    episodes,
    fromEpisode,
    without,
    sourceRoot,
    signal,
    say: (line) => output.write(`${line}\n`),
  });
  if (sourceRoot !== undefined) rmSync(sourceRoot, { recursive: true });
  if (json === true) process.stdout.write(`${JSON.stringify({ ...result, minutes })}\n`);
  else process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
  const { violations, leaked, stuck, crashes } = result;
  return violations + leaked + stuck + crashes === 0 ? 0 : 1;
}

function cloudList(text: string): ProviderName[] {
  const known: readonly ProviderName[] = ['aws', 'gcp'];
  const named = text.split(',');
  const unknown = named.find((name) => !known.some((cloud) => cloud === name));
  if (unknown === undefined) return known.filter((cloud) => named.includes(cloud));
  throw new InvalidArgumentError(`"${unknown}" is none of ${known.join(', ')}.`);
}

function kindList(text: string): string[] {
  const named = text.split(',');
  const unknown = named.find((name) => !stepKinds.some((kind) => kind === name));
  if (unknown === undefined) return named;
  throw new InvalidArgumentError(`"${unknown}" is none of ${stepKinds.join(', ')}.`);
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (text !== '' && Number.isInteger(value) && value >= 0) return value;
  throw new InvalidArgumentError('a whole number, 0 or more, is needed.');
}

function positive(text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('a number above 0 is needed.');
}
