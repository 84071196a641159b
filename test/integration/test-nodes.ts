/** Instances and their Nodes, as a cloud and its kubelets would make them. */
import {
  CoreV1Api,
  PatchStrategy,
  setHeaderOptions,
  type V1Node,
  type V1Taint,
} from '@kubernetes/client-node';
import { createNode, deleteNode } from '../../sandbox/nodes.ts';
import type { World } from '../../sandbox/world.ts';

export interface TestNode {
  readonly cluster: string;
  readonly name: string;
  readonly uid: string;
  readonly instanceId: string;
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
}

export class TestNodes {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  get #api(): CoreV1Api {
    return this.#world.kubernetes.kubeConfig.makeApiClient(CoreV1Api);
  }

  /** Launches an instance, unless one is given, and registers its Node. Nobody is told. */
  async make(name: string, options: TestNodeOptions): Promise<TestNode> {
    const { ec2 } = this.#world;
    const { pool, cluster = 'test', initialised = true, taints } = options;
    const instanceId =
      options.instanceId ?? ec2.runInstance({ publicIp: true, tags: { Name: name } }).instanceId;
    const region = options.region ?? ec2.region;
    const node = await createNode(this.#world.kubernetes, {
      name,
      region,
      zone: `${region}a`,
      labels: { pool },
      ...(initialised ? { providerID: providerIdOf(ec2.region, instanceId) } : {}),
      ...(taints === undefined ? {} : { taints }),
    });
    return { cluster, name, uid: node.metadata?.uid ?? '', instanceId, pool };
  }

  async delete(node: TestNode): Promise<void> {
    await deleteNode(this.#world.kubernetes, node.name);
  }

  read(node: TestNode): Promise<V1Node> {
    return this.#api.readNode({ name: node.name });
  }

  /** The cloud controller manager initialises the Node. */
  async initialise(node: TestNode): Promise<void> {
    await this.patch(node, { spec: { providerID: providerIdOf(this.#world.ec2.region, node.instanceId) } });
  }

  /** A merge patch: null removes a label. */
  async patch(node: TestNode, body: object): Promise<void> {
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

function providerIdOf(region: string, instanceId: string): string {
  return `aws:///${region}a/${instanceId}`;
}
