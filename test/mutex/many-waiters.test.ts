/** Ten thousand nodes at once, as after an outage: all that was said meanwhile arrives in one activation of the workflow. */
import { expect, test } from '@jest/globals';
import type { AddressRef } from '../../model/address.ts';
import { beginLook, decide, MOST_ANSWERS, nextWakeAt, type Message } from '../../workflows/pool/look.ts';
import { pack, unpack } from '../../workflows/pool/packed-state.ts';
import { newPoolState, request, settle, withdraw } from '../../workflows/pool/state.ts';
import { poolDetails, poolStatus } from '../../workflows/pool/status.ts';
import { asked, fast, granted, list, look, query, workflowOf } from '../unit/address-pool-world.ts';

const count = 10_000;
const scope = { provider: 'aws', account: '111122223333', region: 'eu-west-1' } as const;
const all: AddressRef[] = Array.from({ length: count }, (_, n) => ({
  id: `eipalloc-${n}`,
  ip: `10.0.${n >> 8}.${n & 255}`,
}));
/**
 * The SDK ends an activation that takes five seconds, and tries it again for ever: the mutex would stand still. Nothing here
 * takes more than a fortieth of that; what is quadratic takes longer than all of it.
 */
const LONGEST_MS = 2_500;

/** @returns what `work` does, if it does it within one activation: by its own time, however busy the machine is */
function inOneActivation<T>(work: () => T): T {
  const begun = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(begun);
  expect((user + system) / 1_000).toBeLessThan(LONGEST_MS);
  return result;
}

/** The look and what it decides; what the emulated cloud takes for its list does not count. */
function lookInOneActivation(...[state, pools, now, holders]: Parameters<typeof look>): Message[] {
  const planned = inOneActivation(() => beginLook(state, now));
  const found = list(planned, pools, holders);
  return inOneActivation(() => decide(state, planned, found, now));
}

function settleAll(state: ReturnType<typeof newPoolState>, messages: readonly Message[], now: number): void {
  for (const { workflowId, grant } of messages) {
    if (grant.kind !== 'granted') throw new Error(`expected a grant, got ${grant.kind}`);
    const addressId = grant.address.id;
    settle(state, { workflowId, addressId, token: grant.token, outcome: 'associated' }, now);
  }
}

test('10,000 that ask at once, and again, are all served in their order, each with an address of its own', () => {
  let state = newPoolState(fast, 0);
  inOneActivation(() => {
    for (let again = 0; again < 2; again++) {
      for (let n = 0; n < count; n++) request(state, asked(`n${n}`), n);
    }
  });
  const holders = new Map<string, string>();
  const served: [string, string][] = [];
  for (let looks = 0, now = count; state.queue.length > 0; looks++) {
    expect(looks).toBeLessThan(20);
    now = Math.max(now + 1, nextWakeAt(state) ?? now);
    const at = now;
    const messages = lookInOneActivation(state, all, at, holders);
    inOneActivation(() => settleAll(state, messages, at));
    for (const [node, id] of granted(messages)) holders.set(id, node);
    served.push(...granted(messages));
    inOneActivation(() => poolDetails(poolStatus(state, scope)));
    state = inOneActivation(() => unpack(JSON.parse(JSON.stringify(pack(state)))));
  }
  expect(served.map(([workflowId]) => workflowId)).toEqual(all.map((_, n) => workflowOf(`n${n}`)));
  expect(holders.size).toBe(count);
});

test('10,000 that hold an address, or are pinned to one, have it after as few looks as answer so many', () => {
  const state = newPoolState({ burst: 100_000, perSecond: 1_000 }, 0);
  inOneActivation(() => {
    for (const [n, { ip }] of all.entries()) {
      request(
        state,
        asked(`n${n}`, n % 2 === 0 ? { pinned: ip } : { holds: { ips: [ip], exclusive: true } }),
        n,
      );
    }
  });
  const held = new Map(all.filter((_, n) => n % 2 === 1).map(({ id }, n) => [id, `i-${n}`]));
  const messages = Array.from({ length: count / MOST_ANSWERS }, () =>
    lookInOneActivation(state, all, count, held),
  );
  expect(granted(messages.flat())).toEqual(all.map(({ id }, n) => [workflowOf(`n${n}`), id]));
});

