/** EC2's ranges of addresses. */
import { formatIpv6, parseIpv6, type Ipv6Range } from '../../clouds/aws/ipv6-range.ts';
import { IpSpace, ipv4Base } from '../cloud/ip-space.ts';

export { isIpv4 } from '../cloud/ip-space.ts';

/** Elastic IPs: 198.18.0.0/16, of the benchmarking range (RFC 2544). */
export const elasticIpSpace = (): IpSpace => new IpSpace(ipv4Base(198, 18), 16);
/** Auto-assigned public addresses: 198.19.0.0/16, so that one sees which kind an address is. */
export const autoAssignedIpSpace = (): IpSpace => new IpSpace(ipv4Base(198, 19), 16);
/** Private addresses: 10.0.0.0/8. */
export const privateIpSpace = (): IpSpace => new IpSpace(ipv4Base(10, 0), 8);

/**
 * IPv6: each VPC has a /56 of 2001:db8::/32, the documentation range (RFC 3849), each subnet a /64 of that.
 *
 * @param subnet 0 to 255
 */
export function ipv6SubnetCidr(vpcId: string, subnet: number): string {
  const vpc = BigInt(`0x${vpcId.slice(-6)}`);
  const base = parseIpv6('2001:db8::') ?? 0n;
  return `${formatIpv6(base | (vpc << 72n) | (BigInt(subnet) << 64n))}/64`;
}

/** The first four addresses and the last one, which EC2 keeps (Source: "IPv6 subnet sizing", Amazon VPC User Guide). */
export function ipv6KeptByEc2({ first, last }: Ipv6Range): Ipv6Range[] {
  return [
    { first, last: first + 3n },
    { first: last, last },
  ];
}
