/** The real worker and watcher, as processes that can be killed. */
import { join } from 'node:path';
import type { ManagedProcess } from '../sandbox/processes/child-process.ts';
import type { PodProgram } from '../sandbox/processes/pod-process.ts';
import { startProgram } from '../sandbox/processes/program.ts';
import { applyShippedAccounts } from '../sandbox/processes/shipped-accounts.ts';
import type { World } from '../sandbox/world.ts';
import { programsOfChart } from './chart.ts';
import type { Stage } from './stage.ts';

type ProgramName = 'worker' | 'watcher';

export class Programs {
  readonly #world: World;
  readonly #specs: Readonly<Record<string, PodProgram>>;
  readonly #running = new Map<ProgramName, ManagedProcess>();
  #started = 0;
  workerKills = 0;

  private constructor(world: World, specs: Readonly<Record<string, PodProgram>>) {
    this.#world = world;
    this.#specs = specs;
  }

  /**
   * With the rights of the shipped ServiceAccounts.
   *
   * @param chart as helm installs them, in place of the shipped manifest and this machine's own variables
   */
  static async prepare(world: World, stage: Stage, chart: boolean): Promise<Programs> {
    if (chart) return new Programs(world, await programsOfChart(world, stage));
    const kubeconfigs = await applyShippedAccounts(world.kubernetes);
    const specOf = (name: ProgramName): PodProgram => ({
      name,
      script: `${name}/main.ts`,
      args: ['--config', stage.configFile],
      env: { ...world.env, KUBECONFIG: kubeconfigs[name] },
    });
    return new Programs(world, { worker: specOf('worker'), watcher: specOf('watcher') });
  }

  async start(name: ProgramName): Promise<void> {
    const spec = this.#specs[name];
    if (spec === undefined) throw new Error(`The chart has no ${name}.`);
    const program = await startProgram({
      ...spec,
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
