/**
 * The world in which a scenario measures: a cluster of one node group on an emulated cloud, with the real programs as processes.
 * The emulator and what observes it run in the bench's own process.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { stringify } from 'yaml';
import type { RateLimit } from '../model/settings.ts';
import type { Scope } from '../model/scope.ts';
import { createNode, deleteNode } from '../sandbox/nodes.ts';
import { applyShippedAccounts } from '../sandbox/processes/shipped-accounts.ts';
import type { TemporalStore } from '../sandbox/temporal-store.ts';
import { startWorld, type World } from '../sandbox/world.ts';
import { writeBundle, type Workflows } from './bundle.ts';
import { kubeletStatus } from './kubelet-status.ts';
import {
  type CloudName,
  type LabCloud,
  labCloudOf,
  type LabCloudOptions,
  type LaunchedInstance,
  worldOptionsOf,
} from './lab-cloud.ts';
import { startAssociateWorker } from './naive/associate-worker.ts';
import { round } from './numbers.ts';
import { databaseMiB, folderMiB, processesOf, type Usage, usageOf } from './processes.ts';
import { Programs } from './programs.ts';
import type { Say } from './scenario.ts';

export const cluster = 'bench';

const tag = 'bench';
const taintKey = 'example.com/no-address';
/** Nodes are registered by so many calls at once, as a cloud's autoscaler would: not one after the other. */
const REGISTERED_AT_ONCE = 20;
const POLL_MS = 100;

/** Without rate limits there is no pacing either. */
export interface LabOptions extends Omit<LabCloudOptions, 'cloud'> {
  /** @default 'aws' */
  readonly cloud?: CloudName | undefined;
  /** Addresses that are reserved. */
  readonly addresses: number;
  /** @default 'project' */
  readonly workflows?: Workflows | undefined;
  readonly workers: number;
  /** @default 1 */
  readonly watchers?: number | undefined;
  /** How long a Node that was deleted may come back. @default 0s */
  readonly gracePeriod?: string | undefined;
}

let temporalStore: TemporalStore = 'sqlite';

/** What Temporal keeps its data in, in all labs that are opened from now on. */
export function useTemporalStore(store: TemporalStore): void {
  temporalStore = store;
}

/** More than any machine reaches: the mutex does not pace. */
const UNPACED: RateLimit = { burst: 1_000_000, perSecond: 1_000_000 };

/** A node of the cluster, whether it is registered already or not. */
export interface BenchNode extends LaunchedInstance {
  readonly name: string;
}

export class Lab {
  readonly world: World;
  readonly cloud: LabCloud;
  readonly client: Client;
  readonly programs: Programs;
  readonly #say: Say;
  #stopAssociating: () => Promise<void> = async () => {};
  /** When each Node was asked for, in Unix milliseconds, by its instance. */
  readonly #registeredAt = new Map<string, number>();
  #launched = 0;
  /** What the programs' processes had used when the measuring began, by their pids. */
  #mark = new Map<number, Usage>();

  private constructor(world: World, cloud: LabCloud, client: Client, programs: Programs, say: Say) {
    this.world = world;
    this.cloud = cloud;
    this.client = client;
    this.programs = programs;
    this.#say = say;
  }

  /** Starts everything but the Nodes. */
  static async start(options: LabOptions, say: Say): Promise<Lab> {
    const { cloud: name = 'aws', addresses } = options;
    say('starting Temporal, kube-apiserver and an emulated cloud on loopback');
    const cloudOptions = worldOptionsOf({ ...options, cloud: name });
    const world = await startWorld({ temporal: { store: temporalStore }, kubernetes: true, ...cloudOptions });
    const cloud = labCloudOf(world, name);
    const connection = await Connection.connect({ address: world.temporal.address });
    const programs = new Programs({
      world,
      configFile: writeConfig(world.dir, cloud, options),
      bundleFile: await writeBundle(world.dir, options.workflows ?? 'project'),
      kubeconfigs: await applyShippedAccounts(world.kubernetes),
    });
    const lab = new Lab(world, cloud, new Client({ connection }), programs, say);
    lab.reserve(addresses);
    if (options.workflows === 'naive') {
      lab.#stopAssociating = await startAssociateWorker(world, lab.scope);
    }
    for (let n = 0; n < options.workers; n++) await programs.start('worker');
    for (let n = 0; n < (options.watchers ?? 1); n++) await programs.start('watcher');
    return lab;
  }

