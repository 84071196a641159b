/** IP addresses as text. One IPv6 address can be written in many ways. */
import { isIPv6 } from 'node:net';

/** @returns whether both name one address, as `2600:1900:0:0::` and `2600:1900::` do */
export function sameIp(a: string, b: string): boolean {
  return a !== '' && canonicalIp(a) === canonicalIp(b);
}

/** @returns an IPv6 address in its canonical form, as RFC 5952 has it; anything else, also one with a zone id, as it is */
export function canonicalIp(ip: string): string {
  return isIPv6(ip) && !ip.includes('%') ? new URL(`http://[${ip}]`).hostname.slice(1, -1) : ip;
}
