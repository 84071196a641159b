/** What the account's owner does by hand about IPv6, as {@link AccountOwner} does for the rest. */
import type { Ec2Account } from './account.ts';
import { createCidrReservation, freeCidr, reservationOf } from './cidr-reservations.ts';
import { invalidValue } from './ec2-error.ts';
import { findInstance } from './instances.ts';
import { assignIpv6, checkIpv6Wish, unassignIpv6 } from './ipv6-assignments.ts';
import { findNetworkInterface, subnetFor } from './network-interfaces.ts';
import type { CidrReservationRecord, RegionState } from './region-state.ts';
import { canonicalIpv6 } from '../../clouds/aws/ipv6-range.ts';

export interface ReserveIpv6Options {
  /** As `eu-west-1a`: its default subnet. Without it: zone a of the emulator's region. */
  readonly zone?: string | undefined;
  /** Either this range of the subnet, */
  readonly cidr?: string | undefined;
  /** or a free one of this size, 64 to 128. @default 124, which is 16 addresses */
  readonly prefixLength?: number | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
  /** @default explicit */
  readonly type?: 'explicit' | 'prefix' | undefined;
}

export interface Ipv6ReservationInfo {
  readonly reservationId: string;
  readonly region: string;
  readonly subnetId: string;
  readonly zone: string;
  readonly cidr: string;
  readonly type: 'explicit' | 'prefix';
  readonly tags: Readonly<Record<string, string>>;
}

export interface Ipv6AddressInfo {
  readonly ip: string;
  readonly region: string;
  readonly subnetId: string;
  readonly networkInterfaceId: string;
  readonly instanceId?: string;
  /** The reservation that the address is of; auto-assigned ones are of none. */
  readonly reservation?: Ipv6ReservationInfo;
}

export interface AssignIpv6ByHandOptions {
  readonly ip: string;
  /** Either an instance: its primary interface, */
  readonly instanceId?: string | undefined;
  /** or an interface. */
  readonly networkInterfaceId?: string | undefined;
}

/** All methods throw Ec2Error with EC2's codes. */
export class Ipv6Owner {
  readonly #account: Ec2Account;
  readonly #defaultRegion: string;

  constructor(account: Ec2Account, defaultRegion: string) {
    this.#account = account;
    this.#defaultRegion = defaultRegion;
  }

  reserveIpv6(options: ReserveIpv6Options = {}): Ipv6ReservationInfo {
    const zone = options.zone ?? `${this.#defaultRegion}a`;
    const region = this.#account.region(zone.replace(/[a-z]$/, ''));
    const { subnetId } = subnetFor(region, undefined, zone);
    const created = createCidrReservation(region, {
      subnetId,
      cidr: options.cidr ?? freeCidr(region, subnetId, options.prefixLength ?? 124),
      type: options.type ?? 'explicit',
      tags: new Map(Object.entries(options.tags ?? {})),
    });
    return reservationInfo(region, created);
  }

  /** An address that another interface has is not moved: unassign it first. */
  assignIpv6ByHand({ ip, instanceId, networkInterfaceId }: AssignIpv6ByHandOptions): void {
    const region = this.#regionWith(
      (one) => one.instances.has(instanceId ?? '') || one.networkInterfaces.has(networkInterfaceId ?? ''),
    );
    const primary =
      instanceId === undefined ? undefined : findInstance(region, instanceId).networkInterfaceIds[0];
    const target = findNetworkInterface(region, networkInterfaceId ?? primary ?? '');
    const wish = { addresses: [ip] };
    const checked = checkIpv6Wish(region, target.subnetId, target.ipv6Addresses.length, wish);
    assignIpv6(this.#account, region, target, checked, 'hand');
  }

  /** Takes an address off the interface that has it. */
  unassignIpv6ByHand(ip: string): void {
    const address = canonicalIpv6(ip) ?? ip;
    const region = this.#regionWith((one) => one.interfaceByIpv6.has(address));
    const holder = region.interfaceByIpv6.get(address);
    if (holder === undefined) throw invalidValue('ipv6Addresses', ip, 'No interface has it.');
    unassignIpv6(this.#account, region, findNetworkInterface(region, holder), [address], 'hand');
  }

  /** All IPv6 addresses that interfaces have now, of one region or of all, in the order of assignment. */
  ipv6Addresses(regionName?: string): Ipv6AddressInfo[] {
    return this.#regions(regionName).flatMap((region) =>
      [...region.interfaceByIpv6].map(([ip, id]) => addressInfo(region, ip, id)),
    );
  }

  /** All reservations as they are now, of one region or of all. */
  ipv6Reservations(regionName?: string): Ipv6ReservationInfo[] {
    return this.#regions(regionName).flatMap((region) =>
      [...region.cidrReservations.values()].map((one) => reservationInfo(region, one)),
    );
  }

  #regions(name: string | undefined): RegionState[] {
    const names = name === undefined ? this.#account.regionNames() : [name];
    return names.map((one) => this.#account.region(one));
  }

  #regionWith(has: (region: RegionState) => boolean): RegionState {
    return this.#regions(undefined).find(has) ?? this.#account.region(this.#defaultRegion);
  }
}

function addressInfo(region: RegionState, ip: string, networkInterfaceId: string): Ipv6AddressInfo {
  const { subnetId, attachment } = findNetworkInterface(region, networkInterfaceId);
  const reservation = reservationOf(region, ip);
  return {
    ip,
    region: region.region,
    subnetId,
    networkInterfaceId,
    ...(attachment && { instanceId: attachment.instanceId }),
    ...(reservation && { reservation: reservationInfo(region, reservation) }),
  };
}

function reservationInfo(region: RegionState, one: CidrReservationRecord): Ipv6ReservationInfo {
  return {
    reservationId: one.reservationId,
    region: region.region,
    subnetId: one.subnetId,
    zone: region.subnets.get(one.subnetId)?.zone ?? '',
    cidr: one.cidr,
    type: one.type,
    tags: Object.fromEntries(one.tags),
  };
}
