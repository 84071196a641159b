/** IPv6 addresses of network interfaces: assignment and its end, by the rules of the EC2 API Reference. */
import { randomBytes } from 'node:crypto';
import {
  contains,
  formatIpv6,
  parseIpv6,
  parseIpv6Cidr,
  type Ipv6Range,
} from '../../clouds/aws/ipv6-range.ts';
import type { AssociationCause } from '../cloud/association-journal.ts';
import type { ChangedBy, Ec2Account } from './account.ts';
import { Ec2Error, invalidValue } from './ec2-error.ts';
import { ipv6KeptByEc2 } from './ip-space.ts';
import type { NetworkInterfaceRecord, RegionState, SubnetRecord } from './region-state.ts';

/** Named addresses, or so many of EC2's choice. */
export type Ipv6Wish = { readonly addresses: readonly string[] } | { readonly count: number };

/**
 * Addresses that an interface may have, as one of m5.large (Source: "Maximum IP addresses per network interface", Amazon
 * EC2 User Guide).
 */
export const ipv6PerInterface = 10;

/**
 * Checks everything about a wish before anything is changed. An address that an interface has is never moved, and is not
 * assigned to that interface once more. EC2 does not document the latter: this is the stricter way.
 *
 * @returns the wish, its addresses in canonical form
 * @throws Ec2Error `InvalidParameterValue`, `InvalidIPAddress.InUse`, `PrivateIpAddressLimitExceeded`
 */
export function checkIpv6Wish(
  region: RegionState,
  subnetId: string,
  present: number,
  wish: Ipv6Wish,
): Ipv6Wish {
  const subnet = region.subnets.get(subnetId);
  const range = ipv6RangeOf(subnet);
  if (range === undefined) {
    throw new Ec2Error('InvalidParameterValue', `The subnet '${subnetId}' has no IPv6 CIDR block.`);
  }
  const wanted = 'count' in wish ? wish.count : wish.addresses.length;
  if (present + wanted > ipv6PerInterface) {
    throw new Ec2Error('PrivateIpAddressLimitExceeded', 'Number of IPv6 addresses will exceed limit.');
  }
  if ('count' in wish) return wish;
  return { addresses: wish.addresses.map((text) => checkAddress(region, subnetId, range, text)) };
}

function checkAddress(region: RegionState, subnetId: string, range: Ipv6Range, text: string): string {
  const address = parseIpv6(text);
  if (address === undefined) throw invalidValue('ipv6Addresses', text, 'It is not an IPv6 address.');
  if (!contains(range, address)) {
    throw invalidValue(
      'ipv6Addresses',
      text,
      `It is not in the IPv6 CIDR block of the subnet '${subnetId}'.`,
    );
  }
  if (ipv6KeptByEc2(range).some((kept) => contains(kept, address))) {
    throw invalidValue('ipv6Addresses', text, 'The address is reserved.');
  }
  const ip = formatIpv6(address);
  if (region.interfaceByIpv6.has(ip)) {
    throw new Ec2Error('InvalidIPAddress.InUse', `The specified address ${ip} is already in use.`);
  }
  return ip;
}

/** @param wish as {@link checkIpv6Wish} returned it @returns the addresses that were added */
export function assignIpv6(
  account: Ec2Account,
  region: RegionState,
  networkInterface: NetworkInterfaceRecord,
  wish: Ipv6Wish,
  by: ChangedBy,
): string[] {
  const { networkInterfaceId, subnetId } = networkInterface;
  const added =
    'count' in wish
      ? Array.from({ length: wish.count }, () => chooseIpv6(region, subnetId))
      : [...wish.addresses];
  for (const ip of added) region.interfaceByIpv6.set(ip, networkInterfaceId);
  const ipv6Addresses = [...networkInterface.ipv6Addresses, ...added];
  region.networkInterfaces.set(networkInterfaceId, { ...networkInterface, ipv6Addresses });
  for (const ip of added) noteIpv6(account, region, ip, networkInterface, null, 'associated', by);
  return added;
}

