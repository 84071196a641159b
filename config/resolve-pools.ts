/** A pool joined from what it says itself, what `defaults` says and what the environment says. */
import type { ProviderName } from '../model/scope.ts';
import type { RetrySettings } from '../model/settings.ts';
import { checkShape, readKey, validParts, type Report } from './check-shape.ts';
import type { ConfigPath } from './config-file.ts';
import type { PoolConfig } from './config.ts';
import { defaults } from './defaults.ts';
import { parseDuration } from './duration.ts';
import { poolSchema, poolsSchema, type DefaultsInput, type PoolInput } from './schema.ts';

/** What can be said about a pool although parts of it may be wrong, and where each part stands. */
export interface PlacedPool {
  readonly pool: PoolDraft;
  /** @returns where the user wrote it: in the pool, in `defaults`, or in a variable */
  readonly pathOf: (key: keyof PoolInput) => ConfigPath;
}

/** Undefined: missing, or wrong. Of the region: wrong; empty: nothing names it. */
export type PoolDraft = Omit<ReturnType<typeof draftPool>, 'region'> & {
  readonly region: string | undefined;
};

/** @returns a draft for each pool of the list, after its problems of shape were reported */
export function resolvePools(
  raw: unknown,
  shared: DefaultsInput,
  env: NodeJS.ProcessEnv,
  report: Report,
): PlacedPool[] {
  if (raw === undefined || raw === null) {
    report(['pools'], raw, 'is missing. List at least one pool: its name, nodeSelector and filter.');
    return [];
  }
  const list = checkShape(poolsSchema, raw, ['pools'], report) ?? [];
  return list.map((item, index) => {
    const at: ConfigPath = ['pools', index];
    const input: Partial<PoolInput> =
      checkShape(poolSchema, item, at, report) ?? validParts(poolSchema, item);
    const pool = draftPool(input, shared, env);
    // A region that is there but wrong has been reported: it is not missing as well.
    const regionIsWrong = input.region === undefined && readKey(item, 'region') !== undefined;
    return {
      pool: regionIsWrong ? { ...pool, region: undefined } : pool,
      pathOf: (key) => originOf(key, at, input, shared, env),
    };
  });
}

/** @returns the pool; only for a draft that has no problems */
export function completePool(draft: PoolDraft): PoolConfig {
  const { name, region, nodeSelector, query, account, endpoint, taintKey, ...rest } = draft;
  if (
    name === undefined ||
    region === undefined ||
    nodeSelector === undefined ||
    query.filter === undefined
  ) {
    throw new TypeError('A pool without all its parts is used although its problems were reported');
  }
  return {
    name,
    region,
    nodeSelector,
    query: { ...query, filter: query.filter },
    ...rest,
    ...(account === undefined ? {} : { account }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(taintKey === undefined ? {} : { taintKey }),
  };
}

function draftPool(input: Partial<PoolInput>, shared: DefaultsInput, env: NodeJS.ProcessEnv) {
  const fallback = defaults.pool;
  const provider = input.provider ?? shared.provider ?? fallback.provider;
  return {
    name: input.name,
    provider,
    account: input.account ?? shared.account,
    region: input.region ?? shared.region ?? env[regionVariable(provider, env) ?? ''] ?? '',
    endpoint: input.endpoint ?? shared.endpoint,
    nodeSelector: input.nodeSelector === undefined ? undefined : selectorOf(input.nodeSelector),
    query: {
      family: input.family ?? shared.family ?? fallback.family,
      filter: input.filter,
      orderBy: input.orderBy ?? shared.orderBy ?? fallback.orderBy,
    },
    priority: input.priority ?? shared.priority ?? fallback.priority,
    retries: retriesOf(input, shared),
    release: releaseOf(input, shared),
    // An empty key in a pool switches off that of `defaults`.
    taintKey: (input.taintKey ?? shared.taintKey) || undefined,
  };
}

function retriesOf(input: Partial<PoolInput>, shared: DefaultsInput): RetrySettings {
  const { attempts, interval } = defaults.pool.retries;
  return {
    attempts: input.retries?.attempts ?? shared.retries?.attempts ?? attempts,
    intervalMs: input.retries?.interval ?? shared.retries?.interval ?? parseDuration(interval),
  };
}

function releaseOf(input: Partial<PoolInput>, shared: DefaultsInput): PoolConfig['release'] {
  const { onNodeDelete, gracePeriod } = defaults.pool.release;
  return {
    onNodeDelete: input.release?.onNodeDelete ?? shared.release?.onNodeDelete ?? onNodeDelete,
    gracePeriodMs: input.release?.gracePeriod ?? shared.release?.gracePeriod ?? parseDuration(gracePeriod),
  };
}

function selectorOf({
  matchLabels,
  matchExpressions,
}: PoolInput['nodeSelector']): PoolConfig['nodeSelector'] {
  const requirements = matchExpressions?.map(({ key, operator, values }) => ({
    key,
    operator,
    ...(values === undefined ? {} : { values }),
  }));
  return {
    ...(matchLabels === undefined ? {} : { matchLabels }),
    ...(requirements === undefined ? {} : { matchExpressions: requirements }),
  };
}

function originOf(
  key: keyof PoolInput,
  at: ConfigPath,
  input: Partial<PoolInput>,
  shared: DefaultsInput,
  env: NodeJS.ProcessEnv,
): ConfigPath {
  if (input[key] !== undefined) return [...at, key];
  if (readKey(shared, key) !== undefined) return ['defaults', key];
  const provider = input.provider ?? shared.provider ?? defaults.pool.provider;
  const variable = key === 'region' ? regionVariable(provider, env) : undefined;
  return variable === undefined ? [...at, key] : [variable];
}

/** The variables by which a cloud's own tools are told a region, the first one first. */
const regionVariables: Readonly<Record<ProviderName, readonly string[]>> = {
  aws: ['AWS_REGION', 'AWS_DEFAULT_REGION'],
  gcp: ['CLOUDSDK_COMPUTE_REGION'],
};

function regionVariable(provider: ProviderName, env: NodeJS.ProcessEnv): string | undefined {
  return regionVariables[provider].find((name) => env[name]);
}
