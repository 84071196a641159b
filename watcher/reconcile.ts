/** One look at all Nodes and all workflows, and what sets them right. The truth, where the watch is a hint. */
import type { Config } from '../config/config.ts';
import { selectPool } from '../config/select-pool.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import { listNodes, readNode } from '../kubernetes/nodes.ts';
import type { ClusterIdentity } from '../program/cluster-identity.ts';
import type { Logger } from '../program/logger.ts';
import { memoryMs } from './failure-cooldown.ts';
import { forEachLimited } from './for-each-limited.ts';
import type { WatcherMetrics } from './metrics.ts';
import { listedPhases } from '../model/phase.ts';
import { nodeIdProblem, type NodeRef } from '../workflows/messages.ts';
import type { NodeWorkflows } from './node-workflows.ts';
import { isDeselected, type OpenRun, planReconcile, type ReconcilePlan } from './plan-reconcile.ts';

const concurrency = 10;
/** Sent where a workflow does not tell which Node it is for: it looks itself, and finds none. */
const unknownUid = 'unknown';

export interface ReconcileDependencies {
  readonly config: Config;
  readonly kubernetes: KubernetesClient;
  readonly identity: ClusterIdentity;
  readonly workflows: NodeWorkflows;
  readonly metrics: WatcherMetrics;
  readonly logger: Logger;
  /** Unix time in milliseconds. @default Date.now */
  readonly now?: () => number;
}

/**
 * Starts the workflows that are missing, and signals those whose Node is another or gone. Doing it twice does no harm.
 *
 * @param changesMissed also tell the workflows that wait to look: no watch ran until now
 * @throws WrongClusterError before anything is done, if the cluster is not the one that its name stands for
 * @throws KubernetesError or an error of the Temporal client, when a list is incomplete (nothing is concluded from it then)
 * or at least one node could not be set right (the others are)
 */
export async function reconcile(
  dependencies: ReconcileDependencies,
  signal: AbortSignal,
  changesMissed = false,
): Promise<void> {
  const { config, kubernetes, identity, workflows, metrics, logger } = dependencies;
  await identity.check();
  // Nodes first: a run that was started for a Node since then is no orphan, as the direct read shows.
  const nodes = await listNodes(kubernetes);
  const runs = await workflows.listOpen();
  const now = (dependencies.now ?? Date.now)();
  const { failureCooldown: cooldown, reconcileIntervalMs } = config.watcher;
  const failedRuns = await workflows.listFailed(new Date(now - memoryMs(cooldown, reconcileIntervalMs)));
  const plan = planReconcile(nodes, runs, config.pools, { runs: failedRuns, cooldown, now }, changesMissed);
  const selected = nodes.filter((node) => selectPool(config.pools, node.labels) !== undefined).length;
  metrics.nodes.set({ selected: 'true' }, selected);
  metrics.nodes.set({ selected: 'false' }, nodes.length - selected);
  showPhases(dependencies, runs);
  showFailed(dependencies, plan);

  const errors: unknown[] = [];
  /** One that cannot be set right must not keep the others. */
  const collect = (part: Promise<void>): Promise<void> =>
    part.catch((error: unknown) => void errors.push(error));
  await collect(
    forEachLimited(plan.start, { concurrency, signal }, async ({ node, pool, failures }) => {
      const problem = nodeIdProblem(config.cluster, node.name);
      if (problem !== undefined) {
        // Not a failure of the reconcile: that would keep the watcher from being ready for one Node's name.
        logger.error({ node: node.name, reason: problem }, 'the node gets no address');
        return;
      }
      if (!(await workflows.start(node, pool, failures))) return;
      metrics.starts.inc();
      if (failures > 0) metrics.failureRetries.inc({ pool: pool.name });
      const facts = { node: node.name, pool: pool.name, failures };
      logger.info(facts, 'no workflow ran for the node: started one');
    }),
  );
  await collect(
    forEachLimited(plan.nudge, { concurrency, signal }, async (node) => {
      if (await workflows.nudge(node)) metrics.signals.inc({ signal: 'nodeChanged', cause: 'reconcile' });
    }),
  );
  await collect(
    forEachLimited(plan.orphans, { concurrency, signal }, (run) => signalOrphan(dependencies, run)),
  );
  await collect(
    forEachLimited(plan.close, { concurrency, signal }, async ({ node: name, uid = unknownUid }) => {
      if ((await readNode(kubernetes, name)) === undefined) await closeFailed(dependencies, { name, uid });
    }),
  );
  if (errors.length > 0) throw errors[0];
  logger.debug(
    {
      nodes: nodes.length,
      selected,
      runs: runs.length,
      started: plan.start.length,
      coolDown: plan.coolDown.length,
      orphans: plan.orphans.length,
    },
    'reconciled',
  );
}

/** A run that is on its way from one listed phase to the next counts as the last one. */
function showPhases({ metrics }: ReconcileDependencies, runs: readonly OpenRun[]): void {
  for (const phase of listedPhases) {
    metrics.workflows.set({ phase }, runs.filter((run) => run.phase === phase).length);
  }
  metrics.deselected.set(runs.filter(isDeselected).length);
}

function showFailed({ config, metrics }: ReconcileDependencies, { coolDown }: ReconcilePlan): void {
  metrics.failedNodes.reset();
  for (const { name } of config.pools) {
    metrics.failedNodes.set({ pool: name }, coolDown.filter(({ pool }) => pool.name === name).length);
  }
}

/** The Node is gone, as a direct read shows: what failed for it is history. Doing it twice does no harm. */
export async function closeFailed(
  {
    config,
    identity,
    workflows,
    logger,
  }: Pick<ReconcileDependencies, 'config' | 'identity' | 'workflows' | 'logger'>,
  node: NodeRef,
): Promise<void> {
  await identity.confirm(identity.clusterUid);
  const [pool] = config.pools;
  if (pool === undefined || !(await workflows.closeFailed(node, pool.retries))) return;
  logger.info({ node: node.name, uid: node.uid }, 'the Node of a failed run is gone: closed it');
}

/** Lists lag: a release follows from a direct read only. */
async function signalOrphan(dependencies: ReconcileDependencies, run: OpenRun): Promise<void> {
  const { kubernetes, identity, workflows, metrics, logger } = dependencies;
  const name = run.node;
  const present = await readNode(kubernetes, name);
  if (present !== undefined && present.uid === run.uid) return;
  await identity.confirm(identity.clusterUid);
  if (present !== undefined || run.uid === undefined) {
    const nudged = await workflows.nudge({ name, uid: present?.uid ?? unknownUid });
    if (nudged) metrics.signals.inc({ signal: 'nodeChanged', cause: 'reconcile' });
    return;
  }
  if (await workflows.signalDeleted({ name, uid: run.uid })) {
    metrics.signals.inc({ signal: 'nodeDeleted', cause: 'reconcile' });
    logger.info({ node: name, uid: run.uid }, 'the Node is gone: told its workflow');
  }
}
