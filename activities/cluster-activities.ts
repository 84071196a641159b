/** Activities on a cluster's task queue: they need its API server and its configuration. */
import { Context } from '@temporalio/activity';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { CloudProvider } from '../clouds/provider.ts';
import type { Config } from '../config/config.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import { KubernetesError } from '../kubernetes/errors.ts';
import { InstanceNodes } from '../kubernetes/instance-nodes.ts';
import type { InstanceRef } from '../model/address.ts';
import type { Scope } from '../model/scope.ts';
import type { ClusterIdentity } from '../program/cluster-identity.ts';
import type { Logger } from '../program/logger.ts';
import { queryWorkflow } from '../program/query-workflow.ts';
import { addressPoolWorkflowId, poolStateQuery } from '../workflows/messages.ts';
import type { PackedPoolState } from '../workflows/pool/packed-state.ts';
import { activityLogger } from './activity-logger.ts';
import type { ClusterActivities, Survey } from './contract.ts';
import { copyTags } from './copy-tags.ts';
import { diagnoseCluster } from './diagnose.ts';
import { discover } from './discover.ts';
import { ALSO_DENIED, withFailures } from './failures.ts';
import { heirsOf } from './instance-claims.ts';
import { inspectNodes } from './inspect-nodes.ts';
import { listNetworks } from './list-networks.ts';
import { liftTaintOnceShown, publishOnNode } from './publish.ts';
import { survey } from './survey.ts';
import { untilCancelled } from './until-cancelled.ts';
import { weighRelease } from './weigh-release.ts';

/** The longest that the lists of Temporal may take that decide on a release. */
const WEIGH_TIMEOUT_MS = 30_000;

export interface ClusterActivityDependencies {
  readonly config: Config;
  readonly kubernetes: KubernetesClient;
  /** No cluster but the workflow's own may say that a Node is gone. */
  readonly identity: ClusterIdentity;
  /** The provider of each pool, by the pool's name. */
  readonly providers: ReadonlyMap<string, CloudProvider>;
  readonly client: Client;
  /** Hears of each survey, for metrics. */
  readonly onSurvey: (scope: Scope, found: Survey) => void;
  /** Hears that Kubernetes denied a write on a Node. */
  readonly onPublishDenied?: () => void;
  readonly logger: Logger;
}

