/**
 * A look: one list for all that wait, and the decision who gets what. Pure; AddressPoolWorkflow makes the list between
 * {@link beginLook} and {@link decide}.
 */
import type { AddressQuery, AddressRef } from '../../model/address.ts';
import type { Grant } from '../messages.ts';
import { CLAIM_MS, dropExpired, removeWhere } from './claims.ts';
import { available, nextGroupAt, refill, take } from './pacing.ts';
import { remove, type Waiter } from './queue.ts';
import { LONGEST_EMPTY_BACKOFF_MS, type PoolState } from './state.ts';

/** Requests that come within this time share a look. */
export const LOOK_GAP_MS = 200;

/** What to list for those who wait: one entry for each pool. */
export interface Look {
  /** Addresses that are claimed: not to be offered. */
  readonly claimed: string[];
  readonly pools: {
    readonly key: string;
    readonly query: AddressQuery;
    /** How many free addresses are of use at most. */
    readonly want: number;
    /** Waiters whose instances were seen with a static address: is it one of the pool? */
    readonly holders: { readonly workflowId: string; readonly ip: string }[];
  }[];
}

/** Begins a look for all that wait now. Whoever comes later is served by the next one. */
export function beginLook(state: PoolState, now: number): Look {
  refill(state.bucket, now);
  dropExpired(state.claims, now);
  state.lookSoon = false;
  state.lastLookAt = now;
  const byPool = new Map<string, Waiter[]>();
  for (const waiter of state.queue) {
    const waiters = byPool.get(waiter.poolKey);
    if (waiters === undefined) byPool.set(waiter.poolKey, [waiter]);
    else waiters.push(waiter);
  }
  // One more than pacing allows, so that "no more calls now" can be told from "no more addresses".
  const useful = available(state.bucket) + 1;
  return {
    claimed: state.claims.map((claim) => claim.address.id),
    pools: [...byPool].flatMap(([key, waiters]) => {
      const pool = state.pools[key];
      if (pool === undefined) return [];
      const holders = waiters.flatMap((w) =>
        w.holds === undefined ? [] : [{ workflowId: w.workflowId, ip: w.holds }],
      );
      return [{ key, query: pool.query, want: Math.min(waiters.length, useful), holders }];
    }),
  };
}

/** The look did not come off: the next one waits longer. */
export function lookFailed(state: PoolState): void {
  state.lookSoon = false;
  growBackoff(state);
}

/** What a look found. */
export interface Found {
  readonly pools: readonly {
    readonly key: string;
    /** Addresses of the pool, free or not. */
    readonly size: number;
    /** At most as many as were wanted, in the pool's order, none of them claimed when the look began. */
    readonly free: readonly AddressRef[];
    readonly held: readonly { readonly workflowId: string; readonly address: AddressRef }[];
    /** This pool cannot be listed, and trying again is of no use. */
    readonly error?: string;
  }[];
  /** Who has the claimed addresses, as far as a list showed them: an instance, or nobody. */
  readonly claims: readonly { readonly addressId: string; readonly instanceId: string | null }[];
}

export interface Message {
  readonly workflowId: string;
  readonly grant: Grant;
}

/**
 * Decides on what a look found: who gets which address, who is told that there is none.
 *
 * @param look the look that `found` answers
 * @returns messages to send; state already counts their claims
 */
export function decide(state: PoolState, look: Look, found: Found, now: number): Message[] {
  refill(state.bucket, now);
  trustList(state, found);
  const offers = new Map<string, Offer>();
  for (const pool of found.pools) {
    const looked = look.pools.find((p) => p.key === pool.key);
    if (looked !== undefined) offers.set(pool.key, new Offer(state, looked, pool));
  }
  const messages: Message[] = [];
  const waits: Waiting[] = [];
  for (const waiter of state.queue.slice()) {
    const outcome = offers.get(waiter.poolKey)?.answer(waiter, now) ?? 'later';
    if (typeof outcome === 'string') waits.push(outcome);
    else messages.push({ workflowId: waiter.workflowId, grant: outcome });
  }
  if (waits.includes('paced')) state.lookSoon = true;
  else if (waits.includes('empty')) growBackoff(state);
  return messages;
}

/** Why a waiter stays in the queue after a look. `later`: the look did not cover it. */
type Waiting = 'paced' | 'empty' | 'later';

/** What one pool has to offer in one look. */
class Offer {
  private readonly state: PoolState;
  private readonly found: Found['pools'][number];
  private readonly free: AddressRef[];
  private readonly held: Map<string, AddressRef>;
  private readonly askedHolders: Map<string, string>;
  private readonly mayHaveMore: boolean;

