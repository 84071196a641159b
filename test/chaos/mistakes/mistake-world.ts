/** What a scene plays with: servers, one cluster with a pool of Elastic IPs, and the real programs as processes. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CoreV1Api, PatchStrategy, setHeaderOptions } from '@kubernetes/client-node';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { stringify } from 'yaml';
import { queryWorkflow } from '../../../program/query-workflow.ts';
import { createNode, deleteNode, type KubeAccess } from '../../../sandbox/nodes.ts';
import type { Exit, ManagedProcess } from '../../../sandbox/processes/child-process.ts';
import { type KubernetesServer, startKubernetes } from '../../../sandbox/processes/kubernetes.ts';
import { startProgram } from '../../../sandbox/processes/program.ts';
import {
  applyShippedAccounts,
  type ShippedKubeconfigs,
} from '../../../sandbox/processes/shipped-accounts.ts';
import { RestartableServers } from '../../../sandbox/restartable-servers.ts';
import { ensureTools } from '../../../sandbox/tools/ensure-tools.ts';
import { startWorld, type World } from '../../../sandbox/world.ts';
import { type AssignIpStatus, assignIpWorkflowId, statusQuery } from '../../../workflows/messages.ts';
import { type Ended, runKubeip } from '../../cli/run-kubeip.ts';
import { startTestWorld } from '../../shared-kubernetes.ts';
import { eventually } from '../../crash/eventually.ts';
import { type Holding, type LostAddress, lostAddresses } from './mistake.ts';

/** The name that the configuration gives to the cluster, and the tag `kubeip` of its pool's addresses. */
export const clusterName = 'prod';

export type ProgramName = 'worker' | 'watcher';

export interface ProgramOptions {
  /** Default: that of {@link MistakeWorld.configure}. */
  readonly configFile?: string;
  /** The cluster that its kubeconfig points to. Default: the world's own. */
  readonly cluster?: KubernetesServer;
  /** Default: those of the cluster. */
  readonly kubeconfigs?: ShippedKubeconfigs;
  readonly env?: Readonly<Record<string, string>>;
}

/** What the living nodes had at some moment. */
export interface Snapshot {
  readonly holdings: readonly Holding[];
  /** How long the cloud's journal was. */
  readonly events: number;
}

interface LivingNode {
  readonly name: string;
  readonly instanceId: string;
  readonly cluster: KubeAccess;
}

export class MistakeWorld {
  readonly world: World;
  readonly client: Client;
  /** To be killed and started again, the API server only in a scene that says so. */
  readonly servers: RestartableServers;
  readonly #bundleFile: string;
  readonly #programs: ManagedProcess[] = [];
  readonly #clusters: KubernetesServer[] = [];
  /** Nodes that are alive. Two clusters may have a Node of one name, and two Nodes may name one machine. */
  #nodes: LivingNode[] = [];
  #first: Snapshot | undefined;
  #files = 0;

  private constructor(world: World, client: Client, bundleFile: string) {
    this.world = world;
    this.client = client;
    this.servers = new RestartableServers(world);
    this.#bundleFile = bundleFile;
  }

  /**
   * @param bundleFile of the workflows
   * @param options.restarts the scene stops and restarts the API server, so it needs its own
   */
  static async start(bundleFile: string, options: { restarts?: boolean } = {}): Promise<MistakeWorld> {
    const parts = { temporal: true, kubernetes: true, ec2: true };
    const world = await (options.restarts === true ? startWorld(parts) : startTestWorld(parts));
    const connection = await Connection.connect({ address: world.temporal.address });
    return new MistakeWorld(
      world,
      new Client({ connection, namespace: world.temporal.namespace }),
      bundleFile,
    );
  }

  get zone(): string {
    return `${this.world.ec2.region}a`;
  }

  // ---- the cloud ----

  /** Reserves addresses with the tag. @returns their IPs */
  reserve(count: number, tag = clusterName): string[] {
    return Array.from(
      { length: count },
      () => this.world.ec2.allocateAddress({ tags: { kubeip: tag } }).publicIp,
    );
  }

  /** @returns the address that the machine has now */
  addressOf(instanceId: string): string | undefined {
    return this.world.ec2.addresses().find((address) => address.instanceId === instanceId)?.publicIp;
  }

