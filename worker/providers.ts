/** The clouds that this worker's pools need: one provider for each scope. */
import { CloudError, type CloudProvider, type LeftOut } from '../clouds/provider.ts';
import { cloudOf, openProvider, type ProviderCallEvent } from '../clouds/registry.ts';
import type { Config, PoolConfig } from '../config/config.ts';
import { workflowIdProblem } from '../model/limits.ts';
import { formatScope, type Scope } from '../model/scope.ts';
import type { Logger } from '../program/logger.ts';
import { auditByHandId } from '../workflows/messages.ts';

export interface Providers {
  /** By the scope, as it is written in task queues. */
  readonly byScope: ReadonlyMap<string, CloudProvider>;
  /** By the pool's name. */
  readonly byPool: ReadonlyMap<string, CloudProvider>;
}

/** So many ids of addresses a line of the log names. */
const MOST_NAMED = 20;

/**
 * Opens them, and makes a first cheap call for each account and region, so that bad credentials, a missing permission or a wrong
 * endpoint end the start with a message, not every node's assignment later. The start does not wait for the lists of the other pools.
 *
 * @throws CloudError with the pool in its message
 */
export async function openProviders(
  config: Config,
  logger: Logger,
  onCall: (event: ProviderCallEvent) => void,
): Promise<Providers> {
  const byScope = new Map<string, CloudProvider>();
  const byPool = new Map<string, CloudProvider>();
  const endpoints = new Map<string, string | undefined>();
  const opened = new Map<string, CloudProvider>();
  const others: PoolConfig[] = [];
  for (const pool of config.pools) {
    await inPool(pool, async () => {
      const { provider, region, account, endpoint } = pool;
      const onLeftOut = ({ ids, why }: LeftOut) => {
        const facts = { provider, region, addresses: ids.length, ids: ids.slice(0, MOST_NAMED) };
        logger.warn(facts, `addresses that match a filter are left out, because ${why}`);
      };
      // The account is asked for once for all pools of a place.
      const place = JSON.stringify([provider, region, account, endpoint]);
      const own =
        opened.get(place) ?? (await openProvider({ provider, region, account, endpoint, onCall, onLeftOut }));
      opened.set(place, own);
      const scope = formatScope(own.scope);
      checkIds(config.cluster, own.scope);
      const known = byScope.get(scope);
      checkEndpoint(endpoints, scope, pool);
      if (known === undefined) byScope.set(scope, own);
      else if (known !== own) own.close();
      const used = known ?? own;
      opened.set(place, used);
      byPool.set(pool.name, used);
      for (const query of pool.queries) used.validateQuery(query);
      if (known === undefined) await checkPool(pool, used, logger);
      else others.push(pool);
    });
  }
  void checkOthers(others, byPool, logger);
  return { byScope, byPool };
}

/** Lists that are asked for at once may share a call. What fails is said; the nodes of the pool hear of it when they ask. */
async function checkOthers(
  pools: readonly PoolConfig[],
  byPool: ReadonlyMap<string, CloudProvider>,
  logger: Logger,
): Promise<void> {
  await Promise.all(
    pools.map(async (pool) => {
      try {
        const provider = byPool.get(pool.name);
        if (provider !== undefined) await inPool(pool, () => checkPool(pool, provider, logger));
      } catch (error) {
        logger.error({ pool: pool.name, err: error }, 'the addresses of the pool cannot be listed');
      }
    }),
  );
}

/** The configuration checks an account that it names. @throws CloudError `Invalid` */
function checkIds(cluster: string, { account, region, ...scope }: Scope): void {
  const id = auditByHandId(cluster, { account, region, ...scope }, new Date(0));
  const problem = workflowIdProblem(id, { cluster, account, region });
  if (problem !== undefined) throw new CloudError('Invalid', problem);
}

/** One scope has one mutex and one provider: two endpoints for it would be two clouds under one name. */
function checkEndpoint(endpoints: Map<string, string | undefined>, scope: string, pool: PoolConfig): void {
  if (!endpoints.has(scope)) endpoints.set(scope, pool.endpoint);
  const first = endpoints.get(scope);
  if (first === pool.endpoint) return;
  throw new CloudError(
    'Invalid',
    `its endpoint (${pool.endpoint ?? 'the default'}) is not that of an earlier pool of ${scope} ` +
      `(${first ?? 'the default'}). Give all pools of an account and region the same endpoint`,
  );
}

async function checkPool(pool: PoolConfig, provider: CloudProvider, logger: Logger): Promise<void> {
  for (const query of pool.queries) {
    const addresses = await provider.listAddresses(query);
    const free = addresses.filter((address) => address.association === undefined).length;
    const facts = {
      pool: pool.name,
      scope: formatScope(provider.scope),
      family: query.family,
      addresses: addresses.length,
      free,
    };
    if (addresses.length > 0) logger.info(facts, 'pool found');
    else {
      const { emptyListAdvice: advice } = cloudOf(pool.provider);
      const told = { ...facts, filter: query.filter, ...(advice === undefined ? {} : { advice }) };
      logger.warn(told, 'no address matches the filter of the pool');
    }
  }
}

async function inPool(pool: PoolConfig, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof CloudError)) throw error;
    throw new CloudError(
      error.kind,
      `Pool ${pool.name} (${pool.provider}, ${pool.region}): ${error.message}`,
      {
        code: error.code,
        retryAfterMs: error.retryAfterMs,
        cause: error,
      },
    );
  }
}
