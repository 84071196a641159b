/** Elastic IPs: allocation, association and their ends, by the rules of the EC2 API Reference. */
import type { AssociationCause } from '../cloud/association-journal.ts';
import type { ChangedBy, Ec2Account } from './account.ts';
import { Ec2Error, invalidValue } from './ec2-error.ts';
import { newId, notFound } from './resource-ids.ts';
import {
  borderGroupOf,
  privateAddressKey,
  stateOf,
  type AddressRecord,
  type NetworkInterfaceRecord,
  type RegionState,
  type Tags,
} from './region-state.ts';

/** @throws Ec2Error `AddressLimitExceeded` */
export function allocateAddress(
  account: Ec2Account,
  region: RegionState,
  tags: Tags,
  by: ChangedBy,
  networkBorderGroup = region.region,
): AddressRecord {
  const { addressQuota } = account.switches;
  if (addressQuota !== null && region.addresses.size >= addressQuota) {
    throw new Ec2Error('AddressLimitExceeded', 'The maximum number of addresses has been reached.');
  }
  const publicIp = account.elasticIps.next((ip) => region.allocationByPublicIp.has(ip));
  const sequence = region.nextSequence();
  const ofLocalZone = networkBorderGroup === region.region ? {} : { networkBorderGroup };
  const address = { sequence, allocationId: newId('eipalloc'), publicIp, tags, ...ofLocalZone };
  region.addresses.set(address.allocationId, address);
  region.allocationByPublicIp.set(publicIp, address.allocationId);
  account.note(region, address, 'allocated', by);
  return address;
}

/** Gives the address back to AWS. @throws Ec2Error `InvalidIPAddress.InUse` while it is associated */
export function releaseAddress(
  account: Ec2Account,
  region: RegionState,
  address: AddressRecord,
  by: ChangedBy,
): void {
  if (address.association !== undefined) {
    throw new Ec2Error('InvalidIPAddress.InUse', `Address ${address.publicIp} is in use.`);
  }
  region.addresses.delete(address.allocationId);
  region.allocationByPublicIp.delete(address.publicIp);
  account.note(region, address, 'released', by);
}

export interface AssociationRequest {
  readonly address: AddressRecord;
  readonly networkInterface: NetworkInterfaceRecord;
  /** Without it: the interface's primary private address. */
  readonly privateIp?: string | undefined;
  /** False: an address that another resource has is not taken from it. */
  readonly allowReassociation: boolean;
  readonly by: ChangedBy;
}

/**
 * Associates an address. The same association once more changes nothing and has the same id; an address that another
 * holds moves unless reassociation is forbidden; an address that the private address had before is displaced, and the
 * auto-assigned public address is given up (Sources: "AssociateAddress", Amazon EC2 API Reference; "Elastic IP address
 * concepts and rules", Amazon VPC User Guide).
 *
 * @returns the association id
 * @throws Ec2Error `Resource.AlreadyAssociated`, `InvalidParameterValue`, `InvalidParameterCombination`, `IncorrectInstanceState`
 */
export function associateAddress(
  account: Ec2Account,
  region: RegionState,
  request: AssociationRequest,
): string {
  const { address, networkInterface, by } = request;
  const { networkInterfaceId } = networkInterface;
  const privateIp = request.privateIp ?? networkInterface.privateIps[0];
  if (!networkInterface.privateIps.includes(privateIp)) {
    throw invalidValue(
      'privateIpAddress',
      privateIp,
      `It is not assigned to interface ${networkInterfaceId}.`,
    );
  }
  checkAttachedInstance(account, region, networkInterface);
  checkBorderGroup(region, address, networkInterface);
  const present = address.association;
  if (present?.networkInterfaceId === networkInterfaceId && present.privateIp === privateIp) {
    return present.associationId;
  }
  if (present !== undefined && !request.allowReassociation) {
    throw new Ec2Error(
      'Resource.AlreadyAssociated',
      `resource ${address.allocationId} is already associated with associate-id ${present.associationId}`,
    );
  }
  displace(account, region, privateAddressKey(networkInterfaceId, privateIp), by);
  const previousInstanceId = holderOf(region, address);
  if (present !== undefined) unbind(account, region, address);
  const associationId = bind(region, address, networkInterfaceId, privateIp);
  const associated = region.addresses.get(address.allocationId);
  if (associated !== undefined) {
    const cause = present === undefined ? 'associated' : 'reassociated';
    account.note(region, associated, cause, by, previousInstanceId);
  }
  return associationId;
}

/** "An address of another network border group cannot be associated" (AssociateAddress); the code is in no document. */
function checkBorderGroup(
  region: RegionState,
  { allocationId, networkBorderGroup = region.region }: AddressRecord,
  { networkInterfaceId, zone }: NetworkInterfaceRecord,
): void {
  if (networkBorderGroup === borderGroupOf(zone)) return;
  throw new Ec2Error(
    'InvalidParameterCombination',
    `The address ${allocationId} is in network border group ${networkBorderGroup}, the interface ${networkInterfaceId} in ${borderGroupOf(zone)}.`,
  );
}

