/**
 * One world for a file of tests: a real Temporal server, a real Kubernetes API, the EC2 emulator, and the project's own
 * Workers in this process. Nodes come and go as the tests want; the watcher's calls to Temporal are made by hand, so
 * that a test decides what is told, and when.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Client, type WorkflowHandle } from '@temporalio/client';
import { Runtime, type Worker, type WorkflowBundleOption } from '@temporalio/worker';
import { stringify } from 'yaml';
import { type Config, loadConfig, type PoolConfig } from '../../config/config.ts';
import { connectKubernetes, type KubernetesClient } from '../../kubernetes/client.ts';
import type { AddressRef } from '../../model/address.ts';
import type { RateLimit } from '../../model/settings.ts';
import { formatScope, type Scope } from '../../model/scope.ts';
import { createLogger } from '../../program/logger.ts';
import { toTemporalLogger } from '../../program/temporal-logger.ts';
import {
  connectClient,
  type ConnectedClient,
  type ConnectedWorker,
  connectWorker,
} from '../../program/temporal-connection.ts';
import type { Ec2Emulator } from '../../sandbox/ec2/emulator.ts';
import { startWorld, type World } from '../../sandbox/world.ts';
import { createNodeWorkflows } from '../../watcher/node-workflows.ts';
import { startAddressPool } from '../../worker/address-pool-starter.ts';
import { openProviders, type Providers } from '../../worker/providers.ts';
import { createWorkers, workflowBundle } from '../../worker/run-workers.ts';
import {
  addressPoolWorkflowId,
  type AddressPoolStatus,
  assignIpWorkflowId,
  type AssignIpStatus,
  type Command,
  type Phase,
  poolStatusQuery,
  scopeTaskQueue,
  statusQuery,
} from '../../workflows/messages.ts';
import type { Claim } from '../../workflows/pool/claims.ts';
import { pack } from '../../workflows/pool/packed-state.ts';
import { newPoolState } from '../../workflows/pool/state.ts';
import { addressOf } from './assigned-address.ts';
import { TestNodes, type TestNode } from './test-nodes.ts';
import { waitFor } from './wait-for.ts';

export interface HarnessOptions {
  /** As in the configuration file; `filter` and `nodeSelector` default to the tag and the label `pool: <name>`. */
  readonly pools: readonly ({ readonly name: string } & Readonly<Record<string, unknown>>)[];
  /** @default one, `test` */
  readonly clusters?: readonly string[];
  readonly pacing?: RateLimit;
}

/** The tag of the addresses of a pool. What lacks it is nobody's business. */
export const poolTag = 'kubeip';

interface ClusterParts {
  readonly config: Config;
  readonly providers: Providers;
}

export class Harness {
  readonly world: World;
  readonly ec2: Ec2Emulator;
  readonly client: Client;
  readonly kubernetes: KubernetesClient;
  readonly nodes: TestNodes;
  readonly scope: Scope;
  /** Every workflow of a node that was ever started, by its id. */
  readonly started = new Map<string, TestNode>();
  /** Addresses that stay on an instance on purpose, although no workflow looks after it. */
  readonly kept = new Set<string>();
  readonly #clusters: readonly ClusterParts[];
  readonly #temporal: ConnectedClient;
  readonly #bundle: WorkflowBundleOption;
  #connections: ConnectedWorker[] = [];
  #running: { readonly worker: Worker; readonly ended: Promise<void> }[] = [];

  constructor(parts: {
    world: World;
    temporal: ConnectedClient;
    kubernetes: KubernetesClient;
    clusters: readonly ClusterParts[];
    bundle: WorkflowBundleOption;
  }) {
    this.world = parts.world;
    this.ec2 = parts.world.ec2;
    this.#temporal = parts.temporal;
    this.client = parts.temporal.client;
    this.kubernetes = parts.kubernetes;
    this.nodes = new TestNodes(parts.world);
    this.scope = { provider: 'aws', account: this.ec2.accountId, region: this.ec2.region };
    this.#clusters = parts.clusters;
    this.#bundle = parts.bundle;
  }

  get pools(): readonly PoolConfig[] {
    return this.#clusters[0]?.config.pools ?? [];
  }

  /** Starts Workers of every cluster; their start also starts the mutex. */
  async startWorkers(): Promise<void> {
    for (const { config, providers } of this.#clusters) {
      // One for each cluster: clusters share a scope's queue, which one connection may poll only once.
      const connected = await connectWorker({ env: this.world.env });
      this.#connections.push(connected);
      const workers = await createWorkers({
        config,
        providers,
        client: this.client,
        connection: connected.connection,
        namespace: connected.namespace,
        kubernetes: this.kubernetes,
        logger: testLogger(config.cluster),
        bundle: this.#bundle,
      });
      this.#running.push(...workers.map((worker) => ({ worker, ended: worker.run() })));
    }
  }

