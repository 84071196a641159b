import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { AddressRef } from '../../model/address.ts';
import type { AddressRequest, ClaimOutcome, Grant } from '../../workflows/messages.ts';
import { CLAIM_MS, LINGER_MS } from '../../workflows/pool/claims.ts';
import {
  beginLook,
  decide,
  type Found,
  type Look,
  type Message,
  nextLookAt,
} from '../../workflows/pool/look.ts';
import { pack, unpack } from '../../workflows/pool/packed-state.ts';
import {
  checkedHolders,
  freed,
  newPoolState,
  overdueHolders,
  type PoolState,
  request,
  settle,
  undelivered,
  withdraw,
} from '../../workflows/pool/state.ts';

const query = { family: 'ipv4', filter: 'Name=tag:pool,Values=a', orderBy: '' } as const;

function asked(node: string, more: Partial<AddressRequest> = {}): AddressRequest {
  return {
    workflowId: `assign-ip/test/${node}`,
    runId: `run-of-${node}`,
    requestId: `request-${more.runId ?? node}`,
    pool: 'a',
    query,
    priority: 0,
    instance: { provider: 'aws', id: `i-${node}`, zone: 'eu-west-1a' },
    ...more,
  };
}

const address = (n: number): AddressRef => ({ id: `eipalloc-${n}`, ip: `192.0.2.${n}` });

/** A list as the provider would make it: who holds what is told by `holders` (address id to instance id). */
function list(look: Look, all: AddressRef[], holders: ReadonlyMap<string, string> = new Map()): Found {
  return {
    pools: look.pools.map((pool) => ({
      key: pool.key,
      size: all.length,
      free: all.filter((a) => !holders.has(a.id) && !look.claimed.includes(a.id)).slice(0, pool.want),
      held: pool.holders.flatMap(({ workflowId, ip }) => {
        const own = all.find((a) => a.ip === ip);
        return own === undefined ? [] : [{ workflowId, address: own }];
      }),
    })),
    claims: look.claimed.map((addressId) => ({ addressId, instanceId: holders.get(addressId) ?? null })),
  };
}

function look(
  state: PoolState,
  all: AddressRef[],
  now: number,
  holders?: ReadonlyMap<string, string>,
): Message[] {
  const planned = beginLook(state, now);
  return decide(state, planned, list(planned, all, holders), now);
}

const granted = (messages: Message[]): [string, string][] =>
  messages.flatMap((m) => (m.grant.kind === 'granted' ? [[m.workflowId, m.grant.address.id]] : []));

const fast = { burst: 1_000, perSecond: 1_000 };

