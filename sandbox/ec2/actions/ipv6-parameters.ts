/** How a request asks for IPv6 addresses of a new interface: by name, or so many. */
import { Ec2Error } from '../ec2-error.ts';
import { checkIpv6Wish, type Ipv6Wish } from '../ipv6-assignments.ts';
import type { Parameters } from '../parameters.ts';
import type { RegionState } from '../region-state.ts';

export const IPV6_PARAMETERS = ['Ipv6AddressCount', 'Ipv6Addresses.N.Ipv6Address'] as const;

/**
 * @returns undefined if the request names neither
 * @throws Ec2Error `InvalidParameterCombination` for both, and as {@link checkIpv6Wish}
 */
export function readIpv6Wish(
  region: RegionState,
  subnetId: string,
  parameters: Parameters,
): Ipv6Wish | undefined {
  const addresses = parameters.structures('Ipv6Addresses').map((one) => one.required('Ipv6Address'));
  const count = parameters.integer('Ipv6AddressCount', { min: 0, max: 1000 });
  return ipv6WishOf(region, { subnetId, present: 0, addresses, count });
}

/** @param wanted `present`: how many addresses the interface has */
export function ipv6WishOf(
  region: RegionState,
  wanted: {
    readonly subnetId: string;
    readonly present: number;
    readonly addresses: readonly string[];
    readonly count: number | undefined;
  },
): Ipv6Wish | undefined {
  const { subnetId, present, addresses, count } = wanted;
  if (addresses.length > 0 && count !== undefined) {
    throw new Ec2Error(
      'InvalidParameterCombination',
      'You may specify IPv6 addresses or their number, but not both in the same call',
    );
  }
  const wish = addresses.length > 0 ? { addresses } : { count: count ?? 0 };
  if ('count' in wish && wish.count === 0) return undefined;
  return checkIpv6Wish(region, subnetId, present, wish);
}