  async stopWorkers(): Promise<void> {
    const running = this.#running.splice(0);
    for (const { worker } of running) worker.shutdown();
    await Promise.all(running.map(({ ended }) => ended));
    await Promise.all(this.#connections.splice(0).map((connection) => connection.close()));
  }

  async close(): Promise<void> {
    await this.stopWorkers();
    for (const { providers } of this.#clusters) {
      for (const provider of providers.byScope.values()) provider.close();
    }
    await this.#temporal.close();
    await this.world.stop();
    await Runtime.instance().shutdown();
  }

  // ---- addresses ----

  /** Reserves addresses for a pool. @returns their allocation ids */
  reserve(pool: string, count = 1): string[] {
    return Array.from(
      { length: count },
      () => this.ec2.allocateAddress({ tags: { [poolTag]: pool } }).allocationId,
    );
  }

  ipOf(allocationId: string | undefined): string {
    return this.ec2.addresses().find((a) => a.allocationId === allocationId)?.publicIp ?? '';
  }

  /** The address of an instance's primary interface that EC2 shows now, if it is an Elastic IP. */
  elasticIpOf(instanceId: string): string | undefined {
    return this.ec2.addresses().find((address) => address.instanceId === instanceId)?.publicIp;
  }

  /** How often a client associated an address, by the emulator's own journal. */
  associations(): number {
    return this.ec2.journal().filter(({ by, cause }) => by === 'api' && cause === 'associated').length;
  }

  // ---- node workflows: what the watcher tells ----

  /** The Node was added or changed. */
  async tellChanged(node: TestNode): Promise<void> {
    this.started.set(this.workflowId(node), node);
    await this.#workflowsOf(node).signalChanged(node, this.#poolOf(node));
  }

  /** A Node is registered and the watcher sees it. */
  async addNode(...args: Parameters<TestNodes['make']>): Promise<TestNode> {
    const node = await this.nodes.make(...args);
    await this.tellChanged(node);
    return node;
  }

  /** The Node is deleted and the watcher sees it. */
  async deleteNode(node: TestNode): Promise<void> {
    await this.nodes.delete(node);
    await this.tellDeleted(node);
  }

  async tellDeleted(node: TestNode): Promise<void> {
    await this.#workflowsOf(node).signalDeleted(node);
  }

  /** The watcher starts a node with the first pool of its configuration's retries: the pool itself is found out later. */
  #poolOf(node: TestNode): PoolConfig {
    const pool = this.pools.find(({ name }) => name === node.pool) ?? this.pools[0];
    if (pool === undefined) throw new Error('a harness without pools');
    return pool;
  }

