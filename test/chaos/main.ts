/** `npm run chaos`: the programs on a bad week, in a sandbox on this machine. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { ProviderName } from '../../model/scope.ts';
import { type TemporalStore, temporalOption } from '../../sandbox/temporal-store.ts';
import { listenForShutdown } from '../../program/shutdown.ts';
import { isWrong as isMistakeWrong, playMistakes } from './mistakes/play-mistakes.ts';
import { mistakes } from './mistakes/registry.ts';
import { mutate, mutations } from './mutations.ts';
import { planEpisode, stepKinds } from './plan.ts';
import { table } from './report.ts';
import { type ChaosOptions, type ChaosResult, runChaos } from './run.ts';
import { shrink } from './shrink.ts';
import type { Step } from './steps.ts';
import { isWrongResult, runVersions } from './versions/run-versions.ts';

interface Options {
  readonly seed: number;
  readonly minutes: number;
  readonly clouds: readonly ProviderName[];
  readonly episodes?: number;
  readonly fromEpisode: number;
  readonly only?: readonly string[];
  readonly without?: readonly string[];
  readonly mutation?: string;
  readonly shrink?: boolean;
  readonly keep?: boolean;
  readonly json?: boolean;
  /** True: all of them. */
  readonly mistakes?: true | readonly string[];
  readonly versions?: number;
  readonly patchesAtOnce?: boolean;
  readonly temporal: TemporalStore;
}

/** Of how many versions the workers are killed, as nodes die with them. */
const KILLED_VERSIONS = 0.1;
/** Life at each version, in milliseconds. */
const VERSION_LIFE_MS = 10_000;

/** Each is an episode in a world of its own: a minute, and more if something gets stuck. */
const MOST_SHRINKS = 30;
/** As a shell has it for SIGINT. */
const INTERRUPTED = 130;

const options = new Command('npm run chaos --')
  .description(
    'Lets a cluster live on emulated clouds while everything fails: programs and servers are killed, networks break, calls get ' +
      'lost, people meddle. After each episode all is let settle, and every invariant is checked.',
  )
  .option('--seed <n>', 'the same seed makes the same plan', wholeNumber, 1)
  .option('--minutes <m>', 'how long; the episode that has begun is played to its end', positive, 5)
  .option('--clouds <list>', 'aws, gcp and oci, or some of them with commas between', cloudList, [
    'aws',
    'gcp',
  ])
  .option('--episodes <n>', 'so many, in place of a time', oneOrMore)
  .option('--from-episode <n>', 'begin with this one', wholeNumber, 0)
  .addOption(
    new Option('--only <kinds>', 'draw the plans from these kinds of steps alone').argParser(kindList),
  )
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
  .option(
    '--shrink',
    'play the episode that failed again, alone, with ever fewer of its steps, while it fails',
  )
  .addOption(temporalOption())
  .option('--keep', 'keep logs and data also if nothing is wrong')
  .addOption(
    new Option(
      '--mistakes [names]',
      'play operators’ mistakes instead, each once in a world of its own: all, or these',
    ).argParser(mistakeList),
  )
  .addOption(
    new Option(
      '--versions <n>',
      'roll so many versions of the workers out and back instead, in any order, while nodes come and go',
    ).argParser(oneOrMore),
  )
  .option(
    '--patches-at-once',
    'with --versions: changes of the workflows do not wait until all workers have them. The run must fail',
  )
  .option('--json', 'the last line is one JSON object with the result; the rest goes to stderr')
  .addHelpText(
    'after',
    '\nExit code: 0 if nothing was violated, leaked or stuck, otherwise 1; 130 if it was interrupted before.\n' +
      'With --mistakes: 0 if no living node lost an address, and each mistake was met with words.\n' +
      'With --versions: also 1 if an open workflow is bound to a version that is not current.\n' +
      'Example: npm run chaos -- --seed 7 --minutes 10 --clouds aws,gcp --json\n' +
      `Mistakes: ${mistakes.map(({ name }) => name).join(', ')}`,
  )
  .parse()
  .opts<Options>();

// At its natural end Node 24 was seen to spin for ever in the clean-up of sockets that a run had broken.
process.exit(await chosen());

function chosen(): Promise<number> {
  if (options.versions !== undefined) return mainOfVersions(options.versions);
  return options.mistakes === undefined ? main() : mainOfMistakes(options.mistakes);
}

