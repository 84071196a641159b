/** What kubectl would show of the demo's Nodes. */
import { CoreV1Api, type V1Node } from '@kubernetes/client-node';
import {
  messageAnnotation,
  phaseLabel,
  poolLabel,
  publicIpv4Annotation,
  publicIpv6Annotation,
} from '../kubernetes/keys.ts';
import type { Family } from '../model/address.ts';
import type { World } from '../sandbox/world.ts';

export interface NodeRow {
  readonly node: string;
  readonly pool: string;
  readonly phase: string;
  /** Empty: none. */
  readonly addresses: Readonly<Record<Family, string>>;
  readonly note: string;
}

/** @returns a row for each Node, by name */
export async function observeNodes(world: World): Promise<NodeRow[]> {
  const { items } = await world.kubernetes.kubeConfig.makeApiClient(CoreV1Api).listNode();
  return items.map(rowOf).sort((a, b) => (a.node < b.node ? -1 : 1));
}

export function rowOf({ metadata, spec }: V1Node): NodeRow {
  return {
    node: metadata?.name ?? '',
    pool: metadata?.labels?.[poolLabel] ?? '',
    phase: metadata?.labels?.[phaseLabel] ?? 'new',
    addresses: {
      ipv4: metadata?.annotations?.[publicIpv4Annotation] ?? '',
      ipv6: metadata?.annotations?.[publicIpv6Annotation] ?? '',
    },
    note: metadata?.annotations?.[messageAnnotation] ?? (spec?.taints?.length ? 'tainted' : ''),
  };
}
