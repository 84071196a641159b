/** The cluster's life as a chaos run leads it, and the log of it: what became of whom when, and who may hold what. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  ApiException,
  CoreV1Api,
  PatchStrategy,
  setHeaderOptions,
  type V1Node,
} from '@kubernetes/client-node';
import { retryAnnotation } from '../../kubernetes/keys.ts';
import type { ProviderName } from '../../model/scope.ts';
import { createNode, deleteNode, type KubeAccess, type NodeSpec } from '../../sandbox/nodes.ts';
import type { KnownAddress } from '../integration/cloud-facts.ts';
import type { ChaosCloud, NodeGroup } from './chaos-cloud.ts';
import { eventually } from '../crash/eventually.ts';

export const clusterName = 'chaos';
const groupLabel = 'nodegroup';
export const taintKey = 'example.com/no-address';

/** What is noted of an operator's word. */
export const toldToRelease = 'told to release';

/** A Node that is registered now. */
export interface ChaosNode {
  readonly name: string;
  readonly cloud: ProviderName;
  uid: string;
  instance: string;
  zone: string;
  providerID: string;
  /** undefined: no pool selects it. */
  group: NodeGroup | undefined;
  instanceAlive: boolean;
}

/** What gave a reason to take an instance's address away, or to touch one. */
export interface LifeEvent {
  /** ISO 8601. */
  readonly at: string;
  readonly what: string;
  /** Its node may lose its address from now on. */
  readonly mayLose?: boolean;
  readonly node?: string;
  readonly instance?: string;
  readonly address?: string;
}

/** A cluster of more nodes is no harder, only slower. */
const MOST_NODES = 14;
const MOST_ADDRESSES = 10;

export class Cluster {
  readonly nodes = new Map<string, ChaosNode>();
  readonly log: LifeEvent[] = [];
  /** Addresses that a person attached, by their id. */
  readonly byHand = new Set<string>();
  /** The configuration is mistaken at some time of this episode. */
  isMisconfigured = false;
  /** Instances whose Node was relabelled in such an episode: where both changed, a node keeps what it has. */
  readonly mayKeep = new Set<string>();
  readonly #kubernetes: KubeAccess;
  #made = 0;
  #retries = 0;
  /** Nodes that there ever were. */
  registered = 0;

  constructor(kubernetes: KubeAccess) {
    this.#kubernetes = kubernetes;
  }

