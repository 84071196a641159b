/** Makes things go wrong, and lifts it all again. */
import { setTimeout as sleep } from 'node:timers/promises';
import { narrowLimit } from './chaos-cloud.ts';
import type { ChaosWorld } from './chaos-world.ts';
import { programSlots } from './programs.ts';
import { spoilOf } from './spoil-kubernetes.ts';
import type { ConfigurationMistake, FaultStep } from './steps.ts';

/** A program that was killed is started again after this long, in milliseconds. */
const RESTART_MS = 1_500;

export class Faults {
  readonly #world: ChaosWorld;
  /** A server that is down is not killed again. */
  readonly #down = new Set<'temporal' | 'kubernetes'>();
  #isMisconfigured = false;
  /** What is under way, so that nothing of one episode reaches into the next. */
  readonly #pending = new Set<Promise<void>>();
  #lifted = new AbortController();
  restarts = 0;
  count = 0;

  constructor(world: ChaosWorld) {
    this.#world = world;
  }

  /** Begins; what lasts for a while ends by itself, or when all is lifted. */
  begin(step: FaultStep): void {
    this.count += 1;
    const running = this.#play(step).finally(() => this.#pending.delete(running));
    this.#pending.add(running);
  }

  async #play(step: FaultStep): Promise<void> {
    const { programs, links, kubernetes } = this.#world;
    switch (step.kind) {
      case 'kill':
        await programs.kill(step.program);
        await this.#pause(RESTART_MS);
        return programs.start(step.program);
      case 'pause':
        programs.pause(step.program);
        await this.#pause(step.ms);
        return programs.resume(step.program);
      case 'restartTemporal':
      case 'restartKubernetes':
        return this.#restart(step.kind === 'restartTemporal' ? 'temporal' : 'kubernetes', step.ms);
      case 'cut':
        return links.get(step.link)?.cut();
      case 'refuse':
      case 'hold':
      case 'delay':
        links.get(step.link)?.setTrouble(step.kind === 'delay' ? step.byMs : step.kind);
        await this.#pause(step.ms);
        return links.get(step.link)?.setTrouble('none');
      case 'spoilKubernetes':
        kubernetes.spoil(spoilOf(step));
        if (step.calls === 'all') kubernetes.cutWatches();
        await this.#pause(step.ms);
        return kubernetes.pass();
      case 'selectorTypo':
      case 'poolRemoved':
        return this.#misconfigure(step);
      default:
        return this.#troubleCloud(step);
    }
  }

  async #misconfigure(step: Extract<FaultStep, { kind: ConfigurationMistake }>): Promise<void> {
    if (this.#isMisconfigured) return;
    this.#isMisconfigured = true;
    await this.#world.rollOut(step);
    await this.#pause(step.ms);
    await this.#world.rollOut();
    this.#isMisconfigured = false;
  }

  async #troubleCloud(
    step: Extract<FaultStep, { kind: 'emptyLists' | 'throttle' | 'staleLists' | 'deny' | 'failCalls' }>,
  ): Promise<void> {
    const cloud = this.#world.cloud(step.cloud);
    switch (step.kind) {
      case 'emptyLists':
        this.#world.setEmptyLists(step.cloud, true);
        await this.#pause(step.ms);
        return this.#world.setEmptyLists(step.cloud, false);
      case 'failCalls':
        return cloud.failCalls(step);
      case 'throttle':
        cloud.configure({
          limits: [narrowLimit([cloud.permission('associate'), cloud.permission('release')])],
        });
        await this.#pause(step.ms);
        return cloud.configure({ limits: [] });
      case 'staleLists':
        cloud.configure({ staleListsMs: step.byMs });
        await this.#pause(step.ms);
        return cloud.configure({ staleListsMs: 0 });
      case 'deny':
        cloud.configure({ denied: [cloud.permission(step.what)] });
        await this.#pause(step.ms);
        return cloud.configure({ denied: [] });
    }
  }

  async #restart(server: 'temporal' | 'kubernetes', ms: number): Promise<void> {
    if (this.#down.has(server)) return;
    this.#down.add(server);
    this.restarts += 1;
    const { servers } = this.#world;
    await (server === 'temporal' ? servers.killTemporal() : servers.killKubernetes());
    await this.#pause(ms);
    await (server === 'temporal' ? servers.restartTemporal() : servers.restartKubernetes());
    this.#down.delete(server);
  }

  /** All that lasts ends, servers and programs are up again. */
  async liftAll(): Promise<void> {
    this.#lifted.abort();
    await Promise.all(this.#pending);
    this.#lifted = new AbortController();
    for (const link of this.#world.links.values()) link.setTrouble('none');
    this.#world.kubernetes.pass();
    for (const cloud of this.#world.clouds) cloud.clearFaults();
    for (const slot of programSlots) this.#world.programs.resume(slot);
    await this.#world.programs.startAll();
  }

  async #pause(ms: number): Promise<void> {
    const { signal } = this.#lifted;
    // Aborted: it is lifted now.
    await sleep(ms, undefined, { signal }).catch(() => {});
  }
}
