/** Versions of the workers are rolled out and back, in any order, while nodes come and go. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProviderName } from '../../../model/scope.ts';
import { pollersOf } from '../../../program/pollers.ts';
import { deploymentOf, versionName } from '../../../program/worker-deployments.ts';
import type { ManagedProcess } from '../../../sandbox/processes/child-process.ts';
import { eventually } from '../../crash/eventually.ts';
import { ChaosWorld } from '../chaos-world.ts';
import { settle } from '../episode.ts';
import { planEpisode } from '../plan.ts';
import { playLife } from '../play-life.ts';
import { furnishCluster } from '../run.ts';
import { isFault, type LifeStep } from '../steps.ts';
import { type Builds, makeBuilds } from './builds.ts';
import { planRolls, type Roll } from './plan-rolls.ts';

export interface VersionsOptions {
  readonly seed: number;
  readonly versions: number;
  readonly clouds: readonly ProviderName[];
  /** How often the workers of the version before are killed, 0 to 1. */
  readonly killed: number;
  /** False: changes of the workflows take effect at once, whoever else polls. Then a way back must be found stuck. */
  readonly waitsForAll: boolean;
  /** Milliseconds of life at each version. */
  readonly lifeMs: number;
  readonly keep?: boolean | undefined;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

export interface VersionsResult {
  seed: number;
  versions: number;
  /** How often a version was made current. */
  rolls: number;
  /** How often it had been before. */
  back: number;
  killed: number;
  nodes: number;
  assignments: number;
  releases: number;
  violations: number;
  leaked: number;
  stuck: number;
  crashes: number;
  /** Open workflows whose history has the marker of a change: versions without it cannot carry them on. */
  livePatches: number;
  /** Open workflows that are pinned to a version that is not current. */
  pinnedElsewhere: number;
  seconds: number;
}

/** The life of a cluster that works. What goes wrong is the upgrade's own. */
const kinds: ReadonlySet<string> = new Set<LifeStep['kind']>([
  'addNode',
  'deleteNode',
  'replaceNode',
  'relabelNode',
  'reregisterNode',
  'reserveAddress',
  'command',
  'retryNode',
]);
/** Until something that is pinned is looked at again. */
const LOOK_MS = 500;
/** The workers move a mutex within a quarter of a minute; audits take seconds. */
const DRAIN_MS = 60_000;

/** @throws Error if the driver itself fails */
export async function runVersions(options: VersionsOptions): Promise<VersionsResult> {
  const world = await ChaosWorld.start({ clouds: options.clouds, slots: ['watcher-1', 'watcher-2'] });
  let isWrong = true;
  let builds: Builds | undefined;
  try {
    builds = await makeBuilds({ dir: world.dir, waitsForAll: options.waitsForAll });
    const result = await new VersionsRun(options, world, builds).play();
    isWrong = isWrongResult(result);
    return result;
  } finally {
    const keepLogs = isWrong || options.keep === true;
    if (keepLogs) options.say(`The logs are kept in ${world.dir}`);
    await world.stop({ keepLogs });
    builds?.remove();
  }
}

export function isWrongResult(result: VersionsResult): boolean {
  const { violations, leaked, stuck, crashes, livePatches, pinnedElsewhere } = result;
  return violations + leaked + stuck + crashes + livePatches + pinnedElsewhere > 0;
}

class VersionsRun {
  readonly #options: VersionsOptions;
  readonly #world: ChaosWorld;
  readonly #builds: Builds;
  readonly #startedAt = Date.now();
  readonly #workers = new Map<number, ManagedProcess>();
  readonly #failures: unknown[] = [];
  #current: Roll | undefined;
  #killed = 0;

  constructor(options: VersionsOptions, world: ChaosWorld, builds: Builds) {
    this.#options = options;
    this.#world = world;
    this.#builds = builds;
  }

