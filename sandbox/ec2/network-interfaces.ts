/** Network interfaces: creation, attachment, detachment, deletion. */
import { randomBytes } from 'node:crypto';
import type { ChangedBy, Ec2Account } from './account.ts';
import { disassociateAddress, noteInterfaceMoved } from './associations.ts';
import { Ec2Error, invalidValue } from './ec2-error.ts';
import { isIpv4 } from './ip-space.ts';
import { assignIpv6, dropIpv6, noteIpv6Moved, type Ipv6Wish } from './ipv6-assignments.ts';
import { newId, notFound } from './resource-ids.ts';
import {
  privateAddressKey,
  stateOf,
  type AttachmentRecord,
  type InstanceRecord,
  type NetworkInterfaceRecord,
  type RegionState,
  type Tags,
} from './region-state.ts';

export interface NetworkInterfaceRequest {
  readonly subnetId: string;
  readonly zone: string;
  readonly description?: string | undefined;
  readonly tags?: Tags;
  readonly privateIp?: string | undefined;
  /** Private addresses beside the primary one. */
  readonly secondaryPrivateIps?: number | undefined;
  readonly autoAssign?: boolean;
  /** Checked by {@link checkIpv6Wish}. */
  readonly ipv6?: Ipv6Wish | undefined;
  readonly by: ChangedBy;
}

/**
 * Checks a private address that a request names.
 *
 * @throws Ec2Error `InvalidParameterValue` for what is no address, `InvalidIPAddress.InUse`
 */
export function checkPrivateIp(region: RegionState, privateIp: string | undefined): void {
  if (privateIp === undefined) return;
  if (!isIpv4(privateIp)) throw invalidValue('privateIpAddress', privateIp, 'It is not an IPv4 address.');
  const taken = [...region.networkInterfaces.values()].some((one) => one.privateIps.includes(privateIp));
  if (taken) throw new Ec2Error('InvalidIPAddress.InUse', `Address ${privateIp} is in use.`);
}

/** A subnet comes into being when it is first named; without a name, each zone has a default one. */
export function subnetFor(
  region: RegionState,
  subnetId: string | undefined,
  zone: string | undefined,
): { readonly subnetId: string; readonly zone: string } {
  if (zone !== undefined && !new RegExp(`^${region.region}(?:-[a-z]{3}-\\d)?[a-f]$`).test(zone)) {
    throw invalidValue('availabilityZone', zone, `Subnets can be in the zones of ${region.region}.`);
  }
  const known = subnetId === undefined ? undefined : region.subnets.get(subnetId)?.zone;
  const inZone = zone ?? known ?? `${region.region}a`;
  if (known !== undefined && known !== inZone) {
    throw invalidValue('availabilityZone', inZone, `The subnet '${subnetId}' is in ${known}.`);
  }
  const id = subnetId ?? region.defaultSubnet(inZone);
  region.addSubnet(id, inZone);
  return { subnetId: id, zone: inZone };
}

export function createNetworkInterface(
  account: Ec2Account,
  region: RegionState,
  request: NetworkInterfaceRequest,
): NetworkInterfaceRecord {
  // Only an address that a request named can be in the way of the ones given out in turn.
  const isTaken = (ip: string): boolean => region.namedPrivateIps.has(ip);
  if (request.privateIp !== undefined) region.namedPrivateIps.add(request.privateIp);
  const primary = request.privateIp ?? account.privateIps.next(isTaken);
  const secondary = Array.from({ length: request.secondaryPrivateIps ?? 0 }, () =>
    account.privateIps.next(isTaken),
  );
  const autoAssign = request.autoAssign ?? false;
  const created: NetworkInterfaceRecord = {
    sequence: region.nextSequence(),
    networkInterfaceId: newId('eni'),
    subnetId: request.subnetId,
    zone: request.zone,
    macAddress: `02:${[...randomBytes(5)].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`,
    description: request.description ?? '',
    tags: request.tags ?? new Map(),
    privateIps: [primary, ...secondary],
    ipv6Addresses: [],
    autoAssign,
    ...(autoAssign ? { autoAssignedIp: account.autoAssignedIps.next() } : {}),
  };
  region.networkInterfaces.set(created.networkInterfaceId, created);
  if (request.ipv6 === undefined) return created;
  assignIpv6(account, region, created, request.ipv6, request.by);
  return findNetworkInterface(region, created.networkInterfaceId);
}

