/**
 * What the cases play with on a cloud where an ephemeral address must go first: one cluster, and for each case a node and a pool of one
 * address.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { stringify } from 'yaml';
import { queryWorkflow } from '../../program/query-workflow.ts';
import { createNode } from '../../sandbox/nodes.ts';
import type { ManagedProcess } from '../../sandbox/processes/child-process.ts';
import { startProgram } from '../../sandbox/processes/program.ts';
import type { World } from '../../sandbox/world.ts';
import {
  type AssignIpStatus,
  assignIpWorkflowId,
  clusterTaskQueue,
  statusQuery,
} from '../../workflows/messages.ts';
import { type CloudGate, type HeldCall, type HeldAt, startCloudGate } from './cloud-gate.ts';
import type { CrashWorld } from './crash-world.ts';
import type { EphemeralCloud, ExternalAddress } from './ephemeral-clouds.ts';
import { eventually } from './eventually.ts';

const retries = { attempts: 60, interval: '1s' };

/** Where a worker is killed, and whether what it had sent arrives all the same. */
export interface Step {
  readonly name: string;
  readonly action: string;
  readonly at: HeldAt;
  /** Of several calls of the action, which one. @default 1 */
  readonly nth?: number;
  readonly fate: 'letGo' | 'discard';
}

export interface EphemeralCase extends Step {
  /** Somebody takes the address that the node was to get, before the next worker starts. */
  readonly isTaken: boolean;
}

/**
 * One worker is killed while it is at the step of every case, each for another node, and another one takes over. A worker
 * for each case would prove the same, and take ten times as long.
 */
export class EphemeralCluster {
  readonly #name: string;
  readonly #crash: CrashWorld;
  readonly #cloud: EphemeralCloud;
  /** The worker reaches the cloud through this only. */
  readonly #gate: CloudGate;
  readonly #programs: ManagedProcess[] = [];
  readonly #configFile: string;

  private constructor(
    parts: { name: string; crash: CrashWorld; cloud: EphemeralCloud; gate: CloudGate },
    cases: readonly EphemeralCase[],
  ) {
    this.#name = parts.name;
    this.#crash = parts.crash;
    this.#cloud = parts.cloud;
    this.#gate = parts.gate;
    this.#configFile = writeConfig(parts, cases.map(nameOf));
  }

  /** @param openCloud the cluster closes it */
  static async open(
    name: string,
    crash: CrashWorld,
    openCloud: () => Promise<EphemeralCloud>,
    cases: readonly EphemeralCase[],
  ): Promise<EphemeralCluster> {
    const cloud = await openCloud();
    const gate = await startCloudGate(cloud.url, cloud.action, cloud.machines);
    return new EphemeralCluster({ name, crash, cloud, gate }, cases);
  }

