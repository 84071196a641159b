/** One instance, one node: which of the Nodes that name an instance is served. */
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { isMisnamed } from '../clouds/node-identity.ts';
import type { Config, PoolConfig } from '../config/config.ts';
import { selectPool } from '../config/select-pool.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import type { InstanceNodes } from '../kubernetes/instance-nodes.ts';
import { type NodeView, readNode } from '../kubernetes/nodes.ts';
import { parseProviderId } from '../kubernetes/provider-id.ts';
import { type Instance, type InstanceRef, instanceKey } from '../model/address.ts';
import { assignIpWorkflowId, nodeChangedSignal, searchAttributes } from '../workflows/messages.ts';
import { signalIfRunning } from './signal-if-running.ts';

export interface InstanceClaimDependencies {
  readonly config: Config;
  readonly kubernetes: KubernetesClient;
  readonly client: Client;
  readonly instanceNodes: InstanceNodes;
}

/** A Node that names the instance. */
export interface Claimant {
  readonly name: string;
  /** When it registered, in milliseconds since the epoch, by the clock of the API server. */
  readonly createdAt: number;
}

export interface OtherClaimant extends Claimant {
  /** Its workflow runs and has an address on the instance. */
  readonly holds: boolean;
}

/**
 * The one that has an address on the instance keeps it; if none has, the one that registered first is served. Pure.
 *
 * @param own the Node that asks, and has no address there
 * @returns the Node for which it is refused; undefined if it is served
 */
export function keeperOf<T extends OtherClaimant>(own: Claimant, others: readonly T[]): T | undefined {
  const first = others.toSorted(byAge)[0];
  return (
    others.find(({ holds }) => holds) ?? (first !== undefined && byAge(first, own) < 0 ? first : undefined)
  );
}

function byAge(a: Claimant, b: Claimant): number {
  return a.createdAt - b.createdAt || (a.name < b.name ? -1 : 1);
}

/**
 * Refuses at worst: what it reads may be some seconds old. Of the others each is read directly, so one that is gone does not count.
 *
 * @returns why the Node is not served on this instance, and what to do; undefined if nothing speaks against it
 * @throws KubernetesError, or an error of the Temporal client
 */
export async function claimRefusal(
  dependencies: InstanceClaimDependencies,
  view: NodeView,
  instance: Instance,
  { nodeIdentity }: PoolConfig,
): Promise<string | undefined> {
  const { config, instanceNodes, client } = dependencies;
  const names = await instanceNodes.othersOf(instance, view.name);
  const others = await Promise.all(
    names.map(async (name): Promise<OtherClaimant[]> => {
      const other = await readNode(dependencies.kubernetes, name);
      if (other === undefined || !isOf(other, instance)) return [];
      const holds = await holdsAddress(client, config.cluster, name, instance);
      // A Node that would not be served anyway keeps no other from it.
      const isServed = selectPool(config.pools, other.labels) !== undefined;
      if (!holds && (!isServed || isMisnamed(name, instance, nodeIdentity))) return [];
      return [{ name, createdAt: createdAt(other), holds }];
    }),
  );
  const keeper = keeperOf({ name: view.name, createdAt: createdAt(view) }, others.flat());
  return keeper === undefined ? undefined : refusal(view.name, instance.id, keeper);
}

function refusal(name: string, instance: string, { name: keeper, holds }: OtherClaimant): string {
  const why = holds ? 'has its address there' : 'registered first';
  return (
    `Instance ${instance} belongs to Node ${keeper}, which ${why}. One instance serves one Node, so Node ${name} gets no address. ` +
    `If ${keeper} is an old name of the same machine, delete it, and the address passes to ${name}: kubectl delete node ${keeper}. ` +
    `If it is another machine, the providerID of ${name} is wrong or forged.`
  );
}

function createdAt({ creationTimestamp }: NodeView): number {
  return creationTimestamp?.getTime() ?? 0;
}

function isOf({ providerID }: NodeView, instance: InstanceRef): boolean {
  const parsed = providerID === undefined ? undefined : parseProviderId(providerID);
  return (
    parsed !== undefined && 'instance' in parsed && instanceKey(parsed.instance) === instanceKey(instance)
  );
}

/** By the workflow's own attributes, as the server has them: not by a list, which lags. */
async function holdsAddress(
  client: Client,
  cluster: string,
  node: string,
  instance: InstanceRef,
): Promise<boolean> {
  try {
    const { status, typedSearchAttributes: attributes } = await client.workflow
      .getHandle(assignIpWorkflowId(cluster, node))
      .describe();
    const isOpen = status.name === 'RUNNING' || status.name === 'PAUSED';
    const hasAddress = (attributes.get(searchAttributes.KubeipAddress) ?? []).length > 0;
    return isOpen && hasAddress && attributes.get(searchAttributes.KubeipInstance) === instanceKey(instance);
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

/**
 * The Nodes that an instance's address passes to when the Node with this uid is done with it. Their workflows are told to look, which
 * may be said twice.
 *
 * @param asker the workflow that asks: a new Node of its own name is listed too
 * @returns their names; none: the address may be released
 * @throws KubernetesError, or an error of the Temporal client
 */
export async function heirsOf(
  { config, kubernetes, client, instanceNodes }: InstanceClaimDependencies,
  instance: InstanceRef,
  uid: string,
  asker?: string,
): Promise<string[]> {
  const heirs: string[] = [];
  for (const name of await instanceNodes.namesOf(instance)) {
    const node = await readNode(kubernetes, name);
    if (node === undefined || node.uid === uid || !isOf(node, instance)) continue;
    heirs.push(name);
    const workflowId = assignIpWorkflowId(config.cluster, name);
    // The asker itself knows by the answer, and looks after a pause.
    // One that no pool selects has no workflow.
    if (workflowId !== asker) await signalIfRunning(client, workflowId, nodeChangedSignal, { uid: node.uid });
  }
  return heirs;
}
