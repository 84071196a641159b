/** A chaos run: episode after episode in one world, until the time is over or something is wrong. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProviderName } from '../../model/scope.ts';
import { ChaosWorld } from './chaos-world.ts';
import { type Outcome, playEpisode } from './episode.ts';
import type { Finding } from './judge.ts';
import { planEpisode } from './plan.ts';
import { Faults } from './play-faults.ts';
import type { Step } from './steps.ts';
import { traceOf } from './trace.ts';

export interface ChaosOptions {
  readonly seed: number;
  readonly clouds: readonly ProviderName[];
  /** Milliseconds; the episode that has begun is played to its end. */
  readonly lengthMs: number;
  /** @default as many as there is time for */
  readonly episodes?: number | undefined;
  /** @default 0 */
  readonly fromEpisode?: number | undefined;
  /** Kinds of steps that are left out, to find out which ones it takes. */
  readonly without?: readonly string[] | undefined;
  readonly sourceRoot?: string | undefined;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

export interface ChaosResult {
  seed: number;
  clouds: readonly ProviderName[];
  episodes: number;
  kills: number;
  pauses: number;
  restarts: number;
  faults: number;
  nodes: number;
  assignments: number;
  releases: number;
  violations: number;
  leaked: number;
  stuck: number;
  /** Programs that ended by themselves. */
  crashes: number;
  /** Programs that found a server not ready at their start, and ended to be started again. */
  refusedStarts: number;
  settleSeconds: { p50: number; max: number };
  steps: Record<string, number>;
  seconds: number;
}

/** Addresses of each pool at the beginning: fewer than there will be nodes. */
const FIRST_ADDRESSES = 4;
const FIRST_NODES = 3;

export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { seed, clouds, lengthMs, signal, say } = options;
  const startedAt = Date.now();
  const world = await ChaosWorld.start({ clouds, sourceRoot: options.sourceRoot });
  const faults = new Faults(world);
  const count = { violations: 0, leaked: 0, stuck: 0 };
  const steps: Record<string, number> = {};
  const settled: number[] = [];
  let failed = false;
  let episodes = 0;
  try {
    await settle(world);
    const first = options.fromEpisode ?? 0;
    const deadline = Date.now() + lengthMs;
    for (let episode = first; !signal.aborted; episode++) {
      const isEnough = options.episodes === undefined ? Date.now() >= deadline : episodes >= options.episodes;
      if (isEnough) break;
      const plan = planEpisode({ seed, episode, clouds }).filter(
        ({ kind }) => options.without?.includes(kind) !== true,
      );
      for (const { kind } of plan) steps[kind] = (steps[kind] ?? 0) + 1;
      const episodeStartedAt = Date.now();
      const outcome = await playEpisode(world, faults, plan, { signal, say });
      episodes += 1;
      settled.push(outcome.settleSeconds);
      say(describe(episode, outcome, world));
      failed = tell(world, outcome, { episodeStartedAt, plan, episode, options }, count);
      if (failed) break;
    }
  } catch (error) {
    failed = true;
    throw error;
  } finally {
    if (failed) say(`The logs are kept in ${world.dir}`);
    await world.stop({ keepLogs: failed });
  }
  return {
    seed,
    clouds,
    episodes,
    kills: world.programs.kills,
    pauses: world.programs.pauses,
    restarts: faults.restarts,
    faults: faults.count,
    nodes: world.cluster.registered,
    ...changes(world),
    ...count,
    crashes: world.programs.crashes.length,
    refusedStarts: world.programs.refusedStarts,
    settleSeconds: { p50: quantile(settled, 0.5), max: quantile(settled, 1) },
    steps,
    seconds: Math.round((Date.now() - startedAt) / 1_000),
  };
}

/** A small cluster that works: what goes wrong then, goes wrong for something. */
async function settle(world: ChaosWorld): Promise<void> {
  const { cluster, clouds } = world;
  for (const cloud of clouds) {
    for (const group of cloud.groups) {
      for (let index = 0; index < FIRST_ADDRESSES; index++) cluster.reserve(cloud, group);
      for (let index = 0; index < FIRST_NODES; index++) await cluster.addNode(cloud, group);
    }
  }
  await world.programs.startAll();
  // The programs compile and connect for some seconds.
  await sleep(5_000);
}

function describe(episode: number, { settleSeconds }: Outcome, { cluster, programs }: ChaosWorld): string {
  return (
    `episode ${episode}: quiet after ${settleSeconds.toFixed(1)} s; ${cluster.nodes.size} nodes, ` +
    `${cluster.registered} in all, ${programs.kills} kills`
  );
}

interface Telling {
  readonly episodeStartedAt: number;
  readonly plan: readonly Step[];
  readonly episode: number;
  readonly options: ChaosOptions;
}

/** @returns whether something is wrong */
function tell(
  world: ChaosWorld,
  { violations, stuck }: Outcome,
  { episodeStartedAt, plan, episode, options }: Telling,
  count: { violations: number; leaked: number; stuck: number },
): boolean {
  const { say, seed, clouds } = options;
  const { crashes } = world.programs;
  for (const crash of crashes) say(crash);
  const found: readonly [string, Finding][] = [
    ...violations.map((one): [string, Finding] => ['violation', one]),
    ...stuck.map((one): [string, Finding] => ['stuck', one]),
  ];
  for (const [kind, finding] of found) {
    const isLeak = kind === 'stuck' && finding.invariant === 4;
    count[kind === 'violation' ? 'violations' : isLeak ? 'leaked' : 'stuck'] += 1;
    say(`${kind.toUpperCase()} (invariant ${finding.invariant}): ${finding.what}`);
    for (const line of traceOf(world, finding, { episodeStartedAt, steps: plan })) say(`    ${line}`);
  }
  if (found.length > 0) {
    say(
      `Repeat it: npm run chaos -- --seed ${seed} --clouds ${clouds.join(',')} --from-episode ${episode} --episodes 1`,
    );
    say(
      `From the beginning: npm run chaos -- --seed ${seed} --clouds ${clouds.join(',')} --episodes ${episode + 1}`,
    );
  }
  return found.length > 0 || crashes.length > 0;
}

function changes(world: ChaosWorld): { assignments: number; releases: number } {
  const made = world.clouds.flatMap((cloud) => cloud.facts().journal.filter(({ by }) => by === 'api'));
  return {
    assignments: made.filter(({ cause }) => cause === 'associated').length,
    releases: made.filter(({ cause }) => cause === 'disassociated').length,
  };
}

function quantile(numbers: readonly number[], at: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(at * sorted.length))] ?? 0;
}
