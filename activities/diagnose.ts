/** What `kubeip doctor` asks a worker: what it may do, what its pools find, whom they serve. Reads only. */
import { hostname } from 'node:os';
import { CloudError } from '../clouds/provider.ts';
import { cloudOf } from '../clouds/registry.ts';
import type { PoolConfig } from '../config/config.ts';
import { kubeletSelectors } from '../config/kubelet-selectors.ts';
import { selectPool } from '../config/select-pool.ts';
import { checkRules, serverVersion, tryWriting } from '../kubernetes/access.ts';
import { KubernetesError } from '../kubernetes/errors.ts';
import { neededRules } from '../kubernetes/needed-rules.ts';
import { listNodes, type NodeView } from '../kubernetes/nodes.ts';
import { parseProviderId } from '../kubernetes/provider-id.ts';
import { type Address, type InstanceRef, instanceKey } from '../model/address.ts';
import { formatScope } from '../model/scope.ts';
import { programVersion } from '../program/version.ts';
import type { ClusterDiagnosis, PoolDiagnosis } from '../workflows/reports.ts';
import type { ClusterInspections, ScopeProbe } from './inspect-contract.ts';
import type { InspectionDependencies } from './inspect-nodes.ts';

/** Of each pool so many instances are handed on: one may just be going. */
const INSTANCES_OF_EACH_POOL = 3;

type Diagnosis = Awaited<ReturnType<ClusterInspections['diagnoseCluster']>>;

/** What does not work is part of what is found: nothing of it is thrown. */
export async function diagnoseCluster(dependencies: InspectionDependencies): Promise<Diagnosis> {
  const { config, kubernetes } = dependencies;
  const version = await serverVersion(kubernetes);
  const { views, nodesError } = await nodesOrError(dependencies);
  const byPool = Map.groupBy(views, ({ labels }) => selectPool(config.pools, labels)?.name);
  const machines = nodesError === undefined ? machinesOf(views) : undefined;
  // At once: many lists share a call.
  const pools = await Promise.all(
    config.pools.map((pool) => {
      const nodes = byPool.get(pool.name)?.length ?? 0;
      return diagnosePool(dependencies, pool, nodes, machines);
    }),
  );
  const rules = await checkRules(kubernetes, neededRules.worker);
  const mayPatch = rules.some(
    ({ verb, resource, result }) => verb === 'patch' && resource === 'nodes' && result === 'granted',
  );
  const selected = views.find(({ labels }) => selectPool(config.pools, labels) !== undefined);
  const found: ClusterDiagnosis = {
    cluster: config.cluster,
    worker: {
      version: programVersion(),
      node: process.version,
      host: hostname(),
      ...(version === undefined ? {} : { kubernetes: version }),
    },
    kubernetes:
      mayPatch && selected !== undefined ? [...rules, await tryWriting(kubernetes, selected)] : rules,
    pools,
    unselected: byPool.get(undefined)?.length ?? 0,
    ...(nodesError === undefined ? {} : { nodesError }),
  };
  return { found, probes: probesOf(dependencies, byPool) };
}

async function nodesOrError({
  kubernetes,
}: InspectionDependencies): Promise<{ views: NodeView[]; nodesError?: string }> {
  try {
    return { views: await listNodes(kubernetes) };
  } catch (error) {
    if (error instanceof KubernetesError) return { views: [], nodesError: error.message };
    throw error;
  }
}

/** @returns the machines of the cluster's Nodes, as `instanceKey` names them */
function machinesOf(views: readonly NodeView[]): ReadonlySet<string> {
  return new Set(
    views.flatMap(({ providerID }) => {
      const parsed = providerID === undefined ? undefined : parseProviderId(providerID);
      return parsed === undefined || 'error' in parsed ? [] : [instanceKey(parsed.instance)];
    }),
  );
}

/** @param machines of the cluster's Nodes. Undefined: they are not known */
async function diagnosePool(
  { providers }: InspectionDependencies,
  { name, queries, provider: cloud, nodeSelector }: PoolConfig,
  nodes: number,
  machines: ReadonlySet<string> | undefined,
): Promise<PoolDiagnosis> {
  const provider = providers.get(name);
  const sets = await Promise.all(
    queries.map(async (query): Promise<PoolDiagnosis['sets'][number]> => {
      const { family, filter } = query;
      try {
        const addresses = (await provider?.listAddresses(query)) ?? [];
        const free = addresses.filter(({ association }) => association === undefined).length;
        const isElsewhere = ({ association }: Address): boolean =>
          association !== undefined && machines?.has(cloudOf(cloud).holderOf(association) ?? '') === false;
        const elsewhere = addresses.filter(isElsewhere).length;
        const counts = { addresses: addresses.length, free };
        return { family, filter, ...counts, ...(machines === undefined ? {} : { elsewhere }) };
      } catch (error) {
        if (error instanceof CloudError)
          return { family, filter, addresses: 0, free: 0, error: error.message };
        throw error;
      }
    }),
  );
  const kubeletLabels = kubeletSelectors(nodeSelector) ?? [];
  return {
    name,
    scope: provider === undefined ? '' : formatScope(provider.scope),
    nodes,
    ...(kubeletLabels.length === 0 ? {} : { kubeletLabels }),
    sets,
  };
}

/** One for each scope: what its permissions are to be tried on. */
function probesOf(
  { config, providers }: InspectionDependencies,
  byPool: ReadonlyMap<string | undefined, readonly NodeView[]>,
): ScopeProbe[] {
  const probes = new Map<string, ScopeProbe>();
  for (const { name, queries, provider: cloud } of config.pools) {
    const scope = providers.get(name)?.scope;
    if (scope === undefined) continue;
    const known = probes.get(formatScope(scope));
    probes.set(formatScope(scope), {
      scope,
      queries: [...(known?.queries ?? []), ...queries],
      instances: [...(known?.instances ?? []), ...instancesOf(byPool.get(name) ?? [], cloud)],
    });
  }
  return [...probes.values()];
}

function instancesOf(views: readonly NodeView[], cloud: InstanceRef['provider']): InstanceRef[] {
  return views
    .flatMap(({ providerID }) => {
      const parsed = providerID === undefined ? undefined : parseProviderId(providerID);
      if (parsed === undefined || 'error' in parsed || parsed.instance.provider !== cloud) return [];
      return [parsed.instance];
    })
    .slice(-INSTANCES_OF_EACH_POOL);
}
