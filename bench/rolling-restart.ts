/**
 * `node bench/rolling-restart.ts`: two workers are replaced one after the other, as a Deployment does it, while nodes are being
 * assigned; beside it the same without a restart. Both in one process, alternating, so that their ratio says something on a
 * machine whose speed changes.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CoreV1Api, type KubeConfig } from '@kubernetes/client-node';
import { Client, Connection } from '@temporalio/client';
import { Command, InvalidArgumentError } from 'commander';
import { stringify } from 'yaml';
import { phaseLabel } from '../kubernetes/keys.ts';
import type { RateLimit } from '../model/settings.ts';
import { createNode, deleteNode } from '../sandbox/nodes.ts';
import type { ManagedProcess } from '../sandbox/processes/child-process.ts';
import { startProgram } from '../sandbox/processes/program.ts';
import { applyShippedAccounts, type ShippedKubeconfigs } from '../sandbox/processes/shipped-accounts.ts';
import { startWorld, type World } from '../sandbox/world.ts';
import { violations } from '../test/crash/invariants.ts';
import { writeWorkflowBundle } from '../test/workflow-bundle.ts';
import { assignIpWorkflowId } from '../workflows/messages.ts';

export interface RollingRestartOptions {
  readonly nodes: number;
  /** How often both ways are measured; the ratio is the median of theirs. */
  readonly pairs: number;
  /**
   * The mutex's pacing on EC2. Slower than by default where the machine is: otherwise what is measured is how the programs that start
   * share its processors. @default as in the configuration
   */
  readonly pacing?: Partial<RateLimit> | undefined;
  /** Hears of each run when it has ended. */
  readonly onRun?: (run: Run) => void;
}

export interface Run {
  readonly restarted: boolean;
  /** From the first Node's registration until the last one shows that it is assigned. */
  readonly seconds: number;
  /** How many nodes were not assigned yet when each old worker was told to stop. None: there was no restart. */
  readonly openAtStop: readonly number[];
  /** How long each old worker took from SIGTERM to its end, in seconds. */
  readonly stopSeconds: readonly number[];
  /** Associations that took more than one attempt of their activity. */
  readonly retried: number;
  /** Workflow tasks that failed. */
  readonly taskFailures: number;
  /** A sentence for each broken invariant. */
  readonly violations: readonly string[];
}

export interface RollingRestartResult {
  readonly nodes: number;
  /** With the restart, divided by without: the median of the pairs. */
  readonly ratio: number;
  readonly ratios: readonly number[];
  readonly runs: readonly Run[];
  readonly violations: readonly string[];
}

/** Each run has a region of its own, and so a full bucket of the account's rate limit. */
const regions = [
  'eu-west-1',
  'eu-west-2',
  'eu-west-3',
  'eu-central-1',
  'eu-north-1',
  'us-east-1',
  'us-east-2',
  'us-west-1',
  'us-west-2',
  'ap-south-1',
];
const mostPairs = regions.length / 2;
const patienceMs = 600_000;

/** @throws Error if a program ends by itself, or nodes are not assigned in ten minutes */
export async function rollingRestart({
  nodes,
  pairs,
  pacing = {},
  onRun,
}: RollingRestartOptions): Promise<RollingRestartResult> {
  const world = await startWorld({
    temporal: true,
    kubernetes: true,
    ec2: { latencyMs: 80, jitterMs: 60, limits: 'published' },
  });
  try {
    const kubeconfigs = await applyShippedAccounts(world.kubernetes);
    // Built once, as in the image.
    const bundleFile = await writeWorkflowBundle(join(world.dir, 'workflows.js'));
    const runs: Run[] = [];
    for (let index = 0; index < 2 * pairs; index++) {
      // Undisturbed, restarted, restarted, undisturbed, …: what the machine does meanwhile hits both alike.
      const restarted = index % 4 === 1 || index % 4 === 2;
      const region = regions[index] ?? '';
      const bench = new Bench({
        world,
        kubeconfigs,
        bundleFile,
        region,
        pacing,
        cluster: `rolling-${index}`,
      });
      try {
        const run = await bench.run(nodes, restarted);
        onRun?.(run);
        runs.push(run);
      } finally {
        await bench.stop();
      }
    }
    const ratios = Array.from({ length: pairs }, (_, pair) => ratioOf(runs.slice(2 * pair, 2 * pair + 2)));
    return { nodes, ratio: median(ratios), ratios, runs, violations: runs.flatMap((run) => run.violations) };
  } finally {
    await world.stop();
  }
}

interface BenchSetup {
  readonly world: World;
  readonly kubeconfigs: ShippedKubeconfigs;
  readonly bundleFile: string;
  readonly region: string;
  readonly cluster: string;
  readonly pacing: Partial<RateLimit>;
}