/** Takes addresses off their interface. @throws Ec2Error `InvalidParameterValue` if it does not have all of them */
export function unassignIpv6(
  account: Ec2Account,
  region: RegionState,
  networkInterface: NetworkInterfaceRecord,
  addresses: readonly string[],
  by: ChangedBy,
): void {
  const { networkInterfaceId } = networkInterface;
  const missing = addresses.filter((ip) => !networkInterface.ipv6Addresses.includes(ip));
  if (missing.length > 0) {
    throw new Ec2Error(
      'InvalidParameterValue',
      `Some of the specified addresses are not assigned to interface ${networkInterfaceId}: ${missing.join(', ')}`,
    );
  }
  remove(account, region, networkInterface, addresses, 'disassociated', by);
}

/** Frees all addresses of an interface that goes. */
export function dropIpv6(
  account: Ec2Account,
  region: RegionState,
  networkInterface: NetworkInterfaceRecord,
  by: ChangedBy,
): void {
  const present = region.networkInterfaces.get(networkInterface.networkInterfaceId);
  if (present !== undefined) remove(account, region, present, present.ipv6Addresses, 'terminated', by);
}

/** Notes that the addresses of an interface have another holder, since the interface has. */
export function noteIpv6Moved(
  account: Ec2Account,
  region: RegionState,
  networkInterface: NetworkInterfaceRecord,
  previousInstanceId: string | null,
  by: ChangedBy,
): void {
  for (const ip of networkInterface.ipv6Addresses) {
    noteIpv6(account, region, ip, networkInterface, previousInstanceId, 'interfaceMoved', by);
  }
}

/** @returns undefined for a subnet without IPv6 */
export function ipv6RangeOf(subnet: SubnetRecord | undefined): Ipv6Range | undefined {
  return subnet?.ipv6Cidr === undefined ? undefined : parseIpv6Cidr(subnet.ipv6Cidr);
}

function remove(
  account: Ec2Account,
  region: RegionState,
  networkInterface: NetworkInterfaceRecord,
  addresses: readonly string[],
  cause: AssociationCause,
  by: ChangedBy,
): void {
  const { networkInterfaceId, attachment } = networkInterface;
  for (const ip of addresses) region.interfaceByIpv6.delete(ip);
  const ipv6Addresses = networkInterface.ipv6Addresses.filter((ip) => !addresses.includes(ip));
  region.networkInterfaces.set(networkInterfaceId, { ...networkInterface, ipv6Addresses });
  const holder = attachment?.instanceId ?? null;
  for (const ip of addresses) noteIpv6(account, region, ip, undefined, holder, cause, by);
}

/** An address of the subnet by chance, as EC2 does, and of no reservation: those are not for automatic assignment. */
function chooseIpv6(region: RegionState, subnetId: string): string {
  const range = ipv6RangeOf(region.subnets.get(subnetId)) ?? { first: 0n, last: 0n };
  const reserved = [...region.cidrReservations.values()].flatMap(({ cidr }) => parseIpv6Cidr(cidr) ?? []);
  const refused = [...ipv6KeptByEc2(range), ...reserved];
  for (;;) {
    const address = range.first + BigInt(`0x${randomBytes(8).toString('hex')}`);
    const ip = formatIpv6(address);
    if (!refused.some((one) => contains(one, address)) && !region.interfaceByIpv6.has(ip)) return ip;
  }
}

/** In the journal the id of an IPv6 address is the address itself. */
function noteIpv6(
  account: Ec2Account,
  region: RegionState,
  ip: string,
  holder: NetworkInterfaceRecord | undefined,
  previousInstanceId: string | null,
  cause: AssociationCause,
  by: ChangedBy,
): void {
  account.journal.append({
    time: new Date(account.clock.now()).toISOString(),
    scope: region.region,
    allocationId: ip,
    publicIp: ip,
    instanceId: holder?.attachment?.instanceId ?? null,
    networkInterfaceId: holder?.networkInterfaceId ?? null,
    associationId: holder === undefined ? null : `${holder.networkInterfaceId}/${ip}`,
    previousInstanceId,
    cause,
    by,
  });
}
