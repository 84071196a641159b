/** What there is to know of a Node: its pool by the configuration, its instance from the cloud. */
import { CloudError, type CloudProvider } from '../clouds/provider.ts';
import type { Config, PoolConfig } from '../config/config.ts';
import { selectPool } from '../config/select-pool.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import { publicIpv4Annotation, publicIpv6Annotation } from '../kubernetes/keys.ts';
import { type NodeView, readNode } from '../kubernetes/nodes.ts';
import { pinnedAddresses } from '../kubernetes/pinned-addresses.ts';
import { parseProviderId } from '../kubernetes/provider-id.ts';
import { addressNameAdvice, type Instance, type InstanceRef } from '../model/address.ts';
import type { Logger } from '../program/logger.ts';
import type { Discovery } from './contract.ts';
import { specOf } from './pool-spec.ts';

export interface DiscoverDependencies {
  readonly config: Config;
  /** The provider of each pool, by the pool's name. */
  readonly providers: ReadonlyMap<string, CloudProvider>;
}

/** Reads the Node by its name first. */
export async function discover(
  dependencies: DiscoverDependencies & { readonly kubernetes: KubernetesClient },
  name: string,
  logger: Logger,
): Promise<Discovery> {
  const view = await readNode(dependencies.kubernetes, name);
  return view === undefined ? { kind: 'gone' } : discoverNode(dependencies, view, logger);
}

/** Of a Node that was read. */
export async function discoverNode(
  { config, providers }: DiscoverDependencies,
  view: NodeView,
  logger: Logger,
): Promise<Exclude<Discovery, { kind: 'gone' }>> {
  const { name } = view;
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
      { node: name, annotation },
      `the annotation is ignored. ${addressNameAdvice}`,
    );
  }
  const found = await findInstance(parsed.instance, provider);
  if ('reason' in found) return { kind: 'notReady', node, reason: found.reason, instanceGone: true };
  const shown = [publicIpv4Annotation, publicIpv6Annotation].flatMap((key) => view.annotations[key] ?? []);
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