  /** What the living nodes have now. */
  snapshot(): Snapshot {
    const holdings = this.#nodes.flatMap(({ name, instanceId }) => {
      const ip = this.addressOf(instanceId);
      return ip === undefined ? [] : [{ node: name, instanceId, ip }];
    });
    const snapshot = { holdings, events: this.world.ec2.journal().length };
    this.#first ??= snapshot;
    return snapshot;
  }

  /** Which addresses were taken since the first snapshot: of a scene that could not be played to its end. */
  lostSoFar(): LostAddress[] {
    return this.#first === undefined ? [] : this.lostSince(this.#first);
  }

  /** Which of those addresses were taken since, from nodes that are alive to this moment. */
  lostSince({ holdings, events }: Snapshot): LostAddress[] {
    const alive = holdings.filter(({ instanceId }) =>
      this.#nodes.some((node) => node.instanceId === instanceId),
    );
    return lostAddresses(alive, this.world.ec2.journal().slice(events));
  }

  // ---- Nodes ----

  /**
   * Launches a machine and registers its Node, which the pool of {@link configure} selects.
   *
   * @param options `cluster`: where. `labels`: more of them, or others. `tags`: of the machine. `instanceId`: a machine that runs already
   */
  async addNode(
    name: string,
    options: {
      cluster?: KubeAccess;
      labels?: Record<string, string>;
      tags?: Record<string, string>;
      instanceId?: string;
    } = {},
  ): Promise<{ readonly uid: string; readonly instanceId: string }> {
    const { cluster = this.world.kubernetes, labels, tags } = options;
    const { zone } = this;
    const { region } = this.world.ec2;
    const instanceId =
      options.instanceId ?? this.world.ec2.runInstance({ zone, publicIp: true, tags }).instanceId;
    const providerID = `aws:///${zone}/${instanceId}`;
    const spec = { name, region, zone, providerID, labels: { nodegroup: clusterName, ...labels } };
    const node = await createNode(cluster, spec);
    this.#nodes.push({ name, instanceId, cluster });
    return { uid: node.metadata?.uid ?? '', instanceId };
  }

  /** An operator deletes the Node: what it has is not lost if it goes. */
  async deleteNode(name: string, cluster: KubeAccess = this.world.kubernetes): Promise<void> {
    this.#nodes = this.#nodes.filter((node) => node.name !== name || node.cluster !== cluster);
    await deleteNode(cluster, name);
  }

  /** The Node goes, and its machine runs on with all that needs its address. */
  async deleteNodeByMistake(name: string): Promise<void> {
    await deleteNode(this.world.kubernetes, name);
  }

  /** The kubelet of a machine whose Node was deleted by mistake is started again. */
  async registerAgain(name: string): Promise<void> {
    const node = this.#nodes.find((one) => one.name === name);
    if (node === undefined) throw new Error(`no Node was called ${name}`);
    this.#nodes = this.#nodes.filter((one) => one !== node);
    await this.addNode(name, { instanceId: node.instanceId });
  }

  /** @param labels null removes one */
  async label(name: string, labels: Readonly<Record<string, string | null>>): Promise<void> {
    const api = this.world.kubernetes.kubeConfig.makeApiClient(CoreV1Api);
    const asPatch = setHeaderOptions('Content-Type', PatchStrategy.MergePatch);
    await api.patchNode({ name, body: { metadata: { labels } } }, asPatch);
  }

  workflowOf(node: string): WorkflowHandle {
    return this.client.workflow.getHandle(assignIpWorkflowId(clusterName, node));
  }

  status(node: string, cluster = clusterName): Promise<AssignIpStatus> {
    return queryWorkflow(this.client.workflow.getHandle(assignIpWorkflowId(cluster, node)), statusQuery);
  }

  /** Registers so many Nodes, and waits until each has an address and shows it. */
  async assignedNodes(count: number): Promise<Snapshot> {
    this.reserve(count);
    const names = Array.from({ length: count }, (_, index) => `node-${index + 1}`);
    for (const name of names) await this.addNode(name);
    for (const name of names) await this.waitUntilAssigned(name);
    return this.snapshot();
  }

  async waitUntilAssigned(node: string): Promise<void> {
    await eventually(`${node} is assigned`, async () => (await this.status(node)).phase === 'assigned', {
      lastSeen: () => this.#programs.map((program) => program.output().slice(-600)),
    });
  }

  /** Waits until the node's workflow has ended. */
  async ended(node: string): Promise<void> {
    const workflow = this.workflowOf(node);
    await eventually(`${node} ends`, async () => (await workflow.describe()).status.name === 'COMPLETED');
  }

  /**
   * @returns what the node's workflow says, once that has these words in it
   * @throws Error as soon as a living node has lost its address
   */
  async said(node: string, words: RegExp): Promise<string> {
    let said = '';
    await eventually(
      `${node} says ${words}`,
      async () => this.lostSoFar().length > 0 || words.test((said = (await this.status(node)).message)),
      { lastSeen: () => [said, ...this.#programs.map((program) => program.output().slice(-600))] },
    );
    const [lost] = this.lostSoFar();
    if (lost !== undefined)
      throw new Error(`${lost.node} lost ${lost.ip}, which its workflow calls: ${said}`);
    return said;
  }

  // ---- programs ----

  /** Writes a configuration with one pool, `game`. @param more replaces top-level keys. @returns the file's path */
  configure(more: Readonly<Record<string, unknown>> = {}): string {
    const file = join(this.world.dir, `kubeip-${++this.#files}.yaml`);
    const config = {
      cluster: clusterName,
      defaults: {
        region: this.world.ec2.region,
        // So that the programs see within a second that something is put right.
        retries: { attempts: 100, interval: '1s' },
        release: { gracePeriod: '2s' },
      },
      pools: [gamePool()],
      watcher: { reconcileInterval: '2s' },
      audit: { interval: '5s', orphans: 'release' },
      worker: { shutdownGraceTime: '2s' },
      http: { workerPort: 0, watcherPort: 0 },
      log: { format: 'json' },
      ...more,
    };
    writeFileSync(file, stringify(config));
    return file;
  }

  /** Starts a program, with the rights of its shipped ServiceAccount. It may end by itself: see {@link started}. */
  async start(name: ProgramName, options: ProgramOptions = {}): Promise<ManagedProcess> {
    const cluster = options.cluster ?? this.world.kubernetes;
    const kubeconfigs = options.kubeconfigs ?? (await applyShippedAccounts(cluster));
    const program = await startProgram({
      name,
      script: `${name}/main.ts`,
      args: ['--config', options.configFile ?? this.configure()],
      env: {
        ...this.world.env,
        KUBECONFIG: kubeconfigs[name],
        KUBEIP_WORKFLOW_BUNDLE: this.#bundleFile,
        ...options.env,
      },
      logFile: join(this.world.dir, `${name}-${++this.#files}.log`),
    });
    this.#programs.push(program);
    return program;
  }

  /** As {@link start}, and waits until it works. @throws Error with what it said if it ends */
  async started(name: ProgramName, options: ProgramOptions = {}): Promise<ManagedProcess> {
    const program = await this.start(name, options);
    await eventually(`the ${name} works`, () => hasStarted(program) || !program.running());
    if (hasStarted(program)) return program;
    throw new Error(`the ${name} ended at its start: ${program.output().slice(-2_000)}`);
  }

  /** Starts the programs of a cluster, and waits until they work. */
  async startBoth(options: ProgramOptions = {}): Promise<ManagedProcess[]> {
    const configFile = options.configFile ?? this.configure();
    const names: ProgramName[] = ['worker', 'watcher'];
    return Promise.all(names.map((name) => this.started(name, { ...options, configFile })));
  }

  /** The programs are rolled out with another configuration: the old ones end while the new ones begin. */
  async rollOut(programs: readonly ManagedProcess[], configFile: string): Promise<ManagedProcess[]> {
    const [started] = await Promise.all([
      this.startBoth({ configFile }),
      ...programs.map((program) => program.stop()),
    ]);
    return started;
  }

  /** The command line, as an operator calls it. */
  kubeip(...args: string[]): Promise<Ended> {
    return runKubeip(['--cluster', clusterName, ...args], this.world.env);
  }

  /** Another cluster's API server, without a Node. */
  async startCluster(name: string): Promise<KubernetesServer> {
    const tools = await ensureTools(['kube-apiserver', 'etcd']);
    const dir = join(this.world.dir, name);
    mkdirSync(dir);
    const cluster = await startKubernetes({
      apiServerBinary: tools['kube-apiserver'],
      etcdBinary: tools.etcd,
      dir,
    });
    this.#clusters.push(cluster);
    return cluster;
  }

  async stop({ keepLogs }: { keepLogs: boolean }): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.stop(4_000)));
    await this.client.connection.close();
    await Promise.all([this.servers.stop(), ...this.#clusters.map((cluster) => cluster.stop())]);
    await this.world.stop({ keepLogs });
  }
}

/** @param more replaces or adds keys */
export function gamePool(more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    name: 'game',
    nodeSelector: { matchLabels: { nodegroup: clusterName } },
    filter: `Name=tag:kubeip,Values=${clusterName}`,
    ...more,
  };
}

export function hasStarted(program: ManagedProcess): boolean {
  return /"(worker|watcher) started"/.test(program.output());
}

/**
 * Waits until all of the programs have ended by themselves, or the mistake has taken an address.
 *
 * @returns how they ended; those that still run are left out
 */
export async function endOf(
  programs: readonly ManagedProcess[],
  isLost: () => boolean,
): Promise<readonly Exit[]> {
  await eventually(
    'the programs end, or an address is lost',
    () => isLost() || programs.every((program) => !program.running()),
    { lastSeen: () => programs.map((program) => program.output().slice(-1_500)) },
  );
  return Promise.all(programs.filter((program) => !program.running()).map(({ exited }) => exited));
}