  /**
   * @param begin brings the node to where the step comes next
   * @param go makes the node take the step
   * @returns once another worker has taken over; the case of each
   */
  async play(
    cases: readonly EphemeralCase[],
    begin: (scene: EphemeralScene) => Promise<void>,
    go: (scene: EphemeralScene) => Promise<void>,
  ): Promise<Map<EphemeralCase, EphemeralScene>> {
    const { world, client } = this.#crash;
    const scenes = new Map(
      cases.map((it) => {
        const name = nameOf(it);
        return [it, new EphemeralScene({ world, client, cloud: this.#cloud, cluster: this.#name, name })];
      }),
    );
    const worker = await this.#startWorker();
    const held = await Promise.all(
      [...scenes].map(async ([step, scene]) => {
        await begin(scene);
        const call = await this.#reach(step, scene, go);
        return { step, scene, call };
      }),
    );
    worker.kill('SIGKILL');
    await worker.exited;
    for (const { step, scene, call } of held) {
      call[step.fate]();
      if (step.isTaken) scene.takeAddress();
    }
    await this.#startWorker();
    return scenes;
  }

  async #reach(
    step: Step,
    scene: EphemeralScene,
    go: (scene: EphemeralScene) => Promise<void>,
  ): Promise<HeldCall> {
    const hold = () => this.#gate.hold(step.action, step.at, scene.name);
    const before = Array.from({ length: (step.nth ?? 1) - 1 }, hold);
    const held = hold();
    await go(scene);
    for (const call of before) {
      await call.reached();
      call.letGo();
    }
    await held.reached();
    return held;
  }

  async #startWorker(): Promise<ManagedProcess> {
    const { world, bundleFile } = this.#crash;
    const worker = await startProgram({
      name: 'worker',
      script: 'worker/main.ts',
      args: ['--config', this.#configFile],
      env: { ...world.env, ...this.#cloud.env, KUBEIP_WORKFLOW_BUNDLE: bundleFile },
      logFile: join(world.dir, `${this.#name}-worker-${this.#programs.length + 1}.log`),
    });
    this.#programs.push(worker);
    await eventually('worker started', () => {
      if (!worker.running()) throw new Error(worker.output());
      return worker.output().includes('"worker started"');
    });
    return worker;
  }

  async close(): Promise<void> {
    for (const program of this.#programs) program.kill('SIGKILL');
    await Promise.all(this.#programs.map((program) => program.exited));
    await this.#gate.close();
    await this.#cloud.close();
  }
}

function nameOf({ name, isTaken }: EphemeralCase): string {
  return isTaken ? `${name}-taken` : name;
}

interface EphemeralSceneOptions {
  readonly world: World;
  readonly cloud: EphemeralCloud;
  readonly client: Client;
  readonly cluster: string;
  /** Also the node's and the pool's. */
  readonly name: string;
}

/** A node that begins with an ephemeral address, and a pool of one. */
export class EphemeralScene {
  readonly name: string;
  /** The pool's only address. */
  readonly staticIp: string;
  readonly #options: EphemeralSceneOptions;
  readonly #providerID: string;
  /** The id of the address that the node is to get next. */
  #wanted: string;

  constructor(options: EphemeralSceneOptions) {
    const { cloud, name } = options;
    this.#options = options;
    this.name = name;
    this.#providerID = cloud.launch(name);
    const { id, ip } = cloud.reserve(name, name);
    this.#wanted = id;
    this.staticIp = ip;
  }

  /** Registers the Node and starts its workflow, as the watcher does. */
  async startNode(): Promise<void> {
    const { world, cloud, client, cluster, name } = this.#options;
    const node = await createNode(world.kubernetes, {
      name,
      zone: cloud.zone,
      region: cloud.regionLabel,
      providerID: this.#providerID,
      labels: { nodegroup: name },
    });
    const uid = node.metadata?.uid ?? '';
    await client.workflow.start('AssignIpWorkflow', {
      workflowId: assignIpWorkflowId(cluster, name),
      taskQueue: clusterTaskQueue(cluster),
      args: [{ cluster, node: { name, uid }, retries: { attempts: 60, intervalMs: 1_000 } }],
      memo: { uid },
    });
  }

  /** Somebody takes the address that the node was to get, for another instance. */
  takeAddress(): void {
    this.#options.cloud.take(this.#wanted);
  }

  /** Reserves another address for the pool. @returns its IP */
  reserveAnother(): string {
    const { cloud, name } = this.#options;
    const { id, ip } = cloud.reserve(`${name}-2`, name);
    this.#wanted = id;
    return ip;
  }

  /** An operator wants the node to have the other address. */
  async move(): Promise<void> {
    const { client, cluster, name } = this.#options;
    const workflow = client.workflow.getHandle(assignIpWorkflowId(cluster, name));
    await workflow.signal('move', { address: this.#wanted });
  }

  external(): ExternalAddress | undefined {
    const { cloud, name } = this.#options;
    return cloud.addressOf(name);
  }

  status(): Promise<AssignIpStatus> {
    const { client, cluster, name } = this.#options;
    return queryWorkflow(client.workflow.getHandle(assignIpWorkflowId(cluster, name)), statusQuery);
  }

  /** Waits until the instance has its static address, and the workflow says so. */
  async assigned(ip = this.staticIp): Promise<void> {
    let seen: unknown;
    await eventually(
      'the static address on the instance',
      async () => {
        const { phase, message } = await this.status();
        seen = { phase, message, external: this.external() ?? 'none' };
        return phase === 'assigned' && this.external()?.ip === ip;
      },
      { lastSeen: () => seen },
    );
  }

  /** Waits until the node waits again, with an ephemeral address. */
  async waitingWithEphemeral(): Promise<void> {
    let seen: unknown;
    await eventually(
      'an ephemeral address on the instance of a node that waits',
      async () => {
        const { phase, message } = await this.status();
        const external = this.external();
        seen = { phase, message, external: external ?? 'none' };
        return phase === 'waiting' && external?.isStatic === false;
      },
      { lastSeen: () => seen },
    );
  }
}

function writeConfig(
  {
    name: cluster,
    crash,
    cloud,
    gate,
  }: { name: string; crash: CrashWorld; cloud: EphemeralCloud; gate: CloudGate },
  names: readonly string[],
): string {
  const file = join(crash.world.dir, `${cluster}.yaml`);
  const config = {
    cluster,
    defaults: { ...cloud.settings, endpoint: gate.url, retries },
    pools: names.map((name) => ({
      name,
      nodeSelector: { matchLabels: { nodegroup: name } },
      filter: cloud.filterOf(name),
    })),
    http: { workerPort: 0, watcherPort: 0 },
    log: { format: 'json' },
  };
  writeFileSync(file, stringify(config));
  return file;
}
