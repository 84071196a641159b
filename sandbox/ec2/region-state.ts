/**
 * What exists in one region of the account. Records are never changed but replaced, so a shallow copy of the maps is a
 * snapshot of the region.
 */
import { ipv6SubnetCidr } from './ip-space.ts';

export type Tags = ReadonlyMap<string, string>;

export interface AddressRecord {
  /** The order of creation, for pages and stable lists. */
  readonly sequence: number;
  readonly allocationId: string;
  readonly publicIp: string;
  /** Of a Local Zone. Absent: the region's. */
  readonly networkBorderGroup?: string;
  readonly tags: Tags;
  readonly association?: AssociationRecord;
}

export interface AssociationRecord {
  readonly associationId: string;
  readonly networkInterfaceId: string;
  readonly privateIp: string;
}

export interface NetworkInterfaceRecord {
  readonly sequence: number;
  readonly networkInterfaceId: string;
  readonly subnetId: string;
  readonly zone: string;
  readonly macAddress: string;
  readonly description: string;
  readonly tags: Tags;
  /** The first is the primary one. */
  readonly privateIps: readonly [string, ...string[]];
  /** In canonical form, in the order of their assignment. */
  readonly ipv6Addresses: readonly string[];
  /** Whether EC2 gives it a public address by itself. */
  readonly autoAssign: boolean;
  /** The auto-assigned public address of the primary private address, while it has one. */
  readonly autoAssignedIp?: string;
  readonly attachment?: AttachmentRecord;
}

export interface AttachmentRecord {
  readonly attachmentId: string;
  readonly instanceId: string;
  readonly deviceIndex: number;
  readonly deleteOnTermination: boolean;
  /** Milliseconds. */
  readonly attachedAt: number;
}

export interface InstanceRecord {
  readonly sequence: number;
  readonly instanceId: string;
  readonly reservationId: string;
  readonly launchIndex: number;
  readonly imageId: string;
  readonly instanceType: string;
  readonly clientToken: string;
  readonly zone: string;
  readonly subnetId: string;
  readonly tags: Tags;
  /** All in milliseconds. It is pending until `runningAt`, shutting down from `shutdownAt`, terminated from `terminatedAt`. */
  readonly launchedAt: number;
  readonly runningAt: number;
  readonly shutdownAt?: number;
  readonly terminatedAt?: number;
  /** It is stopping from `stopAt`, stopped from `stoppedAt`, until it is started again. */
  readonly stopAt?: number;
  readonly stoppedAt?: number;
  /** By device index. */
  readonly networkInterfaceIds: readonly string[];
}

export interface SubnetRecord {
  readonly sequence: number;
  readonly subnetId: string;
  readonly zone: string;
  /** The default subnets of the zones have one; those that came into being because a request named them have none. */
  readonly ipv6Cidr?: string;
}

/** A range of a subnet that EC2 does not assign addresses of by itself. */
export interface CidrReservationRecord {
  readonly sequence: number;
  readonly reservationId: string;
  readonly subnetId: string;
  /** IPv6, in canonical form. */
  readonly cidr: string;
  readonly type: 'explicit' | 'prefix';
  readonly description: string;
  readonly tags: Tags;
}

export type InstanceState = 'pending' | 'running' | 'shutting-down' | 'terminated' | 'stopping' | 'stopped';

export const instanceStateCodes: Readonly<Record<InstanceState, number>> = {
  pending: 0,
  running: 16,
  'shutting-down': 32,
  terminated: 48,
  stopping: 64,
  stopped: 80,
};

export function stateOf(instance: InstanceRecord, now: number): InstanceState {
  if (instance.terminatedAt !== undefined && instance.terminatedAt <= now) return 'terminated';
  if (instance.shutdownAt !== undefined) return 'shutting-down';
  if (instance.stopAt !== undefined) return now < (instance.stoppedAt ?? now) ? 'stopping' : 'stopped';
  return now < instance.runningAt ? 'pending' : 'running';
}

/** What the lists are made from: the present, or a snapshot of it. */
export interface RegionView {
  readonly region: string;
  /** When it was taken, in milliseconds: instance states are those of this moment. */
  readonly takenAt: number;
  readonly addresses: ReadonlyMap<string, AddressRecord>;
  readonly networkInterfaces: ReadonlyMap<string, NetworkInterfaceRecord>;
  readonly instances: ReadonlyMap<string, InstanceRecord>;
  readonly cidrReservations: ReadonlyMap<string, CidrReservationRecord>;
  /** Allocation ids by {@link privateAddressKey}. */
  readonly allocationByPrivateAddress: ReadonlyMap<string, string>;
}