export function createClusterActivities(options: ClusterActivityDependencies): ClusterActivities {
  const dependencies = { ...options, instanceNodes: InstanceNodes.of(options.kubernetes) };
  const log = activityLogger(dependencies.logger);
  const { identity } = dependencies;
  const weighInTime = sharedRuns(() =>
    dependencies.client.connection.withDeadline(Date.now() + WEIGH_TIMEOUT_MS, () =>
      weighRelease(dependencies),
    ),
  );
  const findHeirs = async (instance: InstanceRef, uid: string): Promise<string[]> => {
    const asker = Context.current().info.workflowExecution?.workflowId;
    const heirs = await heirsOf(dependencies, instance, uid, asker);
    if (heirs.length > 0)
      log().warn({ instance: instance.id, heirs }, 'another Node is of the same instance');
    return heirs;
  };
  return {
    // Reads only.
    discover: ({ name, known, uid, clusterUid, isGraceOver = false }) =>
      withFailures(async () => {
        const found = await discover(dependencies, { name, known }, log());
        // The uid of its own Node shows that this is the right cluster.
        if (found.kind === 'gone' || found.node.uid !== uid) await identity.confirm(clusterUid);
        if (found.kind === 'notReady') log().info({ reason: found.reason }, 'node is not ready');
        const mayBeReleased = found.kind === 'gone' && (isGraceOver || found.instanceGone === true);
        if (!mayBeReleased || known === undefined || uid === undefined) return found;
        return { ...found, heirs: await findHeirs(known.instance, uid) };
      }),

    // Reads only.
    weighRelease: () =>
      withFailures(() => {
        // Begun here: the run is shared, and does not end with the activity that began it.
        const verdict = weighInTime();
        return untilCancelled(dependencies.client, () => verdict);
      }),

    // Reads, and tells workflows to look, which they may do at any time.
    findHeirs: ({ instance, uid, clusterUid }) =>
      withFailures(async () => {
        const heirs = await findHeirs(instance, uid);
        // Another cluster has none of the Nodes either.
        if (heirs.length === 0) await identity.confirm(clusterUid);
        return heirs;
      }),

    // A second run writes the same values, finds the taint gone and the Event present.
    publish: (input) =>
      withFailures(async () => {
        const { kubernetes, config, providers } = dependencies;
        const outcome = await publishOnNode(kubernetes, input).catch((error: unknown) => {
          if (error instanceof KubernetesError && error.kind === 'Denied') dependencies.onPublishDenied?.();
          throw error;
        });
        if (outcome === 'gone') await identity.confirm(input.clusterUid);
        const pool = config.pools.find(({ name }) => name === input.pool);
        const provider = pool && providers.get(pool.name);
        if (outcome !== 'gone' && pool !== undefined && provider !== undefined) {
          await copyTags(kubernetes, provider, pool, input, log());
        }
        log().info(
          {
            pool: input.pool,
            phase: input.phase,
            addresses: input.addresses.map(({ ip }) => ip),
            outcome,
          },
          'published on the Node',
        );
        return outcome === 'taintPending' ? outcome : undefined;
      }, ALSO_DENIED),

    // A second run finds the taint gone.
    liftTaint: (input) =>
      withFailures(async () => {
        const outcome = await liftTaintOnceShown(dependencies.kubernetes, input);
        if (outcome === 'gone') await identity.confirm(input.clusterUid);
        log().info({ addresses: input.awaits, outcome }, 'the Node shows its address: the taint is lifted');
      }, ALSO_DENIED),

    // Reads only.
    listNetworks: ({ pool }) => withFailures(() => listNetworks(dependencies, pool)),

    // Reads only.
    survey: ({ scope }) =>
      withFailures(async () => {
        const { config, providers, client } = dependencies;
        const { cluster, pools, audit } = config;
        const auditIntervalMs = audit.intervalMs;
        await identity.check();
        const found = await untilCancelled(client, () =>
          survey({ cluster, pools, providers, client, auditIntervalMs }, scope),
        );
        dependencies.onSurvey(scope, found);
        for (const { node, ip } of found.drifted)
          log().warn({ node, address: ip }, 'a node lost its address');
        for (const { address, instance, pool, why } of found.unclaimed) {
          log().warn(
            { address: address.ip, instance, pool, why },
            'an address is on an instance that no workflow looks after',
          );
        }
        return found;
      }),

    // All three read only.
    inspectNodes: () =>
      withFailures(async () => {
        await identity.check();
        return inspectNodes(dependencies, log());
      }),
    readMutex: ({ scope }) => readMutex(dependencies.client, scope),
    diagnoseCluster: () => withFailures(() => diagnoseCluster(dependencies)),
  };
}

/**
 * Many nodes that are gone ask at once. Calls that arrive while a run is in flight share the next one: this one may have read its lists
 * before their Nodes went.
 */
function sharedRuns<T>(work: () => Promise<T>): () => Promise<T> {
  let begun = 0;
  let underWay: Promise<{ number: number; result: T }> | undefined;
  const run = async () => {
    const number = ++begun;
    try {
      return { number, result: await work() };
    } finally {
      underWay = undefined;
    }
  };
  return async () => {
    const before = begun;
    for (;;) {
      underWay ??= run();
      const { number, result } = await underWay;
      if (number > before) return result;
    }
  };
}

async function readMutex(client: Client, scope: Scope): Promise<PackedPoolState | null> {
  try {
    const mutex = client.workflow.getHandle(addressPoolWorkflowId(scope));
    return (await queryWorkflow(mutex, poolStateQuery)) as PackedPoolState;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}
