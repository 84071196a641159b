/** The audit's look: one list of each set of addresses, one list of the workflows, and what does not fit together. */
import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import { sameIp } from '../clouds/ip.ts';
import { CloudError, type CloudProvider, DEFAULT_WANT_FREE } from '../clouds/provider.ts';
import { cloudOf } from '../clouds/registry.ts';
import type { PoolConfig } from '../config/config.ts';
import {
  type AuditedRun,
  compareWithCloud,
  type Drift,
  inTurn,
  type PooledAddress,
  turnOf,
} from '../model/audit.ts';
import { families, type Instance } from '../model/address.ts';
import { formatScope, type ProviderName, type Scope } from '../model/scope.ts';
import { assignIpWorkflowId, type PoolSize, searchAttributes } from '../workflows/messages.ts';
import type { LeftBehind, Survey, Unclaimed } from './contract.ts';
import { specOf } from './pool-spec.ts';

/** So many of each are looked at: an audit's history stays small. Of what is more the next audit looks at the next ones. */
const MOST_FINDINGS = 200;

export interface SurveyDependencies {
  readonly cluster: string;
  readonly pools: readonly PoolConfig[];
  readonly providers: ReadonlyMap<string, CloudProvider>;
  readonly client: Client;
  /** From one audit to the next, in milliseconds. */
  readonly auditIntervalMs: number;
}

/** Reads only. @throws CloudError, or an error of the Temporal client: nothing is concluded from half a list */
export async function survey(dependencies: SurveyDependencies, scope: Scope): Promise<Survey> {
  const { client, cluster, providers } = dependencies;
  const pools = dependencies.pools.filter((pool) => {
    const provider = providers.get(pool.name);
    return provider !== undefined && formatScope(provider.scope) === formatScope(scope);
  });
  // Workflows first: one that ends since then has given back what it had, and is looked for once more below.
  const runs = await listRunning(client, cluster);
  const lists = await Promise.all(pools.map((pool) => listPool(pool, providers.get(pool.name))));
  const addresses = lists.flat();
  const poolNames = pools.map(({ name }) => name);
  const { drifted: shown, missing, unclaimed } = compareWithCloud(addresses, runs, poolNames);
  const drifted = [...shown];
  const turn = turnOf(Date.now(), dependencies.auditIntervalMs);
  for (const drift of inTurn(missing, MOST_FINDINGS, turn)) {
    const pool = pools.find(({ name }) => name === drift.run.pool);
    if (pool !== undefined && (await isLost(drift, pool, providers.get(pool.name), scope)))
      drifted.push(drift);
  }
  const examined: Unclaimed[] = [];
  for (const address of inTurn(unclaimed, MOST_FINDINGS, turn)) {
    const has = new Set(addresses.filter(({ ip }) => ip === address.ip).map(({ pool }) => pool));
    const sharing = pools.filter(({ name }) => has.has(name));
    examined.push(...(await examine(dependencies, address, sharing, scope)));
  }
  const distinct = new Map(addresses.map((address) => [address.ip, address]));
  return {
    addresses: distinct.size,
    free: [...distinct.values()].filter(({ association }) => association === undefined).length,
    pools: lists.flatMap((list, index) => sizesOf(pools[index], list)),
    nodes: runs.length,
    drifted: drifted
      .slice(0, MOST_FINDINGS)
      .map(({ run, ip }) => ({ node: run.node, uid: run.uid ?? '', instance: run.instance ?? '', ip })),
    unclaimed: examined,
    unlisted: [drifted, missing, unclaimed]
      .map(({ length }) => Math.max(0, length - MOST_FINDINGS))
      .reduce((sum, rest) => sum + rest, 0),
  };
}

async function listPool(pool: PoolConfig, provider: CloudProvider | undefined): Promise<PooledAddress[]> {
  if (provider === undefined) return [];
  const lists = await Promise.all(
    pool.queries.map(async (query) =>
      (await provider.listAddresses(query)).map((address) => ({
        ...address,
        pool: pool.name,
        holder: address.association && cloudOf(pool.provider).holderOf(address.association),
      })),
    ),
  );
  return lists.flat();
}

function sizesOf(pool: PoolConfig | undefined, list: readonly PooledAddress[]): PoolSize[] {
  return (pool?.queries ?? []).map(({ family }) => {
    const addresses = list.filter((address) => address.family === family);
    const free = addresses.filter(({ association }) => association === undefined).length;
    const isRange = pool !== undefined && cloudOf(pool.provider).rangeFamilies.includes(family);
    const isCut = isRange && free >= DEFAULT_WANT_FREE;
    return {
      name: pool?.name ?? '',
      family,
      size: addresses.length,
      used: addresses.length - free,
      free,
      ...(isCut ? { more: true as const } : {}),
    };
  });
}

async function listRunning(client: Client, cluster: string): Promise<AuditedRun[]> {
  const runs: AuditedRun[] = [];
  for await (const { node, run } of listRuns(client, cluster, `ExecutionStatus = 'Running'`)) {
    const { memo, typedSearchAttributes } = run;
    const uid = memo?.['uid'];
    runs.push({
      node,
      uid: typeof uid === 'string' ? uid : undefined,
      instance: typedSearchAttributes.get(searchAttributes.KubeipInstance),
      pool: typedSearchAttributes.get(searchAttributes.KubeipPool),
      ips: typedSearchAttributes.get(searchAttributes.KubeipAddress) ?? [],
    });
  }
  return runs;
}