  async play(): Promise<VersionsResult> {
    const { clouds, seed, lifeMs, signal, say } = this.#options;
    const rolls = planRolls(this.#options);
    await this.#begin(rolls[0]);
    for (const [episode, roll] of rolls.entries()) {
      if (signal.aborted || this.#failures.length > 0) break;
      const life = this.#live(planEpisode({ seed, episode, clouds, lengthMs: lifeMs, kinds }).filter(isLife));
      if (episode > 0) await this.#rollTo(roll);
      await life;
    }
    if (this.#failures.length > 0) throw this.#failures[0];
    const settled = await settle(this.#world, { aborted: signal, say });
    const violations = [
      ...settled.violations,
      ...(await this.#world.findInHistories(new Date(this.#startedAt))),
    ];
    for (const { what } of [...violations, ...settled.stuck]) say(`WRONG: ${what}`);
    return this.#result(rolls, violations.length, settled.stuck);
  }

  /** The first version is current before anything happens: workers without one get tasks only while there is none. */
  async #begin(first: Roll | undefined): Promise<void> {
    if (first === undefined) throw new Error('no versions');
    await this.#rollTo(first);
    await furnishCluster(this.#world);
    await this.#world.programs.startAll();
  }

  async #live(steps: readonly (LifeStep & { readonly at: number })[]): Promise<void> {
    const begun = Date.now();
    for (const step of steps) {
      await sleep(Math.max(0, begun + step.at - Date.now()));
      await playLife(this.#world, step).catch((error: unknown) => void this.#failures.push(error));
    }
  }

  async #rollTo(roll: Roll): Promise<void> {
    const { programs } = this.#world;
    const { say } = this.#options;
    const { version, build } = roll;
    const before = this.#current;
    if (before?.version === version) return;
    if (!this.#workers.has(version)) {
      const worker = { ...this.#builds.workers[build], buildId: buildIdOf(roll) };
      this.#workers.set(version, await programs.startVersion(worker));
    }
    for (const taskQueue of this.#world.taskQueues()) await this.#makeCurrent(taskQueue, roll);
    this.#current = roll;
    const seconds = Math.round((Date.now() - this.#startedAt) / 1_000);
    say(`${seconds} s: ${roll.isBack ? 'back to' : 'on to'} version ${version} (build ${build})`);
    if (before === undefined) return;
    const old = this.#workers.get(before.version);
    this.#workers.delete(before.version);
    if (old === undefined) return;
    if (before.end === 'killed') {
      this.#killed += 1;
      say(`    the workers of version ${before.version} are killed`);
    } else await this.#untilDrained(before);
    await programs.stopVersion(old, before.end === 'killed');
  }

  /** As an operator does it, once workers of the version poll. */
  async #makeCurrent(taskQueue: string, roll: Roll): Promise<void> {
    const { client } = this.#world;
    const { namespace } = client.options;
    const deploymentName = deploymentOf(taskQueue);
    const buildId = buildIdOf(roll);
    const version = versionName(deploymentName, buildId);
    await eventually(`workers of ${version} poll`, async () => {
      for (const type of ['workflow', 'activity'] as const) {
        const pollers = await pollersOf({ connection: client.connection, namespace }, taskQueue, type);
        if (!pollers.some((poller) => poller.version === version)) return false;
      }
      return true;
    });
    await eventually(`${version} is current`, async () => {
      await client.workflowService.setWorkerDeploymentCurrentVersion({
        namespace,
        deploymentName,
        buildId,
        identity: 'chaos',
      });
      return true;
    });
  }

  /** What is pinned to it has ended or moved on; or it takes too long, which the end will show. */
  async #untilDrained(roll: Roll): Promise<void> {
    const deadline = Date.now() + DRAIN_MS;
    while ((await this.#pinned(`AND TemporalWorkerDeploymentVersion IN (${this.#versions(roll)})`)) > 0) {
      if (Date.now() > deadline) {
        this.#options.say(`    version ${roll.version} has not drained in ${DRAIN_MS / 1_000} s`);
        return;
      }
      await sleep(LOOK_MS);
    }
  }

  /** In all deployments, for a query. */
  #versions(roll: Roll): string {
    return this.#world
      .taskQueues()
      .map((queue) => `'${versionName(deploymentOf(queue), buildIdOf(roll))}'`)
      .join(', ');
  }

  async #pinned(condition: string): Promise<number> {
    const { count } = await this.#world.client.workflow.count(
      `ExecutionStatus = 'Running' AND TemporalWorkflowVersioningBehavior = 'Pinned' ${condition}`,
    );
    return count;
  }

  async #result(
    rolls: readonly Roll[],
    violations: number,
    unsettled: readonly { readonly invariant: number }[],
  ): Promise<VersionsResult> {
    const { clouds, programs, cluster, client } = this.#world;
    const changes = clouds.flatMap((cloud) => cloud.facts().journal.filter(({ by }) => by === 'api'));
    const current = this.#current;
    if (current === undefined) throw new Error('no version is current');
    const { count: livePatches } = await client.workflow.count(
      "ExecutionStatus = 'Running' AND TemporalChangeVersion IS NOT NULL",
    );
    return {
      seed: this.#options.seed,
      versions: this.#options.versions,
      rolls: rolls.length,
      back: rolls.filter(({ isBack }) => isBack).length,
      killed: this.#killed,
      nodes: cluster.registered,
      assignments: changes.filter(({ cause }) => cause === 'associated').length,
      releases: changes.filter(({ cause }) => cause === 'disassociated').length,
      violations,
      leaked: unsettled.filter(({ invariant }) => invariant === 4).length,
      stuck: unsettled.filter(({ invariant }) => invariant !== 4).length,
      crashes: programs.crashes.length,
      livePatches,
      pinnedElsewhere: await this.#pinned(
        `AND TemporalWorkerDeploymentVersion NOT IN (${this.#versions(current)})`,
      ),
      seconds: Math.round((Date.now() - this.#startedAt) / 1_000),
    };
  }
}

function buildIdOf({ version, build }: Roll): string {
  return `${version}-${build}`;
}

function isLife(step: ReturnType<typeof planEpisode>[number]): step is LifeStep & { readonly at: number } {
  return !isFault(step);
}