describe('the mutex', () => {
  test('serves all that wait from one list, by priority and then first come, first served', () => {
    const state = newPoolState(fast, 0);
    request(state, asked('n1'), 1);
    request(state, asked('n2'), 2);
    request(state, asked('vip', { priority: 10 }), 3);
    expect(granted(look(state, [address(1), address(2)], 10))).toEqual([
      ['assign-ip/test/vip', 'eipalloc-1'],
      ['assign-ip/test/n1', 'eipalloc-2'],
    ]);
    expect(state.queue.map((w) => w.workflowId)).toEqual(['assign-ip/test/n2']);
  });

  test('says once that the pool is empty, and looks again at a growing interval', () => {
    const state = newPoolState(fast, 0);
    request(state, asked('n1'), 0);
    expect(look(state, [], 0)).toEqual([
      { workflowId: 'assign-ip/test/n1', grant: { kind: 'empty', requestId: 'request-n1', size: 0 } },
    ]);
    const first = nextLookAt(state)!;
    expect(look(state, [], first)).toEqual([]);
    const second = nextLookAt(state)!;
    expect(look(state, [], second)).toEqual([]);
    expect(nextLookAt(state)! - second).toBeGreaterThan(second - first);
    freed(state, 'eipalloc-1', true, second + 1);
    expect(nextLookAt(state)).toBeLessThan(second + 1_000);
    expect(granted(look(state, [address(1)], second + 500))).toEqual([['assign-ip/test/n1', 'eipalloc-1']]);
  });

  test('a request that comes during a look is served by the next, which comes at once', () => {
    const state = newPoolState(fast, 0);
    request(state, asked('n1'), 0);
    const planned = beginLook(state, 0);
    request(state, asked('late', { pool: 'b', query: { ...query, filter: 'Name=tag:pool,Values=b' } }), 1);
    expect(granted(decide(state, planned, list(planned, [address(1), address(2)]), 100))).toHaveLength(1);
    expect(nextLookAt(state)).toBeLessThanOrEqual(300);
    expect(granted(look(state, [address(1), address(2)], 300))).toEqual([
      ['assign-ip/test/late', 'eipalloc-2'],
    ]);
  });

  test('keeps an address that the instance holds, whatever the rate limit says', () => {
    const state = newPoolState({ burst: 1, perSecond: 0.001 }, 0);
    state.bucket.tokens = 0;
    request(state, asked('n1', { holds: '192.0.2.1' }), 0);
    expect(nextLookAt(state)).toBeLessThan(1_000);
    const messages = look(state, [address(1)], 500, new Map([['eipalloc-1', 'i-n1']]));
    expect(messages[0]?.grant).toMatchObject({ kind: 'granted', held: true, address: address(1) });
  });

  test('reports an address that the instance holds from elsewhere, and drops the request', () => {
    const state = newPoolState(fast, 0);
    request(state, asked('n1', { holds: '198.51.100.9' }), 0);
    expect(look(state, [address(1)], 0)).toEqual([
      {
        workflowId: 'assign-ip/test/n1',
        grant: { kind: 'foreign', requestId: 'request-n1', ip: '198.51.100.9' },
      },
    ]);
    expect(state.queue).toEqual([]);
  });

  test('does not offer an address again while the list may be stale after its association', () => {
    const state = newPoolState(fast, 0);
    request(state, asked('n1'), 0);
    const [first] = look(state, [address(1)], 0);
    settleGrant(state, first!, 'associated', 10);
    request(state, asked('n2'), 20);
    expect(granted(look(state, [address(1)], 300))).toEqual([]);
    // A list that shows the holder ends the wait; the address is simply in use.
    expect(granted(look(state, [address(1)], 2_400, new Map([['eipalloc-1', 'i-n1']])))).toEqual([]);
    expect(state.claims).toEqual([]);
  });

  test('drops a lingering claim when no list showed anybody for its longest time', () => {
    const state = newPoolState(fast, 0);
    request(state, asked('n1'), 0);
    settleGrant(state, look(state, [address(1)], 0)[0]!, 'unknown', 10);
    request(state, asked('n2'), 20);
    expect(granted(look(state, [address(1)], 10 + LINGER_MS))).toEqual([['assign-ip/test/n2', 'eipalloc-1']]);
  });

  test('asks for a silent holder after its deadline; a closed one loses its claim, an open one gets more time', () => {
    const state = newPoolState(fast, 0);
    request(state, asked('dead'), 0);
    request(state, asked('slow'), 0);
    look(state, [address(1), address(2)], 0);
    expect(overdueHolders(state, CLAIM_MS - 1)).toEqual([]);
    expect(overdueHolders(state, CLAIM_MS).map((h) => h.runId)).toEqual(['run-of-dead', 'run-of-slow']);
    checkedHolders(state, ['run-of-dead'], CLAIM_MS);
    expect(overdueHolders(state, CLAIM_MS)).toEqual([]);
    expect(state.claims.map((c) => c.state)).toEqual(['lingering', 'granted']);
  });

  test('a newer run of a workflow takes the place of the older one, and the claim of the older one lingers', () => {
    const state = newPoolState(fast, 0);
    request(state, asked('n1'), 0);
    request(state, asked('n2'), 1);
    request(state, asked('n1', { runId: 'second' }), 2);
    expect(state.queue.map((w) => [w.workflowId, w.runId])).toEqual([
      ['assign-ip/test/n1', 'second'],
      ['assign-ip/test/n2', 'run-of-n2'],
    ]);
    look(state, [address(1)], 10);
    request(state, asked('n1', { runId: 'third' }), 20);
    expect(state.claims.map((c) => c.state)).toEqual(['lingering']);
    expect(granted(look(state, [address(1)], 300))).toEqual([]);
  });

  test('a throttled claim frees its address and slows everybody down', () => {
    const state = newPoolState({ burst: 50, perSecond: 5 }, 0);
    request(state, asked('n1'), 0);
    settleGrant(state, look(state, [address(1)], 0)[0]!, 'throttled', 100);
    expect(state.claims).toEqual([]);
    request(state, asked('n1'), 110);
    expect(nextLookAt(state)).toBeGreaterThan(1_000);
  });

  test('a pool that cannot be listed refuses its own waiters only', () => {
    const state = newPoolState(fast, 0);
    request(state, asked('n1'), 0);
    request(state, asked('n2', { pool: 'b', query: { ...query, filter: 'Name=bad,Values=b' } }), 0);
    const planned = beginLook(state, 0);
    const found = list(planned, [address(1)]);
    const messages = decide(
      state,
      planned,
      {
        ...found,
        pools: found.pools.map((p, i) => (i === 1 ? { ...p, free: [], error: 'The filter is invalid' } : p)),
      },
      0,
    );
    expect(messages.map((m) => m.grant.kind)).toEqual(['granted', 'refused']);
  });

  test('10,000 waiters fit one payload of continue-as-new, and come back the same', () => {
    const state = newPoolState(fast, 0);
    for (let n = 0; n < 10_000; n++) {
      request(
        state,
        asked(`ip-10-0-${n >> 8}-${n & 255}.eu-west-1.compute.internal`, {
          runId: '01234567-89ab-cdef-0123-456789abcdef',
          requestId: '01234567',
          instance: { provider: 'aws', id: 'i-0123456789abcdef0', zone: 'eu-west-1a' },
        }),
        1_763_900_000_000 + n,
      );
    }
    const text = JSON.stringify(pack(state));
    expect(text.length).toBeLessThan(2_000_000);
    expect(unpack(JSON.parse(text))).toEqual(state);
  });
});