/** A private address of an interface: what an Elastic IP is associated with. */
export function privateAddressKey(networkInterfaceId: string, privateIp: string): string {
  return `${networkInterfaceId} ${privateIp}`;
}

/** A request of RunInstances that was answered, for its client token. */
export interface LaunchRecord {
  readonly fingerprint: string;
  readonly instanceIds: readonly string[];
}

export class RegionState {
  readonly region: string;
  readonly vpcId: string;
  readonly addresses = new Map<string, AddressRecord>();
  readonly networkInterfaces = new Map<string, NetworkInterfaceRecord>();
  readonly instances = new Map<string, InstanceRecord>();
  readonly cidrReservations = new Map<string, CidrReservationRecord>();
  /** The interface that has each IPv6 address. */
  readonly interfaceByIpv6 = new Map<string, string>();
  readonly allocationByPrivateAddress = new Map<string, string>();
  readonly allocationByPublicIp = new Map<string, string>();
  readonly allocationByAssociation = new Map<string, string>();
  /** Association ids that ended: a second DisassociateAddress for one is no error. */
  readonly formerAssociations = new Set<string>();
  /** Private addresses that requests named. */
  readonly namedPrivateIps = new Set<string>();
  readonly launches = new Map<string, LaunchRecord>();
  /** The default ones, and those that were named. */
  readonly subnets = new Map<string, SubnetRecord>();
  /** Instances that are shutting down. */
  readonly leaving = new Set<string>();
  /** Terminated instances that are still listed, those terminated first in front. */
  readonly gone = new Set<string>();
  #sequence = 0;

  constructor(region: string, vpcId: string) {
    this.region = region;
    this.vpcId = vpcId;
    for (const zone of ['a', 'b', 'c']) this.defaultSubnet(region + zone);
  }

  /** The subnet of a zone where a request names none. */
  defaultSubnet(zone: string): string {
    const place = zone.slice(this.region.length);
    // A Local Zone has no IPv6 block and number of its own: its subnet is told apart by its name.
    const letter =
      place.length === 1
        ? place.charCodeAt(0)
        : 0x80 +
          ((Buffer.byteLength(place) + place.charCodeAt(1) + place.charCodeAt(2) + place.charCodeAt(3)) %
            0x7f);
    const subnetId = `subnet-${this.vpcId.slice('vpc-'.length).slice(0, 15)}${letter.toString(16)}`;
    this.addSubnet(subnetId, zone, ipv6SubnetCidr(this.vpcId, letter));
    return subnetId;
  }

  /** A subnet that is there already stays as it is. */
  addSubnet(subnetId: string, zone: string, ipv6Cidr?: string): void {
    if (this.subnets.has(subnetId)) return;
    const sequence = this.subnets.size + 1;
    this.subnets.set(subnetId, { sequence, subnetId, zone, ...(ipv6Cidr !== undefined && { ipv6Cidr }) });
  }

  nextSequence(): number {
    this.#sequence += 1;
    return this.#sequence;
  }

  /** The present. Later changes show in it. */
  live(now: number): RegionView {
    const { region, addresses, networkInterfaces, instances, cidrReservations } = this;
    const { allocationByPrivateAddress } = this;
    return {
      region,
      takenAt: now,
      addresses,
      networkInterfaces,
      instances,
      cidrReservations,
      allocationByPrivateAddress,
    };
  }

  /** The present, kept: later changes do not show in it. */
  snapshot(now: number): RegionView {
    return {
      region: this.region,
      takenAt: now,
      addresses: new Map(this.addresses),
      networkInterfaces: new Map(this.networkInterfaces),
      instances: new Map(this.instances),
      cidrReservations: new Map(this.cidrReservations),
      allocationByPrivateAddress: new Map(this.allocationByPrivateAddress),
    };
  }
}

/** The Elastic IP on a private address, if there is one. */
export function elasticIpOn(
  view: RegionView,
  networkInterfaceId: string,
  privateIp: string,
): AddressRecord | undefined {
  const allocationId = view.allocationByPrivateAddress.get(privateAddressKey(networkInterfaceId, privateIp));
  return allocationId === undefined ? undefined : view.addresses.get(allocationId);
}

/**
 * The network border group of a zone: the region's, or that of a Local Zone, as `eu-west-1-lon-1` of `eu-west-1-lon-1a` ("Local Zones
 * concepts", AWS documentation).
 */
export function borderGroupOf(zone: string): string {
  return zone.replace(/(?<=\d)[a-z]$/, '');
}
