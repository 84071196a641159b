/** Every address of the cluster's pools as networks, for those who let them in. */
import type { CloudProvider } from '../clouds/provider.ts';
import type { Config } from '../config/config.ts';
import { formatScope } from '../model/scope.ts';
import type { PoolNetworks } from '../workflows/reports.ts';

export interface NetworkDependencies {
  readonly config: Pick<Config, 'pools'>;
  /** The provider of each pool, by the pool's name. */
  readonly providers: ReadonlyMap<string, CloudProvider>;
}

/**
 * @param wanted the name of a pool; absent: all
 * @returns an entry for each family of each pool, in the order of the configuration; nothing for a pool that is not there
 * @throws CloudError if any list fails: half an allow-list would lock nodes out
 */
export async function listNetworks(
  { config, providers }: NetworkDependencies,
  wanted: string | undefined,
): Promise<PoolNetworks[]> {
  const pools = config.pools.filter(({ name }) => wanted === undefined || name === wanted);
  const lists = await Promise.all(
    pools.map(async ({ name, queries }) => {
      const provider = providers.get(name);
      if (provider === undefined) return [];
      const scope = formatScope(provider.scope);
      return Promise.all(
        queries.map(async (query) => ({
          pool: name,
          family: query.family,
          scope,
          networks: [...new Set(await provider.listNetworks(query))].sort(),
        })),
      );
    }),
  );
  return lists.flat();
}