async function main(): Promise<number> {
  const { seed, minutes, clouds, episodes, fromEpisode, only, without, temporal, json, keep } = options;
  const mutation = options.mutation === undefined ? undefined : mutations[options.mutation];
  const sourceRoot = mutation && mutate(join(import.meta.dirname, '../..'), mutation);
  const { signal } = listenForShutdown();
  const output = json === true ? process.stderr : process.stdout;
  const chaos: ChaosOptions = {
    seed,
    clouds,
    lengthMs: minutes * 60_000,
    episodes,
    fromEpisode,
    kinds: only && new Set(only),
    choose: (plan) => plan.filter(({ kind }) => without?.includes(kind) !== true),
    sourceRoot,
    temporal,
    keep,
    signal,
    say: (line) => output.write(`${line}\n`),
  };
  try {
    const result = await runChaos(chaos);
    if (options.shrink === true && result.failedEpisode !== null) {
      await shrinkEpisode(chaos, result.failedEpisode);
    }
    process.stdout.write(json === true ? `${JSON.stringify({ ...result, minutes })}\n` : table(result));
    if (isWrong(result)) return 1;
    return signal.aborted ? INTERRUPTED : 0;
  } finally {
    if (sourceRoot !== undefined) rmSync(sourceRoot, { recursive: true });
  }
}

async function mainOfMistakes(names: true | readonly string[]): Promise<number> {
  const { json, keep } = options;
  const { signal } = listenForShutdown();
  const output = json === true ? process.stderr : process.stdout;
  const result = await playMistakes({
    mistakes: mistakes.filter(({ name }) => names === true || names.includes(name)),
    keep,
    signal,
    say: (line) => output.write(`${line}\n`),
  });
  const { mistakes: played, lost, failed } = result;
  process.stdout.write(
    json === true
      ? `${JSON.stringify(result)}\n`
      : `${played} mistakes played, ${lost} addresses of living nodes lost, ${failed} mistakes failed\n`,
  );
  if (isMistakeWrong(result)) return 1;
  return signal.aborted ? INTERRUPTED : 0;
}

async function mainOfVersions(versions: number): Promise<number> {
  const { seed, clouds, json, keep, patchesAtOnce } = options;
  const { signal } = listenForShutdown();
  const output = json === true ? process.stderr : process.stdout;
  const result = await runVersions({
    seed,
    versions,
    clouds,
    killed: KILLED_VERSIONS,
    waitsForAll: patchesAtOnce !== true,
    lifeMs: VERSION_LIFE_MS,
    keep,
    signal,
    say: (line) => output.write(`${line}\n`),
  });
  process.stdout.write(json === true ? `${JSON.stringify(result)}\n` : rows(result));
  if (isWrongResult(result)) return 1;
  return signal.aborted ? INTERRUPTED : 0;
}

function rows(result: object): string {
  return Object.entries(result)
    .map(([name, value]) => `${name.padEnd(16)} ${String(value)}\n`)
    .join('');
}

function isWrong({ violations, leaked, stuck, crashes }: ChaosResult): boolean {
  return violations + leaked + stuck + crashes > 0;
}

/** Says the fewest steps with which it failed. */
async function shrinkEpisode(chaos: ChaosOptions, episode: number): Promise<void> {
  const { seed, clouds, kinds, signal, say } = chaos;
  const fails = async (steps: readonly Step[]): Promise<boolean> => {
    if (signal.aborted) return false;
    say(`Trying episode ${episode} with ${steps.length} steps:`);
    const alone = { ...chaos, fromEpisode: episode, episodes: 1, choose: () => steps, keep: false };
    return isWrong(await runChaos({ ...alone, say: (line) => say(`  ${line}`) }));
  };
  const plan = chaos.choose?.(planEpisode({ seed, episode, clouds, kinds })) ?? [];
  if (!(await fails(plan))) {
    say(`Episode ${episode} alone does not fail: it takes those before it, or another timing.`);
    return;
  }
  const onShorter = ({ length }: readonly Step[]): void => say(`It fails with ${length} steps.`);
  const left = await shrink(plan, { fails, mostTries: MOST_SHRINKS, onShorter });
  say(`${left.length} of ${plan.length} steps do it:`);
  for (const step of left) say(`  ${JSON.stringify(step)}`);
}

function cloudList(text: string): ProviderName[] {
  const known: readonly ProviderName[] = ['aws', 'gcp', 'oci'];
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

function mistakeList(text: string): string[] {
  const named = text.split(',');
  const unknown = named.find((name) => !mistakes.some((mistake) => mistake.name === name));
  if (unknown === undefined) return named;
  throw new InvalidArgumentError(`"${unknown}" is none of ${mistakes.map(({ name }) => name).join(', ')}.`);
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (text !== '' && Number.isInteger(value) && value >= 0) return value;
  throw new InvalidArgumentError('a whole number, 0 or more, is needed.');
}

function oneOrMore(text: string): number {
  const value = wholeNumber(text);
  if (value > 0) return value;
  throw new InvalidArgumentError('a whole number, 1 or more, is needed.');
}

function positive(text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('a number above 0 is needed.');
}
