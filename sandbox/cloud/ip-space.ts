/** Where emulated addresses come from. The ranges are never routed, so none can be somebody's. */

/** Gives out the addresses of a range one after the other. */
export class IpSpace {
  readonly #base: number;
  readonly #size: number;
  #next = 1;

  /** @param base first address as a number of 32 bits @param prefixLength of the range, as the 16 of /16 */
  constructor(base: number, prefixLength: number) {
    this.#base = base;
    this.#size = 2 ** (32 - prefixLength);
  }

  /** Skips addresses that end in 0 and 255, which confuse people. Addresses come again after a full round. */
  next(taken: (ip: string) => boolean = () => false): string {
    for (let tries = 0; tries < this.#size; tries++) {
      const offset = this.#next % this.#size;
      this.#next += 1;
      const last = offset % 256;
      if (last === 0 || last === 255) continue;
      const ip = dotted(this.#base + offset);
      if (!taken(ip)) return ip;
    }
    throw new Error('all addresses of the emulated range are in use');
  }
}

function dotted(address: number): string {
  return [address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255].join('.');
}

/** @returns the number of 32 bits that stands for `a.b.c.0` */
export function ipv4Base(a: number, b: number, c = 0): number {
  return a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8;
}

export function isIpv4(text: string): boolean {
  return /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/.test(text);
}
