/** What the cases on Compute Engine play with: one cluster, and for each case a node and a pool of one address. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { stringify } from 'yaml';
import { type GceEmulator, startGceEmulator } from '../../sandbox/gce/emulator.ts';
import type { ExternalIpInfo } from '../../sandbox/gce/owner-types.ts';
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
import {
  type CloudGate,
  gceAction,
  gceMachines,
  type HeldCall,
  type HeldAt,
  startCloudGate,
} from './cloud-gate.ts';
import type { CrashWorld } from './crash-world.ts';
import { eventually } from './eventually.ts';

const region = 'europe-west1';
const zone = `${region}-b`;
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

export interface GceCase extends Step {
  /** Somebody takes the address that the node was to get, before the next worker starts. */
  readonly isTaken: boolean;
}

/**
 * One worker is killed while it is at the step of every case, each for another node, and another one takes over. A worker
 * for each case would prove the same, and take ten times as long.
 */
export class GceCluster {
  readonly #name: string;
  readonly #crash: CrashWorld;
  readonly #gce: GceEmulator;
  /** The worker reaches Compute Engine through this only. */
  readonly #gate: CloudGate;
  readonly #programs: ManagedProcess[] = [];
  readonly #configFile: string;

  private constructor(
    parts: { name: string; crash: CrashWorld; gce: GceEmulator; gate: CloudGate },
    cases: readonly GceCase[],
  ) {
    this.#name = parts.name;
    this.#crash = parts.crash;
    this.#gce = parts.gce;
    this.#gate = parts.gate;
    this.#configFile = writeConfig(parts, cases.map(nameOf));
  }

  static async open(name: string, crash: CrashWorld, cases: readonly GceCase[]): Promise<GceCluster> {
    // Operations take a while, so that a worker can die while it waits for one.
    const gce = await startGceEmulator({ operationMs: 300 });
    const gate = await startCloudGate(gce.url, gceAction, gceMachines());
    return new GceCluster({ name, crash, gce, gate }, cases);
  }

  /**
   * @param begin brings the node to where the step comes next
   * @param go makes the node take the step
   * @returns once another worker has taken over; the case of each
   */
  async play(
    cases: readonly GceCase[],
    begin: (scene: GceScene) => Promise<void>,
    go: (scene: GceScene) => Promise<void>,
  ): Promise<Map<GceCase, GceScene>> {
    const { world, client } = this.#crash;
    const scenes = new Map(
      cases.map((it) => {
        const name = nameOf(it);
        return [it, new GceScene({ world, client, gce: this.#gce, cluster: this.#name, name })];
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

  async #reach(step: Step, scene: GceScene, go: (scene: GceScene) => Promise<void>): Promise<HeldCall> {
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
      env: { ...world.env, GOOGLE_CLOUD_PROJECT: this.#gce.projectId, KUBEIP_WORKFLOW_BUNDLE: bundleFile },
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
    await this.#gce.close();
  }
}

function nameOf({ name, isTaken }: GceCase): string {
  return isTaken ? `${name}-taken` : name;
}

interface GceSceneOptions {
  readonly world: World;
  readonly gce: GceEmulator;
  readonly client: Client;
  readonly cluster: string;
  /** Also the node's and the pool's. */
  readonly name: string;
}

/** A node that begins with an ephemeral address, and a pool of one. */
export class GceScene {
  readonly name: string;
  /** The pool's only address. */
  readonly staticIp: string;
  readonly #options: GceSceneOptions;
  #wanted: string;

  constructor(options: GceSceneOptions) {
    const { gce, name } = options;
    this.#options = options;
    this.name = name;
    this.#wanted = name;
    gce.insertInstance({ name, zone });
    this.staticIp = gce.reserveAddress({ name, region, labels: { kubeip: name } }).address;
  }

  /** Registers the Node and starts its workflow, as the watcher does. */
  async startNode(): Promise<void> {
    const { world, gce, client, cluster, name } = this.#options;
    const node = await createNode(world.kubernetes, {
      name,
      region,
      zone,
      providerID: `gce://${gce.projectId}/${zone}/${name}`,
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
    const { gce } = this.#options;
    const other = gce.insertInstance({ zone, externalIp: false });
    gce.attachByHand({ address: this.#wanted, region, instance: other.name, zone });
  }

  /** Reserves another address for the pool. @returns its IP */
  reserveAnother(): string {
    const { gce, name: kubeip } = this.#options;
    const { name, address } = gce.reserveAddress({ name: `${kubeip}-2`, region, labels: { kubeip } });
    this.#wanted = name;
    return address;
  }

  /** An operator wants the node to have the other address. */
  async move(): Promise<void> {
    const { client, cluster, name } = this.#options;
    const workflow = client.workflow.getHandle(assignIpWorkflowId(cluster, name));
    await workflow.signal('move', { address: this.#wanted });
  }

  externalIp(): ExternalIpInfo | undefined {
    const { gce, name } = this.#options;
    return gce.instances().find((instance) => instance.name === name)?.externalIps[0];
  }

  status(): Promise<AssignIpStatus> {
    const { client, cluster, name } = this.#options;
    return client.workflow.getHandle(assignIpWorkflowId(cluster, name)).query(statusQuery);
  }

  /** Waits until the instance has its static address, and the workflow says so. */
  async assigned(ip = this.staticIp): Promise<void> {
    let seen: unknown;
    await eventually(
      'the static address on the instance',
      async () => {
        const { phase, message } = await this.status();
        seen = { phase, message, external: this.externalIp() ?? 'none' };
        return phase === 'assigned' && this.externalIp()?.ip === ip;
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
        const external = this.externalIp();
        seen = { phase, message, external: external ?? 'none' };
        return phase === 'waiting' && external !== undefined && external.address === undefined;
      },
      { lastSeen: () => seen },
    );
  }
}

function writeConfig(
  { name: cluster, crash, gce, gate }: { name: string; crash: CrashWorld; gce: GceEmulator; gate: CloudGate },
  names: readonly string[],
): string {
  const file = join(crash.world.dir, `${cluster}.yaml`);
  const config = {
    cluster,
    defaults: { provider: 'gcp', account: gce.projectId, region, endpoint: gate.url, retries },
    pools: names.map((name) => ({
      name,
      nodeSelector: { matchLabels: { nodegroup: name } },
      filter: `labels.kubeip=${name}`,
    })),
    http: { workerPort: 0, watcherPort: 0 },
    log: { format: 'json' },
  };
  writeFileSync(file, stringify(config));
  return file;
}
