/** EC2's ranges of addresses. */
import { IpSpace, ipv4Base } from '../cloud/ip-space.ts';

export { isIpv4 } from '../cloud/ip-space.ts';

/** Elastic IPs: 198.18.0.0/16, of the benchmarking range (RFC 2544). */
export const elasticIpSpace = (): IpSpace => new IpSpace(ipv4Base(198, 18), 16);
/** Auto-assigned public addresses: 198.19.0.0/16, so that one sees which kind an address is. */
export const autoAssignedIpSpace = (): IpSpace => new IpSpace(ipv4Base(198, 19), 16);
/** Private addresses: 10.0.0.0/8. */
export const privateIpSpace = (): IpSpace => new IpSpace(ipv4Base(10, 0), 8);