/** @returns whether the instance is gone, or is there without the address: one that left its pool in use is no loss */
async function isLost(
  { run, ip }: Drift,
  pool: PoolConfig,
  provider: CloudProvider | undefined,
  scope: Scope,
): Promise<boolean> {
  if (run.instance === undefined) return false;
  const instance = await findHolder(provider, pool.provider, run.instance, scope);
  return instance === undefined || !instance.publicIps.some((it) => sameIp(it.ip, ip));
}

async function* listRuns(
  client: Client,
  cluster: string,
  which: string,
): AsyncGenerator<{ node: string; run: WorkflowExecutionInfo }> {
  const prefix = assignIpWorkflowId(cluster, '');
  const query = `WorkflowType = 'AssignIpWorkflow' AND KubeipCluster = '${cluster}' AND ${which}`;
  for await (const run of client.workflow.list({ query })) {
    if (run.workflowId.startsWith(prefix)) yield { node: run.workflowId.slice(prefix.length), run };
  }
}

/** @returns the pool whose policy holds: that which the run served its node from, else one that leaves addresses where they are */
function decidingPool(pools: readonly PoolConfig[], run: WorkflowExecutionInfo | undefined) {
  const served = run?.typedSearchAttributes.get(searchAttributes.KubeipPool);
  return (
    pools.find(({ name }) => name === served) ??
    pools.find(({ release }) => !release.onNodeDelete) ??
    pools.at(-1)
  );
}

/**
 * Whose address is it? Ours only if a workflow of this cluster had to do with its instance and has ended: whatever else is
 * on an instance, a person put there, or another cluster.
 *
 * @param pools those that have the address
 * @returns nothing if a workflow runs for the instance after all
 */
async function examine(
  { client, cluster, providers }: SurveyDependencies,
  address: PooledAddress,
  pools: readonly PoolConfig[],
  scope: Scope,
): Promise<Unclaimed[]> {
  const { holder = '', association, ip, id } = address;
  const last = await lastRunOf(client, cluster, holder);
  const pool = decidingPool(pools, last?.run);
  if (association === undefined || pool === undefined) return [];
  const found = { pool: pool.name, address: { id, ip }, association, instance: holder };
  if (last === undefined) {
    const instance = await findHolder(providers.get(pool.name), pool.provider, holder, scope);
    const of = instance?.kubernetesCluster;
    return [{ ...found, why: 'attachedByHand', ...(of === undefined ? {} : { kubernetesCluster: of }) }];
  }
  const status = last.run.status.name;
  if (status === 'RUNNING' || status === 'PAUSED' || status === 'CONTINUED_AS_NEW') return [];
  // The reconcile starts a failed one again, and it keeps what it has.
  if (status === 'FAILED') return [{ ...found, why: 'failed' }];
  if (status === 'CANCELLED') return [{ ...found, why: 'canceled' }];
  const query = pool.queries.find(({ family }) => family === address.family);
  const { uid, ephemeral, clusterUid } = last.run.memo ?? {};
  if (!pool.release.onNodeDelete || query === undefined) return [{ ...found, why: 'poolKeepsIt' }];
  const instance = await findHolder(providers.get(pool.name), pool.provider, holder, scope);
  // It went since the list was made, and the address with it.
  if (instance === undefined) return [];
  const leftBehind: LeftBehind = {
    node: { name: last.node, uid: typeof uid === 'string' ? uid : '' },
    ...(typeof clusterUid === 'string' ? { clusterUid } : {}),
    family: address.family,
    ephemeral: families.filter((family) => Array.isArray(ephemeral) && ephemeral.includes(family)),
    instance: { provider: instance.provider, id: instance.id, zone: instance.zone },
    pool: specOf(pool, scope, instance),
    query,
  };
  return [{ ...found, why: 'leftBehind', leftBehind }];
}

async function lastRunOf(
  client: Client,
  cluster: string,
  instance: string,
): Promise<{ node: string; run: WorkflowExecutionInfo } | undefined> {
  // It stands in quotes in the query, and comes from the cloud.
  if (!/^[\w/.-]+$/.test(instance)) return undefined;
  let last: { node: string; run: WorkflowExecutionInfo } | undefined;
  for await (const found of listRuns(client, cluster, `KubeipInstance = '${instance}'`)) {
    if (last === undefined || found.run.startTime > last.run.startTime) last = found;
  }
  return last;
}

/** @param key as `instanceKey` names it */
async function findHolder(
  provider: CloudProvider | undefined,
  name: ProviderName,
  key: string,
  { region }: Scope,
): Promise<Instance | undefined> {
  try {
    return await provider?.findInstance({ provider: name, ...cloudOf(name).instanceOfKey(key, region) });
  } catch (error) {
    if (error instanceof CloudError && error.kind === 'NotFound') return undefined;
    throw error;
  }
}