function settleGrant(state: PoolState, message: Message, outcome: ClaimOutcome, now: number): void {
  const { grant, workflowId } = message;
  if (grant.kind !== 'granted') throw new Error(`expected a grant, got ${grant.kind}`);
  settle(state, { workflowId, addressId: grant.address.id, token: grant.token, outcome }, now);
}

// ---- invariants over random histories ----

type Step =
  | { do: 'request'; node: number; run: number; priority: number; pool: number }
  | { do: 'withdraw' | 'undelivered' | 'die'; node: number }
  | { do: 'settle'; node: number; outcome: ClaimOutcome; stale: boolean }
  | { do: 'freed'; address: number }
  | { do: 'look'; staleBy: number }
  | { do: 'pack' }
  | { do: 'wait'; ms: number };

const node = fc.nat({ max: 7 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('request' as const),
    node,
    run: fc.nat({ max: 2 }),
    priority: fc.nat({ max: 1 }),
    pool: fc.nat({ max: 1 }),
  }),
  fc.record({ do: fc.constantFrom('withdraw' as const, 'undelivered' as const, 'die' as const), node }),
  fc.record({
    do: fc.constant('settle' as const),
    node,
    outcome: fc.constantFrom<ClaimOutcome>('associated', 'throttled', 'inUse', 'abandoned', 'unknown'),
    stale: fc.boolean(),
  }),
  fc.record({ do: fc.constant('freed' as const), address: fc.nat({ max: 5 }) }),
  fc.record({ do: fc.constant('look' as const), staleBy: fc.nat({ max: 3 }) }),
  fc.record({ do: fc.constant('pack' as const) }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: -1_000, max: 200_000 }) }),
);