  #workflowsOf(node: TestNode) {
    return createNodeWorkflows(this.client, node.cluster);
  }

  workflowId(node: TestNode): string {
    return assignIpWorkflowId(node.cluster, node.name);
  }

  /** Of the latest run. */
  handle(node: TestNode): WorkflowHandle {
    return this.client.workflow.getHandle(this.workflowId(node));
  }

  status(node: TestNode): Promise<AssignIpStatus> {
    return this.handle(node).query(statusQuery);
  }

  waitForStatus(
    node: TestNode,
    what: string,
    isSo: (status: AssignIpStatus) => boolean,
  ): Promise<AssignIpStatus> {
    return waitFor(`${node.name} ${what}`, () => this.status(node), isSo);
  }

  waitForPhase(node: TestNode, phase: Phase): Promise<AssignIpStatus> {
    return this.waitForStatus(node, phase, (status) => status.phase === phase);
  }

  /** @returns the status once the node has an address, which EC2 shows too */
  async waitUntilAssigned(node: TestNode): Promise<AssignIpStatus & { address: AddressRef }> {
    const status = await this.waitForPhase(node, 'assigned');
    const address = addressOf(status);
    if (address === undefined) throw new Error(`${node.name} is assigned without an address`);
    return { ...status, address };
  }

  /** Waits for the end of the node's workflow. @returns how it ended: `COMPLETED`, `FAILED`, … */
  async waitForEnd(node: TestNode): Promise<string> {
    const read = async () => (await this.handle(node).describe()).status.name;
    return waitFor(`the end of ${node.name}`, read, (name) => name !== 'RUNNING');
  }

  // ---- what an operator does, by Update ----

  /** @returns once the address is free */
  release(node: TestNode, command: Command = {}): Promise<AssignIpStatus> {
    return this.handle(node).executeUpdate<AssignIpStatus, [Command]>('release', { args: [command] });
  }

  assign(node: TestNode, command: Command = {}): Promise<AssignIpStatus> {
    return this.handle(node).executeUpdate<AssignIpStatus, [Command]>('assign', { args: [command] });
  }

  // ---- the mutex ----

  get mutex(): WorkflowHandle {
    return this.client.workflow.getHandle(addressPoolWorkflowId(this.scope));
  }

  mutexStatus(): Promise<AddressPoolStatus> {
    return this.mutex.query(poolStatusQuery);
  }

  /** As a worker does at its start. */
  async startMutex(): Promise<void> {
    const pacing = this.#clusters[0]?.config.pacing.aws ?? { burst: 48, perSecond: 4.75 };
    await startAddressPool(this.client, this.scope, pacing);
  }

  /**
   * Terminates the mutex and starts it with one claim that is past its deadline, as if it had continued as new with it:
   * so time that would have to pass has passed. The claim's holder is a workflow that does not exist.
   */
  async restartMutexWithOverdueClaim(allocationId: string, state: Claim['state']): Promise<void> {
    await this.mutex.terminate('restarted by a test');
    const pacing = { burst: 1_000, perSecond: 1_000 };
    const pool = newPoolState(pacing, Date.now());
    pool.claims.push({
      address: { id: allocationId, ip: this.ipOf(allocationId) },
      token: pool.nextToken++,
      workflowId: 'assign-ip/test/terminated',
      family: 'ipv4',
      runId: 'terminated',
      requestId: 'terminated',
      state,
      deadline: Date.now() - 1_000,
    });
    await this.client.workflow.start('AddressPoolWorkflow', {
      workflowId: addressPoolWorkflowId(this.scope),
      taskQueue: scopeTaskQueue(this.scope),
      args: [{ scope: this.scope, pacing, state: pack(pool) }],
    });
  }

  /** The tag's value of the addresses that a pool's filter selects. */
  tagOf(pool: string): string {
    const filter = this.pools.find(({ name }) => name === pool)?.queries[0]?.filter;
    return filter?.split('Values=')[1] ?? pool;
  }
}

/** Starts everything. Call it in `beforeAll`, with time enough to build the sandbox's tools. */
export async function openHarness(options: HarnessOptions): Promise<Harness> {
  const logger = testLogger('sdk');
  Runtime.install({ logger: toTemporalLogger(logger), shutdownSignals: [] });
  const [world, bundle] = await Promise.all([startWorld(), workflowBundle(process.env, logger)]);
  try {
    return await openIn(world, bundle, options);
  } catch (error) {
    await world.stop();
    throw error;
  }
}

async function openIn(world: World, bundle: WorkflowBundleOption, options: HarnessOptions): Promise<Harness> {
  // The AWS SDK finds its credentials by its default chain, as in the programs.
  Object.assign(process.env, world.env);
  const temporal = await connectClient({ env: world.env });
  const kubernetes = await connectKubernetes(world.kubernetes.kubeConfig);
  const clusters: ClusterParts[] = [];
  for (const cluster of options.clusters ?? ['test']) {
    const config = loadConfig({ file: writeConfig(world, cluster, options), env: {} });
    clusters.push({ config, providers: await openProviders(config, testLogger(cluster), () => {}) });
  }
  const harness = new Harness({ world, temporal, kubernetes, clusters, bundle });
  if (formatScope(harness.scope) !== [...(clusters[0]?.providers.byScope.keys() ?? [])].join()) {
    throw new Error('the harness has one scope, and its pools are of it');
  }
  await harness.startWorkers();
  return harness;
}

function writeConfig(world: World, cluster: string, { pools, pacing }: HarnessOptions): string {
  const file = join(world.dir, `${cluster}.yaml`);
  const config = {
    cluster,
    defaults: {
      region: world.ec2.region,
      account: world.ec2.accountId,
      endpoint: world.ec2.url,
      retries: { attempts: 20, interval: '2s' },
      release: { gracePeriod: '0' },
    },
    pools: pools.map((pool) => ({
      nodeSelector: { matchLabels: { pool: pool.name } },
      filter: `Name=tag:${poolTag},Values=${pool.name}`,
      ...pool,
    })),
    worker: { shutdownGraceTime: '2s' },
    ...(pacing === undefined ? {} : { pacing: { aws: pacing } }),
  };
  writeFileSync(file, stringify(config));
  return file;
}

/** Quiet unless asked, so that a test's own output is found: `KUBEIP_TEST_LOG=debug`. */
function testLogger(name: string) {
  const level = process.env['KUBEIP_TEST_LOG'] === 'debug' ? 'debug' : 'fatal';
  return createLogger({ name, level, format: 'json' });
}