  get scope(): Scope {
    return this.cloud.scope;
  }

  get databaseMiB(): number {
    const { dir, temporal } = this.world;
    return temporal.database === undefined
      ? databaseMiB(join(dir, 'temporal.db'))
      : folderMiB(join(dir, 'postgres'));
  }

  /** Adds addresses to the pool. */
  reserve(count: number): void {
    for (let n = 0; n < count; n++) this.cloud.reserve(tag);
  }

  /** Launches instances, whose Nodes are not registered yet. */
  launch(count: number): BenchNode[] {
    return Array.from({ length: count }, () => {
      const name = `node-${String(++this.#launched).padStart(5, '0')}`;
      return { name, ...this.cloud.launch(name) };
    });
  }

  /** Registers the Nodes, many at once. */
  async register(nodes: readonly BenchNode[]): Promise<void> {
    await forEach(nodes, (node) => this.#register(node));
  }

  async #register({ name, instance, zone, providerID }: BenchNode): Promise<void> {
    this.#registeredAt.set(instance, Date.now());
    await createNode(this.world.kubernetes, {
      name,
      region: this.scope.region,
      zone,
      providerID,
      labels: { nodegroup: tag },
      taints: [{ key: taintKey, effect: 'NoSchedule' }],
      status: kubeletStatus(name),
    });
  }

  /** Takes nodes out of the cluster: the Node object and the instance. */
  async retire(nodes: readonly BenchNode[]): Promise<void> {
    await forEach(nodes, async (node) => {
      await deleteNode(this.world.kubernetes, node.name);
      this.cloud.terminate(node);
    });
  }

  /** When each instance got its first address, in Unix milliseconds, as the cloud remembers it. */
  addressedAt(): Map<string, number> {
    const at = new Map<string, number>();
    for (const { cause, instanceId, time } of this.cloud.journal()) {
      if (cause !== 'associated' || instanceId === null || at.has(instanceId)) continue;
      at.set(instanceId, Date.parse(time));
    }
    return at;
  }

  /** From the request to create a node until the cloud associated its address, in seconds; those that have none are left out. */
  waits(nodes: readonly BenchNode[]): number[] {
    const addressed = this.addressedAt();
    return nodes.flatMap(({ instance }) => {
      const from = this.#registeredAt.get(instance);
      const until = addressed.get(instance);
      return from === undefined || until === undefined ? [] : [(until - from) / 1000];
    });
  }

  registeredAt({ instance }: BenchNode): number {
    return this.#registeredAt.get(instance) ?? 0;
  }