  constructor(state: PoolState, looked: Look['pools'][number], found: Found['pools'][number]) {
    this.state = state;
    this.found = found;
    this.free = [...found.free];
    this.held = new Map(found.held.map((held) => [held.workflowId, held.address]));
    this.askedHolders = new Map(looked.holders.map((holder) => [holder.workflowId, holder.ip]));
    this.mayHaveMore = found.free.length >= looked.want;
  }

  answer(waiter: Waiter, now: number): Grant | Waiting {
    const { state, found } = this;
    if (found.error !== undefined) {
      remove(state.queue, waiter.workflowId);
      return { kind: 'refused', requestId: waiter.requestId, error: found.error };
    }
    if (waiter.holds !== undefined) return this.keep(waiter, waiter.holds, now);
    this.skipClaimed();
    const address = this.free[0];
    if (address === undefined) return this.mayHaveMore ? 'paced' : this.tellEmpty(waiter);
    if (available(state.bucket) < 1) return 'paced';
    this.free.shift();
    take(state.bucket, 1);
    return claim(state, waiter, address, now, false);
  }

  /** A waiter that holds a static address keeps it if it is of the pool, and is left alone if it is not. */
  private keep(waiter: Waiter, ip: string, now: number): Grant | Waiting {
    if (this.askedHolders.get(waiter.workflowId) !== ip) return 'later';
    const address = this.held.get(waiter.workflowId);
    if (address === undefined) {
      remove(this.state.queue, waiter.workflowId);
      return { kind: 'foreign', requestId: waiter.requestId, ip };
    }
    const present = this.state.claims.find((c) => c.address.id === address.id);
    // Somebody else works on it and will find that it is taken; then it is this one's.
    if (present?.state === 'granted') return 'empty';
    if (present !== undefined) removeWhere(this.state.claims, (c) => c === present);
    return claim(this.state, waiter, address, now, true);
  }

  /** Two pools may overlap: what the other one just gave away is not free here. */
  private skipClaimed(): void {
    while (this.free[0] !== undefined && isClaimed(this.state, this.free[0].id)) this.free.shift();
  }

  private tellEmpty(waiter: Waiter): Grant | Waiting {
    if (waiter.toldEmpty) return 'empty';
    waiter.toldEmpty = true;
    return { kind: 'empty', requestId: waiter.requestId, size: this.found.size };
  }
}

function isClaimed(state: PoolState, addressId: string): boolean {
  return state.claims.some((c) => c.address.id === addressId);
}

function claim(state: PoolState, waiter: Waiter, address: AddressRef, now: number, held: boolean): Grant {
  remove(state.queue, waiter.workflowId);
  const token = state.nextToken++;
  state.claims.push({
    address,
    token,
    workflowId: waiter.workflowId,
    runId: waiter.runId,
    requestId: waiter.requestId,
    instanceId: waiter.instance.id,
    state: 'granted',
    deadline: now + CLAIM_MS,
  });
  return { kind: 'granted', requestId: waiter.requestId, address, token, held };
}

/** A list that shows who has an address ends the wait for it. A list that shows nobody may be old, and proves nothing. */
function trustList(state: PoolState, found: Found): void {
  const seen = new Set(found.claims.filter((c) => c.instanceId !== null).map((c) => c.addressId));
  removeWhere(state.claims, (c) => c.state === 'lingering' && seen.has(c.address.id));
}

function growBackoff(state: PoolState): void {
  state.emptyBackoffMs = Math.min(LONGEST_EMPTY_BACKOFF_MS, state.emptyBackoffMs * 2);
}

/**
 * When to look next.
 *
 * @returns milliseconds since the epoch (now or past: at once), or undefined if nobody waits
 */
export function nextLookAt(state: PoolState): number | undefined {
  if (state.queue.length === 0) return undefined;
  if (!state.lookSoon) return state.lastLookAt + state.emptyBackoffMs;
  const earliest = state.lastLookAt + LOOK_GAP_MS;
  // Keeping what one has costs no call, so it need not wait for the rate limit.
  if (state.queue.some((waiter) => waiter.holds !== undefined)) return earliest;
  return Math.max(earliest, nextGroupAt(state.bucket, state.queue.length));
}

/** When something must be done next: a look, or a search for a silent holder. Undefined: nothing until a signal comes. */
export function nextWakeAt(state: PoolState): number | undefined {
  const times = state.claims.filter((c) => c.state === 'granted').map((c) => c.deadline);
  const look = nextLookAt(state);
  if (look !== undefined) times.push(look);
  return times.length === 0 ? undefined : Math.min(...times);
}
