/** Static addresses: reserved and given back ("Reserve a static external IP address", Compute Engine documentation). */
import { isIpv4 } from '../cloud/ip-space.ts';
import {
  alreadyExists,
  GceError,
  invalidValue,
  notReady,
  requiredField,
  resourceNotFound,
} from './gce-error.ts';
import type { ChangedBy, GceProject } from './gce-project.ts';
import { checkLabels, checkName } from './places.ts';
import {
  addressKey,
  byId,
  instanceKey,
  type AddressRecord,
  type AddressUser,
  type IpVersion,
  type Labels,
  type NetworkTier,
} from './project-state.ts';

export interface AddressRequest {
  readonly region: string;
  readonly name: string;
  readonly description: string;
  readonly addressType: 'EXTERNAL' | 'INTERNAL';
  readonly ipVersion: IpVersion;
  readonly networkTier?: NetworkTier | undefined;
  readonly ipv6EndpointType?: string | undefined;
  readonly subnetwork?: string | undefined;
  readonly labels: Labels;
  /** An ephemeral address in use, to be kept. Without it: a new one. */
  readonly address?: string | undefined;
}

export function addressPath(project: GceProject, region: string, name: string): string {
  return project.path(`regions/${region}/addresses/${name}`);
}

/** What a request must fulfil when it comes. @throws GceError */
export function checkAddressRequest(project: GceProject, request: AddressRequest): void {
  const { region, name, addressType, ipVersion, networkTier } = request;
  checkName(name);
  checkLabels(request.labels);
  if (project.state.addresses.has(addressKey(region, name)))
    throw alreadyExists(addressPath(project, region, name));
  if (addressType === 'INTERNAL' && networkTier !== undefined && networkTier !== 'PREMIUM') {
    throw invalidValue('resource.networkTier', networkTier, 'An internal address is of the premium tier.');
  }
  if (ipVersion === 'IPV6') checkIpv6Request(request);
  if (request.address !== undefined) ephemeralHolder(project, request, request.address);
  project.checkAddressQuota(region);
}

function checkIpv6Request({ addressType, networkTier, ipv6EndpointType, subnetwork }: AddressRequest): void {
  if (subnetwork === undefined) throw requiredField('resource.subnetwork');
  if (addressType === 'INTERNAL') {
    throw invalidValue('resource.addressType', addressType, 'The emulator has no internal IPv6 addresses.');
  }
  if (ipv6EndpointType !== 'VM') {
    throw invalidValue('resource.ipv6EndpointType', ipv6EndpointType ?? '', 'The emulator has VM only.');
  }
  if (networkTier === 'STANDARD') {
    throw invalidValue('resource.networkTier', networkTier, 'IPv6 addresses are of the premium tier.');
  }
}

/** Reserves an address. @throws GceError */
export function reserveAddress(project: GceProject, request: AddressRequest, by: ChangedBy): AddressRecord {
  checkAddressRequest(project, request);
  const { region, name, description, addressType, ipVersion, subnetwork, labels } = request;
  const user = request.address === undefined ? undefined : ephemeralHolder(project, request, request.address);
  const record: AddressRecord = {
    sequence: project.state.nextSequence(),
    id: project.newId(),
    region,
    name,
    description,
    address: request.address ?? newIp(project, request),
    addressType,
    ipVersion,
    ...(addressType === 'EXTERNAL' ? { networkTier: request.networkTier ?? 'PREMIUM' } : {}),
    ...(subnetwork === undefined ? {} : { subnetwork }),
    labels,
    createdAt: project.now,
    ...(user === undefined ? {} : { user }),
  };
  project.state.putAddress(record);
  project.note(record, 'allocated', by);
  return record;
}

/** Gives an address back. @throws GceError `resourceInUseByAnotherResource` */
export function deleteAddress(project: GceProject, address: AddressRecord, by: ChangedBy): void {
  checkUnused(project, address);
  project.state.removeAddress(address);
  project.note(address, 'released', by);
}

/** @throws GceError `resourceInUseByAnotherResource` */
export function checkUnused(project: GceProject, { region, name, user }: AddressRecord): void {
  if (user === undefined) return;
  throw new GceError(
    'resourceInUseByAnotherResource',
    `The address resource '${addressPath(project, region, name)}' is already being used by ` +
      `'${project.path(`zones/${user.zone}/instances/${user.instance}`)}'`,
  );
}

/** @throws GceError `notFound` */
export function findAddress(project: GceProject, region: string, nameOrId: string): AddressRecord {
  const { addresses } = project.state;
  const found =
    addresses.get(addressKey(region, nameOrId)) ?? byId(addresses, nameOrId, (one) => one.region === region);
  if (found === undefined) throw resourceNotFound(addressPath(project, region, nameOrId));
  return found;
}

/** Puts labels in the place of those that it has. */
export function setAddressLabels(project: GceProject, address: AddressRecord, labels: Labels): AddressRecord {
  checkLabels(labels);
  const labelled = { ...address, labels };
  project.state.putAddress(labelled);
  return labelled;
}

function newIp({ ips }: GceProject, { addressType, ipVersion }: AddressRequest): string {
  return addressType === 'INTERNAL' ? ips.internal.next() : ips.static[ipVersion].next();
}

/** Who holds the ephemeral address that a request wants to keep. @throws GceError `invalid` if nobody does */
function ephemeralHolder(
  project: GceProject,
  { region, ipVersion, networkTier = 'PREMIUM' }: AddressRequest,
  ip: string,
): AddressUser {
  if ((ipVersion === 'IPV4') !== isIpv4(ip)) {
    throw invalidValue('resource.address', ip, `It is not of version ${ipVersion}.`);
  }
  for (const instance of project.state.instances.values()) {
    if (!instance.zone.startsWith(`${region}-`)) continue;
    for (const networkInterface of instance.networkInterfaces) {
      const config = networkInterface.accessConfigs.find((one) => one.ip === ip);
      if (config === undefined || project.state.addressByIp(region, ip) !== undefined) continue;
      if (config.networkTier !== networkTier) break;
      if (project.operations.isBusy(project.path(`zones/${instance.zone}/instances/${instance.name}`))) {
        throw notReady(project.path(`zones/${instance.zone}/instances/${instance.name}`));
      }
      const { zone, name } = instance;
      const bindingId = `${instanceKey(zone, name)}#${project.state.nextSequence()}`;
      return { zone, instance: name, networkInterface: networkInterface.name, bindingId };
    }
  }
  throw invalidValue(
    'resource.address',
    ip,
    'Specified IP address is not an ephemeral address of this region.',
  );
}
