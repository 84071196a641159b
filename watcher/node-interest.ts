/** Which changes of a Node a workflow must hear of. Kubelets write to their Nodes all the time, and so does this project. */
import type { PoolConfig } from '../config/config.ts';
import { selectPool } from '../config/select-pool.ts';
import type { NodeView } from '../kubernetes/nodes.ts';
import { retryAnnotation } from '../kubernetes/keys.ts';
import { pinnedAddresses } from '../kubernetes/pinned-addresses.ts';
import { families, type Family } from '../model/address.ts';

/** What a Node's workflow depends on. */
export interface NodeInterest {
  readonly uid: string;
  readonly providerID: string | undefined;
  readonly region: string | undefined;
  /** The hash of the pool that selects the Node; undefined: none does. */
  readonly poolHash: string | undefined;
  /** The addresses that the Node's labels and annotations ask for, whether or not its pool heeds them. */
  readonly pinned: Readonly<Partial<Record<Family, string>>>;
  /** The Node has the taint that its pool removes. */
  readonly tainted: boolean;
  /** Finalizers hold the Node back, which is to go. */
  readonly isTerminating: boolean;
  /** Another value is a person's word to try again. */
  readonly retry: string | undefined;
}

export function interestOf(node: NodeView, pools: readonly PoolConfig[]): NodeInterest {
  const pool = selectPool(pools, node.labels);
  return {
    uid: node.uid,
    providerID: node.providerID,
    region: node.region,
    poolHash: pool?.hash,
    pinned: pinnedAddresses(node, 'annotation').pinned,
    tainted: pool !== undefined && isTainted(node, pool),
    isTerminating: node.deletionTimestamp !== undefined,
    retry: node.annotations[retryAnnotation],
  };
}

/** @returns whether the Node has the taint that its pool removes */
export function isTainted({ taints }: NodeView, { taintKey }: PoolConfig): boolean {
  return taintKey !== undefined && taints.some(({ key }) => key === taintKey);
}

/**
 * @param before undefined: the Node was not known
 * @returns whether the Node's workflow must look at the Node again. A taint that goes is of no interest: the workflow
 * removes it itself. A Node that no pool selects, and none selected before, is of none at all.
 */
export function isOfInterest(before: NodeInterest | undefined, after: NodeInterest): boolean {
  if (before?.poolHash === undefined && after.poolHash === undefined) return false;
  return (
    before === undefined ||
    before.uid !== after.uid ||
    before.providerID !== after.providerID ||
    before.region !== after.region ||
    before.poolHash !== after.poolHash ||
    before.isTerminating !== after.isTerminating ||
    families.some((family) => before.pinned[family] !== after.pinned[family]) ||
    (after.tainted && !before.tainted) ||
    (after.retry !== undefined && after.retry !== before.retry)
  );
}