describe('the mutex, over random histories', () => {
  test('one claim for each address, one place for each workflow, growing tokens, no pass-over, no lost request', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        let state = newPoolState({ burst: 5, perSecond: 2 }, 0);
        let now = 0;
        let lastToken = 0;
        const all = [0, 1, 2, 3, 4, 5].map((n) => address(n));
        /** The cloud's truth, and its past, which a stale list shows. */
        let holders = new Map<string, string>();
        const past: Map<string, string>[] = [holders];
        /** Grants that were delivered, by workflow. */
        const delivered = new Map<string, Extract<Grant, { kind: 'granted' }>>();
        const id = (n: number): string => `assign-ip/test/n${n}`;

        for (const s of steps) {
          now = Math.max(0, now + 7);
          const before = new Set(state.queue.map((w) => w.workflowId));
          const allowed = new Set<string>();
          switch (s.do) {
            case 'request': {
              const pool =
                s.pool === 0 ? {} : { pool: 'b', query: { ...query, filter: 'Name=tag:pool,Values=b' } };
              request(
                state,
                asked(`n${s.node}`, { runId: `run-${s.run}`, priority: s.priority, ...pool }),
                now,
              );
              break;
            }
            case 'withdraw':
              withdraw(state, id(s.node));
              allowed.add(id(s.node));
              break;
            case 'die':
              checkedHolders(
                state,
                overdueHolders(state, now)
                  .filter((h) => h.workflowId === id(s.node))
                  .map((h) => h.runId),
                now,
              );
              break;
            case 'undelivered': {
              const grant = delivered.get(id(s.node));
              if (grant !== undefined) undelivered(state, grant.token);
              break;
            }
            case 'settle': {
              const grant = delivered.get(id(s.node));
              if (grant === undefined) break;
              const token = s.stale ? grant.token - 1 : grant.token;
              const before = structuredClone(state.claims);
              if (s.outcome === 'associated' && !holders.has(grant.address.id) && !s.stale) {
                holders = new Map(holders).set(grant.address.id, `i-n${s.node}`);
                past.push(holders);
              }
              settle(
                state,
                { workflowId: id(s.node), addressId: grant.address.id, token, outcome: s.outcome },
                now,
              );
              if (s.stale) expect(state.claims).toEqual(before);
              break;
            }
            case 'freed':
              holders = new Map(holders);
              holders.delete(address(s.address).id);
              past.push(holders);
              freed(state, address(s.address).id, true, now);
              break;
            case 'look': {
              const seen = past[Math.max(0, past.length - 1 - s.staleBy)]!;
              const queue = [...state.queue];
              const messages = look(state, all, now, seen);
              for (const m of messages) {
                if (m.grant.kind !== 'granted') continue;
                allowed.add(m.workflowId);
                delivered.set(m.workflowId, m.grant);
                expect(m.grant.token).toBeGreaterThan(lastToken);
                lastToken = m.grant.token;
              }
              // Whoever was granted had nobody of its pool before it in the queue who was not.
              const got = new Set(granted(messages).map(([workflowId]) => workflowId));
              for (const [index, waiter] of queue.entries()) {
                if (!got.has(waiter.workflowId)) continue;
                const passedOver = queue
                  .slice(0, index)
                  .filter((w) => w.poolKey === waiter.poolKey && !got.has(w.workflowId));
                expect(passedOver).toEqual([]);
              }
              break;
            }
            case 'pack':
              state = unpack(JSON.parse(JSON.stringify(pack(state))));
              break;
            case 'wait':
              now = Math.max(0, now + s.ms);
              break;
          }
          const claimed = state.claims.map((c) => c.address.id);
          expect(new Set(claimed).size).toBe(claimed.length);
          const waiting = state.queue.map((w) => w.workflowId);
          expect(new Set(waiting).size).toBe(waiting.length);
          const holding = state.claims.filter((c) => c.state === 'granted').map((c) => c.workflowId);
          expect(new Set(holding).size).toBe(holding.length);
          for (const workflowId of before) {
            if (!allowed.has(workflowId)) expect(waiting).toContain(workflowId);
          }
          // Somebody waits: there is a time at which the mutex looks again.
          if (state.queue.length > 0) expect(nextLookAt(state)).toBeDefined();
        }
      }),
      { numRuns: 1_500 },
    );
  });
});
