/** The real programs, as processes that are killed and paused, and started again. */
import { join } from 'node:path';
import { exitCodes } from '../../program/exit-codes.ts';
import type { ManagedProcess } from '../../sandbox/processes/child-process.ts';
import { startProgram } from '../../sandbox/processes/program.ts';
import type { ShippedKubeconfigs } from '../../sandbox/processes/shipped-accounts.ts';
import type { ProgramSlot } from './steps.ts';

export interface ProgramsOptions {
  readonly dir: string;
  readonly configFile: string;
  readonly env: Readonly<Record<string, string>>;
  readonly kubeconfigs: ShippedKubeconfigs;
  /** The folder that they are started from. Default: this project's. */
  readonly sourceRoot?: string | undefined;
  /** Those that are kept running. @default all */
  readonly slots?: readonly ProgramSlot[] | undefined;
}

/** A worker that takes part in Worker Versioning, beside those of the slots. */
export interface VersionedWorker {
  readonly buildId: string;
  /** Path of the workflows' bundle. */
  readonly bundle: string;
  /** The folder that it is started from. Default: this project's. */
  readonly sourceRoot?: string | undefined;
}

export const programSlots: readonly ProgramSlot[] = ['worker-1', 'worker-2', 'watcher-1', 'watcher-2'];

/** What has not ended after this long is killed, in milliseconds. */
const STOP_MS = 5_000;

const waitsForOthers = [exitCodes.temporal, exitCodes.kubernetes, exitCodes.cloud] as const;

export class Programs {
  readonly #options: ProgramsOptions;
  readonly #slots: readonly ProgramSlot[];
  readonly #running = new Map<ProgramSlot, ManagedProcess>();
  readonly #versioned = new Set<ManagedProcess>();
  readonly #paused = new Set<ProgramSlot>();
  /** So that who wants a slot started, while another just starts it, does not start it twice. */
  readonly #starting = new Map<ProgramSlot, Promise<void>>();
  #started = 0;
  kills = 0;
  pauses = 0;
  /** Starts that ended since a server was not there, or not ready. */
  refusedStarts = 0;
  /** What ended without being killed, with the end of its log. */
  readonly crashes: string[] = [];

  constructor(options: ProgramsOptions) {
    this.#options = options;
    this.#slots = options.slots ?? programSlots;
  }

  /** Those that run stay; those that are paused go on. */
  async startAll(): Promise<void> {
    for (const slot of this.#slots) this.resume(slot);
    await Promise.all(this.#slots.map((slot) => this.start(slot)));
  }

  start(slot: ProgramSlot): Promise<void> {
    const underWay = this.#starting.get(slot);
    if (underWay !== undefined) return underWay;
    const starting = this.#start(slot).finally(() => this.#starting.delete(slot));
    this.#starting.set(slot, starting);
    return starting;
  }

  async #start(slot: ProgramSlot): Promise<void> {
    const before = this.#running.get(slot);
    if (before?.running() === true) return;
    if (before !== undefined) await this.#noteEnd(slot, before);
    const { dir, configFile, env, kubeconfigs, sourceRoot } = this.#options;
    const name = slot.startsWith('worker') ? 'worker' : 'watcher';
    const program = await startProgram({
      name,
      script: `${name}/main.ts`,
      args: ['--config', configFile],
      env: { ...env, KUBECONFIG: kubeconfigs[name] },
      logFile: join(dir, `${slot}-${++this.#started}.log`),
      ...(sourceRoot === undefined ? {} : { root: sourceRoot }),
    });
    this.#running.set(slot, program);
  }

  /** A program that finds something missing at its start says so and ends, for Kubernetes to start it again. */
  async #noteEnd(slot: ProgramSlot, program: ManagedProcess): Promise<void> {
    const { code } = await program.exited;
    const isRefusedStart =
      waitsForOthers.some((one) => one === code) && !/"\w+ started"/.test(program.output());
    if (isRefusedStart) this.refusedStarts += 1;
    else this.crashes.push(`${slot} ended by itself (${code}):\n${program.output().slice(-1_500)}`);
  }

  async kill(slot: ProgramSlot): Promise<void> {
    const program = this.#running.get(slot);
    if (program?.running() !== true) return;
    this.kills += 1;
    this.#running.delete(slot);
    this.#paused.delete(slot);
    program.kill('SIGKILL');
    await program.exited;
  }

  /** One after another, as a rollout does it: until all are new, both configurations are at work. */
  async restartAll(): Promise<void> {
    for (const slot of this.#slots) {
      await this.#starting.get(slot);
      const program = this.#running.get(slot);
      this.#running.delete(slot);
      this.resume(slot, program);
      await program?.stop(STOP_MS);
      await this.start(slot);
    }
  }

  pause(slot: ProgramSlot): void {
    const program = this.#running.get(slot);
    if (program?.running() !== true) return;
    this.pauses += 1;
    this.#paused.add(slot);
    program.kill('SIGSTOP');
  }

  resume(slot: ProgramSlot, program = this.#running.get(slot)): void {
    if (this.#paused.delete(slot)) program?.kill('SIGCONT');
  }

  /** What it ends with by itself is a crash; whoever starts it stops it, or it is stopped with all others. */
  async startVersion({ buildId, bundle, sourceRoot }: VersionedWorker): Promise<ManagedProcess> {
    const { dir, configFile, env, kubeconfigs } = this.#options;
    const program = await startProgram({
      name: `worker ${buildId}`,
      script: 'worker/main.ts',
      args: ['--config', configFile],
      env: {
        ...env,
        KUBECONFIG: kubeconfigs.worker,
        KUBEIP_WORKFLOW_BUNDLE: bundle,
        TEMPORAL_WORKER_BUILD_ID: buildId,
      },
      logFile: join(dir, `worker-version-${buildId}-${++this.#started}.log`),
      ...(sourceRoot === undefined ? {} : { root: sourceRoot }),
    });
    this.#versioned.add(program);
    return program;
  }

  /** @param isKilled by SIGKILL, as a node that dies with it */
  async stopVersion(program: ManagedProcess, isKilled = false): Promise<void> {
    this.#versioned.delete(program);
    if (!program.running())
      this.crashes.push(`a versioned worker ended by itself:\n${program.output().slice(-1_500)}`);
    if (isKilled) {
      this.kills += 1;
      program.kill('SIGKILL');
      await program.exited;
    } else await program.stop(STOP_MS);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#starting.values());
    for (const slot of this.#slots) this.resume(slot);
    await Promise.all([
      ...[...this.#running.values()].map((program) => program.stop(STOP_MS)),
      ...[...this.#versioned].map((program) => this.stopVersion(program)),
    ]);
  }
}
