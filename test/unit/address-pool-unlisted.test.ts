/** What the mutex does while one of its pools cannot be listed: the others are served. */
import { expect, test } from '@jest/globals';
import type { AddressRef } from '../../model/address.ts';
import { CLAIM_MS } from '../../workflows/pool/claims.ts';
import { beginForecast } from '../../workflows/pool/forecast.ts';
import { beginLook, decide, lookFailed, type Message, nextLookAt } from '../../workflows/pool/look.ts';
import { pack, unpack } from '../../workflows/pool/packed-state.ts';
import {
  LONGEST_EMPTY_BACKOFF_MS,
  newPoolState,
  type PoolState,
  request,
} from '../../workflows/pool/state.ts';
import { poolStatus } from '../../workflows/pool/status.ts';
import { address, asked, fast, granted, ipv6Query, list, look, workflowOf } from './address-pool-world.ts';

const scope = { provider: 'aws', account: '111122223333', region: 'eu-west-1' } as const;
const error = 'GetSubnetCidrReservations was throttled by AWS eu-west-1 (RequestLimitExceeded: too fast)';
const of6 = { query: ipv6Query, requestId: 'six' };

/** A look in which no pool of IPv6 can be listed. @returns what is answered, and the families that were asked for */
function lookWithout6(
  state: PoolState,
  addresses: readonly AddressRef[],
  now: number,
): { messages: Message[]; families: string[] } {
  const planned = beginLook(state, now);
  const ofKey = new Map(planned.pools.map(({ key, query: { family } }) => [key, family]));
  const { pools } = list(planned, addresses);
  const unlisted = planned.pools.filter(({ query: { family } }) => family === 'ipv6');
  const found = {
    pools: pools.filter(({ key }) => ofKey.get(key) === 'ipv4'),
    claims: [],
    unlisted: unlisted.map(({ key }) => ({ key, error })),
  };
  return { messages: decide(state, planned, found, now), families: [...ofKey.values()] };
}

test('the others are served, and whoever waits for it keeps its place and is served once it is listed', () => {
  const state = newPoolState(fast, 0);
  request(state, asked('six', of6), 0);
  request(state, asked('four'), 0);
  expect(granted(lookWithout6(state, [address(1)], 0).messages)).toEqual([
    [workflowOf('four'), 'eipalloc-1'],
  ]);
  expect(state.queue.map(({ workflowId }) => workflowId)).toEqual([workflowOf('six')]);
  const again = nextLookAt(state)!;
  expect(again).toBe(2_000);
  expect(granted(look(state, [address(1, 'ipv6')], again))).toEqual([[workflowOf('six'), '2001:db8::1']]);
});