/** Ends an association; the address stays allocated. A free address stays as it is. */
export function disassociateAddress(
  account: Ec2Account,
  region: RegionState,
  address: AddressRecord,
  cause: AssociationCause,
  by: ChangedBy,
): void {
  if (address.association === undefined) return;
  const previousInstanceId = holderOf(region, address);
  account.note(region, unbind(account, region, address), cause, by, previousInstanceId);
}

/**
 * Gives a primary interface a new public address, if it is one that EC2 serves by itself and has none. Not so where a
 * second interface is attached to the instance (Source: "Elastic IP address concepts and rules", Amazon VPC User Guide;
 * AWS takes some minutes, the emulator none).
 */
export function restoreAutoAssignedIp(
  account: Ec2Account,
  region: RegionState,
  networkInterfaceId: string,
): void {
  const networkInterface = region.networkInterfaces.get(networkInterfaceId);
  if (networkInterface?.autoAssign !== true || networkInterface.autoAssignedIp !== undefined) return;
  const { attachment } = networkInterface;
  const instance = attachment === undefined ? undefined : region.instances.get(attachment.instanceId);
  if (instance === undefined || attachment?.deviceIndex !== 0) return;
  if (instance.shutdownAt !== undefined || instance.networkInterfaceIds.length !== 1) return;
  region.networkInterfaces.set(networkInterfaceId, {
    ...networkInterface,
    autoAssignedIp: account.autoAssignedIps.next(),
  });
}

/** Notes that the Elastic IPs of an interface have another holder, since the interface has. */
export function noteInterfaceMoved(
  account: Ec2Account,
  region: RegionState,
  networkInterface: NetworkInterfaceRecord,
  previousInstanceId: string | null,
  by: ChangedBy,
): void {
  for (const privateIp of networkInterface.privateIps) {
    const key = privateAddressKey(networkInterface.networkInterfaceId, privateIp);
    const address = region.addresses.get(region.allocationByPrivateAddress.get(key) ?? '');
    if (address !== undefined) account.note(region, address, 'interfaceMoved', by, previousInstanceId);
  }
}

/** @returns the instance that holds the address, null if none does */
export function holderOf(region: RegionState, address: AddressRecord): string | null {
  if (address.association === undefined) return null;
  const holder = region.networkInterfaces.get(address.association.networkInterfaceId);
  return holder?.attachment?.instanceId ?? null;
}

/** @throws Ec2Error `InvalidAllocationID.NotFound` */
export function findAddress(region: RegionState, allocationId: string): AddressRecord {
  const address = region.addresses.get(allocationId);
  if (address === undefined) throw notFound('elastic-ip', [allocationId]);
  return address;
}

function checkAttachedInstance(
  account: Ec2Account,
  region: RegionState,
  { networkInterfaceId, attachment }: NetworkInterfaceRecord,
): void {
  const instance = attachment === undefined ? undefined : region.instances.get(attachment.instanceId);
  if (instance === undefined) return;
  const state = stateOf(instance, account.clock.now());
  if (state === 'running' || state === 'stopping' || state === 'stopped') return;
  throw new Ec2Error(
    'IncorrectInstanceState',
    `The ${state} instance '${instance.instanceId}' that network interface '${networkInterfaceId}' is attached to ` +
      'is not in a valid state for this operation.',
  );
}

function displace(account: Ec2Account, region: RegionState, target: string, by: ChangedBy): void {
  const allocationId = region.allocationByPrivateAddress.get(target);
  const displaced = allocationId === undefined ? undefined : region.addresses.get(allocationId);
  if (displaced !== undefined) disassociateAddress(account, region, displaced, 'displaced', by);
}

function bind(
  region: RegionState,
  address: AddressRecord,
  networkInterfaceId: string,
  privateIp: string,
): string {
  const associationId = newId('eipassoc');
  const { allocationId } = address;
  region.addresses.set(allocationId, {
    ...address,
    association: { associationId, networkInterfaceId, privateIp },
  });
  region.allocationByAssociation.set(associationId, allocationId);
  region.allocationByPrivateAddress.set(privateAddressKey(networkInterfaceId, privateIp), allocationId);
  const holder = region.networkInterfaces.get(networkInterfaceId);
  if (holder?.autoAssignedIp !== undefined && holder.privateIps[0] === privateIp) {
    const { autoAssignedIp: _givenUp, ...rest } = holder;
    region.networkInterfaces.set(networkInterfaceId, rest);
  }
  return associationId;
}

function unbind(account: Ec2Account, region: RegionState, address: AddressRecord): AddressRecord {
  const { association, ...free } = address;
  if (association === undefined) return address;
  const { associationId, networkInterfaceId, privateIp } = association;
  region.addresses.set(address.allocationId, free);
  region.allocationByAssociation.delete(associationId);
  region.formerAssociations.add(associationId);
  region.allocationByPrivateAddress.delete(privateAddressKey(networkInterfaceId, privateIp));
  restoreAutoAssignedIp(account, region, networkInterfaceId);
  return free;
}
