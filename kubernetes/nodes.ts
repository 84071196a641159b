/** Nodes as this project sees them. */
import type { V1Node, V1NodeList, V1Taint } from '@kubernetes/client-node';
import type { KubernetesClient } from './client.ts';
import { toKubernetesError } from './errors.ts';
import { regionLabel, zoneLabel } from './keys.ts';

/** What matters of a Node. */
export interface NodeView {
  readonly name: string;
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Absent until the cloud controller manager has initialised the Node. */
  readonly providerID?: string;
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

const pageSize = 500;

/**
 * Reads one Node from the API server itself, past any cache.
 *
 * @returns undefined if there is no Node of this name
 * @throws KubernetesError
 */
export async function readNode(client: KubernetesClient, name: string): Promise<NodeView | undefined> {
  try {
    return viewNode(await client.core.readNode({ name }));
  } catch (cause) {
    const error = toKubernetesError(cause, { verb: 'get', resource: 'nodes', name });
    if (error.kind === 'NotFound') return undefined;
    throw error;
  }
}

/**
 * Lists all Nodes, page by page, as of one moment.
 *
 * @throws KubernetesError if any page fails: what is half known is not returned
 */
export async function listNodes(client: KubernetesClient): Promise<NodeView[]> {
  return (await listNodePages(client)).items.map(viewNode);
}

/** As {@link listNodes}, as the client's informer wants it. */
export async function listNodePages(client: KubernetesClient): Promise<V1NodeList> {
  const items: V1Node[] = [];
  let page: V1NodeList | undefined;
  try {
    do {
      const token = page?.metadata?._continue;
      page = await client.core.listNode({ limit: pageSize, ...(token ? { _continue: token } : {}) });
      items.push(...page.items);
    } while (page.metadata?._continue);
  } catch (cause) {
    throw toKubernetesError(cause, { verb: 'list', resource: 'nodes' });
  }
  return { metadata: page.metadata ?? {}, items };
}

export function viewNode(node: V1Node): NodeView {
  const { metadata = {}, spec = {} } = node;
  const labels = metadata.labels ?? {};
  const region = labels[regionLabel];
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
