/** Where the project's addresses come from: ranges that are never routed, apart from those of the EC2 emulator. */
import { IpSpace, ipv4Base } from '../cloud/ip-space.ts';

/**
 * Gives out IPv6 ranges of /96, as a VM's external addresses are. All are of 2001:db8::/32, the documentation prefix
 * (RFC 3849).
 */
export class Ipv6RangeSpace {
  readonly #prefix: string;
  #next = 0;

  /** @param prefix the first five groups of four, none of them 0 at the end */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** @returns the first address of the range, as `2001:db8:5:1:a:1::` */
  next(): string {
    this.#next += 1;
    if (this.#next > 0xffff) throw new Error('all IPv6 ranges of the emulated subnet are in use');
    return `${this.#prefix}:${this.#next.toString(16)}::`;
  }
}

/** Static and ephemeral addresses differ visibly. */
export function externalIpSpaces() {
  return {
    static: { IPV4: new IpSpace(ipv4Base(198, 18, 128), 17), IPV6: new Ipv6RangeSpace('2001:db8:5:1:a') },
    ephemeral: { IPV4: new IpSpace(ipv4Base(198, 19, 128), 17), IPV6: new Ipv6RangeSpace('2001:db8:5:1:e') },
    internal: new IpSpace(ipv4Base(10, 128), 9),
  };
}
