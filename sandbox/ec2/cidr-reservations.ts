/** CIDR reservations of subnets, by the rules of "Subnet CIDR reservations" (Amazon VPC User Guide). IPv6 only. */
import {
  contains,
  formatIpv6,
  parseIpv6,
  parseIpv6Cidr,
  type Ipv6Range,
} from '../../clouds/aws/ipv6-range.ts';
import { Ec2Error, invalidValue } from './ec2-error.ts';
import { ipv6RangeOf } from './ipv6-assignments.ts';
import { newId, notFound } from './resource-ids.ts';
import type { CidrReservationRecord, RegionState, SubnetRecord, Tags } from './region-state.ts';

export interface CidrReservationRequest {
  readonly subnetId: string;
  readonly cidr: string;
  readonly type: CidrReservationRecord['type'];
  readonly description?: string | undefined;
  readonly tags: Tags;
}

/**
 * Addresses of the range that are in use stay so.
 *
 * @throws Ec2Error `InvalidSubnetID.NotFound`; `InvalidParameterValue` for a range that is none, is not of the subnet, or
 * overlaps another reservation
 */
export function createCidrReservation(
  region: RegionState,
  request: CidrReservationRequest,
): CidrReservationRecord {
  const subnet = findSubnet(region, request.subnetId);
  const range = checkRange(region, subnet, request.cidr);
  const created: CidrReservationRecord = {
    sequence: region.nextSequence(),
    reservationId: newId('scr'),
    subnetId: subnet.subnetId,
    cidr: `${formatIpv6(range.first)}/${request.cidr.split('/')[1]}`,
    type: request.type,
    description: request.description ?? '',
    tags: request.tags,
  };
  region.cidrReservations.set(created.reservationId, created);
  return created;
}

/** Addresses of it that are assigned stay assigned. @throws Ec2Error `InvalidSubnetCidrReservationID.NotFound` */
export function deleteCidrReservation(region: RegionState, reservationId: string): CidrReservationRecord {
  const found = region.cidrReservations.get(reservationId);
  if (found === undefined) throw notFound('subnet-cidr-reservation', [reservationId]);
  region.cidrReservations.delete(reservationId);
  return found;
}

/**
 * A range of the subnet that no reservation has yet.
 *
 * @param prefixLength 64 to 128
 * @throws Ec2Error `InvalidParameterValue` where the subnet has no IPv6, or no room
 */
export function freeCidr(region: RegionState, subnetId: string, prefixLength: number): string {
  const subnet = ipv6RangeOf(findSubnet(region, subnetId));
  if (subnet === undefined) throw noIpv6(subnetId);
  const size = 1n << BigInt(128 - prefixLength);
  const taken = reservedRanges(region, subnetId);
  // Not at the subnet's beginning, where EC2 keeps four addresses for itself.
  let first = subnet.first + (size > 256n ? size : 256n);
  while (first + size - 1n <= subnet.last) {
    const range = { first, last: first + size - 1n };
    const inTheWay = taken.find((one) => overlap(one, range));
    if (inTheWay === undefined) return `${formatIpv6(first)}/${prefixLength}`;
    first = (inTheWay.last / size + 1n) * size;
  }
  throw new Ec2Error('InvalidParameterValue', `The subnet '${subnetId}' has no room for a /${prefixLength}.`);
}

/** @throws Ec2Error `InvalidSubnetID.NotFound` */
export function findSubnet(region: RegionState, subnetId: string): SubnetRecord {
  const found = region.subnets.get(subnetId);
  if (found === undefined) throw notFound('subnet', [subnetId]);
  return found;
}

/** The reservation that an address is of, if there is one. */
export function reservationOf(region: RegionState, ip: string): CidrReservationRecord | undefined {
  const address = parseIpv6(ip);
  return [...region.cidrReservations.values()].find(({ cidr }) => {
    const range = parseIpv6Cidr(cidr);
    return address !== undefined && range !== undefined && contains(range, address);
  });
}

function checkRange(region: RegionState, { subnetId, ...subnet }: SubnetRecord, cidr: string): Ipv6Range {
  const range = parseIpv6Cidr(cidr);
  if (range === undefined) throw invalidValue('cidr', cidr, 'The emulator reserves IPv6 CIDR blocks only.');
  if (parseIpv6(cidr.split('/')[0] ?? '') !== range.first) {
    throw invalidValue('cidr', cidr, 'It is not the first address of its block.');
  }
  const whole = ipv6RangeOf({ subnetId, ...subnet });
  if (whole === undefined) throw noIpv6(subnetId);
  if (!contains(whole, range.first) || !contains(whole, range.last)) {
    throw invalidValue('cidr', cidr, `It is not within the subnet's CIDR block ${subnet.ipv6Cidr}.`);
  }
  if (reservedRanges(region, subnetId).some((one) => overlap(one, range))) {
    throw invalidValue('cidr', cidr, 'It overlaps a CIDR block that is reserved already.');
  }
  return range;
}

function reservedRanges(region: RegionState, subnetId: string): Ipv6Range[] {
  return [...region.cidrReservations.values()].flatMap((one) =>
    one.subnetId === subnetId ? (parseIpv6Cidr(one.cidr) ?? []) : [],
  );
}

function overlap(a: Ipv6Range, b: Ipv6Range): boolean {
  return a.first <= b.last && b.first <= a.last;
}

function noIpv6(subnetId: string): Ec2Error {
  return new Ec2Error('InvalidParameterValue', `The subnet '${subnetId}' has no IPv6 CIDR block.`);
}