test('it is tried again after pauses that grow, and soon again after it was listed', () => {
  const state = newPoolState(fast, 0);
  request(state, asked('six', of6), 0);
  request(state, asked('four'), 0);
  const pauses: number[] = [];
  for (let now = 0; pauses.length < 8;) {
    lookWithout6(state, [address(1)], now);
    const next = nextLookAt(state)!;
    pauses.push(next - now);
    now = next;
  }
  expect(pauses).toEqual([2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  const listedAt = nextLookAt(state)!;
  look(state, [], listedAt);
  const emptyAt = nextLookAt(state)!;
  lookWithout6(state, [], emptyAt);
  expect(state.pools[state.queue[0]!.poolKey]?.unlisted?.until).toBe(emptyAt + 2_000);
});

test('looks for others that come meanwhile are made at once, and leave it out until its pause is over', () => {
  const state = newPoolState(fast, 0);
  request(state, asked('six', of6), 0);
  request(state, asked('four'), 0);
  let now = 0;
  lookWithout6(state, [address(1)], now);
  const asked6 = new Set<number>();
  for (let n = 0; n < 200; n++) {
    now += 100;
    request(state, asked(`n${n}`), now);
    now = Math.max(now, nextLookAt(state)!);
    const { messages, families } = lookWithout6(state, [address(n + 2)], now);
    expect(granted(messages)).toEqual([[workflowOf(`n${n}`), `eipalloc-${n + 2}`]]);
    if (families.includes('ipv6')) asked6.add(now);
  }
  expect(now).toBeGreaterThan(30_000);
  expect(asked6.size).toBe(4);
});

test('another one that asks for it makes no look before its pause is over', () => {
  const state = newPoolState(fast, 0);
  request(state, asked('six', of6), 0);
  request(state, asked('four'), 0);
  lookWithout6(state, [address(1)], 0);
  request(state, asked('next', of6), 100);
  expect(nextLookAt(state)).toBe(2_000);
});

test('a look that failed as a whole is made again after pauses that grow, and for others at once', () => {
  const state = newPoolState(fast, 0);
  request(state, asked('six', of6), 0);
  const pauses: number[] = [];
  for (let now = 0; pauses.length < 7;) {
    lookFailed(state, beginLook(state, now), error, now);
    const next = nextLookAt(state)!;
    pauses.push(next - now);
    now = next;
  }
  expect(pauses).toEqual([2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  expect(poolStatus(state, scope).lastError).toBe(`Pool a in subnet-1 could not be listed: ${error}`);
  const now = nextLookAt(state)!;
  const planned = beginLook(state, now);
  // It comes while the list is made.
  request(state, asked('four'), now + 10);
  lookFailed(state, planned, error, now + 500);
  expect(nextLookAt(state)).toBeLessThanOrEqual(now + 500);
  const { messages, families } = lookWithout6(state, [address(1)], now + 500);
  expect(granted(messages)).toEqual([[workflowOf('four'), 'eipalloc-1']]);
  expect(families).toEqual(['ipv4']);
});

test('its error is shown while somebody waits for it, also by the next run, whatever others are served meanwhile', () => {
  let state = newPoolState(fast, 0);
  request(state, asked('six', of6), 0);
  request(state, asked('four'), 0);
  lookWithout6(state, [address(1)], 0);
  request(state, asked('next'), 500);
  expect(lookWithout6(state, [address(2)], 700).families).toEqual(['ipv4']);
  state = unpack(JSON.parse(JSON.stringify(pack(state))));
  expect(poolStatus(state, scope).lastError).toBe(`Pool a in subnet-1 could not be listed: ${error}`);
  look(state, [address(3, 'ipv6')], 2_000);
  expect(poolStatus(state, scope).lastError).toBeUndefined();
});

test('its claims stay: that no list shows them says nothing', () => {
  const state = newPoolState(fast, 0);
  request(state, asked('six', of6), 0);
  look(state, [address(1, 'ipv6')], 0);
  request(state, asked('four'), 20_000);
  const { families } = lookWithout6(state, [address(1)], 20_000);
  expect(families.sort()).toEqual(['ipv4', 'ipv6']);
  request(state, asked('next'), 20_300);
  // Nobody waits for it, so its failing lists hold up nobody.
  expect(lookWithout6(state, [address(2)], 20_500).families).toEqual(['ipv4']);
  expect(state.claims.map(({ address: { id }, state: is }) => `${id} ${is}`)).toEqual([
    '2001:db8::1 granted',
    'eipalloc-1 granted',
    'eipalloc-2 granted',
  ]);
  request(state, asked('heir', of6), 21_000);
  expect(granted(look(state, [address(1, 'ipv6')], 30_000))).toEqual([]);
  expect(state.claims[0]?.deadline).toBe(CLAIM_MS);
});

test('an error of long ago makes the next pause no longer', () => {
  const state = newPoolState(fast, 0);
  request(state, asked('six', of6), 0);
  for (let n = 0, now = 0; n < 6; n++, now = nextLookAt(state)!) {
    lookFailed(state, beginLook(state, now), error, now);
  }
  const later = nextLookAt(state)! + 2 * LONGEST_EMPTY_BACKOFF_MS;
  lookFailed(state, beginLook(state, later), error, later);
  expect(nextLookAt(state)).toBe(later + 2_000);
});

test('a forecast asks for all pools, also for those that are left out for a while', () => {
  const state = newPoolState(fast, 0);
  request(state, asked('six', of6), 0);
  lookFailed(state, beginLook(state, 0), error, 0);
  expect(beginLook(structuredClone(state), 100).pools).toEqual([]);
  const { look: planned } = beginForecast(structuredClone(state), [asked('four')], [], 100);
  expect(planned.pools.map(({ query: { family } }) => family)).toEqual(['ipv6', 'ipv4']);
});
