import { describe, expect, test } from '@jest/globals';
import type { AddressQuery } from '../../model/address.ts';
import { CLAIM_MS, LINGER_MS } from '../../workflows/pool/claims.ts';
import { beginLook, decide, nextLookAt, nextWakeAt, repeatedGrants } from '../../workflows/pool/look.ts';
import { pack, unpack } from '../../workflows/pool/packed-state.ts';
import { isDecided, releaseClaim } from '../../workflows/pool/release-claim.ts';
import {
  checkedHolders,
  freed,
  newPoolState,
  overdueHolders,
  request,
  withdraw,
} from '../../workflows/pool/state.ts';
import { poolStatus } from '../../workflows/pool/status.ts';
import {
  address,
  asked,
  fast,
  granted,
  ipv6Query,
  list,
  look,
  query,
  settleGrant,
} from './address-pool-world.ts';

const scope = { provider: 'aws', account: '111122223333', region: 'eu-west-1' } as const;
const byFamily = ({ family }: AddressQuery) => [address(1, family), address(2, family)];

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
    expect(look(state, [], 0)).toMatchObject([
      { workflowId: 'assign-ip/test/n1', grant: { kind: 'empty', requestId: 'request-n1', size: 0 } },
    ]);
    const first = nextLookAt(state)!;
    expect(look(state, [], first)).toEqual([]);
    const second = nextLookAt(state)!;
    expect(look(state, [], second)).toEqual([]);
    expect(nextLookAt(state)! - second).toBeGreaterThan(second - first);
    freed(state, { addressId: 'eipalloc-1', disassociated: true }, second + 1);
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
    request(state, asked('n1', { holds: { ips: ['192.0.2.1'], exclusive: true } }), 0);
    expect(nextLookAt(state)).toBeLessThan(1_000);
    const messages = look(state, [address(1)], 500, new Map([['eipalloc-1', 'i-n1']]));
    expect(messages[0]?.grant).toMatchObject({ kind: 'granted', held: true, address: address(1) });
  });

  test('reports an address that the instance holds from elsewhere, and drops the request', () => {
    const state = newPoolState(fast, 0);
    request(state, asked('n1', { holds: { ips: ['198.51.100.9'], exclusive: true } }), 0);
    expect(look(state, [address(1)], 0)).toMatchObject([
      {
        workflowId: 'assign-ip/test/n1',
        runId: 'run-of-n1',
        activityId: '1',
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

  test('a claim ends by a list that shows the address where it is to be, and by the word that it is free again', () => {
    const state = newPoolState(fast, 0);
    for (const node of ['n1', 'n2', 'n3']) request(state, asked(node), 0);
    const [, , third] = look(state, [address(1), address(2), address(3)], 0);
    request(state, asked('next'), 20);
    const holders = new Map([
      ['eipalloc-1', 'i-n1'],
      ['eipalloc-2', 'i-somebody-else'],
    ]);
    look(state, [address(1), address(2), address(3)], 300, holders);
    expect(state.claims.map(({ address: { id } }) => id)).toEqual(['eipalloc-2', 'eipalloc-3']);
    // An activity that is late asks for nothing new.
    request(state, asked('n1'), 400);
    expect(state.queue.map(({ workflowId }) => workflowId)).toEqual(['assign-ip/test/next']);
    const token = third?.grant.kind === 'granted' ? third.grant.token : 0;
    freed(state, { addressId: 'eipalloc-3', disassociated: true, token: token - 1 }, 500);
    expect(state.claims).toHaveLength(2);
    freed(state, { addressId: 'eipalloc-3', disassociated: true, token }, 600);
    expect(state.claims.map(({ address: { id } }) => id)).toEqual(['eipalloc-2']);
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
    // Nobody waits for what they have.
    expect(overdueHolders(state, CLAIM_MS)).toEqual([]);
    expect(nextWakeAt(state)).toBeUndefined();
    request(state, asked('next'), 10);
    expect(overdueHolders(state, CLAIM_MS - 1)).toEqual([]);
    expect(overdueHolders(state, CLAIM_MS).map((h) => h.runId)).toEqual(['run-of-dead', 'run-of-slow']);
    checkedHolders(state, overdueHolders(state, CLAIM_MS), ['run-of-dead'], CLAIM_MS);
    expect(overdueHolders(state, CLAIM_MS)).toEqual([]);
    expect(state.claims.map((c) => c.state)).toEqual(['lingering', 'granted']);
  });

  test('a claim that an operator asks about during a search for others is not taken for one that was searched for', () => {
    const state = newPoolState(fast, 0);
    request(state, asked('silent'), 0);
    look(state, [address(1)], 0);
    request(state, asked('young'), 1_000);
    look(state, [address(1), address(2)], 1_000);
    request(state, asked('next'), 1_010);
    const searched = overdueHolders(state, CLAIM_MS);
    expect(searched.map(({ runId }) => runId)).toEqual(['run-of-silent']);
    const young = releaseClaim(state, 2, CLAIM_MS + 10);
    expect(young?.workflowId).toBe('assign-ip/test/young');
    checkedHolders(state, searched, [], CLAIM_MS + 20);
    expect(isDecided(state, 2, CLAIM_MS + 10)).toBe(false);
    expect(overdueHolders(state, CLAIM_MS + 20).map(({ runId }) => runId)).toEqual(['run-of-young']);
    checkedHolders(state, overdueHolders(state, CLAIM_MS + 20), ['run-of-young'], CLAIM_MS + 30);
    expect(isDecided(state, 2, CLAIM_MS + 10)).toBe(true);
    expect(state.claims.map((c) => c.state)).toEqual(['granted', 'lingering']);
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
    request(state, asked('n1', { requestId: 'again' }), 110);
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

  test('an instance that may have several addresses keeps one of the pool, or is served like any other', () => {
    const state = newPoolState({ burst: 1, perSecond: 0.001 }, 0);
    const several = (n: number) => ({
      holds: { ips: ['2001:db8:ffff::9', `2001:db8::${n}`], exclusive: false },
    });
    request(state, asked('keeps', { query: ipv6Query, ...several(1) }), 0);
    request(state, asked('served', { query: ipv6Query, ...several(99) }), 1);
    request(state, asked('paced', { query: ipv6Query, ...several(98) }), 2);
    const all = [1, 2, 3].map((n) => address(n, 'ipv6'));
    const messages = look(state, all, 500, new Map([['2001:db8::1', 'i-keeps']]));
    expect(granted(messages)).toEqual([
      ['assign-ip/test/keeps', '2001:db8::1'],
      ['assign-ip/test/served', '2001:db8::2'],
    ]);
    expect(messages.map(({ grant }) => grant.kind === 'granted' && grant.held)).toEqual([true, false]);
    // What is held is not of the pool, which is known now: the next look comes when the rate limit has a call.
    expect(nextLookAt(state)).toBeGreaterThan(100_000);
  });

  test('one node waits for an address of each family, and is granted, asked after and settled for each by itself', () => {
    const state = newPoolState(fast, 0);
    request(state, asked('n1', { requestId: 'four' }), 0);
    request(state, asked('n1', { requestId: 'six', query: ipv6Query }), 1);
    expect(poolStatus(state, scope).waiting.map(({ family }) => family)).toEqual(['ipv4', 'ipv6']);
    const messages = look(state, byFamily, 0);
    expect(granted(messages)).toEqual([
      ['assign-ip/test/n1', 'eipalloc-1'],
      ['assign-ip/test/n1', '2001:db8::1'],
    ]);
    // The same again changes nothing; a newer request for one family leaves the other's claim alone.
    request(state, asked('n1', { requestId: 'six', query: ipv6Query }), 10);
    expect(state.queue).toEqual([]);
    request(state, asked('n1', { requestId: 'another', query: ipv6Query }), 20);
    expect(state.claims.map(({ family, state }) => [family, state])).toEqual([
      ['ipv4', 'granted'],
      ['ipv6', 'lingering'],
    ]);
    settleGrant(state, messages[0]!, 'abandoned', 30);
    expect(state.claims.map(({ family }) => family)).toEqual(['ipv6']);
  });

  test('a withdrawal that names a request takes back that one only; one that names none takes back all', () => {
    const state = newPoolState(fast, 0);
    request(state, asked('n1', { requestId: 'four' }), 0);
    request(state, asked('n1', { requestId: 'six', query: ipv6Query }), 1);
    request(state, asked('n2'), 2);
    withdraw(state, { workflowId: 'assign-ip/test/n1', requestId: 'an older one' }, 3);
    expect(state.queue).toHaveLength(3);
    withdraw(state, { workflowId: 'assign-ip/test/n1', requestId: 'four' }, 3);
    expect(state.queue.map((w) => w.requestId)).toEqual(['six', 'request-n2']);
    request(state, asked('n1', { requestId: 'five' }), 3);
    withdraw(state, { workflowId: 'assign-ip/test/n1' }, 4);
    expect(state.queue.map((w) => w.requestId)).toEqual(['request-n2']);
  });

  test('a node that asks again for what was granted is granted the same once more, by its new activity', () => {
    const state = newPoolState(fast, 0);
    request(state, asked('n1'), 0);
    const [first] = look(state, [address(1)], 0);
    expect(repeatedGrants(state)).toEqual([]);
    request(state, asked('n1', { runId: 'next', requestId: 'request-n1', activityId: '7' }), 10);
    const next = unpack(JSON.parse(JSON.stringify(pack(state))));
    expect(repeatedGrants(next)).toEqual([{ ...first, runId: 'next', activityId: '7' }]);
    expect(repeatedGrants(next)).toEqual([]);
    expect(next.queue).toEqual([]);
  });

  test('what was granted to a request that is taken back is free again, and the request may come late', () => {
    const state = newPoolState(fast, 0);
    request(state, asked('n1', { requestId: 'four' }), 0);
    look(state, [address(1)], 0);
    withdraw(state, { workflowId: 'assign-ip/test/n1', requestId: 'four' }, 10);
    expect(state.claims).toEqual([]);
    request(state, asked('n1', { requestId: 'four' }), 20);
    expect(state.queue).toEqual([]);
    request(state, asked('n1', { requestId: 'five' }), 30);
    expect(state.queue.map((w) => w.requestId)).toEqual(['five']);
  });

  test('what was granted to a request that is replaced at that moment is free once the request is taken back', () => {
    const state = newPoolState(fast, 0);
    request(state, asked('n1', { requestId: 'old' }), 0);
    look(state, [address(1)], 0);
    request(state, asked('n1', { requestId: 'new', pinned: address(1).ip }), 10);
    withdraw(state, { workflowId: 'assign-ip/test/n1', requestId: 'old', replaced: true }, 11);
    expect(granted(look(state, [address(1)], 500))).toEqual([['assign-ip/test/n1', 'eipalloc-1']]);
  });

  test('a request carries nothing that is not its own into the next run', () => {
    const state = newPoolState(fast, 0);
    const holds = { ips: ['192.0.2.9'], exclusive: true, more: 'x'.repeat(1_000) };
    request(state, asked('n1', { holds }), 0);
    expect(state.queue[0]?.holds).toEqual({ ips: ['192.0.2.9'], exclusive: true });
  });

  test('who waits is served as soon as a claim on an address that was in use lingers no more', () => {
    const state = newPoolState(fast, 0);
    request(state, asked('n1'), 0);
    const [message] = look(state, [address(1)], 0);
    settleGrant(state, message!, 'inUse', 10);
    request(state, asked('n2'), 20);
    for (let at = 20; at < 10 + LINGER_MS; at = nextLookAt(state)!) look(state, [address(1)], at);
    expect(nextLookAt(state)).toBe(10 + LINGER_MS);
    expect(granted(look(state, [address(1)], 10 + LINGER_MS))).toEqual([['assign-ip/test/n2', 'eipalloc-1']]);
  });

  test('a request that is over does not come back by an activity that is late', () => {
    const state = newPoolState(fast, 0);
    request(state, asked('n1'), 0);
    settleGrant(state, look(state, [address(1)], 0)[0]!, 'associated', 10);
    request(state, asked('n1'), 20);
    expect(state.queue).toEqual([]);
  });

  test('nor does one whose grant was given up for a later request before the node said how it ended', () => {
    const state = newPoolState(fast, 0);
    request(state, asked('n1', { requestId: 'old' }), 0);
    const [message] = look(state, [address(1)], 0);
    request(state, asked('n1', { requestId: 'new' }), 10);
    settleGrant(state, message!, 'unknown', 20);
    request(state, asked('n1', { requestId: 'old' }), 30);
    expect(state.queue.map((w) => w.requestId)).toEqual(['new']);
  });

  test('a request that is replaced keeps its place in the queue', () => {
    const state = newPoolState(fast, 0);
    request(state, asked('n1', { requestId: 'old' }), 0);
    request(state, asked('n2'), 1);
    withdraw(state, { workflowId: 'assign-ip/test/n1', requestId: 'old', replaced: true }, 2);
    request(state, asked('n1', { requestId: 'new' }), 3);
    expect(state.queue.map((w) => w.requestId)).toEqual(['new', 'request-n2']);
  });

  test('a node that has not heard why it waits is told once more', () => {
    const state = newPoolState(fast, 0);
    request(state, asked('n1'), 0);
    expect(look(state, [], 0)).toHaveLength(1);
    request(state, asked('n1', { told: true }), 10);
    expect(look(state, [], 3_000)).toEqual([]);
    request(state, asked('n1'), 3_010);
    expect(look(state, [], 4_000)).toHaveLength(1);
  });

  test('nodes of two subnets are listed apart, and each is served from its own', () => {
    const state = newPoolState(fast, 0);
    for (const n of [1, 2]) {
      request(state, asked(`n${n}`, { query: { ...ipv6Query, subnet: `subnet-${n}` } }), n);
    }
    const bySubnet = ({ subnet }: AddressQuery) => [address(subnet === 'subnet-1' ? 1 : 2, 'ipv6')];
    expect(granted(look(state, bySubnet, 10))).toEqual([
      ['assign-ip/test/n1', '2001:db8::1'],
      ['assign-ip/test/n2', '2001:db8::2'],
    ]);
  });

  test('10,000 waiters fit one payload of continue-as-new, and come back the same', () => {
    const state = newPoolState(fast, 0);
    for (let n = 0; n < 10_000; n++) {
      request(
        state,
        asked(`ip-10-0-${n >> 9}-${(n >> 1) & 255}.eu-west-1.compute.internal`, {
          query: n % 2 === 0 ? query : ipv6Query,
          instance: { provider: 'aws', id: 'i-0123456789abcdef0', zone: 'eu-west-1a' },
          runId: '01234567-89ab-cdef-0123-456789abcdef',
          requestId: '01234567',
          ...(n % 10 === 0 ? { pinned: `192.0.2.${n}` } : {}),
          ...(n % 3 === 1 ? { holds: { ips: ['2001:db8:1234:5678:9abc::1'], exclusive: false } } : {}),
        }),
        1_763_900_000_000 + n,
      );
    }
    for (const waiter of state.queue) if (waiter.seq % 2 === 0) waiter.told = 'empty';
    const text = JSON.stringify(pack(state));
    expect(text.length).toBeLessThan(2_000_000);
    expect(unpack(JSON.parse(text))).toEqual(state);
  });

  test('a pool that nobody waits for any more is not carried on', () => {
    const state = newPoolState(fast, 0);
    request(state, asked('n1'), 0);
    request(state, asked('n2', { pool: 'gone' }), 1);
    withdraw(state, { workflowId: 'assign-ip/test/n2' }, 2);
    expect(Object.values(unpack(pack(state)).pools).map(({ name }) => name)).toEqual(['a']);
  });
});
