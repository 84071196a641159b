/** IPv6 addresses as numbers, and ranges of them: as much arithmetic as subnets and their reservations need. */
import { isIPv6 } from 'node:net';
import { canonicalIp } from '../ip.ts';

/** Both ends belong to it. */
export interface Ipv6Range {
  readonly first: bigint;
  readonly last: bigint;
}

/** @returns the address as a number of 128 bits; undefined for what is no IPv6 address or has a zone id */
export function parseIpv6(text: string): bigint | undefined {
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const [head = '', tail] = canonicalIp(text).split('::');
  const groupsOf = (part: string) => (part === '' ? [] : part.split(':'));
  const [left, right] = [groupsOf(head), groupsOf(tail ?? '')];
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return [...left, ...zeros, ...right].reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}

/** @returns the address in its canonical form, as RFC 5952 has it */
export function formatIpv6(address: bigint): string {
  const groups = Array.from({ length: 8 }, (_, index) => (address >> BigInt(112 - index * 16)) & 0xffffn);
  return canonicalIp(groups.map((group) => group.toString(16)).join(':'));
}

/** @returns an address in its canonical form; undefined for what is no IPv6 address */
export function canonicalIpv6(text: string): string | undefined {
  const address = parseIpv6(text);
  return address === undefined ? undefined : formatIpv6(address);
}

/** Reads `2001:db8::/64`; bits beyond the prefix are dropped. @returns undefined for what is no IPv6 CIDR block */
export function parseIpv6Cidr(text: string): Ipv6Range | undefined {
  const [, ip = '', length = ''] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  const address = parseIpv6(ip);
  const prefixLength = Number(length);
  if (address === undefined || prefixLength > 128) return undefined;
  const size = 1n << BigInt(128 - prefixLength);
  const first = (address / size) * size;
  return { first, last: first + size - 1n };
}

/** @param range a whole CIDR block */
export function formatIpv6Cidr({ first, last }: Ipv6Range): string {
  const hostBits = (last - first + 1n).toString(2).length - 1;
  return `${formatIpv6(first)}/${128 - hostBits}`;
}

export function contains(range: Ipv6Range, address: bigint): boolean {
  return range.first <= address && address <= range.last;
}

/** @returns the first addresses of the ranges, `limit` at most, ascending, each once, without those of the excluded ranges */
export function firstAddresses(
  ranges: readonly Ipv6Range[],
  excluded: readonly Ipv6Range[],
  limit: number,
): bigint[] {
  const byFirst = (a: Ipv6Range, b: Ipv6Range) => (a.first < b.first ? -1 : Number(a.first > b.first));
  const gaps = excluded.toSorted(byFirst);
  const found: bigint[] = [];
  let gap = 0;
  let next = 0n;
  for (const { first, last } of ranges.toSorted(byFirst)) {
    if (first > next) next = first;
    while (next <= last && found.length < limit) {
      const skipped = gaps[gap];
      if (skipped === undefined || next < skipped.first) {
        found.push(next);
        next += 1n;
      } else {
        if (skipped.last >= next) next = skipped.last + 1n;
        gap += 1;
      }
    }
  }
  return found;
}
