/** Random histories of the mutex: what may happen to it, in any order. */
import fc from 'fast-check';
import type { AddressQuery, AddressRef } from '../../model/address.ts';
import type { ClaimOutcome } from '../../workflows/messages.ts';
import { address, ipv6Query, query } from './address-pool-world.ts';

/** What a node asks for, by numbers into {@link pools} and {@link everything}. */
export interface Asking {
  node: number;
  run: number;
  priority: number;
  pool: number;
  pinned: number | undefined;
  holds: { at: number[]; exclusive: boolean } | undefined;
}
export type Step =
  | ({ do: 'request' } & Asking)
  | { do: 'withdraw'; node: number; run: number | undefined }
  | { do: 'die'; node: number }
  | { do: 'undelivered'; nth: number }
  | { do: 'settle'; nth: number; outcome: ClaimOutcome; stale: boolean }
  | { do: 'freed'; address: number }
  | { do: 'look'; staleBy: number; late: Asking[] }
  | { do: 'pack' }
  | { do: 'wait'; ms: number };

/** Two pools of IPv4, which overlap, and one of IPv6. */
const v4 = [0, 1, 2, 3, 4, 5].map((n) => address(n));
const v6 = [0, 1, 2].map((n) => address(n, 'ipv6'));
export const everything = [...v4, ...v6];
export const pools: { name: string; query: AddressQuery; addresses: AddressRef[] }[] = [
  { name: 'a', query, addresses: v4.slice(0, 4) },
  { name: 'b', query: { ...query, filter: 'Name=tag:pool,Values=b' }, addresses: v4.slice(2) },
  { name: 'a', query: ipv6Query, addresses: v6 },
];
export const addressesOf = ({ family, filter }: AddressQuery): AddressRef[] =>
  pools.find((pool) => pool.query.family === family && pool.query.filter === filter)?.addresses ?? [];

const anyAddress = fc.nat({ max: everything.length - 1 });
const node = fc.nat({ max: 7 });
const asking = {
  node,
  run: fc.nat({ max: 2 }),
  priority: fc.nat({ max: 1 }),
  pool: fc.nat({ max: 2 }),
  pinned: fc.option(anyAddress, { nil: undefined, freq: 2 }),
  holds: fc.option(
    fc.record({ at: fc.array(anyAddress, { minLength: 1, maxLength: 2 }), exclusive: fc.boolean() }),
    { nil: undefined, freq: 2 },
  ),
};
export const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('request' as const), ...asking }) },
  fc.record({
    do: fc.constant('withdraw' as const),
    node,
    run: fc.option(fc.nat({ max: 2 }), { nil: undefined }),
  }),
  fc.record({ do: fc.constant('die' as const), node }),
  fc.record({ do: fc.constant('undelivered' as const), nth: fc.nat({ max: 2 }) }),
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('settle' as const),
      nth: fc.nat({ max: 5 }),
      outcome: fc.constantFrom<ClaimOutcome>('associated', 'throttled', 'inUse', 'abandoned', 'unknown'),
      stale: fc.boolean(),
    }),
  },
  fc.record({ do: fc.constant('freed' as const), address: anyAddress }),
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('look' as const),
      staleBy: fc.nat({ max: 3 }),
      late: fc.oneof(
        { weight: 1, arbitrary: fc.constant<Asking[]>([]) },
        fc.array(fc.record(asking), { maxLength: 2 }),
      ),
    }),
  },
  fc.record({ do: fc.constant('pack' as const) }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: -1_000, max: 200_000 }) }),
);
