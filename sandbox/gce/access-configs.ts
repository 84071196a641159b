/**
 * Access configs: the external addresses of network interfaces, one of each type ("instances.addAccessConfig",
 * Compute Engine API Reference). A static address goes with the config that names it; without one, an ephemeral
 * address is given out and gone with its config.
 */
import { isIPv6 } from 'node:net';
import type { AssociationCause } from '../cloud/association-journal.ts';
import { GceError, invalidValue } from './gce-error.ts';
import type { ChangedBy, GceProject } from './gce-project.ts';
import { findInterface, replaceInterface } from './network-interfaces.ts';
import { regionOf } from './places.ts';
import {
  addressKey,
  instanceKey,
  type AccessConfigRecord,
  type AccessConfigType,
  type AddressRecord,
  type InstanceRecord,
  type NetworkInterfaceRecord,
  type NetworkTier,
} from './project-state.ts';

export interface AccessConfigRequest {
  readonly type: AccessConfigType;
  readonly name?: string | undefined;
  /** A static address: its IP, or of IPv6 also its URL. Without it an ephemeral one is given. */
  readonly ip?: string | undefined;
  readonly networkTier?: NetworkTier | undefined;
  readonly publicPtrDomainName?: string | undefined;
}

/** What the API calls the address of a config of each type, and the config where a request names none. */
const kinds = {
  ONE_TO_ONE_NAT: { field: 'natIP', defaultName: 'External NAT', version: 'IPV4' },
  DIRECT_IPV6: { field: 'externalIpv6', defaultName: 'External IPv6', version: 'IPV6' },
} as const;

/**
 * What a new config must fulfil when its request comes.
 *
 * @param field where the config is in the request's body, as `resource`
 * @throws GceError `badRequest` for a second one of its type, `invalid`
 */
export function checkAccessConfig(
  project: GceProject,
  zone: string,
  networkInterface: Pick<NetworkInterfaceRecord, 'accessConfigs' | 'stackType' | 'subnetwork'>,
  request: AccessConfigRequest,
  field = 'resource',
): void {
  const { type, networkTier = 'PREMIUM' } = request;
  if (type === 'DIRECT_IPV6') {
    if (networkInterface.stackType === 'IPV4_ONLY') {
      throw invalidValue(
        `${field}.type`,
        type,
        'An external IPv6 access config needs a network interface with the stack type IPV4_IPV6 or IPV6_ONLY.',
      );
    }
    if (networkTier !== 'PREMIUM') {
      throw invalidValue(`${field}.networkTier`, networkTier, 'External IPv6 is of the premium tier.');
    }
  }
  if (type === 'ONE_TO_ONE_NAT' && networkInterface.stackType === 'IPV6_ONLY') {
    throw invalidValue(`${field}.type`, type, 'The network interface has the stack type IPV6_ONLY.');
  }
  if (networkInterface.accessConfigs.some((one) => one.type === type)) {
    throw new GceError('badRequest', 'At most one access config currently supported.');
  }
  if (request.ip !== undefined) {
    checkStaticAddress(project, zone, networkInterface.subnetwork, request, `${field}.${kinds[type].field}`);
  }
}

/** The static address that a config names. @throws GceError `invalid` unless it can be had here, were it free */
function checkStaticAddress(
  project: GceProject,
  zone: string,
  subnetwork: string,
  { type, ip = '', networkTier = 'PREMIUM' }: AccessConfigRequest,
  field: string,
): AddressRecord {
  const region = regionOf(zone);
  const address = addressNamed(project, region, ip);
  if (address?.addressType !== 'EXTERNAL' || address.ipVersion !== kinds[type].version) {
    throw invalidValue(
      field,
      ip,
      `The specified external IP address '${ip}' was not found in region '${region}'.`,
    );
  }
  if (address.networkTier !== networkTier) {
    throw new GceError(
      'invalid',
      `The network tier of external IP address is ${networkTier}, that of Address is ${address.networkTier}.`,
    );
  }
  if (address.ipVersion === 'IPV6' && address.subnetwork !== subnetwork) {
    throw invalidValue(field, ip, `The address is of subnetwork '${address.subnetwork}'.`);
  }
  return address;
}

/** @param ip in any form, or the URL of the address */
function addressNamed(project: GceProject, region: string, ip: string): AddressRecord | undefined {
  const url = /(?:^|\/)regions\/([^/]+)\/addresses\/([^/]+)$/.exec(ip);
  if (url === null) return project.state.addressByIp(region, canonicalIp(ip));
  return url[1] === region ? project.state.addresses.get(addressKey(region, url[2] ?? '')) : undefined;
}

/** @returns an IPv6 address as RFC 5952 writes it; other text as it is */
function canonicalIp(ip: string): string {
  return isIPv6(ip) ? new URL(`http://[${ip}]`).hostname.slice(1, -1) : ip;
}

/**
 * Adds a config. Never takes a static address from another.
 *
 * @throws GceError `ipInUseByAnotherResource`, and all of {@link checkAccessConfig}
 */