  /** Waits until each of these has an address. @throws Error when nothing has happened for too long */
  async untilAddressed(nodes: readonly BenchNode[], patienceMs = 120_000): Promise<void> {
    await this.#untilAll('have an address', nodes.length, patienceMs, () => {
      const addressed = this.addressedAt();
      return nodes.filter(({ instance }) => addressed.has(instance)).length;
    });
  }

  /** Waits until so many instances have an address. @throws as {@link Lab.untilAddressed} */
  async untilSomeAddressed(count: number, patienceMs = 120_000): Promise<void> {
    await this.#untilAll('have an address', count, patienceMs, () => this.addressedAt().size);
  }

  /** Waits until so many workflows say that their node is assigned, by visibility. */
  async untilAssigned(count: number, patienceMs = 120_000): Promise<void> {
    const query = `WorkflowType = 'AssignIpWorkflow' AND ExecutionStatus = 'Running' AND KubeipPhase = 'assigned'`;
    await this.#untilAll('are assigned', count, patienceMs, async () => {
      return (await this.client.workflow.count(query)).count;
    });
  }

  async #untilAll(
    what: string,
    wanted: number,
    patienceMs: number,
    read: () => number | Promise<number>,
  ): Promise<void> {
    let last = -1;
    let movedAt = Date.now();
    let saidAt = Date.now();
    for (;;) {
      const seen = await read();
      if (seen >= wanted) return;
      if (seen !== last) movedAt = Date.now();
      last = seen;
      if (Date.now() - saidAt > 5_000) {
        saidAt = Date.now();
        this.#say(`${seen} of ${wanted} ${what}`);
      }
      if (Date.now() - movedAt > patienceMs) {
        throw new Error(
          `${seen} of ${wanted} ${what}, and no more for ${patienceMs / 1000} s: see ${this.world.dir}`,
        );
      }
      // To look at many takes long itself.
      await sleep(Math.max(POLL_MS, wanted / 10));
    }
  }

  /** What is used from now on counts in {@link Lab.cpuSeconds}. */
  markCpu(): void {
    this.#mark = new Map(
      this.#processes().flatMap(([, pid]) => {
        const usage = usageOf(pid);
        return usage === undefined ? [] : [[pid, usage] as const];
      }),
    );
  }

  /** CPU seconds since {@link Lab.markCpu}, by what the process is; processes that ended since are left out. */
  cpuSeconds(): Record<string, number> {
    const used: Record<string, number> = {};
    for (const [name, pid] of this.#processes()) {
      const usage = usageOf(pid);
      if (usage === undefined) continue;
      used[name] = (used[name] ?? 0) + usage.cpuSeconds - (this.#mark.get(pid)?.cpuSeconds ?? 0);
    }
    return used;
  }

  /** Resident memory in MiB, by what the process is. */
  memoryMiB(): Record<string, number> {
    const used: Record<string, number> = {};
    for (const [name, pid] of this.#processes()) {
      used[name] = round((used[name] ?? 0) + (usageOf(pid)?.residentMiB ?? 0), 1);
    }
    return used;
  }

  #processes(): [string, number][] {
    const { temporal, kubernetes } = this.world;
    const { apiServer, etcd } = kubernetes.processes;
    return [
      ...this.programs.running().map(({ name, process }): [string, number] => [name, process.pid]),
      ['temporal', temporal.process.pid],
      ...(temporal.database === undefined
        ? []
        : processesOf(temporal.database.pid).map((pid): [string, number] => ['postgres', pid])),
      ['kubeApiServer', apiServer.pid],
      ['etcd', etcd.pid],
      ['benchAndEmulator', process.pid],
    ];
  }

  async stop({ keepLogs = false } = {}): Promise<void> {
    await this.programs.stop();
    await this.#stopAssociating();
    await this.client.connection.close();
    await this.world.stop({ keepLogs });
  }
}

/** Plays in a lab of its own, whose logs stay if it fails. */
export async function inLab<T>(options: LabOptions, say: Say, play: (lab: Lab) => Promise<T>): Promise<T> {
  const lab = await Lab.start(options, say);
  let failed = true;
  try {
    const result = await play(lab);
    failed = false;
    return result;
  } finally {
    await lab.stop({ keepLogs: failed });
  }
}

async function forEach<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = items.values();
  const one = async (): Promise<void> => {
    for (const item of waiting) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(REGISTERED_AT_ONCE, items.length) }, one));
}

function writeConfig(dir: string, cloud: LabCloud, { limits, workflows, gracePeriod }: LabOptions): string {
  const config = {
    cluster,
    // No cloud controller writes the status of Nodes here.
    defaults: { taintKey, taintWait: '0s', release: { gracePeriod: gracePeriod ?? '0s' } },
    // All Nodes are deleted at once, and are meant to be.
    releaseBrake: { percent: 100 },
    pools: [
      {
        name: tag,
        ...cloud.place,
        nodeSelector: { matchLabels: { nodegroup: tag } },
        addresses: { ipv4: { filter: cloud.filterOf(tag) } },
      },
    ],
    ...(limits === 'off' ? { pacing: { [cloud.scope.provider]: UNPACED } } : {}),
    // The yardstick has no audit.
    ...(workflows === 'naive' ? { audit: { enabled: false } } : {}),
    http: { workerPort: 0, watcherPort: 0 },
    log: { format: 'json' },
  };
  const file = join(dir, 'kubeip.yaml');
  writeFileSync(file, stringify(config));
  return file;
}
