/** Instances and their Nodes, as a cloud and its kubelets would make them. */
import {
  CoreV1Api,
  PatchStrategy,
  setHeaderOptions,
  type V1Node,
  type V1Taint,
} from '@kubernetes/client-node';
import type { Family } from '../../model/address.ts';
import { createNode, deleteNode } from '../../sandbox/nodes.ts';
import type { World } from '../../sandbox/world.ts';

export interface TestNode {
  readonly cluster: string;
  readonly name: string;
  readonly uid: string;
  /** On GCE its name. */
  readonly instanceId: string;
  readonly providerID: string;
  /** The value of its label `pool`. */
  readonly pool: string;
}

export interface TestNodeOptions {
  /** Value of the label `pool`. */
  readonly pool: string;
  /** @default test */
  readonly cluster?: string;
  /** An instance that runs already. Default: a new one. */
  readonly instanceId?: string;
  /** False: the cloud has not initialised the Node yet. */
  readonly initialised?: boolean;
  /** The region that its label names. @default the emulator's */
  readonly region?: string;
  readonly taints?: readonly V1Taint[];
  readonly annotations?: Readonly<Record<string, string>>;
  /** Besides `pool`. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Whose instance it is. @default aws */
  readonly cloud?: 'aws' | 'gcp';
  /** On GCE the instance begins with an ephemeral IPv6 address too. On EC2 an instance needs nothing to get one. */
  readonly dualStack?: boolean;
}

/** The zone of all instances here. */
const zoneLetters = { aws: 'a', gcp: '-b' } as const;

export class TestNodes {
  readonly #world: World;
  /** What GCE instances had at first. */
  readonly #began = new Map<string, Partial<Record<Family, string>>>();

  constructor(world: World) {
    this.#world = world;
  }

  get #api(): CoreV1Api {
    return this.#world.kubernetes.kubeConfig.makeApiClient(CoreV1Api);
  }

  /** Launches an instance, unless one is given, and registers its Node. Nobody is told. */
  async make(name: string, options: TestNodeOptions): Promise<TestNode> {
    const { ec2, gce } = this.#world;
    const { pool, cluster = 'test', initialised = true, taints, annotations, cloud = 'aws' } = options;
    const instanceId = options.instanceId ?? this.#launch(name, options);
    const home = cloud === 'aws' ? ec2.region : gce.region;
    const zone = home + zoneLetters[cloud];
    const providerID =
      cloud === 'aws' ? `aws:///${zone}/${instanceId}` : `gce://${gce.projectId}/${zone}/${instanceId}`;
    const region = options.region ?? home;
    const node = await createNode(this.#world.kubernetes, {
      name,
      region,
      zone: region + zoneLetters[cloud],
      labels: { pool, ...options.labels },
      ...(initialised ? { providerID } : {}),
      ...(taints === undefined ? {} : { taints }),
    });
    const made = { cluster, name, uid: node.metadata?.uid ?? '', instanceId, providerID, pool };
    if (annotations !== undefined) await this.patch(made, { metadata: { annotations } });
    return made;
  }

  /** @returns the id of an instance with an ephemeral address, as the nodes of EKS and GKE have */
  #launch(name: string, { cloud, dualStack = false }: TestNodeOptions): string {
    const { ec2, gce } = this.#world;
    if (cloud !== 'gcp') return ec2.runInstance({ publicIp: true, tags: { Name: name } }).instanceId;
    gce.insertInstance({ name, stackType: dualStack ? 'IPV4_IPV6' : 'IPV4_ONLY' });
    this.#began.set(name, this.externalOf(name));
    return name;
  }

  /** The external addresses that a GCE instance has now: `ephemeral`, or the name of a static one. */
  externalOf(instance: string): Partial<Record<Family, string>> {
    const found = this.#world.gce.instances().find(({ name }) => name === instance);
    if (found === undefined) throw new Error(`no instance ${instance}`);
    return Object.fromEntries(
      found.externalIps.map(({ type, address }) => [
        type === 'DIRECT_IPV6' ? 'ipv6' : 'ipv4',
        address ?? 'ephemeral',
      ]),
    );
  }

  /** GCE instances that have no external address of a family any more, which they had at first. */
  cutOff(): string[] {
    const living = new Set(this.#world.gce.instances().map(({ name }) => name));
    return [...this.#began].flatMap(([name, had]) => {
      const has = living.has(name) ? Object.keys(this.externalOf(name)) : Object.keys(had);
      const lost = Object.keys(had).filter((family) => !has.includes(family));
      return lost.map((family) => `${name} has lost its ${family} address`);
    });
  }

  async delete(node: TestNode): Promise<void> {
    await deleteNode(this.#world.kubernetes, node.name);
  }

  read(node: TestNode): Promise<V1Node> {
    return this.#api.readNode({ name: node.name });
  }

  /** The cloud controller manager initialises the Node. */
  async initialise(node: TestNode): Promise<void> {
    await this.patch(node, { spec: { providerID: node.providerID } });
  }

  /** A merge patch: null removes a label. */
  async patch(node: Pick<TestNode, 'name'>, body: object): Promise<void> {
    await this.#api.patchNode(
      { name: node.name, body },
      setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
    );
  }

  all(): Promise<V1Node[]> {
    return this.#api.listNode().then(({ items }) => items);
  }

  /** The Events on a Node, as `kubectl describe` lists them: `<type> <reason>: <message>`. */
  async events({ name, uid }: TestNode): Promise<string[]> {
    const fieldSelector = `involvedObject.name=${name},involvedObject.uid=${uid}`;
    const { items } = await this.#api.listNamespacedEvent({ namespace: 'default', fieldSelector });
    return items.map(({ type, reason, message }) => `${type} ${reason}: ${message}`);
  }
}