test('10,000 that wait when a pool runs dry are told so by many looks, each once', () => {
  const state = newPoolState({ burst: 100_000, perSecond: 1_000 }, 0);
  for (let n = 0; n < count; n++) request(state, asked(`n${n}`), n);
  const told = new Set<string>();
  let now = count;
  for (let looks = 0; looks < count / MOST_ANSWERS; looks++) {
    now = nextWakeAt(state) ?? Number.NaN;
    const messages = lookInOneActivation(state, [], now);
    expect(messages).toHaveLength(MOST_ANSWERS);
    for (const { workflowId, grant } of messages) told.add(`${workflowId} ${grant.kind}`);
    expect(state.lookSoon).toBe(told.size < count);
  }
  expect(told.size).toBe(count);
  // Those who ask again were told already.
  for (let n = 0; n < count; n++) request(state, asked(`n${n}`, { told: true }), now);
  expect(state.lookSoon).toBe(false);
  expect(look(state, [], nextWakeAt(state) ?? Number.NaN)).toEqual([]);
});

test('of 30,000 that wait, so many go on into the next run as one payload takes, the first of them; the others ask again', () => {
  const state = newPoolState(fast, 0);
  const names = Array.from(
    { length: 30_000 },
    (_, n) => `ip-10-0-${n >> 8}-${n & 255}.eu-west-1.compute.internal`,
  );
  const instance = { provider: 'aws' as const, id: 'i-0123456789abcdef0', zone: 'eu-west-1a' };
  for (const name of names) request(state, asked(name, { instance }), 0);
  const text = JSON.stringify(pack(state));
  expect(text.length).toBeLessThan(2 * 2 ** 20);
  expect(JSON.stringify(poolStatus(state, scope)).length).toBeLessThan(2 * 2 ** 20);
  expect(poolStatus(state, scope).queueLength).toBe(names.length);
  const next = unpack(JSON.parse(text));
  expect(next.queue.length).toBeGreaterThan(9_500);
  expect(next.queue.map(({ workflowId }) => workflowId)).toEqual(
    names.slice(0, next.queue.length).map(workflowOf),
  );
  for (const name of names) request(next, asked(name, { told: true }), 1);
  expect(next.queue.map(({ workflowId }) => workflowId)).toEqual(names.map(workflowOf));
});

test('what else is remembered leaves the queue less room: together they fit one payload', () => {
  const state = newPoolState(fast, 0);
  const runId = '01234567-89ab-cdef-0123-456789abcdef';
  const wordy = (n: number, family: string): Parameters<typeof asked> => {
    const name = `ip-10-0-${n >> 8}-${n & 255}.eu-west-1.compute.internal`;
    const instance = { provider: 'aws', id: `i-0123456789ab${n + 10_000}`, zone: 'eu-west-1a' } as const;
    return [name, { instance, runId, requestId: `${runId}-${family}` }];
  };
  for (let n = 0; n < 300; n++) request(state, asked(...wordy(n, 'claimed')), 1_763_900_000_000);
  look(state, all, 1_763_900_000_000);
  expect(state.claims).toHaveLength(300);
  for (let n = 0; n < 1_000; n++) {
    const [name] = wordy(n, 'over');
    withdraw(state, { workflowId: workflowOf(name), requestId: `${runId}-${n + 1_000}` }, 1_763_900_000_000);
  }
  expect(state.over).toHaveLength(1_000);
  for (let n = 0; n < 15_000; n++) request(state, asked(...wordy(n, 'waits')), 1_763_900_000_000);
  const packed = pack(state);
  const bytes = Buffer.byteLength(JSON.stringify(packed));
  expect(bytes).toBeLessThan(2 * 2 ** 20 - 50_000);
  // No more is left out than must be.
  expect(bytes).toBeGreaterThan(1_900_000);
  expect(packed.claims).toEqual(state.claims);
});

test('10,000 that ask for as many pools are told apart, and withdraw', () => {
  const state = newPoolState(fast, 0);
  inOneActivation(() => {
    for (let n = 0; n < count; n++) {
      request(state, asked(`n${n}`, { query: { ...query, filter: `Name=tag:pool,Values=${n}` } }), n);
    }
  });
  expect(Object.keys(state.pools)).toHaveLength(count);
  inOneActivation(() => {
    for (let n = 0; n < count; n++) withdraw(state, { workflowId: workflowOf(`n${n}`) }, n);
  });
  expect(state.queue).toEqual([]);
});
