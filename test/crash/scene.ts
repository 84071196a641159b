/** What one case plays with: a cluster, its Nodes and instances, a pool of addresses, and the programs as processes. */
import { queryWorkflow } from '../../program/query-workflow.ts';
import { openClaims } from '../judge/open-claims.ts';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { CoreV1Api, type V1Node } from '@kubernetes/client-node';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { stringify } from 'yaml';
import { phaseLabel, publicIpv4Annotation } from '../../kubernetes/keys.ts';
import type { Scope } from '../../model/scope.ts';
import type { AddressInfo } from '../../sandbox/ec2/owner.ts';
import { createNode, deleteNode } from '../../sandbox/nodes.ts';
import type { ManagedProcess } from '../../sandbox/processes/child-process.ts';
import { startProgram } from '../../sandbox/processes/program.ts';
import type { ShippedKubeconfigs } from '../../sandbox/processes/shipped-accounts.ts';
import type { World } from '../../sandbox/world.ts';
import {
  type AddressPoolStatus,
  addressPoolWorkflowId,
  type AssignIpStatus,
  assignIpWorkflowId,
  clusterTaskQueue,
  nodeDeletedSignal,
  poolStatusQuery,
  statusQuery,
} from '../../workflows/messages.ts';
import { addressOf } from '../integration/assigned-address.ts';
import { type CloudGate, ec2Action, ec2Machines, startCloudGate } from './cloud-gate.ts';
import { eventually } from './eventually.ts';
import { violations } from './invariants.ts';
import { type KubernetesGate, startKubernetesGate } from './kubernetes-gate.ts';
import { writeKubeconfigs } from './kubeconfig.ts';

interface SceneOptions {
  readonly world: World;
  readonly client: Client;
  readonly region: string;
  readonly cluster: string;
  readonly bundleFile: string;
  /** Beside the usual one. */
  readonly pools: readonly string[];
}

interface SceneNode {
  readonly uid: string;
  readonly instanceId: string;
}

export class Scene {
  readonly cluster: string;
  readonly scope: Scope;
  /** The programs reach EC2 and Kubernetes through these only. */
  readonly ec2: CloudGate;
  readonly kubernetes: KubernetesGate;
  readonly #options: SceneOptions;
  readonly #env: Record<string, string>;
  readonly #kubeconfigs: ShippedKubeconfigs;
  readonly #configFile: string;
  readonly #pool = new Set<string>();
  /** Those that exist now. */
  readonly #nodes = new Map<string, SceneNode>();
  readonly #nodeOf = new Map<string, string>();
  readonly #moved = new Set<string>();
  readonly #programs: ManagedProcess[] = [];

