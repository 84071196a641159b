/** What `plan` and `doctor` look at: the cluster's Nodes, each with its pool, its instance and its workflow. Reads only. */
import type { Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { CloudError } from '../clouds/provider.ts';
import { selectPool } from '../config/select-pool.ts';
import { selectedLabels } from '../config/selection.ts';
import { listNodes, type NodeView } from '../kubernetes/nodes.ts';
import { parseProviderId } from '../kubernetes/provider-id.ts';
import type { Logger } from '../program/logger.ts';
import type { Phase } from '../model/phase.ts';
import { assignIpWorkflowId, searchAttributes } from '../workflows/messages.ts';
import type { KnownNode } from './contract.ts';
import { type DiscoverDependencies, discoverNode } from './discover.ts';
import type { InspectedNode, InspectedPool, NodesInspection } from './inspect-contract.ts';

export type InspectionDependencies = DiscoverDependencies;

type Runs = ReadonlyMap<string, NonNullable<InspectedNode['run']>>;

/** What is said of so many nodes fits one payload, which Temporal limits to 2 MiB. */
const MOST_NODES = 4_000;

/**
 * @throws KubernetesError, or an error of the Temporal client: a plan is not made on half a list
 * @throws ApplicationFailure `TooLarge` (non-retryable) for more nodes than one payload holds
 */
export async function inspectNodes(
  dependencies: InspectionDependencies,
  logger: Logger,
): Promise<NodesInspection> {
  const { config, kubernetes, client } = dependencies;
  const [views, runs] = await Promise.all([listNodes(kubernetes), listRuns(client, config.cluster)]);
  const selected = views.flatMap((view) => {
    const pool = selectPool(config.pools, view.labels)?.name;
    return pool === undefined ? [] : [{ view, pool }];
  });
  if (selected.length > MOST_NODES) {
    throw ApplicationFailure.nonRetryable(
      `Pools of cluster ${config.cluster} select ${selected.length} nodes; a plan is for at most ${MOST_NODES}. ` +
        'kubeip pools says how many wait and how many addresses are free.',
      'TooLarge',
    );
  }
  return {
    pools: inspectedPools(dependencies),
    nodes: await Promise.all(
      selected.map(async ({ view, pool }) => {
        const run = runs.get(view.name);
        return {
          node: { name: view.name, uid: view.uid },
          pool,
          ...(run === undefined ? {} : { run }),
          state: await stateOf(dependencies, view, logger, run && { ips: run.ips, pool }),
        };
      }),
    ),
    unselected: views.length - selected.length,
  };
}

function inspectedPools({ config, providers }: InspectionDependencies): InspectedPool[] {
  return config.pools.flatMap(({ name, priority, queries }) => {
    const scope = providers.get(name)?.scope;
    return scope === undefined ? [] : [{ name, priority, queries, scope }];
  });
}

async function stateOf(
  dependencies: InspectionDependencies,
  view: NodeView,
  logger: Logger,
  run: { readonly ips: readonly string[]; readonly pool: string } | undefined,
): Promise<InspectedNode['state']> {
  try {
    const found = await discoverNode(dependencies, view, logger, knownOf(dependencies, view, run));
    if (found.kind !== 'ready') {
      return { kind: 'notReady', reason: found.kind === 'notReady' ? found.reason : 'its pool has no cloud' };
    }
    const { provider, id, zone, subnet, networkBorderGroup, publicIps } = found.instance;
    return {
      kind: 'ready',
      instance: { provider, id, zone },
      subnet,
      ...(networkBorderGroup === undefined ? {} : { networkBorderGroup }),
      publicIps,
      pinned: found.pinned,
    };
  } catch (error) {
    // Of one node: it would fail, or try again, and the others do not wait for it.
    if (error instanceof CloudError) return { kind: 'notReady', reason: error.message };
    throw error;
  }
}

/** What a node has it keeps, also where it would not be given it any more. */
function knownOf(
  { config, providers }: InspectionDependencies,
  { providerID, labels }: NodeView,
  run: { readonly ips: readonly string[]; readonly pool: string } | undefined,
): KnownNode | undefined {
  const parsed = providerID === undefined ? undefined : parseProviderId(providerID);
  const provider = run && providers.get(run.pool);
  if (!run?.ips.length || provider === undefined || parsed === undefined || 'error' in parsed)
    return undefined;
  const selection = { pool: run.pool, labels: selectedLabels(config.pools, labels) };
  return { selection, scope: provider.scope, instance: parsed.instance };
}

async function listRuns(client: Client, cluster: string): Promise<Runs> {
  const prefix = assignIpWorkflowId(cluster, '');
  const query = `WorkflowType = 'AssignIpWorkflow' AND KubeipCluster = '${cluster}' AND ExecutionStatus = 'Running'`;
  const runs = new Map<string, NonNullable<InspectedNode['run']>>();
  for await (const { workflowId, typedSearchAttributes } of client.workflow.list({ query })) {
    if (!workflowId.startsWith(prefix)) continue;
    runs.set(workflowId.slice(prefix.length), {
      phase: typedSearchAttributes.get(searchAttributes.KubeipPhase) as Phase | undefined,
      ips: typedSearchAttributes.get(searchAttributes.KubeipAddress) ?? [],
    });
  }
  return runs;
}