  of(cloud: ChaosCloud): ChaosNode[] {
    return [...this.nodes.values()]
      .filter((node) => node.cloud === cloud.provider)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  note(event: Omit<LifeEvent, 'at'>): void {
    this.log.push({ at: new Date().toISOString(), ...event });
  }

  async addNode(cloud: ChaosCloud, group: NodeGroup): Promise<void> {
    if (this.of(cloud).length >= MOST_NODES) return;
    const name = `${cloud.provider}-node-${++this.#made}`;
    const { instance, zone, providerID } = cloud.launch(`${name}-${this.#made}`);
    const node: ChaosNode = {
      name,
      cloud: cloud.provider,
      uid: '',
      instance,
      zone,
      providerID,
      group,
      instanceAlive: true,
    };
    await this.#register(cloud, node, 'registered');
  }

  async #register(cloud: ChaosCloud, node: ChaosNode, what: string): Promise<void> {
    const { name, zone, providerID, group } = node;
    this.nodes.set(name, node);
    await persistently(`register ${name}`, async () => {
      const made = await this.#createOrRead({
        name,
        region: cloud.region,
        zone,
        providerID,
        labels: group === undefined ? {} : { [groupLabel]: group.name },
        taints: [{ key: taintKey, effect: 'NoSchedule' }],
      });
      node.uid = made.metadata?.uid ?? '';
    });
    this.registered += 1;
    this.note({ what, node: name, instance: node.instance });
  }

  /** A try that seemed to fail may have been carried out. */
  async #createOrRead(spec: NodeSpec): Promise<V1Node> {
    try {
      return await createNode(this.#kubernetes, spec);
    } catch (error) {
      if (!(error instanceof ApiException && error.code === 409)) throw error;
      return this.#kubernetes.kubeConfig.makeApiClient(CoreV1Api).readNode({ name: spec.name });
    }
  }

  async #unregister(node: ChaosNode): Promise<void> {
    // Noted before: from here on its address may be released.
    this.note({ what: 'deleted', mayLose: true, node: node.name, instance: node.instance });
    await persistently(`delete ${node.name}`, () => deleteNode(this.#kubernetes, node.name));
  }

  async deleteNode(cloud: ChaosCloud, node: ChaosNode, instance: 'terminated' | 'kept'): Promise<void> {
    await this.#unregister(node);
    this.nodes.delete(node.name);
    if (instance === 'terminated' && node.instanceAlive) this.terminate(cloud, node);
  }

  terminate(cloud: ChaosCloud, node: ChaosNode): void {
    if (!node.instanceAlive) return;
    node.instanceAlive = false;
    this.note({ what: 'terminated', mayLose: true, node: node.name, instance: node.instance });
    cloud.terminate(node.instance);
  }

  /** The name, on another instance. */
  async replaceNode(cloud: ChaosCloud, node: ChaosNode): Promise<void> {
    await this.#unregister(node);
    this.terminate(cloud, node);
    const launched = cloud.launch(`${node.name}-${++this.#made}`);
    await this.#register(cloud, { ...node, ...launched, instanceAlive: true }, 'replaced');
  }

  /** The name and the instance, under another uid. */
  async reregisterNode(cloud: ChaosCloud, node: ChaosNode): Promise<void> {
    await this.#unregister(node);
    await this.#register(cloud, { ...node }, 'registered again');
  }

  /** All Nodes of a cloud go; those whose machine lives register again after a while. */
  async deleteAllNodes(cloud: ChaosCloud, backAfterMs: number): Promise<void> {
    const nodes = this.of(cloud);
    await Promise.all(nodes.map((node) => this.#unregister(node)));
    await sleep(backAfterMs);
    for (const node of nodes) {
      if (node.instanceAlive) await this.#register(cloud, { ...node }, 'registered again');
      else this.nodes.delete(node.name);
    }
  }

  async relabelNode(node: ChaosNode, group: NodeGroup | undefined): Promise<void> {
    if (this.isMisconfigured) this.mayKeep.add(node.instance);
    this.note({
      what: `moved to ${group?.name ?? 'no pool'}`,
      mayLose: true,
      node: node.name,
      instance: node.instance,
    });
    node.group = group;
    const { name } = node;
    await this.#patch(`relabel ${name}`, name, { labels: { [groupLabel]: group?.name ?? null } });
  }

  /** By the annotation that asks for another try: nothing else changes. */
  async retryNode({ name }: ChaosNode): Promise<void> {
    await this.#patch(`annotate ${name}`, name, {
      annotations: { [retryAnnotation]: String(++this.#retries) },
    });
  }

  async #patch(what: string, name: string, metadata: object): Promise<void> {
    await persistently(what, async () => {
      await this.#kubernetes.kubeConfig
        .makeApiClient(CoreV1Api)
        .patchNode({ name, body: { metadata } }, setHeaderOptions('Content-Type', PatchStrategy.MergePatch));
    });
  }

  reserve(cloud: ChaosCloud, group: NodeGroup): void {
    for (const family of group.families) {
      const there = cloud.facts().addresses.filter((a) => a.tag === group.name && a.family === family);
      if (there.length < MOST_ADDRESSES) cloud.reserve(group, family);
    }
  }

  /** @returns addresses of pools that nobody has */
  free(cloud: ChaosCloud): KnownAddress[] {
    return cloud.facts().addresses.filter(({ isFree, tag }) => isFree && tag !== undefined);
  }

  attachByHand(cloud: ChaosCloud, address: KnownAddress): void {
    // An instance has one static address of each family: the one before goes first.
    for (const before of this.byHandOf(cloud)) {
      if (before.family === address.family) this.detachByHand(cloud, before);
    }
    this.byHand.add(address.id);
    this.note({ what: 'attached by hand', address: address.id, instance: cloud.bystander });
    cloud.attach(address, cloud.bystander);
  }

  byHandOf(cloud: ChaosCloud): KnownAddress[] {
    return cloud
      .facts()
      .addresses.filter(({ id, instance }) => this.byHand.has(id) && instance !== undefined);
  }

  detachByHand(cloud: ChaosCloud, address: KnownAddress): void {
    this.byHand.delete(address.id);
    this.note({ what: 'detached by hand', address: address.id, instance: cloud.bystander });
    cloud.detach(address);
  }

  detachFromNode(cloud: ChaosCloud, address: KnownAddress): void {
    this.note({ what: 'detached from a node', address: address.id, instance: address.instance ?? '' });
    cloud.detach(address);
  }

  /** @returns addresses of pools that nodes have */
  heldByNodes(cloud: ChaosCloud): KnownAddress[] {
    const instances = new Set(this.of(cloud).map(({ instance }) => instance));
    return cloud
      .facts()
      .addresses.filter(({ instance, tag }) => tag !== undefined && instances.has(instance ?? ''));
  }
}

/** The API server may be down: what the cluster's life wants is done when it is back. */
async function persistently(what: string, work: () => Promise<void>): Promise<void> {
  await eventually(what, async () => {
    await work();
    return true;
  });
}
