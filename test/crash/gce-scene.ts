/** What one case on Compute Engine plays with: a node that begins with an ephemeral address, and a pool of one. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { stringify } from 'yaml';
import type { GceEmulator } from '../../sandbox/gce/emulator.ts';
import type { ExternalIpInfo } from '../../sandbox/gce/owner-types.ts';
import { createNode } from '../../sandbox/nodes.ts';
import type { ManagedProcess } from '../../sandbox/processes/child-process.ts';
import { startProgram } from '../../sandbox/processes/program.ts';
import type { World } from '../../sandbox/world.ts';
import {
  type AssignIpStatus,
  assignIpWorkflowId,
  clusterTaskQueue,
  moveSignal,
  statusQuery,
} from '../../workflows/messages.ts';
import { type CloudGate, gceAction, startCloudGate } from './cloud-gate.ts';
import { eventually } from './eventually.ts';

export interface GceSceneOptions {
  readonly world: World;
  readonly gce: GceEmulator;
  readonly client: Client;
  readonly region: string;
  /** Also the cluster's, the node's and the pool's. */
  readonly name: string;
  readonly bundleFile: string;
}

export class GceScene {
  /** The worker reaches Compute Engine through this only. */
  readonly gate: CloudGate;
  /** The pool's only address. */
  readonly staticIp: string;
  readonly #options: GceSceneOptions;
  readonly #zone: string;
  readonly #programs: ManagedProcess[] = [];

  private constructor(options: GceSceneOptions, gate: CloudGate) {
    const { gce, region, name } = options;
    this.#options = options;
    this.gate = gate;
    this.#zone = `${region}-b`;
    gce.insertInstance({ name, zone: this.#zone });
    this.staticIp = gce.reserveAddress({ name, region, labels: { kubeip: name } }).address;
  }

  static async open(options: GceSceneOptions): Promise<GceScene> {
    return new GceScene(options, await startCloudGate(options.gce.url, gceAction));
  }

  /** Registers the Node and starts its workflow, as the watcher does. */
  async startNode(): Promise<void> {
    const { world, gce, client, region, name } = this.#options;
    const node = await createNode(world.kubernetes, {
      name,
      region,
      zone: this.#zone,
      providerID: `gce://${gce.projectId}/${this.#zone}/${name}`,
      labels: { nodegroup: name },
    });
    const uid = node.metadata?.uid ?? '';
    await client.workflow.start('AssignIpWorkflow', {
      workflowId: assignIpWorkflowId(name, name),
      taskQueue: clusterTaskQueue(name),
      args: [{ cluster: name, node: { name, uid }, retries: { attempts: 60, intervalMs: 1_000 } }],
      memo: { uid },
    });
  }

  async startWorker(): Promise<ManagedProcess> {
    const { world, gce, name, bundleFile } = this.#options;
    const worker = await startProgram({
      name: 'worker',
      script: 'worker/main.ts',
      args: ['--config', writeConfig(this.#options, this.gate.url)],
      env: { ...world.env, GOOGLE_CLOUD_PROJECT: gce.projectId, KUBEIP_WORKFLOW_BUNDLE: bundleFile },
      logFile: join(world.dir, `${name}-worker-${this.#programs.length + 1}.log`),
    });
    this.#programs.push(worker);
    await eventually('worker started', () => {
      if (!worker.running()) throw new Error(worker.output());
      return worker.output().includes('"worker started"');
    });
    return worker;
  }

  /** Somebody takes an address of the pool for another instance. @param address its name; default: the first one */
  takeAddress(address = this.#options.name): void {
    const { gce, region } = this.#options;
    const other = gce.insertInstance({ zone: this.#zone, externalIp: false });
    gce.attachByHand({ address, region, instance: other.name, zone: this.#zone });
  }

  /** Reserves another address for the pool. */
  reserveAnother(): { name: string; ip: string } {
    const { gce, region, name: kubeip } = this.#options;
    const { name, address } = gce.reserveAddress({ name: `${kubeip}-2`, region, labels: { kubeip } });
    return { name, ip: address };
  }

  /** An operator wants the node to have another address of the pool, by its name. */
  async move(address: string): Promise<void> {
    const { client, name } = this.#options;
    await client.workflow.getHandle(assignIpWorkflowId(name, name)).signal(moveSignal, { address });
  }

  externalIp(): ExternalIpInfo | undefined {
    const { gce, name } = this.#options;
    return gce.instances().find((instance) => instance.name === name)?.externalIps[0];
  }

  status(): Promise<AssignIpStatus> {
    const { client, name } = this.#options;
    return client.workflow.getHandle(assignIpWorkflowId(name, name)).query(statusQuery);
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

  async close(): Promise<void> {
    for (const program of this.#programs) program.kill('SIGKILL');
    await Promise.all(this.#programs.map((program) => program.exited));
    await this.gate.close();
  }
}

function writeConfig({ world, gce, region, name }: GceSceneOptions, endpoint: string): string {
  const file = join(world.dir, `${name}.yaml`);
  const config = {
    cluster: name,
    pools: [
      {
        name,
        provider: 'gcp',
        account: gce.projectId,
        region,
        endpoint,
        nodeSelector: { matchLabels: { nodegroup: name } },
        filter: `labels.kubeip=${name}`,
        retries: { attempts: 60, interval: '1s' },
      },
    ],
    http: { workerPort: 0, watcherPort: 0 },
    log: { format: 'json' },
  };
  writeFileSync(file, stringify(config));
  return file;
}