export interface AttachmentOptions {
  readonly deviceIndex: number;
  readonly deleteOnTermination: boolean;
  readonly by: ChangedBy;
}

/**
 * @returns the attachment
 * @throws Ec2Error `InvalidNetworkInterface.InUse`, `InvalidParameterValue` (device index taken), `IncorrectInstanceState`
 */
export function attachNetworkInterface(
  account: Ec2Account,
  region: RegionState,
  networkInterface: NetworkInterfaceRecord,
  instance: InstanceRecord,
  { deviceIndex, deleteOnTermination, by }: AttachmentOptions,
): AttachmentRecord {
  const { networkInterfaceId } = networkInterface;
  if (networkInterface.attachment !== undefined) {
    throw new Ec2Error('InvalidNetworkInterface.InUse', `Interface: [${networkInterfaceId}] in use.`);
  }
  const state = stateOf(instance, account.clock.now());
  if (state === 'shutting-down' || state === 'terminated') {
    throw new Ec2Error('IncorrectInstanceState', `Instance '${instance.instanceId}' is ${state}.`);
  }
  if (networkInterface.zone !== instance.zone) {
    throw new Ec2Error(
      'InvalidParameterCombination',
      'You may not attach a network interface to an instance if they are not in the same availability zone',
    );
  }
  const attached = instance.networkInterfaceIds.map((id) => findNetworkInterface(region, id));
  if (attached.some((other) => other.attachment?.deviceIndex === deviceIndex)) {
    throw new Ec2Error(
      'InvalidParameterValue',
      `Instance '${instance.instanceId}' already has an interface attached at device index '${deviceIndex}'.`,
    );
  }
  const attachment = {
    attachmentId: newId('eni-attach'),
    instanceId: instance.instanceId,
    deviceIndex,
    deleteOnTermination,
    attachedAt: account.clock.now(),
  };
  const record = { ...networkInterface, attachment };
  region.networkInterfaces.set(networkInterfaceId, record);
  const byIndex = [...attached, record].sort(
    (a, b) => (a.attachment?.deviceIndex ?? 0) - (b.attachment?.deviceIndex ?? 0),
  );
  region.instances.set(instance.instanceId, {
    ...instance,
    networkInterfaceIds: byIndex.map((one) => one.networkInterfaceId),
  });
  noteInterfaceMoved(account, region, record, null, by);
  noteIpv6Moved(account, region, record, null, by);
  return attachment;
}

/** Takes an interface off its instance. Its Elastic IPs stay with it, an auto-assigned address goes. */
export function detachNetworkInterface(
  account: Ec2Account,
  region: RegionState,
  networkInterface: NetworkInterfaceRecord,
  by: ChangedBy,
): void {
  const { attachment, autoAssignedIp: _gone, ...rest } = networkInterface;
  if (attachment === undefined) return;
  region.networkInterfaces.set(networkInterface.networkInterfaceId, rest);
  noteInterfaceMoved(account, region, rest, attachment.instanceId, by);
  noteIpv6Moved(account, region, rest, attachment.instanceId, by);
  const instance = region.instances.get(attachment.instanceId);
  if (instance === undefined) return;
  region.instances.set(instance.instanceId, {
    ...instance,
    networkInterfaceIds: instance.networkInterfaceIds.filter((id) => id !== rest.networkInterfaceId),
  });
}

/** Deletes an interface; the Elastic IPs and the IPv6 addresses on it are free again. */
export function deleteNetworkInterface(
  account: Ec2Account,
  region: RegionState,
  networkInterface: NetworkInterfaceRecord,
  by: ChangedBy,
): void {
  const { networkInterfaceId, privateIps } = networkInterface;
  for (const privateIp of privateIps) {
    const key = privateAddressKey(networkInterfaceId, privateIp);
    const address = region.addresses.get(region.allocationByPrivateAddress.get(key) ?? '');
    if (address !== undefined) disassociateAddress(account, region, address, 'terminated', by);
  }
  dropIpv6(account, region, networkInterface, by);
  const present = region.networkInterfaces.get(networkInterfaceId);
  if (present !== undefined) detachNetworkInterface(account, region, present, by);
  region.networkInterfaces.delete(networkInterfaceId);
}

/** @throws Ec2Error `InvalidNetworkInterfaceID.NotFound` */
export function findNetworkInterface(region: RegionState, id: string): NetworkInterfaceRecord {
  const found = region.networkInterfaces.get(id);
  if (found === undefined) throw notFound('network-interface', [id]);
  return found;
}
