/**
 * The mutex's decisions, without Temporal: who waits, which address is claimed for whom, and when to look again.
 * State is plain data; every function takes the time from its caller. AddressPoolWorkflow feeds it with signals and
 * lists, and carries out what it says.
 *
 * What it keeps:
 * - at most one claim for each address, at most one place or granted claim for each workflow and family;
 * - tokens grow, and an old token settles nothing;
 * - within a pool nobody is served before somebody of higher priority, or of the same priority who came earlier, except
 *   with the address that the one holds already, or that the one or the other is pinned to;
 * - a request is dropped only when it is granted, answered or withdrawn.
 */
import { type AddressQuery, families } from '../../model/address.ts';
import type { RateLimit } from '../../model/settings.ts';
import type { AddressRequest, Settlement } from '../messages.ts';
import { CLAIM_MS, type Claim, linger, overdue, removeWhere } from './claims.ts';
import { type Clock, newClock } from './clock.ts';
import { type Bucket, newBucket, refill, slowDown, take } from './pacing.ts';
import { find, insert, isOf, remove, type Waiter, type WaiterId } from './queue.ts';

export interface KnownPool {
  readonly name: string;
  readonly query: AddressQuery;
  /** When it was listed last (milliseconds since the epoch), how many addresses it has, and how many of them were left. */
  looked?: { readonly at: number; readonly size: number; readonly free: number };
}

export interface PoolState {
  nextToken: number;
  nextSeq: number;
  /** The pools that were asked for, by a short key. Two clusters with the same name, query and order share one. */
  readonly pools: Record<string, KnownPool>;
  readonly queue: Waiter[];
  readonly claims: Claim[];
  readonly bucket: Bucket;
  readonly clock: Clock;
  /** Somebody waits and something may have changed: look at once (as pacing allows). */
  lookSoon: boolean;
  /** Pause before the next look at pools that were found empty; grows while nothing changes. */
  emptyBackoffMs: number;
  lastLookAt: number;
}

export const FIRST_EMPTY_BACKOFF_MS = 2_000;
export const LONGEST_EMPTY_BACKOFF_MS = 60_000;

export function newPoolState(pacing: RateLimit, now: number): PoolState {
  return {
    nextToken: 1,
    nextSeq: 1,
    pools: {},
    queue: [],
    claims: [],
    bucket: newBucket(pacing, now),
    clock: newClock(now),
    lookSoon: false,
    emptyBackoffMs: FIRST_EMPTY_BACKOFF_MS,
    lastLookAt: 0,
  };
}

/**
 * A node asks for an address of one family. The same request again changes nothing once it is granted, nor while it waits if it is
 * only `again`; a later one takes the place of an earlier one.
 */
export function request(state: PoolState, asked: AddressRequest, now: number): void {
  const id: WaiterId = { workflowId: asked.workflowId, family: asked.query.family };
  const granted = state.claims.find((c) => isOf(id)(c) && c.state === 'granted');
  if (granted?.requestId === asked.requestId) {
    // Its holder may have continued as new since.
    granted.runId = asked.runId;
    return;
  }
  // Its holder does not act on the claim any more: whether it associated, a list will show.
  if (granted !== undefined) linger(granted, now);
  // It waits as it did, and was told what there is to tell.
  const waiting = find(state.queue, id);
  if (asked.again === true && waiting?.requestId === asked.requestId) {
    waiting.runId = asked.runId;
    return;
  }
  const before = remove(state.queue, id);
  insert(state.queue, {
    ...id,
    runId: asked.runId,
    requestId: asked.requestId,
    poolKey: poolKey(state, asked),
    priority: asked.priority,
    seq: before?.seq ?? state.nextSeq++,
    since: before?.since ?? now,
    ...(asked.holds === undefined ? {} : { holds: asked.holds }),
    ...(asked.pinned === undefined ? {} : { pinned: asked.pinned }),
    ...(asked.prefers === undefined ? {} : { prefers: asked.prefers }),
  });
  lookSoon(state);
}