/** One cluster in a region of its own. */
class Bench {
  readonly #setup: BenchSetup;
  readonly #configFile: string;
  readonly #running: ManagedProcess[] = [];
  readonly #nodes = new Map<string, string>();
  readonly #pool = new Set<string>();

  constructor(setup: BenchSetup) {
    this.#setup = setup;
    const { world, cluster, region, pacing } = setup;
    this.#configFile = join(world.dir, `${cluster}.yaml`);
    const filter = `Name=tag:kubeip,Values=${cluster}`;
    const pool = { name: 'public', region, filter, nodeSelector: { matchLabels: { nodegroup: cluster } } };
    const config = {
      cluster,
      pools: [pool],
      pacing: { aws: pacing },
      http: { workerPort: 0, watcherPort: 0 },
      log: { format: 'json' },
    };
    writeFileSync(this.#configFile, stringify(config));
  }

  async run(count: number, restarted: boolean): Promise<Run> {
    const old = [await this.#start('worker'), await this.#start('worker')];
    await this.#start('watcher');
    const nodes = this.#launch(count);
    const startedAt = performance.now();
    const registered = this.#register(nodes);
    const stops: { open: number; seconds: number }[] = [];
    const restart = restarted ? this.#restart(old, stops) : Promise.resolve();
    await Promise.all([registered, this.#untilAssigned(count)]);
    const seconds = round((performance.now() - startedAt) / 1000);
    await restart;
    return {
      restarted,
      seconds,
      openAtStop: stops.map(({ open }) => open),
      stopSeconds: stops.map((stop) => round(stop.seconds)),
      ...(await this.#readHistories()),
      violations: this.#violations(),
    };
  }

  async stop(): Promise<void> {
    await Promise.all(this.#running.map((program) => program.stop(60_000)));
    const { kubernetes } = this.#setup.world;
    for (const node of this.#nodes.keys()) await deleteNode(kubernetes, node);
  }

  /** As a Deployment with `maxSurge: 1` and `maxUnavailable: 0`: the next one is ready before the last one is told to stop. */
  async #restart(old: readonly ManagedProcess[], stops: { open: number; seconds: number }[]): Promise<void> {
    await this.#until('a first association', () => Promise.resolve(this.#isUnderWay()));
    for (const worker of old) {
      await this.#start('worker');
      const open = this.#nodes.size - (await this.#countAssigned());
      const toldAt = performance.now();
      worker.kill('SIGTERM');
      const { code } = await worker.exited;
      if (code !== 0)
        throw new Error(`A worker that was told to stop ended with ${code}: ${worker.output()}`);
      stops.push({ open, seconds: (performance.now() - toldAt) / 1000 });
    }
  }

  /** @returns once it is ready, as its readiness probe sees it */
  async #start(name: 'worker' | 'watcher'): Promise<ManagedProcess> {
    const { world, kubeconfigs, bundleFile, cluster } = this.#setup;
    const program = await startProgram({
      name,
      script: `${name}/main.ts`,
      args: ['--config', this.#configFile],
      env: { ...world.env, KUBECONFIG: kubeconfigs[name], KUBEIP_WORKFLOW_BUNDLE: bundleFile },
      logFile: join(world.dir, `${cluster}-${name}-${this.#running.length}.log`),
    });
    this.#running.push(program);
    await this.#until(`${name} ready`, async () => {
      if (!program.running())
        throw new Error(`The ${name} ended by itself:\n${program.output().slice(-2_000)}`);
      const http = /"http":"([^"]+)"/.exec(program.output())?.[1];
      if (http === undefined) return false;
      return fetch(`${http}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      );
    });
    return program;
  }

  /** @returns Nodes that are not registered yet, each with an instance, and an address reserved for it */
  #launch(count: number): { name: string; providerID: string; zone: string }[] {
    const { world, region, cluster } = this.#setup;
    const zone = `${region}a`;
    return Array.from({ length: count }, (_, index) => {
      const name = `${cluster}-${index}`;
      const { instanceId } = world.ec2.runInstance({ zone, publicIp: true });
      this.#pool.add(world.ec2.allocateAddress({ region, tags: { kubeip: cluster } }).allocationId);
      this.#nodes.set(name, instanceId);
      return { name, zone, providerID: `aws:///${zone}/${instanceId}` };
    });
  }

  async #register(nodes: readonly { name: string; providerID: string; zone: string }[]): Promise<void> {
    const { world, region, cluster } = this.#setup;
    const labels = { nodegroup: cluster };
    await Promise.all(nodes.map((node) => createNode(world.kubernetes, { ...node, region, labels })));
  }

  async #untilAssigned(count: number): Promise<void> {
    await this.#until(`${count} nodes assigned`, async () => (await this.#countAssigned()) === count);
  }

  #isUnderWay(): boolean {
    const { world, region } = this.#setup;
    return world.ec2.addresses(region).some(({ instanceId }) => instanceId !== undefined);
  }

