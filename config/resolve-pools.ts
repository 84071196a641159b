/** A pool joined from what it says itself, what `defaults` says and what the environment says. */
import { cloudOf } from '../clouds/registry.ts';
import type { AddressQuery } from '../model/address.ts';
import type { NodeIdentityPolicy } from '../model/node-identity.ts';
import type { ProviderName } from '../model/scope.ts';
import type { RetrySettings } from '../model/settings.ts';
import { checkShape, readKey, validParts, type Report } from './check-shape.ts';
import type { ConfigPath } from './config-file.ts';
import type { PoolConfig } from './config.ts';
import { defaults } from './defaults.ts';
import { parseDuration } from './duration.ts';
import { hashPool } from './pool-hash.ts';
import { checkAddressSource, draftQueries, type QueryDraft } from './resolve-queries.ts';
import { poolSchema, poolsSchema, type DefaultsInput, type PoolInput } from './schema.ts';

/** What can be said about a pool although parts of it may be wrong, and where each part stands. */
export interface PlacedPool {
  readonly pool: PoolDraft;
  /** What the pool itself says. */
  readonly own: Partial<PoolInput>;
  /** @returns where the user wrote it: in the pool, in `defaults`, or in a variable */
  readonly pathOf: (key: keyof PoolInput) => ConfigPath;
}

/** Undefined: missing, or wrong. Of the region: wrong; empty: nothing names it. */
export type PoolDraft = Omit<ReturnType<typeof draftPool>, 'region'> & {
  readonly region: string | undefined;
  readonly queries: readonly QueryDraft[];
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
    checkAddressSource(item, at, report);
    const pathOf = (key: keyof PoolInput) => originOf(key, at, input, shared, env);
    const queries = draftQueries(input, shared, at, pathOf);
    const pool = { ...draftPool(input, shared, env), queries };
    // A region that is there but wrong has been reported: it is not missing as well.
    const regionIsWrong = input.region === undefined && readKey(item, 'region') !== undefined;
    return {
      pool: regionIsWrong ? { ...pool, region: undefined } : pool,
      own: input,
      pathOf,
    };
  });
}

/** @returns the pool; only for a draft that has no problems */
export function completePool(draft: PoolDraft): PoolConfig {
  const { name, region, nodeSelector, queries, account, endpoint, taintKey, copyTags, ...rest } = draft;
  if (name === undefined || region === undefined || nodeSelector === undefined) throw incomplete();
  const pool = {
    name,
    region,
    nodeSelector,
    queries: queries.map(completeQuery),
    ...rest,
    ...(account === undefined ? {} : { account }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(taintKey === undefined ? {} : { taintKey }),
    ...(copyTags === undefined ? {} : { copyTags }),
  };
  return { ...pool, hash: hashPool(pool) };
}

function completeQuery({ family, filter, orderBy }: QueryDraft): AddressQuery {
  if (filter === undefined) throw incomplete();
  return { family, filter, orderBy };
}

function incomplete(): TypeError {
  return new TypeError('A pool without all its parts is used although its problems were reported');
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
    require: input.require ?? shared.require ?? fallback.require,
    priority: input.priority ?? shared.priority ?? fallback.priority,
    retries: retriesOf(input, shared),
    release: releaseOf(input, shared),
    // An empty key in a pool switches off that of `defaults`.
    taintKey: (input.taintKey ?? shared.taintKey) || undefined,
    taintPolicy: input.taintPolicy ?? shared.taintPolicy ?? fallback.taintPolicy,
    taintWaitMs: input.taintWait ?? shared.taintWait ?? parseDuration(fallback.taintWait),
    pins: input.pins ?? shared.pins ?? fallback.pins,
    nodeIdentity: nodeIdentityOf(input, shared),
    copyTags: copyTagsOf(input, shared),
  };
}

function nodeIdentityOf(input: Partial<PoolInput>, shared: DefaultsInput): NodeIdentityPolicy {
  const name = input.nodeIdentity?.name ?? shared.nodeIdentity?.name ?? defaults.pool.nodeIdentity.name;
  // An empty one in a pool switches off that of `defaults`.
  const clusterName = input.nodeIdentity?.clusterName ?? shared.nodeIdentity?.clusterName ?? '';
  return { name, ...(clusterName === '' ? {} : { clusterName }) };
}

function retriesOf(input: Partial<PoolInput>, shared: DefaultsInput): RetrySettings {
  const { attempts, interval } = defaults.pool.retries;
  return {
    attempts: input.retries?.attempts ?? shared.retries?.attempts ?? attempts,
    intervalMs: input.retries?.interval ?? shared.retries?.interval ?? parseDuration(interval),
  };
}

function releaseOf(input: Partial<PoolInput>, shared: DefaultsInput): PoolConfig['release'] {
  const { onNodeDelete, gracePeriod, onDeselect } = defaults.pool.release;
  return {
    onNodeDelete: input.release?.onNodeDelete ?? shared.release?.onNodeDelete ?? onNodeDelete,
    gracePeriodMs: input.release?.gracePeriod ?? shared.release?.gracePeriod ?? parseDuration(gracePeriod),
    onDeselect: input.release?.onDeselect ?? shared.release?.onDeselect ?? onDeselect,
  };
}

function copyTagsOf(input: Partial<PoolInput>, shared: DefaultsInput): PoolConfig['copyTags'] {
  // An empty list in a pool switches off that of `defaults`.
  const labels = input.copyTags?.labels ?? shared.copyTags?.labels ?? [];
  const annotations = input.copyTags?.annotations ?? shared.copyTags?.annotations ?? [];
  const prefix = input.copyTags?.prefix ?? shared.copyTags?.prefix ?? defaults.pool.copyTags.prefix;
  return labels.length + annotations.length === 0 ? undefined : { labels, annotations, prefix };
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

function regionVariable(provider: ProviderName, env: NodeJS.ProcessEnv): string | undefined {
  return cloudOf(provider).region.variables.find((name) => env[name]);
}
