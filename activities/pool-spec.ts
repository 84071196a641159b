/** A pool of the configuration as the workflows see it. Pure. */
import type { PoolConfig } from '../config/config.ts';
import type { Instance } from '../model/address.ts';
import type { Scope } from '../model/scope.ts';
import type { PoolSpec } from '../model/settings.ts';

/** @returns the pool for a node on this instance */
export function specOf(pool: PoolConfig, scope: Scope, { subnet }: Pick<Instance, 'subnet'>): PoolSpec {
  const { name, queries, require, hash, priority, retries, release, taintKey, taintPolicy } = pool;
  return {
    name,
    scope,
    // An IPv6 address serves its own subnet only.
    queries: queries.map((query) =>
      query.family === 'ipv6' && subnet !== '' ? { ...query, subnet } : query,
    ),
    require,
    hash,
    priority,
    retries,
    release,
    ...(taintKey === undefined ? {} : { taintKey }),
    taintPolicy,
  };
}
