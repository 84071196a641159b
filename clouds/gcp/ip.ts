import { isIPv6 } from 'node:net';

/** Compute Engine writes one IPv6 address in more than one way: `2600:1900:0:0::` and `2600:1900::`. */
export function sameIp(a: string, b: string): boolean {
  return a !== '' && canonicalIp(a) === canonicalIp(b);
}

/** @returns an IPv6 address in its shortest form; anything else as it is */
export function canonicalIp(ip: string): string {
  return isIPv6(ip) ? new URL(`http://[${ip}]`).hostname.slice(1, -1) : ip;
}
