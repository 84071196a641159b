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
 * Opens them, and makes a first cheap call for each pool, so that bad credentials, a missing permission or a wrong
 * endpoint end the start with a message, not every node's assignment later.
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
  for (const pool of config.pools) {
    await inPool(pool, async () => {
      const { provider, region, account, endpoint } = pool;
      const onLeftOut = ({ ids, why }: LeftOut) => {
        const facts = { provider, region, addresses: ids.length, ids: ids.slice(0, MOST_NAMED) };
        logger.warn(facts, `addresses that match a filter are left out, because ${why}`);
      };
      const opened = await openProvider({ provider, region, account, endpoint, onCall, onLeftOut });
      const scope = formatScope(opened.scope);
      checkIds(config.cluster, opened.scope);
      const known = byScope.get(scope);
      checkEndpoint(endpoints, scope, pool);
      if (known === undefined) byScope.set(scope, opened);
      else opened.close();
      const used = known ?? opened;
      byPool.set(pool.name, used);
      await checkPool(pool, used, logger);
    });
  }
  return { byScope, byPool };
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
    provider.validateQuery(query);
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
