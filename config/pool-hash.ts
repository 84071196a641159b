import { createHash } from 'node:crypto';
import type { PoolConfig } from './config.ts';

/**
 * A short text that changes with every setting of the pool that a node's workflow depends on. The worker and the watcher
 * come to the same one from the same file and variables. The node selector is left out: which pool a node has is looked at
 * anew each time.
 */
export function hashPool(pool: Omit<PoolConfig, 'hash'>): string {
  const {
    name,
    provider,
    account,
    region,
    queries,
    require,
    priority,
    retries,
    release,
    copyTags,
    pins,
    nodeIdentity,
  } = pool;
  // An array, since the order of its parts is a matter of this line only.
  const parts = [
    [name, provider, account ?? null, region, require, priority],
    [pool.taintKey ?? null, pool.taintPolicy, pool.taintWaitMs],
    queries.map(({ family, filter, orderBy }) => [family, filter, orderBy]),
    ...(copyTags === undefined ? [] : [[copyTags.labels, copyTags.annotations, copyTags.prefix]]),
    [pins, nodeIdentity.name, nodeIdentity.clusterName ?? null],
    [retries.attempts, retries.intervalMs, release.onNodeDelete, release.gracePeriodMs, release.onDeselect],
  ];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 12);
}
