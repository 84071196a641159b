/** Nodes as this project sees them. */
import { CoreV1Api, type V1Node, type V1NodeList, type V1Taint } from '@kubernetes/client-node';
import type { KubernetesClient } from './client.ts';
import { KubernetesError } from './errors.ts';
import { regionLabel, zoneLabel } from './keys.ts';
import { regionOf } from './provider-id.ts';

/** What matters of a Node. */
export interface NodeView {
  readonly name: string;
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Absent until the cloud controller manager has initialised the Node. */
  readonly providerID?: string;
  /** As the configuration has it: of the two oldest regions of Oracle Cloud the label has another name. */
  readonly region?: string;
  readonly zone?: string;
  readonly taints: readonly NodeTaint[];
  /** By the clock of the API server. */
  readonly creationTimestamp?: Date;
  /** Set while finalizers hold the Node back: it still exists. */
  readonly deletionTimestamp?: Date;
  readonly resourceVersion: string;
}

export interface NodeTaint {
  readonly key: string;
  readonly value?: string;
  readonly effect: string;
}

/** A page of large Nodes is megabytes of JSON, which are in memory more than once: with 500, what was left over took 60 MiB more. */
const pageSize = 100;

/**
 * Reads one Node from the API server itself, past any cache.
 *
 * @returns undefined if there is no Node of this name
 * @throws KubernetesError
 */
export async function readNode(client: KubernetesClient, name: string): Promise<NodeView | undefined> {
  const node = await readWholeNode(client, name);
  return node === undefined ? undefined : viewNode(node);
}

/** As {@link readNode}, with all that the API server has of it. */
export async function readWholeNode(client: KubernetesClient, name: string): Promise<V1Node | undefined> {
  try {
    const action = { verb: 'get', resource: 'nodes', name } as const;
    return await client.call(CoreV1Api, action, (core) => core.readNode({ name }));
  } catch (error) {
    if (error instanceof KubernetesError && error.kind === 'NotFound') return undefined;
    throw error;
  }
}

/**
 * Lists all Nodes, page by page, as of one moment.
 *
 * @throws KubernetesError if any page fails: what is half known is not returned
 */
export async function listNodes(client: KubernetesClient): Promise<NodeView[]> {
  return (await readPages(client, viewNode)).items;
}

/** As {@link listNodes}, as the client's informer wants it: lean Nodes. */
export async function listLeanNodes(client: KubernetesClient): Promise<V1NodeList> {
  return readPages(client, leanNode);
}

/**
 * What {@link viewNode} reads of a Node, and no more. What a kubelet reports, the images on its disk above all, is most of it:
 * thousands of whole Nodes would be what a program's memory is filled with.
 */
export function leanNode({ metadata = {}, spec = {} }: V1Node): V1Node {
  const { name, uid, labels, annotations, deletionTimestamp, resourceVersion } = metadata;
  const { providerID, taints } = spec;
  return {
    metadata: withoutUndefined({ name, uid, labels, annotations, deletionTimestamp, resourceVersion }),
    spec: withoutUndefined({ providerID, taints }),
  };
}

function withoutUndefined<T extends object>(of: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(of).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/** @param keep what is made of each Node, page by page */
async function readPages<T>(
  client: KubernetesClient,
  keep: (node: V1Node) => T,
): Promise<{ metadata: NonNullable<V1NodeList['metadata']>; items: T[] }> {
  const items: T[] = [];
  let page: V1NodeList | undefined;
  do {
    const token = page?.metadata?._continue;
    const which = { limit: pageSize, ...(token ? { _continue: token } : {}) };
    const action = { verb: 'list', resource: 'nodes' } as const;
    page = await client.call(CoreV1Api, action, (core) => core.listNode(which));
    items.push(...page.items.map(keep));
  } while (page.metadata?._continue);
  return { metadata: page.metadata ?? {}, items };
}

export function viewNode(node: V1Node): NodeView {
  const { metadata = {}, spec = {} } = node;
  const labels = metadata.labels ?? {};
  const region = regionOf(spec.providerID, labels[regionLabel]);
  const zone = labels[zoneLabel];
  return {
    name: metadata.name ?? '',
    uid: metadata.uid ?? '',
    labels,
    annotations: metadata.annotations ?? {},
    ...(spec.providerID ? { providerID: spec.providerID } : {}),
    ...(region === undefined ? {} : { region }),
    ...(zone === undefined ? {} : { zone }),
    taints: (spec.taints ?? []).map(viewTaint),
    ...(metadata.creationTimestamp === undefined ? {} : { creationTimestamp: metadata.creationTimestamp }),
    ...(metadata.deletionTimestamp === undefined ? {} : { deletionTimestamp: metadata.deletionTimestamp }),
    resourceVersion: metadata.resourceVersion ?? '',
  };
}

function viewTaint({ key, value, effect }: V1Taint): NodeTaint {
  return { key, effect, ...(value === undefined ? {} : { value }) };
}

/** @returns the external addresses that the cloud controller manager wrote into the Node's status */
export function externalIpsOf({ status }: V1Node): string[] {
  return (status?.addresses ?? []).filter(({ type }) => type === 'ExternalIP').map(({ address }) => address);
}

/** A Node with the external addresses that the cloud controller wrote into its status. */
export type NodeWithAddresses = NodeView & { readonly externalIps: readonly string[] };

/** As {@link listNodes}, with addresses. */
export async function listNodesWithAddresses(client: KubernetesClient): Promise<NodeWithAddresses[]> {
  const keep = (node: V1Node): NodeWithAddresses => ({
    ...viewNode(node),
    externalIps: externalIpsOf(node),
  });
  return (await readPages(client, keep)).items;
}
