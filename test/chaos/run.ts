/** A chaos run: episode after episode in one world, until the time is over or something is wrong. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProviderName } from '../../model/scope.ts';
import type { TemporalStore } from '../../sandbox/temporal-store.ts';
import { ChaosWorld } from './chaos-world.ts';
import { playEpisode } from './episode.ts';
import { planEpisode } from './plan.ts';
import { Faults } from './play-faults.ts';
import { tellEpisode } from './report.ts';
import type { Step } from './steps.ts';

export interface ChaosOptions {
  readonly seed: number;
  readonly clouds: readonly ProviderName[];
  /** Milliseconds; the episode that has begun is played to its end. */
  readonly lengthMs: number;
  /** @default as many as there is time for */
  readonly episodes?: number | undefined;
  /** The number of the first one. */
  readonly fromEpisode: number;
  /** The plans are drawn from these kinds of steps alone. @default all */
  readonly kinds?: ReadonlySet<string> | undefined;
  /** What is played of an episode's plan. @default all */
  readonly choose?: ((plan: readonly Step[]) => readonly Step[]) | undefined;
  readonly sourceRoot?: string | undefined;
  /** What Temporal keeps its data in. Default: sqlite. */
  readonly temporal?: TemporalStore | undefined;
  /** Keep the logs and data also if nothing is wrong. */
  readonly keep?: boolean | undefined;
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
  /** The number of the episode that ended the run; null if nothing was wrong. */
  failedEpisode: number | null;
  settleSeconds: { p50: number; p99: number; max: number };
  steps: Record<string, number>;
  seconds: number;
}

/** Addresses of each pool at the beginning: fewer than there will be nodes. */
const FIRST_ADDRESSES = 4;
const FIRST_NODES = 3;

/** @throws Error if the driver itself fails: what it could not do, and in which episode */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const world = await ChaosWorld.start({
    clouds: options.clouds,
    sourceRoot: options.sourceRoot,
    temporal: options.temporal,
  });
  const run = new Run(options, world);
  let isWrong = true;
  try {
    await furnish(world);
    await run.playAll();
    isWrong = run.isWrong();
  } finally {
    const keepLogs = isWrong || options.keep === true;
    if (keepLogs) options.say(`The logs are kept in ${world.dir}`);
    await world.stop({ keepLogs });
  }
  return run.result();
}

class Run {
  readonly #options: ChaosOptions;
  readonly #world: ChaosWorld;
  readonly #faults: Faults;
  readonly #startedAt = Date.now();
  readonly #settled: number[] = [];
  readonly #steps: Record<string, number> = {};
  readonly #wrong = { violations: 0, leaked: 0, stuck: 0 };
  #episodes = 0;
  #failedEpisode: number | null = null;

  constructor(options: ChaosOptions, world: ChaosWorld) {
    this.#options = options;
    this.#world = world;
    this.#faults = new Faults(world);
  }

  isWrong(): boolean {
    return this.#failedEpisode !== null;
  }

  async playAll(): Promise<void> {
    const { fromEpisode, episodes, lengthMs, signal } = this.#options;
    const deadline = Date.now() + lengthMs;
    const isEnough = (): boolean =>
      episodes === undefined ? Date.now() >= deadline : this.#episodes >= episodes;
    while (!signal.aborted && !this.isWrong() && !isEnough()) {
      await this.#play(fromEpisode + this.#episodes);
    }
  }

  async #play(episode: number): Promise<void> {
    const { seed, clouds, kinds, choose, signal, say } = this.#options;
    const world = this.#world;
    const whole = planEpisode({ seed, episode, clouds, kinds });
    const plan = choose === undefined ? whole : choose(whole);
    for (const { kind } of plan) this.#steps[kind] = (this.#steps[kind] ?? 0) + 1;
    const startedAt = Date.now();
    const outcome = await playEpisode(world, this.#faults, plan, { signal, say }).catch((cause: unknown) => {
      throw new Error(`Episode ${episode} of seed ${seed} could not be played`, { cause });
    });
    this.#episodes += 1;
    this.#settled.push(outcome.settleSeconds);
    const wrong = tellEpisode({ world, outcome, episode, startedAt, plan, options: this.#options });
    this.#wrong.violations += wrong.violations;
    this.#wrong.leaked += wrong.leaked;
    this.#wrong.stuck += wrong.stuck;
    const count = wrong.violations + wrong.leaked + wrong.stuck + world.programs.crashes.length;
    if (count > 0) this.#failedEpisode = episode;
  }

  result(): ChaosResult {
    const { clouds, programs, cluster } = this.#world;
    const changes = clouds.flatMap((cloud) => cloud.facts().journal.filter(({ by }) => by === 'api'));
    const settled = this.#settled;
    return {
      seed: this.#options.seed,
      clouds: this.#options.clouds,
      episodes: this.#episodes,
      kills: programs.kills,
      pauses: programs.pauses,
      restarts: this.#faults.restarts,
      faults: this.#faults.count,
      nodes: cluster.registered,
      assignments: changes.filter(({ cause }) => cause === 'associated').length,
      releases: changes.filter(({ cause }) => cause === 'disassociated').length,
      ...this.#wrong,
      crashes: programs.crashes.length,
      refusedStarts: programs.refusedStarts,
      failedEpisode: this.#failedEpisode,
      settleSeconds: { p50: quantile(settled, 0.5), p99: quantile(settled, 0.99), max: quantile(settled, 1) },
      steps: this.#steps,
      seconds: Math.round((Date.now() - this.#startedAt) / 1_000),
    };
  }
}

/** A small cluster that works: what goes wrong then, goes wrong for something. */
async function furnish(world: ChaosWorld): Promise<void> {
  await furnishCluster(world);
  await world.programs.startAll();
  // The programs compile and connect for some seconds.
  await sleep(5_000);
}

/** Addresses, and some nodes. */
export async function furnishCluster({ cluster, clouds }: ChaosWorld): Promise<void> {
  for (const cloud of clouds) {
    for (const group of cloud.groups) {
      for (let index = 0; index < FIRST_ADDRESSES; index++) cluster.reserve(cloud, group);
      for (let index = 0; index < FIRST_NODES; index++) await cluster.addNode(cloud, group);
    }
  }
}

function quantile(numbers: readonly number[], at: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(at * sorted.length))] ?? 0;
}
