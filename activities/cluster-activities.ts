/** Activities on a cluster's task queue: they need its API server and its configuration. */
import type { Client } from '@temporalio/client';
import { CloudError, type CloudProvider } from '../clouds/provider.ts';
import type { Config, PoolConfig } from '../config/config.ts';
import { selectPool } from '../config/select-pool.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import { publicIpv4Annotation, publicIpv6Annotation } from '../kubernetes/keys.ts';
import { type NodeView, readNode } from '../kubernetes/nodes.ts';
import { parseProviderId } from '../kubernetes/provider-id.ts';
import { markNode } from '../kubernetes/node-writer.ts';
import { pinAnnotations, pinnedAddresses } from '../kubernetes/pinned-addresses.ts';
import type { Instance, InstanceRef } from '../model/address.ts';
import type { Scope } from '../model/scope.ts';
import type { Logger } from '../program/logger.ts';
import { activityLogger } from './activity-logger.ts';
import type { ClusterActivities, Discovery, Survey } from './contract.ts';
import { copyTags } from './copy-tags.ts';
import { ALSO_DENIED, withFailures } from './failures.ts';
import { specOf } from './pool-spec.ts';
import { publishOnNode } from './publish.ts';
import { survey } from './survey.ts';

export interface ClusterActivityDependencies {
  readonly config: Config;
  readonly kubernetes: KubernetesClient;
  /** The provider of each pool, by the pool's name. */
  readonly providers: ReadonlyMap<string, CloudProvider>;
  readonly client: Client;
  readonly startAddressPool: (scope: Scope) => Promise<void>;
  /** Hears of each survey, for metrics. */
  readonly onSurvey: (scope: Scope, found: Survey) => void;
  readonly logger: Logger;
}

export function createClusterActivities(dependencies: ClusterActivityDependencies): ClusterActivities {
  const log = activityLogger(dependencies.logger);
  return {
    // Reads only.
    discover: ({ name }) =>
      withFailures(async () => {
        const found = await discover(dependencies, name, log());
        if (found.kind === 'notReady') log().info({ reason: found.reason }, 'node is not ready');
        return found;
      }),

    // A second run writes the same values, finds the taint gone and the Event present.
    publish: (input) =>
      withFailures(async () => {
        const { kubernetes, config, providers } = dependencies;
        const outcome = await publishOnNode(kubernetes, input);
        const pool = config.pools.find(({ name }) => name === input.pool);
        const provider = pool && providers.get(pool.name);
        if (outcome === 'written' && pool !== undefined && provider !== undefined) {
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
      }, ALSO_DENIED),

    // A second run writes the same annotations.
    pin: ({ node, pins }) =>
      withFailures(async () => {
        const annotations = pinAnnotations(pins);
        const outcome = await markNode(dependencies.kubernetes, node, { labels: {}, annotations });
        log().info({ node: node.name, pins, outcome }, 'pins written on the Node');
        return outcome;
      }),

    // A mutex that runs is left as it is.
    startAddressPool: ({ scope }) => dependencies.startAddressPool(scope),

    // Reads only.
    survey: ({ scope }) =>
      withFailures(async () => {
        const { config, providers, client } = dependencies;
        const { cluster, pools } = config;
        const found = await survey({ cluster, pools, providers, client }, scope);
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
  };
}

async function discover(
  { config, kubernetes, providers }: ClusterActivityDependencies,
  name: string,
  logger: Logger,
): Promise<Discovery> {
  const view = await readNode(kubernetes, name);
  if (view === undefined) return { kind: 'gone' };
  const node = { name: view.name, uid: view.uid };
  const pool = selectPool(config.pools, view.labels);
  const provider = pool === undefined ? undefined : providers.get(pool.name);
  if (pool === undefined || provider === undefined) return { kind: 'notSelected', node };

  if (view.providerID === undefined) {
    return { kind: 'notReady', node, reason: 'the Node has no spec.providerID yet' };
  }
  const parsed = parseProviderId(view.providerID);
  if ('error' in parsed) throw new CloudError('Invalid', `Node ${name}: ${parsed.error}`);
  checkPlace(view, parsed.instance, pool);
  const { pinned, ignored } = pinnedAddresses(view.annotations);
  for (const annotation of ignored) {
    logger.warn(
      { annotation },
      'the annotation is ignored: its value is neither an IP nor an id of an address',
    );
  }
  const found = await findInstance(parsed.instance, provider);
  if ('reason' in found) return { kind: 'notReady', node, reason: found.reason, instanceGone: true };
  const shown = [publicIpv4Annotation, publicIpv6Annotation].flatMap((name) => view.annotations[name] ?? []);
  const createdAt = view.creationTimestamp?.toISOString();
  return {
    kind: 'ready',
    node,
    ...(createdAt === undefined ? {} : { createdAt }),
    instance: found,
    pool: specOf(pool, provider.scope, found),
    pinned,
    shown,
  };
}

/** A pool is of one cloud and one region: an address of it cannot serve a node elsewhere. */
function checkPlace(view: NodeView, instance: InstanceRef, pool: PoolConfig): void {
  if (instance.provider !== pool.provider) {
    throw new CloudError(
      'Invalid',
      `Node ${view.name} is on ${instance.provider}, but its pool ${pool.name} is of ${pool.provider}: ` +
        'change the pool’s nodeSelector so that it selects nodes of its own cloud only',
    );
  }
  if (view.region !== undefined && view.region !== pool.region) {
    throw new CloudError(
      'Invalid',
      `Node ${view.name} is in region ${view.region}, but its pool ${pool.name} is in ${pool.region}: ` +
        'change the pool’s region, or its nodeSelector',
    );
  }
}

/** @returns the living instance, or the reason why there is none */
async function findInstance(
  ref: InstanceRef,
  provider: CloudProvider,
): Promise<Instance | { reason: string }> {
  try {
    const instance = await provider.findInstance(ref);
    return instance.alive ? instance : { reason: `instance ${ref.id} is shutting down or terminated` };
  } catch (error) {
    // A new instance is not always visible at once, and one that is long gone never again.
    if (error instanceof CloudError && error.kind === 'NotFound') return { reason: error.message };
    throw error;
  }
}
