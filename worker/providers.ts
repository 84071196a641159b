/** The clouds that this worker's pools need: one provider for each scope. */
import { setTimeout as delay } from 'node:timers/promises';
import { CloudError, type CloudProvider, type LeftOut } from '../clouds/provider.ts';
import { isPassing } from '../clouds/refusal.ts';
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

/** So often the cloud is asked for an account that a pool does not name, and so long is the pause in between, in milliseconds. */
const OPEN_TRIES = 5;
const OPEN_PAUSE_MS = 2_000;

export interface OpenProvidersOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly onCall: (event: ProviderCallEvent) => void;
  /** Ends the wait between two tries. */
  readonly signal?: AbortSignal;
  /** Milliseconds between two tries. @default 2,000 */
  readonly pauseMs?: number;
}

/**
 * Opens them, and makes a first cheap call for each account and region, so that bad credentials or a missing permission end the start
 * with a message, not every node's assignment later. A cloud that is away or throttles ends nothing: the other accounts and regions are
 * to be served meanwhile. The start does not wait for the lists of the other pools.
 *
 * @throws CloudError with the pool in its message
 */
export async function openProviders(options: OpenProvidersOptions): Promise<Providers> {
  const { config, logger } = options;
  const opened = await openPlaces(options);
  const byScope = new Map<string, CloudProvider>();
  const byPool = new Map<string, CloudProvider>();
  const endpoints = new Map<string, string | undefined>();
  const firsts: PoolConfig[] = [];
  const others: PoolConfig[] = [];
  for (const pool of config.pools) {
    await inPool(pool, async () => {
      const own = opened.get(placeOf(pool));
      if (own === undefined) throw new Error(`The place of pool ${pool.name} was not opened`);
      const scope = formatScope(own.scope);
      checkIds(config.cluster, own.scope);
      const known = byScope.get(scope);
      checkEndpoint(endpoints, scope, pool);
      if (known === undefined) byScope.set(scope, own);
      else if (known !== own) own.close();
      const used = known ?? own;
      opened.set(placeOf(pool), used);
      byPool.set(pool.name, used);
      for (const query of pool.queries) used.validateQuery(query);
      (known === undefined ? firsts : others).push(pool);
    });
  }
  const later = await checkFirsts(firsts, byPool, logger);
  void checkOthers([...later, ...others], byPool, logger);
  return { byScope, byPool };
}

/** Pools of one place have one provider: the account is asked for once. */
function placeOf({ provider, region, account, endpoint }: PoolConfig): string {
  return JSON.stringify([provider, region, account, endpoint]);
}

/** All at once: one that does not answer holds up no other. */
async function openPlaces(options: OpenProvidersOptions): Promise<Map<string, CloudProvider>> {
  const firstOf = new Map<string, PoolConfig>();
  for (const pool of options.config.pools) {
    if (!firstOf.has(placeOf(pool))) firstOf.set(placeOf(pool), pool);
  }
  const opened = [...firstOf].map(async ([place, pool]) => [place, await openPlace(options, pool)] as const);
  return new Map(await Promise.all(opened));
}

/** Temporal retries what activities ask; here nobody else does. */
async function openPlace(
  { logger, onCall, signal, pauseMs = OPEN_PAUSE_MS }: OpenProvidersOptions,
  pool: PoolConfig,
): Promise<CloudProvider> {
  const { provider, region, account, endpoint } = pool;
  const onLeftOut = ({ ids, why }: LeftOut) => {
    const facts = { provider, region, addresses: ids.length, ids: ids.slice(0, MOST_NAMED) };
    logger.warn(facts, `addresses that match a filter are left out, because ${why}`);
  };
  const open = () => openProvider({ provider, region, account, endpoint, onCall, onLeftOut });
  for (let attempt = 1; ; attempt++) {
    try {
      return await inPool(pool, open);
    } catch (error) {
      if (!isPassing(error)) throw error;
      if (attempt === OPEN_TRIES) throw namesNoAccount(error);
      logger.warn(
        { pool: pool.name, err: error },
        'the cloud does not tell the account of the pool: asked again',
      );
      await delay(pauseMs, undefined, { signal });
    }
  }
}

function namesNoAccount(error: CloudError): CloudError {
  const { kind, code, retryAfterMs } = error;
  const advice = 'A pool that names its `account` needs no such call.';
  return new CloudError(kind, `${error.message} ${advice}`, { code, retryAfterMs, cause: error });
}

/**
 * @returns the pools of which nothing is known yet, because the cloud is away or throttles
 * @throws CloudError of the first pool that the cloud refuses
 */
async function checkFirsts(
  pools: readonly PoolConfig[],
  byPool: ReadonlyMap<string, CloudProvider>,
  logger: Logger,
): Promise<PoolConfig[]> {
  const checked = await Promise.all(
    pools.map(async (pool) => {
      try {
        await checkPool(pool, byPool, logger);
        return [];
      } catch (error) {
        if (!isPassing(error)) throw error;
        return [pool];
      }
    }),
  );
  return checked.flat();
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
        await checkPool(pool, byPool, logger);
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

/** @throws CloudError with the pool in its message */
async function checkPool(
  pool: PoolConfig,
  byPool: ReadonlyMap<string, CloudProvider>,
  logger: Logger,
): Promise<void> {
  const provider = byPool.get(pool.name);
  if (provider !== undefined) await inPool(pool, () => listPool(pool, provider, logger));
}

async function listPool(pool: PoolConfig, provider: CloudProvider, logger: Logger): Promise<void> {
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

async function inPool<T>(pool: PoolConfig, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
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