  private constructor(
    options: SceneOptions,
    ec2: CloudGate,
    kubernetes: KubernetesGate,
    kubeconfigs: ShippedKubeconfigs,
  ) {
    this.#kubeconfigs = kubeconfigs;
    const { world, cluster, region } = options;
    this.#options = options;
    this.cluster = cluster;
    this.scope = { provider: 'aws', account: world.ec2.accountId, region };
    this.ec2 = ec2;
    this.kubernetes = kubernetes;
    this.#configFile = writeConfig(world.dir, cluster, region, options.pools);
    this.#env = {
      ...world.env,
      AWS_ENDPOINT_URL: ec2.url,
      KUBEIP_WORKFLOW_BUNDLE: options.bundleFile,
    };
    const bystander = world.ec2.runInstance({ zone: `${region}a` });
    const foreign = world.ec2.allocateAddress({ region, tags: { owner: 'somebody else' } });
    world.ec2.associateByHand({ allocationId: foreign.allocationId, instanceId: bystander.instanceId });
  }

  static async open(options: SceneOptions): Promise<Scene> {
    const { world, cluster, region } = options;
    const machines = ec2Machines(() => world.ec2.addresses(region));
    const ec2 = await startCloudGate(world.ec2.url, ec2Action, machines);
    const kubernetes = await startKubernetesGate(world.kubernetes.url);
    return new Scene(options, ec2, kubernetes, await writeKubeconfigs(world, cluster, kubernetes.url));
  }

  /** @param pool one of the options' @returns the last one's IP */
  addAddresses(count: number, pool?: string): string {
    const { world, region } = this.#options;
    let last = '';
    for (let index = 0; index < count; index++) {
      const { allocationId, publicIp } = world.ec2.allocateAddress({
        region,
        tags: { kubeip: pool ?? this.cluster },
      });
      this.#pool.add(allocationId);
      last = publicIp;
    }
    return last;
  }

  /** An operator wants the node to have another address of the pool, by its IP. */
  async move(node: string, address: string): Promise<void> {
    this.#moved.add(this.#nodes.get(node)?.instanceId ?? '');
    await this.workflow(node).signal('move', { address });
  }

  /** Somebody takes an address of the pool for an instance that is no Node's. */
  takeByHand(ip: string): void {
    const { world, region } = this.#options;
    const address = this.#addresses().find(({ publicIp }) => publicIp === ip);
    if (address === undefined) throw new Error(`no address ${ip}`);
    // Theirs from now on: what becomes of it is not judged.
    this.#pool.delete(address.allocationId);
    const { instanceId } = world.ec2.runInstance({ zone: `${region}a` });
    world.ec2.associateByHand({ allocationId: address.allocationId, instanceId });
  }

  /**
   * Launches an instance and registers its Node.
   *
   * @param name unique in the world's Kubernetes with the cluster's before it
   * @param pool one of the options'
   */
  async addNode(name: string, pool?: string): Promise<string> {
    const { world, region } = this.#options;
    const zone = `${region}a`;
    const { instanceId } = world.ec2.runInstance({ zone, publicIp: true });
    const full = `${this.cluster}-${name}`;
    const node = await createNode(world.kubernetes, {
      name: full,
      region,
      zone,
      providerID: `aws:///${zone}/${instanceId}`,
      labels: { nodegroup: pool ?? this.cluster },
    });
    this.#nodes.set(full, { uid: node.metadata?.uid ?? '', instanceId });
    this.#nodeOf.set(instanceId, full);
    return full;
  }

  /** The Node only: its instance lives on, so that its address must be released by a call. */
  async deleteNode(node: string): Promise<void> {
    await deleteNode(this.#options.world.kubernetes, node);
    this.#nodes.delete(node);
  }

  // ---- what the watcher does, for the cases without one ----

  async startWorkflow(node: string): Promise<void> {
    const uid = this.#nodes.get(node)?.uid ?? '';
    await this.#options.client.workflow.start('AssignIpWorkflow', {
      workflowId: assignIpWorkflowId(this.cluster, node),
      taskQueue: clusterTaskQueue(this.cluster),
      args: [
        { cluster: this.cluster, node: { name: node, uid }, retries: { attempts: 60, intervalMs: 2_000 } },
      ],
      memo: { uid },
    });
  }

  /** Deletes the Node and says so. */
  async deleteNodeAndTell(node: string): Promise<void> {
    const uid = this.#nodes.get(node)?.uid ?? '';
    await this.deleteNode(node);
    await this.workflow(node).signal(nodeDeletedSignal, { uid });
  }

  // ---- programs ----

  /**
   * @param env beside what it needs
   * @param root folder of the sources. Default: this project's
   * @returns once it says that it has started
   */
  async start(
    program: 'worker' | 'watcher',
    env: Record<string, string> = {},
    root?: string,
  ): Promise<ManagedProcess> {
    const running = await startProgram({
      name: program,
      script: `${program}/main.ts`,
      ...(root === undefined ? {} : { root }),
      args: ['--config', this.#configFile],
      env: { ...this.#env, KUBECONFIG: this.#kubeconfigs[program], ...env },
      logFile: join(this.#options.world.dir, `${this.cluster}-${program}-${this.#programs.length + 1}.log`),
    });
    this.#programs.push(running);
    await eventually(`${program} started`, () => {
      if (!running.running()) throw new Error(running.output());
      return running.output().includes(`"${program} started"`);
    });
    return running;
  }

  /** Where a program serves health and metrics. */
  httpOf(program: ManagedProcess): string {
    return /"http":"([^"]+)"/.exec(program.output())?.[1] ?? '';
  }

  // ---- what can be seen ----

  /** Paths of the programs' kubeconfigs, which have their tokens. */
  get kubeconfigs(): ShippedKubeconfigs {
    return this.#kubeconfigs;
  }

  workflow(node: string): WorkflowHandle {
    return this.#options.client.workflow.getHandle(assignIpWorkflowId(this.cluster, node));
  }

  status(node: string): Promise<AssignIpStatus> {
    return queryWorkflow(this.workflow(node), statusQuery);
  }

  mutex(): Promise<AddressPoolStatus> {
    return queryWorkflow(
      this.#options.client.workflow.getHandle(addressPoolWorkflowId(this.scope)),
      poolStatusQuery,
    );
  }

  /** Waits until a worker has taken up this activity of the node's workflow. @returns the worker's identity */
  async activityUnderWay(node: string, type: string): Promise<string> {
    let identity: string | null | undefined;
    await eventually(`${type} of ${node} under way`, async () => {
      const { raw } = await this.workflow(node).describe();
      // Of temporal.api.enums.v1.PendingActivityState.
      const started = 2;
      const open = raw.pendingActivities ?? [];
      const found = open.find((a) => a.activityType?.name === type && Number(a.state) === started);
      identity = found?.lastWorkerIdentity;
      return found !== undefined;
    });
    return identity ?? '';
  }

  /** What clients changed on EC2, in order: `associated <node>`, `disassociated <node>`. @param of only these nodes */
  changes(...of: string[]): string[] {
    const events = this.#options.world.ec2.journal().filter((e) => e.scope === this.scope.region);
    return events
      .filter((event) => event.by === 'api')
      .map(({ cause, instanceId, previousInstanceId }) => {
        return { cause, node: this.#nodeOf.get(instanceId ?? previousInstanceId ?? '') ?? 'nobody' };
      })
      .filter(({ node }) => of.length === 0 || of.includes(node))
      .map(({ cause, node }) => `${cause} ${node}`);
  }

  /** Calls of this action in this region, however they ended. Mutations only. */
  calls(action: string): number {
    const { mutations } = this.#options.world.ec2.calls();
    return mutations.filter((call) => call.scope === this.scope.region && call.action === action).length;
  }

  addressOf(node: string): string | undefined {
    const instanceId = this.#nodes.get(node)?.instanceId;
    return this.#addresses().find((address) => address.instanceId === instanceId)?.publicIp;
  }

  /** Waits until Node, workflow and EC2 agree that each of these nodes has its address. */
  async assigned(...nodes: string[]): Promise<void> {
    for (const node of nodes) {
      let seen: unknown;
      await eventually(
        `${node} assigned`,
        async () => {
          const { metadata } = await this.#readNode(node);
          const ip = metadata?.annotations?.[publicIpv4Annotation];
          const phase = metadata?.labels?.[phaseLabel];
          seen = { node: { phase, ip }, ec2: this.addressOf(node) ?? 'none' };
          if (phase !== 'assigned' || ip === undefined || ip !== this.addressOf(node)) return false;
          const status = await this.status(node);
          return status.phase === 'assigned' && addressOf(status)?.ip === ip;
        },
        { lastSeen: () => seen },
      );
    }
  }

  /** Waits until the Node shows that it waits: its workflow has been told why, and has nothing to do. */
  async showsThatItWaits(node: string): Promise<void> {
    await eventually(`${node} shows that it waits`, async () => {
      const { metadata } = await this.#readNode(node);
      return metadata?.labels?.[phaseLabel] === 'waiting';
    });
  }

  /** Waits until the workflow of a Node that is gone has ended, its address released. */
  async released(...nodes: string[]): Promise<void> {
    for (const node of nodes) {
      await eventually(`the workflow of ${node} completed`, async () => {
        return (await this.workflow(node).describe()).status.name === 'COMPLETED';
      });
      expect(await this.workflow(node).result()).toMatchObject({ phase: 'released' });
    }
  }

  // ---- the end ----

  async judge(): Promise<void> {
    let mutex: AddressPoolStatus | undefined;
    await eventually(
      'the mutex has nothing under way',
      async () => {
        mutex = await this.mutex();
        const addresses = this.#addresses().map(({ allocationId: id, instanceId: instance }) => ({
          id,
          instance,
        }));
        return mutex.waiting.length === 0 && openClaims(mutex, addresses).length === 0;
      },
      { lastSeen: () => mutex },
    );
    const served = new Map([...this.#nodes].map(([node, { instanceId }]) => [instanceId, node]));
    const { region } = this.scope;
    const journal = this.#options.world.ec2.journal().filter((event) => event.scope === region);
    const judged = { journal, addresses: this.#addresses(), pool: this.#pool, served, moved: this.#moved };
    expect(violations(judged)).toEqual([]);
  }

  async close(): Promise<void> {
    // One that was stopped by SIGSTOP hears of nothing else.
    for (const program of this.#programs) program.kill('SIGKILL');
    await Promise.all(this.#programs.map((program) => program.exited));
    await Promise.all([this.ec2.close(), this.kubernetes.close()]);
  }

  #addresses(): AddressInfo[] {
    return this.#options.world.ec2.addresses(this.scope.region);
  }

  #readNode(name: string): Promise<V1Node> {
    return this.#options.world.kubernetes.kubeConfig.makeApiClient(CoreV1Api).readNode({ name });
  }
}

function writeConfig(dir: string, cluster: string, region: string, pools: readonly string[]): string {
  const file = join(dir, `${cluster}.yaml`);
  const config = {
    cluster,
    defaults: {
      region,
      retries: { attempts: 60, interval: '2s' },
      release: { gracePeriod: '0s' },
    },
    // Tests delete many Nodes of few within minutes.
    releaseBrake: { percent: 100 },
    pools: [cluster, ...pools].map((tag) => ({
      name: tag === cluster ? 'public' : tag,
      nodeSelector: { matchLabels: { nodegroup: tag } },
      filter: `Name=tag:kubeip,Values=${tag}`,
    })),
    watcher: { reconcileInterval: '3s' },
    worker: { shutdownGraceTime: '20s' },
    http: { workerPort: 0, watcherPort: 0 },
    log: { format: 'json' },
  };
  writeFileSync(file, stringify(config));
  return file;
}