  async #countAssigned(): Promise<number> {
    const { world, cluster } = this.#setup;
    const labelSelector = `nodegroup=${cluster},${phaseLabel}=assigned`;
    return (await coreOf(world.kubernetes).listNode({ labelSelector })).items.length;
  }

  async #until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + patienceMs;
    while (!(await isSo())) {
      if (performance.now() > deadline) throw new Error(`Waited in vain for: ${what}.`);
      await sleep(100);
    }
  }

  async #readHistories(): Promise<{ retried: number; taskFailures: number }> {
    const { world, cluster } = this.#setup;
    const connection = await Connection.connect({ address: world.temporal.address });
    const { workflow } = new Client({ connection, namespace: world.temporal.namespace });
    const found = { retried: 0, taskFailures: 0 };
    for (const node of this.#nodes.keys()) {
      const { events } = await workflow.getHandle(assignIpWorkflowId(cluster, node)).fetchHistory();
      const associations = new Set<string>();
      for (const event of events ?? []) {
        const {
          activityTaskScheduledEventAttributes: scheduled,
          activityTaskStartedEventAttributes: started,
        } = event;
        if (scheduled?.activityType?.name === 'associate') associations.add(String(event.eventId));
        const isRetried = (started?.attempt ?? 1) > 1;
        if (isRetried && associations.has(String(started?.scheduledEventId))) found.retried += 1;
        if (event.workflowTaskFailedEventAttributes) found.taskFailures += 1;
      }
    }
    await connection.close();
    return found;
  }

  #violations(): string[] {
    const { world, region } = this.#setup;
    return violations({
      journal: world.ec2.journal().filter(({ scope }) => scope === region),
      addresses: world.ec2.addresses(region),
      pool: this.#pool,
      served: new Map([...this.#nodes].map(([node, instance]) => [instance, node])),
    });
  }
}

function coreOf({ kubeConfig }: { readonly kubeConfig: KubeConfig }): CoreV1Api {
  return kubeConfig.makeApiClient(CoreV1Api);
}

function ratioOf(pair: readonly Run[]): number {
  const secondsOf = (restarted: boolean): number =>
    pair.find((run) => run.restarted === restarted)?.seconds ?? Number.NaN;
  return Math.round((secondsOf(true) / secondsOf(false)) * 1000) / 1000;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [below = Number.NaN, above = Number.NaN] = [sorted[middle - 1], sorted[middle]];
  return sorted.length % 2 === 1 ? above : (below + above) / 2;
}

function round(seconds: number): number {
  return Math.round(seconds * 10) / 10;
}

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`a whole number from ${least} to ${most} is needed.`);
  };
}

if (import.meta.main) {
  const options = new Command('node bench/rolling-restart.ts')
    .description('Replaces two workers one after the other while nodes are being assigned.')
    .option('--nodes <n>', 'how many nodes', wholeNumber(1, 1_000), 100)
    .option('--pairs <n>', 'how often both ways are measured', wholeNumber(1, mostPairs), 3)
    .option('--most <ratio>', 'exit with 1 if the restart takes more than so many times as long', Number, 1.2)
    .option('--burst <n>', 'associations at once', wholeNumber(1, 50))
    .option('--per-second <n>', 'associations a second after that', Number)
    .option('--json', 'the last line is one JSON object; the runs go to stderr')
    .parse()
    .opts<{
      nodes: number;
      pairs: number;
      most: number;
      burst?: number;
      perSecond?: number;
      json?: boolean;
    }>();
  const { burst, perSecond } = options;
  const output = options.json === true ? process.stderr : process.stdout;
  const result = await rollingRestart({
    nodes: options.nodes,
    pairs: options.pairs,
    pacing: {
      ...(burst === undefined ? {} : { burst }),
      ...(perSecond === undefined ? {} : { perSecond }),
    },
    onRun: (run) => void output.write(`${JSON.stringify(run)}\n`),
  });
  output.write(
    `ratio ${result.ratio} of at most ${options.most}; ${result.violations.length} violations\n` +
      result.violations.map((what) => `  ${what}\n`).join(''),
  );
  if (options.json === true) process.stdout.write(`${JSON.stringify(result)}\n`);
  // A ratio that is no number is no success.
  process.exitCode = result.violations.length === 0 && result.ratio <= options.most ? 0 : 1;
}