export function addAccessConfig(
  project: GceProject,
  instance: InstanceRecord,
  interfaceName: string,
  request: AccessConfigRequest,
  by: ChangedBy,
  cause: { readonly kind: AssociationCause; readonly previousInstanceId?: string | null } = {
    kind: 'associated',
  },
): InstanceRecord {
  const networkInterface = findInterface(instance, interfaceName);
  checkAccessConfig(project, instance.zone, networkInterface, request);
  const { type, networkTier = 'PREMIUM', publicPtrDomainName } = request;
  let ip: string;
  if (request.ip === undefined) {
    ip = project.ips.ephemeral[kinds[type].version].next();
  } else {
    const address = checkStaticAddress(project, instance.zone, networkInterface.subnetwork, request, 'natIP');
    bind(project, address, instance, interfaceName, by, cause);
    ip = address.address;
  }
  const config: AccessConfigRecord = {
    type,
    name: request.name ?? kinds[type].defaultName,
    ip,
    networkTier,
    ...(publicPtrDomainName === undefined ? {} : { publicPtrDomainName }),
  };
  return replaceInterface(project, instance, {
    ...networkInterface,
    accessConfigs: [...networkInterface.accessConfigs, config],
  });
}

/**
 * addAccessConfig and deleteAccessConfig are for IPv4: an external IPv6 address comes and goes with the stack type.
 *
 * @throws GceError `invalid` for one of IPv6, unless the switch says that the calls serve it
 */
export function checkIsIpv4(
  { switches }: GceProject,
  config: Pick<AccessConfigRecord, 'type'> | undefined,
  field: string,
  value: string,
): void {
  if (config?.type !== 'DIRECT_IPV6' || switches.ipv6AccessConfigCalls === 'served') return;
  throw invalidValue(field, value, 'The only supported type of access config is ONE_TO_ONE_NAT.');
}

/** Takes the config of this name away; one that does not exist is no error, and nothing happens. */
export function deleteAccessConfig(
  project: GceProject,
  instance: InstanceRecord,
  interfaceName: string,
  configName: string,
  by: ChangedBy,
): InstanceRecord {
  const networkInterface = findInterface(instance, interfaceName);
  const config = networkInterface.accessConfigs.find((one) => one.name === configName);
  if (config === undefined) return instance;
  return dropConfig(project, instance, networkInterface, config, 'disassociated', by);
}

export function dropConfig(
  project: GceProject,
  instance: InstanceRecord,
  networkInterface: NetworkInterfaceRecord,
  config: AccessConfigRecord,
  cause: AssociationCause,
  by: ChangedBy,
): InstanceRecord {
  unbind(project, instance, config, cause, by);
  return replaceInterface(project, instance, {
    ...networkInterface,
    accessConfigs: networkInterface.accessConfigs.filter((one) => one !== config),
  });
}

/**
 * Changes what can be changed of a config: its reverse name.
 *
 * @throws GceError `invalid` for another address or tier, `notFound`
 */
export function updateAccessConfig(
  project: GceProject,
  instance: InstanceRecord,
  interfaceName: string,
  request: AccessConfigRequest,
): InstanceRecord {
  const networkInterface = findInterface(instance, interfaceName);
  const present = checkAccessConfigUpdate(networkInterface, request);
  const { publicPtrDomainName = present.publicPtrDomainName } = request;
  const updated = { ...present, ...(publicPtrDomainName === undefined ? {} : { publicPtrDomainName }) };
  return replaceInterface(project, instance, {
    ...networkInterface,
    accessConfigs: networkInterface.accessConfigs.map((one) => (one === present ? updated : one)),
  });
}

/** @returns the config that is to be changed @throws GceError as {@link updateAccessConfig} */
export function checkAccessConfigUpdate(
  networkInterface: NetworkInterfaceRecord,
  { type, name = kinds[type].defaultName, ip, networkTier }: AccessConfigRequest,
): AccessConfigRecord {
  const present = networkInterface.accessConfigs.find((one) => one.type === type && one.name === name);
  if (present === undefined) {
    throw invalidValue('resource.name', name, 'The network interface has no such access config.');
  }
  if (ip !== undefined && ip !== present.ip) {
    throw invalidValue(`resource.${kinds[type].field}`, ip, 'Updating this field is not supported.');
  }
  if (networkTier !== undefined && networkTier !== present.networkTier) {
    throw invalidValue('resource.networkTier', networkTier, 'Updating this field is not supported.');
  }
  return present;
}

function bind(
  project: GceProject,
  address: AddressRecord,
  { zone, name }: InstanceRecord,
  networkInterface: string,
  by: ChangedBy,
  cause: { readonly kind: AssociationCause; readonly previousInstanceId?: string | null },
): void {
  if (address.user !== undefined) {
    throw new GceError(
      'ipInUseByAnotherResource',
      `IP '${address.address}' is already being used by another resource.`,
    );
  }
  const bindingId = `${instanceKey(zone, name)}#${project.state.nextSequence()}`;
  const bound = { ...address, user: { zone, instance: name, networkInterface, bindingId } };
  project.state.putAddress(bound);
  project.note(bound, cause.kind, by, cause.previousInstanceId ?? null);
}

/** Frees the static address of a config; an ephemeral one is just gone. */
function unbind(
  project: GceProject,
  { zone, name }: InstanceRecord,
  { ip }: AccessConfigRecord,
  cause: AssociationCause,
  by: ChangedBy,
): void {
  const address = project.state.addressByIp(regionOf(zone), ip);
  if (address?.user?.zone !== zone || address.user.instance !== name) return;
  const { user: _gone, ...free } =
    project.state.addresses.get(addressKey(address.region, address.name)) ?? address;
  project.state.putAddress(free);
  project.note(free, cause, by, name);
}
