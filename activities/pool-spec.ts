/** A pool of the configuration as the workflows see it. Pure. */
import type { PoolConfig } from '../config/config.ts';
import { type Instance, queryOn } from '../model/address.ts';
import type { Scope } from '../model/scope.ts';
import type { PoolSpec } from '../model/settings.ts';

/** @returns the pool for a node on this instance */
export function specOf(
  pool: PoolConfig,
  scope: Scope,
  { subnet, networkBorderGroup }: Pick<Instance, 'subnet' | 'networkBorderGroup'>,
): PoolSpec {
  const { name, queries, require, hash, priority, retries, release, taintKey, taintPolicy, taintWaitMs } =
    pool;
  return {
    name,
    scope,
    queries: queries.map((query) => queryOn(query, subnet, networkBorderGroup)),
    require,
    hash,
    priority,
    retries,
    release,
    ...(taintKey === undefined ? {} : { taintKey }),
    taintPolicy,
    taintWaitMs,
  };
}
