/** What is amiss between the cluster's Nodes and the workflows that run for them. Pure. */
import type { FailureCooldown, PoolConfig } from '../config/config.ts';
import { selectPool } from '../config/select-pool.ts';
import { phaseLabel } from '../kubernetes/keys.ts';
import type { NodeView } from '../kubernetes/nodes.ts';
import { dueAt, type FailedRun } from './failure-cooldown.ts';
import { isTainted } from './node-interest.ts';

/** A running AssignIpWorkflow, as visibility lists it: possibly some seconds old. */
export interface OpenRun {
  readonly node: string;
  /** The uid of the Node that it is for; undefined if its memo does not tell (started by hand). */
  readonly uid: string | undefined;
  /** The hash of the pool's settings that it knows; undefined before its first look, and while no pool selects its node. */
  readonly poolHash?: string | undefined;
  readonly phase?: string | undefined;
}

/** The nodes whose latest run failed for good, and how long they are left alone. */
export interface Failures {
  readonly runs: readonly FailedRun[];
  readonly cooldown: FailureCooldown;
  /** Unix time in milliseconds. */
  readonly now: number;
}

export interface ReconcilePlan {
  /** Selected Nodes without a workflow. `failures`: how many of their runs failed for good in a row. */
  readonly start: readonly {
    readonly node: NodeView;
    readonly pool: PoolConfig;
    readonly failures: number;
  }[];
  /** Selected Nodes that failed for good and are left alone until then (Unix time in milliseconds). */
  readonly coolDown: readonly {
    readonly node: NodeView;
    readonly pool: PoolConfig;
    readonly until: number;
  }[];
  /**
   * Nodes whose workflow must look again: it is for an earlier Node of the name, or the Node has another pool now, or none,
   * or its pool's settings are others, or it has the taint again that was removed once it was assigned, or shows that it is assigned
   * while its workflow waits. Or its workflow waits, and nothing was seen of its Node before.
   */
  readonly nudge: readonly NodeView[];
  /**
   * Workflows whose Node is not in the list. Suspects only: each must be confirmed by a direct read. Those whose release is held are
   * left out: they know, and look by themselves.
   */
  readonly orphans: readonly OpenRun[];
  /** Latest runs that failed for good, whose Node is not in the list. Suspects, too. */
  readonly close: readonly FailedRun[];
}

/**
 * @param nodes all Nodes: a partial list would make orphans of the rest
 * @param runs all open runs of the cluster
 * @param failures of runs listed after `runs`: one that ends between the two lists is in both, and open
 * @param changesMissed what a waiting node is pinned to may have changed unseen, since no watch ran
 */
export function planReconcile(
  nodes: readonly NodeView[],
  runs: readonly OpenRun[],
  pools: readonly PoolConfig[],
  failures: Failures,
  changesMissed = false,
): ReconcilePlan {
  const runOf = new Map(runs.map((run) => [run.node, run]));
  const failureOf = new Map(failures.runs.map((run) => [run.node, run]));
  const names = new Set(nodes.map((node) => node.name));
  const start: { node: NodeView; pool: PoolConfig; failures: number }[] = [];
  const coolDown: { node: NodeView; pool: PoolConfig; until: number }[] = [];
  const nudge: NodeView[] = [];
  for (const node of nodes) {
    const run = runOf.get(node.name);
    const pool = selectPool(pools, node.labels);
    if (run === undefined) {
      if (pool === undefined) continue;
      const failed = failureOf.get(node.name);
      const until = failed === undefined ? undefined : cooldownEnd(failed, node, pool, failures);
      if (until !== undefined && until > failures.now) coolDown.push({ node, pool, until });
      else start.push({ node, pool, failures: until === undefined ? 0 : (failed?.failures ?? 0) });
    } else if (mustLookAgain(run, node, pool, changesMissed)) nudge.push(node);
  }
  const orphans = [...runOf.values()].filter((run) => !names.has(run.node) && run.phase !== 'held');
  const close = failures.runs.filter((run) => !names.has(run.node) && !runOf.has(run.node));
  return { start, coolDown, nudge, orphans, close };
}

/** @returns whether the node keeps an address although no pool selects it any more, as its workflow knows */
export function isDeselected({ phase, poolHash }: OpenRun): boolean {
  return phase === 'assigned' && poolHash === undefined;
}

/** @returns undefined if it failed for another Node or with other settings: that says nothing of the next try */
function cooldownEnd(
  failed: FailedRun,
  node: NodeView,
  pool: PoolConfig,
  { cooldown, now }: Failures,
): number | undefined {
  if (failed.uid !== node.uid || failed.poolHash !== pool.hash) return undefined;
  // Only a run lifts the taint: a node that is to be usable without an address does not wait for long.
  const isWaitedFor = pool.taintPolicy === 'assignedOrGaveUp' && isTainted(node, pool);
  return dueAt({ ...failed, ...(isWaitedFor ? { failures: 1 } : {}) }, cooldown, now);
}

function mustLookAgain(
  run: OpenRun,
  node: NodeView,
  pool: PoolConfig | undefined,
  changesMissed: boolean,
): boolean {
  if (run.uid !== node.uid) return true;
  const knowsNoPool = isDeselected(run) || (run.phase === 'released' && run.poolHash === undefined);
  if (pool === undefined || knowsNoPool) return pool !== undefined || !knowsNoPool;
  if (run.poolHash !== undefined && run.poolHash !== pool.hash) return true;
  // A run out of a backup of Temporal's data waits for what the node has got since.
  if (run.phase === 'waiting' && (changesMissed || node.labels[phaseLabel] === 'assigned')) return true;
  const isLifted =
    run.phase === 'assigned' || (run.phase === 'failed' && pool.taintPolicy === 'assignedOrGaveUp');
  return isLifted && isTainted(node, pool);
}
