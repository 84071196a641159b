/** What is amiss between the cluster's Nodes and the workflows that run for them. Pure. */
import type { PoolConfig } from '../config/config.ts';
import { selectPool } from '../config/select-pool.ts';
import type { NodeView } from '../kubernetes/nodes.ts';
import { isTainted } from './node-interest.ts';

/** A running AssignIpWorkflow, as visibility lists it: possibly some seconds old. */
export interface OpenRun {
  readonly node: string;
  /** The uid of the Node that it is for; undefined if its memo does not tell (started by hand). */
  readonly uid: string | undefined;
  /** The hash of the pool's settings that it knows; undefined before its first look. */
  readonly poolHash?: string | undefined;
  readonly phase?: string | undefined;
}

export interface ReconcilePlan {
  /** Selected Nodes without a workflow. */
  readonly start: readonly { readonly node: NodeView; readonly pool: PoolConfig }[];
  /**
   * Nodes whose workflow must look again: it is for an earlier Node of the name, or the Node has another pool now, or none,
   * or its pool's settings are others, or it has the taint again that was removed once it was assigned.
   */
  readonly nudge: readonly NodeView[];
  /** Workflows whose Node is not in the list. Suspects only: each must be confirmed by a direct read. */
  readonly orphans: readonly OpenRun[];
}

/**
 * @param nodes all Nodes: a partial list would make orphans of the rest
 * @param runs all open runs of the cluster
 */
export function planReconcile(
  nodes: readonly NodeView[],
  runs: readonly OpenRun[],
  pools: readonly PoolConfig[],
): ReconcilePlan {
  const runOf = new Map(runs.map((run) => [run.node, run]));
  const names = new Set(nodes.map((node) => node.name));
  const start: { node: NodeView; pool: PoolConfig }[] = [];
  const nudge: NodeView[] = [];
  for (const node of nodes) {
    const run = runOf.get(node.name);
    const pool = selectPool(pools, node.labels);
    if (run === undefined) {
      if (pool !== undefined) start.push({ node, pool });
    } else if (mustLookAgain(run, node, pool)) nudge.push(node);
  }
  return { start, nudge, orphans: [...runOf.values()].filter((run) => !names.has(run.node)) };
}

function mustLookAgain(run: OpenRun, node: NodeView, pool: PoolConfig | undefined): boolean {
  if (pool === undefined || run.uid !== node.uid) return true;
  if (run.poolHash !== undefined && run.poolHash !== pool.hash) return true;
  return run.phase === 'assigned' && isTainted(node, pool);
}
