/**
 * Which Nodes name an instance by their providerID. There should be one; a Node that registers under another name, or a kubelet
 * that lies, makes it two.
 */
import { type InstanceRef, instanceKey } from '../model/address.ts';
import { listNodes, type NodeView } from './nodes.ts';
import type { KubernetesClient } from './client.ts';
import { parseProviderId } from './provider-id.ts';

/** A list that is older is made anew. */
const MAX_AGE_MS = 10_000;
/** Whoever asks within so long of each other shares a list. */
const WINDOW_MS = 10;
/** Between two lists passes so many times what the last one took: a large cluster's API server has other things to do. */
const PAUSE_FACTOR = 3;

/** The names of the Nodes, by `instanceKey`. */
type NodeNames = ReadonlyMap<string, readonly string[]>;

interface List {
  /** Counts the lists in the order in which they began. */
  readonly number: number;
  /** Milliseconds of `performance.now`: a wall clock may be set back. */
  readonly beganAt: number;
  readonly names: NodeNames;
}

/** One list at a time, shared by all that ask while it has not begun. */
export class InstanceNodes {
  readonly #list: () => Promise<readonly NodeView[]>;
  readonly #now: () => number;
  #begun = 0;
  #last: List | undefined;
  #underWay: Promise<List> | undefined;
  /** By the same clock: not before then is the next list made. */
  #notBefore = 0;

  constructor(list: () => Promise<readonly NodeView[]>, now = () => performance.now()) {
    this.#list = list;
    this.#now = now;
  }

  /** Of the cluster that this client is connected to. */
  static of(client: KubernetesClient): InstanceNodes {
    return new InstanceNodes(() => listNodes(client));
  }

  /**
   * The other Nodes of an instance, as of some seconds ago. Every Node that registered before this one, and still exists, is among
   * them; one that registered later may be missing, and one that is gone may be there.
   *
   * @param name of the Node that asks
   * @throws KubernetesError
   */
  async othersOf(instance: InstanceRef, name: string): Promise<string[]> {
    const key = instanceKey(instance);
    const { beganAt, names } = this.#last ?? {};
    const isRecent = beganAt !== undefined && this.#now() - beganAt <= MAX_AGE_MS;
    // A list without the Node itself is older than the Node.
    const known = isRecent && names?.get(key)?.includes(name) === true ? names : await this.#freshNames();
    return (known.get(key) ?? []).filter((other) => other !== name);
  }

  /**
   * All Nodes of an instance, as of a list that begins now.
   *
   * @throws KubernetesError
   */
  async namesOf(instance: InstanceRef): Promise<readonly string[]> {
    return (await this.#freshNames()).get(instanceKey(instance)) ?? [];
  }

  async #freshNames(): Promise<NodeNames> {
    const before = this.#begun;
    for (;;) {
      this.#underWay ??= this.#next();
      const { number, names } = await this.#underWay;
      if (number > before) return names;
    }
  }

  async #next(): Promise<List> {
    try {
      const pauseMs = Math.max(WINDOW_MS, this.#notBefore - this.#now());
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      const number = ++this.#begun;
      const beganAt = this.#now();
      const names = namesByInstance(await this.#list());
      const took = this.#now() - beganAt;
      this.#notBefore = this.#now() + took * PAUSE_FACTOR;
      this.#last = { number, beganAt, names };
      return this.#last;
    } finally {
      this.#underWay = undefined;
    }
  }
}

function namesByInstance(nodes: readonly NodeView[]): NodeNames {
  const names = new Map<string, string[]>();
  for (const { name, providerID } of nodes) {
    const key = providerID === undefined ? undefined : keyOf(providerID);
    if (key === undefined) continue;
    const known = names.get(key);
    if (known === undefined) names.set(key, [name]);
    else known.push(name);
  }
  return names;
}

/** @returns undefined for a Node of no instance */
function keyOf(providerID: string): string | undefined {
  const parsed = parseProviderId(providerID);
  return 'error' in parsed ? undefined : instanceKey(parsed.instance);
}
