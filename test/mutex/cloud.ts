/** A cloud for the model: its addresses, who truly has each, and what a list that may be stale shows. */
import type { AddressQuery, AddressRef } from '../../model/address.ts';
import { LINGER_MS } from '../../workflows/pool/claims.ts';
import { address, ipv6Query, query } from '../unit/address-pool-world.ts';

export interface ModelPool {
  readonly name: string;
  readonly query: AddressQuery;
  readonly addresses: readonly AddressRef[];
}

const v4 = [0, 1, 2, 3, 4, 5].map((n) => address(n));
const v6 = [0, 1, 2].map((n) => address(n, 'ipv6'));
/** Two pools of IPv4, which overlap, and one of IPv6. */
export const pools: readonly ModelPool[] = [
  { name: 'a', query, addresses: v4.slice(0, 4) },
  { name: 'b', query: { ...query, filter: 'Name=tag:pool,Values=b' }, addresses: v4.slice(2) },
  { name: 'a', query: ipv6Query, addresses: v6 },
];
export const everyAddress: readonly AddressRef[] = [...v4, ...v6];

/** @returns the pool that a query is of */
export function poolOf({ family, filter }: AddressQuery): ModelPool {
  const found = pools.find((pool) => pool.query.family === family && pool.query.filter === filter);
  if (found === undefined) throw new Error(`no pool of ${family} ${filter}`);
  return found;
}

/** Who holds an address: `claim` if the mutex gave it to him, otherwise a person attached it. */
export interface Association {
  readonly by: 'claim' | 'hand';
  readonly holder: string;
}

export class ModelCloud {
  readonly #held = new Map<string, Association>();
  /** Every state that there was and when it began, by the passing of real time. */
  readonly #past: { readonly since: number; readonly holders: ReadonlyMap<string, string> }[] = [
    { since: 0, holders: new Map() },
  ];
  #listed = 0;

  association(addressId: string): Association | undefined {
    return this.#held.get(addressId);
  }

  /** @returns false if somebody has it: an association never takes an address away */
  associate(addressId: string, by: Association['by'], holder: string, at: number): boolean {
    if (this.#held.has(addressId)) return false;
    this.#held.set(addressId, { by, holder });
    this.#changed(at);
    return true;
  }

  disassociate(addressId: string, at: number): void {
    this.#held.delete(addressId);
    this.#changed(at);
  }

  /**
   * What a list shows: the state of up to {@link LINGER_MS} ago, but never an older one than the last list showed.
   *
   * @returns address id to holder
   */
  listed(at: number, staleMs: number): ReadonlyMap<string, string> {
    this.#listed = Math.max(this.#listed, at - Math.min(staleMs, LINGER_MS));
    return this.#past.findLast(({ since }) => since <= this.#listed)?.holders ?? new Map();
  }

  #changed(since: number): void {
    this.#past.push({ since, holders: new Map([...this.#held].map(([id, { holder }]) => [id, holder])) });
  }
}
