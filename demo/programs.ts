/** The real worker and watcher, as processes that can be killed. */
import { join } from 'node:path';
import type { ManagedProcess } from '../sandbox/processes/child-process.ts';
import { startProgram } from '../sandbox/processes/program.ts';
import { applyShippedAccounts, type ShippedKubeconfigs } from '../sandbox/processes/shipped-accounts.ts';
import type { World } from '../sandbox/world.ts';
import type { Stage } from './stage.ts';

export class Programs {
  readonly #world: World;
  readonly #stage: Stage;
  readonly #kubeconfigs: ShippedKubeconfigs;
  readonly #running = new Map<'worker' | 'watcher', ManagedProcess>();
  #started = 0;
  workerKills = 0;

  private constructor(world: World, stage: Stage, kubeconfigs: ShippedKubeconfigs) {
    this.#world = world;
    this.#stage = stage;
    this.#kubeconfigs = kubeconfigs;
  }

  /** With the rights of the shipped ServiceAccounts. */
  static async prepare(world: World, stage: Stage): Promise<Programs> {
    return new Programs(world, stage, await applyShippedAccounts(world.kubernetes));
  }

  async start(name: 'worker' | 'watcher'): Promise<void> {
    const program = await startProgram({
      name,
      script: `${name}/main.ts`,
      args: ['--config', this.#stage.configFile],
      env: { ...this.#world.env, KUBECONFIG: this.#kubeconfigs[name] },
      logFile: join(this.#world.dir, `${name}-${++this.#started}.log`),
    });
    this.#running.set(name, program);
  }

  async startBoth(): Promise<void> {
    await Promise.all([this.start('worker'), this.start('watcher')]);
  }

  /** Both at once. */
  async kill(): Promise<void> {
    const watcher = this.#running.get('watcher');
    watcher?.kill('SIGKILL');
    await Promise.all([this.killWorker(), watcher?.exited]);
  }

  /** As a node that loses power would do it. */
  async killWorker(): Promise<void> {
    const worker = this.#running.get('worker');
    worker?.kill('SIGKILL');
    await worker?.exited;
    this.workerKills += 1;
  }

  /** @throws Error if a program ended by itself; the message shows what it said */
  assertAlive(): void {
    for (const [name, program] of this.#running) {
      if (!program.running())
        throw new Error(`The ${name} ended by itself:\n${program.output().slice(-2_000)}`);
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#running.values()].map((program) => program.stop(25_000)));
  }
}
