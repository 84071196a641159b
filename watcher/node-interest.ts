/** Which changes of a Node a workflow must hear of. Kubelets write to their Nodes all the time, and so does this project. */
import type { PoolConfig } from '../config/config.ts';
import { selectPool } from '../config/select-pool.ts';
import type { NodeView } from '../kubernetes/nodes.ts';

/** What a Node's workflow depends on. */
export interface NodeInterest {
  readonly uid: string;
  readonly providerID: string | undefined;
  readonly region: string | undefined;
  /** The pool that selects the Node; undefined: none does. */
  readonly pool: string | undefined;
  /** The Node has the taint that its pool removes. */
  readonly tainted: boolean;
}

export function interestOf(node: NodeView, pools: readonly PoolConfig[]): NodeInterest {
  const pool = selectPool(pools, node.labels);
  return {
    uid: node.uid,
    providerID: node.providerID,
    region: node.region,
    pool: pool?.name,
    tainted: pool?.taintKey !== undefined && node.taints.some((taint) => taint.key === pool.taintKey),
  };
}

/**
 * @param before undefined: the Node was not known
 * @returns whether the Node's workflow must look at the Node again. A taint that goes is of no interest: the workflow
 * removes it itself. A Node that no pool selects, and none selected before, is of none at all.
 */
export function isOfInterest(before: NodeInterest | undefined, after: NodeInterest): boolean {
  if (before?.pool === undefined && after.pool === undefined) return false;
  return (
    before === undefined ||
    before.uid !== after.uid ||
    before.providerID !== after.providerID ||
    before.region !== after.region ||
    before.pool !== after.pool ||
    (after.tainted && !before.tainted)
  );
}
