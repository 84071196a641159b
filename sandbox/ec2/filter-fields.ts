/**
 * Which filters each Describe action has. Filters that AWS has on properties which are not emulated (volumes, licences,
 * …) are refused like unknown ones: an error is better than a list that looks right.
 */
import { publicIpOn, type PublicIp } from './public-ip.ts';
import type { FilterField, FilterSpec } from './filters.ts';
import {
  instanceStateCodes,
  stateOf,
  type AddressRecord,
  type InstanceRecord,
  type NetworkInterfaceRecord,
  type RegionView,
} from './region-state.ts';

export function addressFilters(view: RegionView, accountId: string): FilterSpec<AddressRecord> {
  const holder = (address: AddressRecord): NetworkInterfaceRecord | undefined =>
    address.association === undefined
      ? undefined
      : view.networkInterfaces.get(address.association.networkInterfaceId);
  return {
    tags: (address) => address.tags,
    fields: {
      'allocation-id': (address) => [address.allocationId],
      'association-id': (address) => [address.association?.associationId],
      domain: () => ['vpc'],
      'instance-id': (address) => [holder(address)?.attachment?.instanceId],
      'network-border-group': (address) => [address.networkBorderGroup ?? view.region],
      'network-interface-id': (address) => [address.association?.networkInterfaceId],
      'network-interface-owner-id': (address) => [address.association && accountId],
      'private-ip-address': (address) => [address.association?.privateIp],
      'public-ip': (address) => [address.publicIp],
    },
  };
}

export function networkInterfaceFilters(
  view: RegionView,
  account: { readonly accountId: string; readonly vpcId: string },
): FilterSpec<NetworkInterfaceRecord> {
  const primary = (one: NetworkInterfaceRecord): PublicIp | undefined =>
    publicIpOn(view, one, one.privateIps[0], account.accountId);
  const all = (one: NetworkInterfaceRecord): (PublicIp | undefined)[] =>
    one.privateIps.map((ip) => publicIpOn(view, one, ip, account.accountId));
  return {
    tags: (one) => one.tags,
    fields: {
      'addresses.association.owner-id': (one) => all(one).map((ip) => ip?.ownerId),
      'addresses.association.public-ip': (one) => all(one).map((ip) => ip?.publicIp),
      'addresses.primary': (one) => one.privateIps.map((_, index) => index === 0),
      'addresses.private-ip-address': (one) => one.privateIps,
      'association.allocation-id': (one) => [primary(one)?.allocationId],
      'association.association-id': (one) => [primary(one)?.associationId],
      'association.ip-owner-id': (one) => [primary(one)?.ownerId],
      'association.public-ip': (one) => [primary(one)?.publicIp],
      'attachment.attachment-id': (one) => [one.attachment?.attachmentId],
      'attachment.delete-on-termination': (one) => [one.attachment?.deleteOnTermination],
      'attachment.device-index': (one) => [one.attachment?.deviceIndex],
      'attachment.instance-id': (one) => [one.attachment?.instanceId],
      'attachment.instance-owner-id': (one) => [one.attachment && account.accountId],
      'attachment.status': (one) => [one.attachment && 'attached'],
      'availability-zone': (one) => [one.zone],
      description: (one) => [one.description],
      'interface-type': () => ['interface'],
      'ipv6-addresses.ipv6-address': (one) => one.ipv6Addresses,
      'mac-address': (one) => [one.macAddress],
      'network-interface-id': (one) => [one.networkInterfaceId],
      'owner-id': () => [account.accountId],
      'private-ip-address': (one) => one.privateIps,
      'requester-managed': () => [false],
      status: (one) => [one.attachment === undefined ? 'available' : 'in-use'],
      'subnet-id': (one) => [one.subnetId],
      'vpc-id': () => [account.vpcId],
    },
  };
}

export function instanceFilters(
  view: RegionView,
  account: { readonly accountId: string; readonly vpcId: string },
): FilterSpec<InstanceRecord> {
  const interfaces = (instance: InstanceRecord): NetworkInterfaceRecord[] =>
    instance.networkInterfaceIds.flatMap((id) => view.networkInterfaces.get(id) ?? []);
  const primary = (instance: InstanceRecord): NetworkInterfaceRecord | undefined => interfaces(instance)[0];
  const publicIp = (instance: InstanceRecord): string | undefined => {
    const first = primary(instance);
    return first && publicIpOn(view, first, first.privateIps[0], account.accountId)?.publicIp;
  };
  const fields: Record<string, FilterField<InstanceRecord>> = {
    'availability-zone': (instance) => [instance.zone],
    'client-token': (instance) => [instance.clientToken],
    'image-id': (instance) => [instance.imageId],
    'instance-id': (instance) => [instance.instanceId],
    'instance-state-code': (instance) => [instanceStateCodes[stateOf(instance, view.takenAt)]],
    'instance-state-name': (instance) => [stateOf(instance, view.takenAt)],
    'instance-type': (instance) => [instance.instanceType],
    'ip-address': (instance) => [publicIp(instance)],
    'launch-index': (instance) => [instance.launchIndex],
    'launch-time': (instance) => [new Date(instance.launchedAt).toISOString()],
    'owner-id': () => [account.accountId],
    'private-ip-address': (instance) => [primary(instance)?.privateIps[0]],
    'reservation-id': (instance) => [instance.reservationId],
    'subnet-id': (instance) => [instance.subnetId],
    'vpc-id': () => [account.vpcId],
  };
  return {
    tags: (instance) => instance.tags,
    fields: { ...fields, ...throughInterfaces(view, account, interfaces) },
  };
}

/** `network-interface.<filter>`: the interface filters, asked of an instance. */
function throughInterfaces(
  view: RegionView,
  account: { readonly accountId: string; readonly vpcId: string },
  interfaces: (instance: InstanceRecord) => NetworkInterfaceRecord[],
): Record<string, FilterField<InstanceRecord>> {
  const own = networkInterfaceFilters(view, account).fields;
  return Object.fromEntries(
    Object.entries(own).map(([name, field]) => [
      // The two actions name two of them differently.
      `network-interface.${name.replace('addresses.association.owner-id', 'addresses.association.ip-owner-id')}`,
      (instance: InstanceRecord) => interfaces(instance).flatMap((one) => field(one)),
    ]),
  );
}
