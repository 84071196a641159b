/**
 * One world for a file of tests: a real Temporal server, a real Kubernetes API, the clouds' emulators, and the project's own
 * Workers in this process. Nodes come and go as the tests want; the watcher's calls to Temporal are made by hand, so
 * that a test decides what is told, and when.
 */
import { type Client, type WorkflowHandle } from '@temporalio/client';
import { Runtime, type WorkflowBundleOption } from '@temporalio/worker';
import { queryWorkflow } from '../../program/query-workflow.ts';
import type { PoolConfig } from '../../config/config.ts';
import { connectKubernetes, type KubernetesClient } from '../../kubernetes/client.ts';
import type { AddressRef, Family } from '../../model/address.ts';
import type { Phase } from '../../model/phase.ts';
import type { Scope } from '../../model/scope.ts';
import { toTemporalLogger } from '../../program/temporal-logger.ts';
import { connectClient, type ConnectedClient } from '../../program/temporal-connection.ts';
import type { Ec2Emulator } from '../../sandbox/ec2/emulator.ts';
import type { GceEmulator } from '../../sandbox/gce/emulator.ts';
import { leastOnEc2, leastOnGce } from '../../sandbox/least-permissions.ts';
import type { World, WorldOptions } from '../../sandbox/world.ts';
import { startTestWorld } from '../shared-kubernetes.ts';
import { createNodeWorkflows } from '../../watcher/node-workflows.ts';
import { startAddressPool } from '../../worker/address-pool-starter.ts';
import { workflowBundle } from '../../worker/run-workers.ts';
import {
  addressPoolWorkflowId,
  type AddressPoolStatus,
  assignIpWorkflowId,
  type AssignIpStatus,
  type Command,
  poolStatusQuery,
  scopeTaskQueue,
  statusQuery,
} from '../../workflows/messages.ts';
import type { Claim } from '../../workflows/pool/claims.ts';
import { pack } from '../../workflows/pool/packed-state.ts';
import { newPoolState } from '../../workflows/pool/state.ts';
import { addressOf } from './assigned-address.ts';
import { type CloudFacts, ec2Facts, gceFacts, poolTag } from './cloud-facts.ts';
import type { HarnessOptions } from './harness-config.ts';
import { HarnessWorkers, testLogger } from './harness-workers.ts';
import { openClaims } from '../judge/open-claims.ts';
import { TestNodes, type TestNode } from './test-nodes.ts';
import { waitFor } from './wait-for.ts';

export class Harness {
  readonly world: World;
  readonly ec2: Ec2Emulator;
  readonly gce: GceEmulator;
  readonly client: Client;
  readonly kubernetes: KubernetesClient;
  readonly nodes: TestNodes;
  /** That of EC2. */
  readonly scope: Scope;
  /** Every workflow of a node that was ever started, by its id. */
  readonly started = new Map<string, TestNode>();
  /** Addresses that stay on an instance on purpose, although no workflow looks after it. */
  readonly kept = new Set<string>();
  /** Instances whose address was to give way to another one, by an operator's word. */
  readonly moved = new Set<string>();
  readonly #temporal: ConnectedClient;
  readonly #workers: HarnessWorkers;

  constructor(parts: {
    world: World;
    temporal: ConnectedClient;
    kubernetes: KubernetesClient;
    workers: HarnessWorkers;
  }) {
    this.world = parts.world;
    this.ec2 = parts.world.ec2;
    this.gce = parts.world.gce;
    this.#temporal = parts.temporal;
    this.client = parts.temporal.client;
    this.kubernetes = parts.kubernetes;
    this.nodes = new TestNodes(parts.world);
    this.scope = { provider: 'aws', account: this.ec2.accountId, region: this.ec2.region };
    this.#workers = parts.workers;
  }

  get pools(): readonly PoolConfig[] {
    return this.#workers.pools;
  }

  startWorkers(): Promise<void> {
    return this.#workers.start();
  }

  stopWorkers(): Promise<void> {
    return this.#workers.stop();
  }

  /** New Workers with another configuration, as after a rollout. Running workflows are not told. */
  async restartWorkers(options: HarnessOptions): Promise<void> {
    await this.stopWorkers();
    await this.#workers.configure(options);
    await this.startWorkers();
  }

