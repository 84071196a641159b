/** Why the pool that selects a Node is another one than before. Pure. */
import type { PoolConfig } from './config.ts';
import type { Selection, SelectionChange } from '../model/selection.ts';
import { type Labels, selectPool } from './select-pool.ts';

/** @returns what the selectors of all pools look at in a Node's labels */
export function selectedLabels(pools: readonly PoolConfig[], labels: Labels): Selection['labels'] {
  const keys = pools.flatMap(({ nodeSelector: { matchLabels = {}, matchExpressions = [] } }) => [
    ...Object.keys(matchLabels),
    ...matchExpressions.map(({ key }) => key),
  ]);
  return Object.fromEntries(
    [...new Set(keys)]
      .toSorted()
      .map((key) => [key, Object.hasOwn(labels, key) ? (labels[key] ?? null) : null]),
  );
}

/**
 * Asks the present configuration about the Node as it was: if it would still be in its former pool, the Node's labels are the reason
 * for the change. Otherwise the configuration is. A label that was not looked at before is taken to have been as it is now.
 *
 * @returns undefined if the same pool selects the Node
 */
export function selectionChange(
  pools: readonly PoolConfig[],
  labels: Labels,
  former: Selection,
): SelectionChange | undefined {
  if (selectPool(pools, labels)?.name === former.pool) return undefined;
  const before = new Map(Object.entries(labels));
  for (const [key, value] of Object.entries(former.labels)) {
    if (value === null) before.delete(key);
    else before.set(key, value);
  }
  const wouldBe = selectPool(pools, Object.fromEntries(before))?.name;
  return wouldBe === former.pool ? 'labels' : 'configuration';
}
