/** What there is to know of a Node: its pool by the configuration, its instance from the cloud. */
import { identityMismatch } from '../clouds/node-identity.ts';
import { CloudError, type CloudProvider } from '../clouds/provider.ts';
import type { PoolConfig } from '../config/config.ts';
import { selectPool } from '../config/select-pool.ts';
import { selectedLabels, selectionChange } from '../config/selection.ts';
import { publicIpv4Annotation, publicIpv6Annotation } from '../kubernetes/keys.ts';
import { type NodeView, readNode } from '../kubernetes/nodes.ts';
import { pinnedAddresses } from '../kubernetes/pinned-addresses.ts';
import { parseProviderId } from '../kubernetes/provider-id.ts';
import { addressNameAdvice, type Instance, instanceKey, type InstanceRef } from '../model/address.ts';
import { formatScope } from '../model/scope.ts';
import type { Logger } from '../program/logger.ts';
import type { Discovery, KnownNode } from './contract.ts';
import { claimRefusal, type InstanceClaimDependencies } from './instance-claims.ts';
import { specOf } from './pool-spec.ts';

export interface DiscoverDependencies extends InstanceClaimDependencies {
  /** The provider of each pool, by the pool's name. */
  readonly providers: ReadonlyMap<string, CloudProvider>;
}

/** Reads the Node by its name first. */
export async function discover(
  dependencies: DiscoverDependencies,
  { name, known }: { name: string; known?: KnownNode | undefined },
  logger: Logger,
): Promise<Discovery> {
  const view = await readNode(dependencies.kubernetes, name);
  if (view !== undefined) return discoverNode(dependencies, view, logger, known);
  return known === undefined ? { kind: 'gone' } : discoverMachine(dependencies, known);
}

/** The Node is gone: does its machine still run? Not known where this worker has no pool of the machine's scope. */
async function discoverMachine(
  { providers }: DiscoverDependencies,
  { scope, instance }: KnownNode,
): Promise<Extract<Discovery, { kind: 'gone' }>> {
  const provider = [...providers.values()].find((one) => formatScope(one.scope) === formatScope(scope));
  if (provider === undefined) return { kind: 'gone' };
  const found = await findInstance(instance, provider);
  if ('reason' in found) return { kind: 'gone', instanceGone: true };
  return { kind: 'gone', instance: withoutIdentity(found) };
}

/**
 * Of a Node that was read.
 *
 * @param known what its workflow knows of it
 */
export async function discoverNode(
  dependencies: DiscoverDependencies,
  view: NodeView,
  logger: Logger,
  known?: KnownNode,
): Promise<Exclude<Discovery, { kind: 'gone' }>> {
  const { config, providers } = dependencies;
  const { name } = view;
  const node = { name: view.name, uid: view.uid };
  const pool = selectPool(config.pools, view.labels);
  const provider = pool === undefined ? undefined : providers.get(pool.name);
  const change = known && selectionChange(config.pools, view.labels, known.selection);
  const unserved = pool && provider && known && cannotServe(pool, provider, known);
  if (pool === undefined || provider === undefined || unserved !== undefined) {
    const parsed = parseProviderId(view.providerID ?? '');
    return {
      kind: 'notSelected',
      node,
      ...(change === undefined ? {} : { change }),
      ...(unserved === undefined ? {} : { reason: unserved }),
      ...('error' in parsed ? {} : { instance: parsed.instance }),
    };
  }

  // Its replacement is to be served before it. What it has it keeps until it is gone.
  if (view.deletionTimestamp !== undefined && known === undefined) {
    return { kind: 'notReady', node, reason: 'the Node is being deleted' };
  }
  if (view.providerID === undefined) {
    return { kind: 'notReady', node, reason: 'the Node has no spec.providerID yet' };
  }
  const parsed = parseProviderId(view.providerID);
  if ('error' in parsed) throw new CloudError('Invalid', `Node ${name}: ${parsed.error}`);
  checkPlace(view, parsed.instance, pool);
  const { pinned, pinnedBy, ignored } = pinnedAddresses(view, pool.pins);
  for (const { annotation, why } of ignored) {
    const advice = why === 'malformed' ? `. ${addressNameAdvice}` : '';
    logger.warn({ node: name, annotation, why }, `a pin is ignored${advice}`);
  }
  const found = await findInstance(parsed.instance, provider);
  if ('reason' in found) return { kind: 'notReady', node, reason: found.reason, instanceGone: true };
  // What the node has it keeps: a check is for what it does not have yet.
  const hasIt =
    known && instanceKey(known.instance) === instanceKey(found) && known.selection.pool === pool.name;
  if (hasIt !== true) {
    const refusal = await refusalOf(dependencies, view, found, pool);
    if (refusal !== undefined) return { kind: 'notReady', node, reason: refusal, refused: true };
  }
  const shown = [publicIpv4Annotation, publicIpv6Annotation].flatMap((key) => view.annotations[key] ?? []);
  const createdAt = view.creationTimestamp?.toISOString();
  return {
    kind: 'ready',
    node,
    ...(createdAt === undefined ? {} : { createdAt }),
    instance: withoutIdentity(found),
    pool: specOf(pool, provider.scope, found),
    pinned,
    pinnedBy,
    ...(ignored.length === 0 ? {} : { ignoredPins: ignored }),
    shown,
    selectedBy: selectedLabels(config.pools, view.labels),
    ...(change === undefined ? {} : { change }),
  };
}

/** An address serves instances of its own account and region: a pool that is elsewhere now has nothing for the node. */
function cannotServe(pool: PoolConfig, { scope }: CloudProvider, known: KnownNode): string | undefined {
  const [now, before] = [formatScope(scope), formatScope(known.scope)];
  return now === before ? undefined : `pool ${pool.name} is of ${now}, and the node of ${before}`;
}

/** @returns why the Node gets no address on this instance, and what to do, in sentences */
async function refusalOf(
  dependencies: DiscoverDependencies,
  view: NodeView,
  instance: Instance,
  pool: PoolConfig,
): Promise<string | undefined> {
  const mismatch = identityMismatch(view.name, instance, pool.nodeIdentity);
  if (mismatch === undefined) return claimRefusal(dependencies, view, instance, pool);
  return (
    `${mismatch} Node ${view.name} gets no address, since its providerID seems to be another machine's. If that is right all the same, ` +
    `change nodeIdentity of pool ${pool.name}; if not, delete the Node, and let its kubelet register again.`
  );
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

/** What the workflow needs not know. */
function withoutIdentity(instance: Instance): Instance {
  const { identity, ...rest } = instance;
  return identity === undefined ? instance : rest;
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