  async close(): Promise<void> {
    await this.#workers.close();
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

  /** Reserves addresses for a pool on GCE. @returns their names */
  reserveOnGce(pool: string, family: Family = 'ipv4', count = 1): string[] {
    const labels = { [poolTag]: pool };
    const ipVersion = family === 'ipv4' ? 'IPV4' : 'IPV6';
    return Array.from({ length: count }, () => this.gce.reserveAddress({ labels, ipVersion }).name);
  }

  /** What each cloud knows now. */
  /** Claims of the mutex whose addresses are not on their instances yet. */
  async openClaims(): Promise<AddressPoolStatus['claims'][number][]> {
    return openClaims(
      await this.mutexStatus(),
      this.facts().flatMap(({ addresses }) => addresses),
    );
  }

  facts(): CloudFacts[] {
    return [ec2Facts(this.ec2), gceFacts(this.gce)];
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

  /** The watcher sees that the workflow knows another state of its pool's settings. */
  async nudge(node: TestNode): Promise<void> {
    if (!(await this.#workflowsOf(node).nudge(node))) throw new Error(`no workflow of ${node.name} runs`);
  }

  /** The watcher finds that the Node of a run that failed is gone. */
  async closeFailed(node: TestNode): Promise<void> {
    if (!(await this.#workflowsOf(node).closeFailed(node, this.#poolOf(node).retries)))
      throw new Error(`the latest run of ${node.name} did not fail`);
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
    return queryWorkflow(this.handle(node), statusQuery);
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

  /** That of EC2. */
  get mutex(): WorkflowHandle {
    return this.#mutexOf(this.scope);
  }

  #mutexOf(scope: Scope): WorkflowHandle {
    return this.client.workflow.getHandle(addressPoolWorkflowId(scope));
  }

  mutexStatus(): Promise<AddressPoolStatus> {
    return queryWorkflow(this.mutex, poolStatusQuery);
  }

  /** Of every scope that the pools are of. */
  mutexStatuses(): Promise<AddressPoolStatus[]> {
    return Promise.all(
      this.#workers.scopes.map((scope) => queryWorkflow(this.#mutexOf(scope), poolStatusQuery)),
    );
  }

  workerMetrics(): Promise<string> {
    return this.#workers.metrics();
  }

  /** As a worker does at its start. */
  async startMutex(): Promise<void> {
    await startAddressPool(this.client, this.scope, this.#workers.pacing);
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
      activityId: '1',
      poolKey: '',
      instanceId: 'i-terminated',
      held: false,
      since: Date.now() - 121_000,
      state,
      deadline: Date.now() - 1_000,
    });
    await this.client.workflow.start('AddressPoolWorkflow', {
      workflowId: addressPoolWorkflowId(this.scope),
      taskQueue: scopeTaskQueue(this.scope),
      args: [{ scope: this.scope, pacing, state: pack(pool) }],
    });
  }

  /** The tag's or label's value of the addresses that a pool's filter selects. */
  tagOf(pool: string): string {
    const filter = this.pools.find(({ name }) => name === pool)?.queries[0]?.filter;
    return filter?.split('=').at(-1) ?? pool;
  }
}

/**
 * Starts everything. Call it in `beforeAll`, with time enough to build the sandbox's tools.
 *
 * @param server another Temporal server than the usual one
 */
export async function openHarness(
  options: HarnessOptions,
  server?: WorldOptions['temporal'],
): Promise<Harness> {
  const logger = testLogger('sdk');
  Runtime.install({ logger: toTemporalLogger(logger), shutdownSignals: [] });
  const parts = {
    temporal: server ?? true,
    kubernetes: true,
    ec2: true,
    gce: true,
    // A taint waits for what it writes.
    cloudController: options.pools.some(({ taintKey }) => taintKey !== undefined) && { periodMs: 300 },
  };
  const [world, bundle] = await Promise.all([startTestWorld(parts), workflowBundle(process.env, logger)]);
  // As the documentation says that the worker's role should be.
  world.ec2.configure({ allowed: [...leastOnEc2] });
  world.gce.configure({ allowed: [...leastOnGce] });
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
  const workers = new HarnessWorkers({ world, client: temporal.client, kubernetes, bundle });
  await workers.configure(options);
  const harness = new Harness({ world, temporal, kubernetes, workers });
  await harness.startWorkers();
  return harness;
}