type Pools = PoolState['pools'];

/** Keys of pools by what tells them apart; derived, since many thousands of requests may come at once. */
const keys = new WeakMap<Pools, Map<string, string>>();

function keysOf(pools: Pools): Map<string, string> {
  let known = keys.get(pools);
  if (known === undefined) {
    known = new Map(Object.entries(pools).map(([key, { name, query }]) => [poolText(name, query), key]));
    keys.set(pools, known);
  }
  return known;
}

function poolText(name: string, { family, filter, orderBy, subnet }: AddressQuery): string {
  return JSON.stringify([name, family, filter, orderBy, subnet]);
}

function poolKey(state: PoolState, { pool: name, query: asked }: AddressRequest): string {
  const known = keysOf(state.pools);
  const text = poolText(name, asked);
  const before = known.get(text);
  if (before !== undefined) return before;
  const key = `p${state.nextSeq++}`;
  const { family, filter, orderBy, subnet } = asked;
  const query = { family, filter, orderBy, ...(subnet === undefined ? {} : { subnet }) };
  state.pools[key] = { name, query };
  known.set(text, key);
  return key;
}

/**
 * A node does not want an address any more. A claim that crosses this is settled by the node.
 *
 * @param requestId only what was asked for by this request; without it, whatever the node waits for
 */
export function withdraw(state: PoolState, workflowId: string, requestId?: string): void {
  for (const family of families) {
    const waiter = find(state.queue, { workflowId, family });
    const isMeant = requestId === undefined || waiter?.requestId === requestId;
    if (waiter !== undefined && isMeant) remove(state.queue, waiter);
  }
}

/** A node says how its claim ended. A settlement without its claim is old or repeated, and changes nothing. */
export function settle(state: PoolState, settlement: Settlement, now: number): void {
  const { workflowId, addressId, token, outcome } = settlement;
  const claim = state.claims.find((c) => c.token === token);
  if (claim === undefined) return;
  // A lingering claim waits for a list, and for its holder's word that it did nothing.
  if (claim.state !== 'granted' && outcome !== 'abandoned') return;
  if (claim.workflowId !== workflowId || claim.address.id !== addressId) return;
  if (outcome === 'throttled') slowDown(state.bucket, now);
  if (outcome === 'throttled' || outcome === 'abandoned') {
    removeWhere(state.claims, (c) => c === claim);
    lookSoon(state);
  } else {
    linger(claim, now);
  }
}

/** An address came back to its pool. `disassociated`: a call was made that counts against the rate limit. */
export function freed(state: PoolState, addressId: string, disassociated: boolean, now: number): void {
  refill(state.bucket, now);
  if (disassociated) take(state.bucket, 1);
  removeWhere(state.claims, (c) => c.address.id === addressId && c.state === 'lingering');
  lookSoon(state);
}

export function lookSoon(state: PoolState): void {
  state.lookSoon = true;
  state.emptyBackoffMs = FIRST_EMPTY_BACKOFF_MS;
}

/** A run of a node's workflow, by its ids. */
export interface Holder {
  readonly workflowId: string;
  readonly runId: string;
}

/** Holders whose claims are past their deadline. Ask whether those runs are open, then {@link checkedHolders}. */
export function overdueHolders(state: PoolState, now: number): Holder[] {
  return overdue(state.claims, now).map(({ workflowId, runId }) => ({ workflowId, runId }));
}

/** @param closed run ids of those overdue holders that run no more; the others get more time */
export function checkedHolders(state: PoolState, closed: readonly string[], now: number): void {
  const gone = new Set(closed);
  for (const claim of overdue(state.claims, now)) {
    if (gone.has(claim.runId)) linger(claim, now);
    else claim.deadline = now + CLAIM_MS;
  }
}

/** A grant could not be delivered: no such workflow runs. Nobody acted on it. */
export function undelivered(state: PoolState, token: number): void {
  removeWhere(state.claims, (c) => c.token === token && c.state === 'granted');
  if (state.queue.length > 0) lookSoon(state);
}
