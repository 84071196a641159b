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
 * Access configs have no ids, and are deleted by their name. Those that are made here have a name that no other has: so a
 * deletion that comes late, by a process that was thought dead, hits nothing.
 */
export interface AccessConfigs {
  /** The interface must have none of the family. */
  addStatic(target: Target, address: FoundAddress, options: AssociateOptions): Promise<void>;
  /** The interface must have none of the family. The cloud chooses the address. */
  addEphemeral(target: Target, family: Family, options: ChangeOptions): Promise<void>;
  /** @param config as it was read; one that is not there any more is no error */
  remove(target: Target, family: Family, config: AccessConfig, options: ChangeOptions): Promise<void>;
}

const types = { ipv4: 'ONE_TO_ONE_NAT', ipv6: 'DIRECT_IPV6' } as const;

/** On a config of this name, the interface was IPv4 only before it got the address. */
export const stackChangedPrefix = 'kubeip-dual-';
/** On a config of this name, the interface had an ephemeral address before. Known as long as the static one is there, whoever asks. */
const ephemeralReplacedPrefix = 'kubeip-for-ephemeral-';

/** @returns whether the static address of this config was added in place of an ephemeral one */
export function isInPlaceOfEphemeral({ name }: AccessConfig): boolean {
  return name.startsWith(ephemeralReplacedPrefix);
}

export function createAccessConfigs(
  clients: GcpClients,
  change: ChangeMaker,
  project: string,
): AccessConfigs {
  const { instances } = clients;
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

  const add = (
    target: Target,
    family: Family,
    config: Readonly<Record<string, unknown>>,
    options: ChangeOptions,
  ) =>
    change({
      ...common(target, options, [JSON.stringify(config)]),
      action: 'compute.instances.addAccessConfig',
      send: async (requestId, callOptions) =>
        operationOf(
          await instances.addAccessConfig(
            { ...place(target), requestId, accessConfigResource: { type: types[family], ...config } },
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
          await instances.updateNetworkInterface(
            {
              ...place(target),
              requestId,
              networkInterfaceResource: { fingerprint: target.nic.fingerprint, ...patch },
            },
            callOptions,
          ),
        ),
    });

  return {
    async addStatic(target, address, options) {
      const { ip, family } = address.address;
      const tier = address.networkTier === '' ? {} : { networkTier: address.networkTier };
      const name = nameFor(options.hadEphemeral === true ? ephemeralReplacedPrefix : 'kubeip-', options, ip);
      if (family === 'ipv4') {
        return await add(target, family, { name, natIP: ip, ...tier }, options);
      }
      const ipv6 = { externalIpv6: ip, externalIpv6PrefixLength: address.prefixLength ?? 96, ...tier };
      if (target.nic.stackType !== 'IPV4_ONLY') {
        return await add(target, family, { name, ...ipv6 }, options);
      }
      const config = { type: types[family], name: nameFor(stackChangedPrefix, options, ip), ...ipv6 };
      await updateInterface(target, { stackType: 'IPV4_IPV6', ipv6AccessConfigs: [config] }, options);
    },

    async addEphemeral(target, family, options) {
      const name = nameFor('kubeip-ephemeral-', options);
      // IPv6 exists in one tier only, and the call wants it said.
      const tier = family === 'ipv6' ? { networkTier: 'PREMIUM', externalIpv6PrefixLength: 96 } : {};
      await add(target, family, { name, ...tier }, options);
    },

    async remove(target, family, config, options) {
      if (family === 'ipv6' && config.name.startsWith(stackChangedPrefix)) {
        return await updateInterface(target, { stackType: 'IPV4_ONLY' }, options);
      }
      await change({
        ...common(target, options, [config.name]),
        action: 'compute.instances.deleteAccessConfig',
        send: async (requestId, callOptions) =>
          operationOf(
            await instances.deleteAccessConfig(
              { ...place(target), requestId, accessConfig: config.name },
              callOptions,
            ),
          ),
      });
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
