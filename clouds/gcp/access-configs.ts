/** Changes what external address an instance's primary interface has. */
import { randomUUID } from 'node:crypto';
import type { Family } from '../../model/address.ts';
import { type AssociateOptions, CloudError, type ChangeOptions } from '../provider.ts';
import type { FoundAddress } from './addresses.ts';
import type { GcpClients } from './client.ts';
import type { AccessConfig, FoundInstance, NetworkInterface } from './instances.ts';
import type { Change, ChangeMaker } from './operations.ts';
import { requestIdOf } from './request-id.ts';

/** The primary interface of an instance, in the state that it was read in. */
export interface Target {
  readonly found: FoundInstance;
  readonly nic: NetworkInterface;
}

/**
 * The two ways in which an external address comes and goes:
 *
 * - IPv4 by addAccessConfig and deleteAccessConfig. Access configs have no ids, and are deleted by their name. Those that are made
 *   here have a name that no other has: so a deletion that comes late, by a process that was thought dead, hits nothing.
 * - IPv6 by updateNetworkInterface: IPV4_ONLY removes it, IPV4_IPV6 with `ipv6AccessConfigs` adds one ("Configure IPv6 addresses for
 *   instances", Compute Engine documentation). The interface's fingerprint is the fence: a request that was decided on an older state
 *   fails.
 */
export interface AccessConfigs {
  /** The interface must have none of the family; for IPv6 its stack type must be IPV4_ONLY. */
  addStatic(target: Target, address: FoundAddress, options: AssociateOptions): Promise<void>;
  /** As `addStatic`. The cloud chooses the address. */
  addEphemeral(target: Target, family: Family, options: ChangeOptions): Promise<void>;
  /**
   * Does nothing to an interface that has none of the family.
   *
   * @throws CloudError `Unavailable` with the code of a stale fingerprint, if an interface with IPv6 was changed since it was read
   */
  remove(target: Target, family: Family, options: ChangeOptions): Promise<void>;
}

/** All names that are given here begin so. */
const ownPrefix = 'kubeip-';
/** On a config of this name, the interface had an ephemeral address before. Known as long as the static one is there, whoever asks. */
const ephemeralReplacedPrefix = `${ownPrefix}for-ephemeral-`;

/**
 * @returns whether the static address of this config was added in place of an ephemeral one. Of an IPv6 config whose name is not one
 * of ours that is not known: no document says that Compute Engine keeps the name. Then yes, because an ephemeral address too many
 * does no harm, and a node that lost its only one is worse off than before
 */
export function isInPlaceOfEphemeral(family: Family, { name }: AccessConfig): boolean {
  if (name.startsWith(ephemeralReplacedPrefix)) return true;
  return family === 'ipv6' && !name.startsWith(ownPrefix);
}

export function createAccessConfigs(
  clients: GcpClients,
  change: ChangeMaker,
  project: string,
): AccessConfigs {
  const place = ({ found, nic }: Target) => ({
    project,
    zone: found.zone,
    instance: found.name,
    networkInterface: nic.name,
  });
  const common = ({ found, nic }: Target, options: ChangeOptions, what: readonly string[]) => ({
    zone: found.zone,
    requestKey:
      options.requestKey === undefined
        ? undefined
        : [options.requestKey, found.zone, found.name, nic.name, nic.fingerprint, ...what],
    heartbeat: options.heartbeat,
  });

  type Config = Readonly<Record<string, unknown>>;
  const addIpv4 = (target: Target, config: Config, options: ChangeOptions) =>
    change({
      ...common(target, options, [JSON.stringify(config)]),
      action: 'compute.instances.addAccessConfig',
      send: async (requestId, callOptions) =>
        operationOf(
          await clients.instances.addAccessConfig(
            { ...place(target), requestId, accessConfigResource: { type: 'ONE_TO_ONE_NAT', ...config } },
            callOptions,
          ),
        ),
    });

  const removeIpv4 = (target: Target, { name }: AccessConfig, options: ChangeOptions) =>
    change({
      ...common(target, options, [name]),
      action: 'compute.instances.deleteAccessConfig',
      send: async (requestId, callOptions) =>
        operationOf(
          await clients.instances.deleteAccessConfig(
            { ...place(target), requestId, accessConfig: name },
            callOptions,
          ),
        ),
    });

  /** One request with the interface's fingerprint: it fails if anything was changed since. */
  const updateInterface = (
    target: Target,
    patch: Readonly<Record<string, unknown>>,
    options: ChangeOptions,
  ) =>
    change({
      ...common(target, options, [JSON.stringify(patch)]),
      action: 'compute.instances.updateNetworkInterface',
      send: async (requestId, callOptions) =>
        operationOf(
          await clients.instances.updateNetworkInterface(
            {
              ...place(target),
              requestId,
              networkInterfaceResource: { fingerprint: target.nic.fingerprint, ...patch },
            },
            callOptions,
          ),
        ),
    });

  const addIpv6 = (target: Target, config: Config, options: ChangeOptions) => {
    const ipv6AccessConfigs = [{ type: 'DIRECT_IPV6', ...config }];
    return updateInterface(target, { stackType: 'IPV4_IPV6', ipv6AccessConfigs }, options);
  };

  return {
    async addStatic(target, { address: { ip, family }, networkTier, prefixLength }, options) {
      const prefix = options.hadEphemeral === true ? ephemeralReplacedPrefix : ownPrefix;
      const config = { name: nameFor(prefix, options, ip), ...(networkTier === '' ? {} : { networkTier }) };
      if (family === 'ipv4') return await addIpv4(target, { ...config, natIP: ip }, options);
      const range = { externalIpv6: ip, externalIpv6PrefixLength: prefixLength ?? 96 };
      await addIpv6(target, { ...config, ...range }, options);
    },

    async addEphemeral(target, family, options) {
      const name = nameFor(`${ownPrefix}ephemeral-`, options);
      if (family === 'ipv4') return await addIpv4(target, { name }, options);
      // IPv6 exists in one tier only, and the call wants it said.
      await addIpv6(target, { name, networkTier: 'PREMIUM', externalIpv6PrefixLength: 96 }, options);
    },

    async remove(target, family, options) {
      const config = target.nic.accessConfigs[family];
      if (family === 'ipv4') {
        if (config !== undefined) await removeIpv4(target, config, options);
      } else if (config !== undefined || target.nic.stackType !== 'IPV4_ONLY') {
        await updateInterface(target, { stackType: 'IPV4_ONLY' }, options);
      }
    },
  };
}

/** @returns a name that the same request has again, and no other */
function nameFor(prefix: string, { requestKey }: ChangeOptions, ip = 'ephemeral'): string {
  const id = requestKey === undefined || ip === 'ephemeral' ? randomUUID() : requestIdOf(requestKey, ip);
  return `${prefix}${id.slice(0, 8)}`;
}

/** The client wraps operations into one of its own, which would wait without a limit. */
function operationOf([answer]: readonly [{ readonly latestResponse: unknown }, ...unknown[]]): Awaited<
  ReturnType<Change['send']>
> {
  const operation = answer.latestResponse;
  if (typeof operation === 'object' && operation !== null) return operation;
  throw new CloudError('Unavailable', 'Compute Engine answered a change without an operation.');
}
