/**
 * The mutex's decisions, without Temporal: who waits, which address is claimed for whom, and when to look again.
 * State is plain data; every function takes the time from its caller. AddressPoolWorkflow feeds it with signals and
 * lists, and carries out what it says.
 *
 * What it keeps:
 * - at most one claim for each address, at most one place or granted claim for each workflow and family;
 * - tokens grow, and an old token settles nothing;
 * - within a pool nobody is served before somebody of higher priority, or of the same priority who came earlier, except
 *   with the address that the one holds already, or that the one or the other is pinned to, or that the cloud refused to the other;
 * - what the cloud refused for a node's instance is not granted to it again for an hour, unless it is pinned to that;
 * - a request is dropped only when it is granted, answered or withdrawn.
 */
import { type AddressQuery, families } from '../../model/address.ts';
import type { RateLimit } from '../../model/settings.ts';
import type { AddressRequest, Settlement, Withdrawal } from '../messages.ts';
import { CLAIM_MS, type Claim, linger, LONGEST_CLAIM_MS, overdue, removeWhere } from './claims.ts';
import { type Clock, newClock } from './clock.ts';
import { type Bucket, newBucket, refill, slowDown, take } from './pacing.ts';
import { find, insert, isOf, remove, type Waiter, type WaiterId } from './queue.ts';
import { forgetOtherInstances, instanceText, type Refusal, rememberRefusal } from './refusals.ts';

export interface KnownPool {
  readonly name: string;
  readonly query: AddressQuery;
  /** When it was listed last (milliseconds since the epoch), how many addresses it has, and how many of them were left. */
  looked?: { readonly at: number; readonly size: number; readonly free: number };
  /** It could not be listed when it was tried last, and looks leave it out until then (milliseconds since the epoch). */
  unlisted?: { readonly until: number; readonly pauseMs: number; readonly error: string };
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
  /** What the cloud refused. The oldest first. */
  readonly refusals: Refusal[];
  /** Requests that ended lately. They may still arrive, by an activity that is late. The oldest first. */
  readonly over: { readonly workflowId: string; readonly requestId: string; readonly until: number }[];
  /** Somebody waits and something may have changed: look at once (as pacing allows). */
  lookSoon: boolean;
  /** Pause before the next look at pools that were found empty; grows while nothing changes. */
  emptyBackoffMs: number;
  lastLookAt: number;
}

export const FIRST_EMPTY_BACKOFF_MS = 2_000;
/** A node that gives an address back tells: what is waited for here is that somebody adds one. Each look is two actions. */
export const LONGEST_EMPTY_BACKOFF_MS = 60_000;
/** Longer than an activity is late that sends a request: a worker may have been stopped in the middle of it. */
export const OVER_MS = 10 * 60_000;
const MAX_OVER = 1_000;

export function newPoolState(pacing: RateLimit, now: number): PoolState {
  return {
    nextToken: 1,
    nextSeq: 1,
    pools: {},
    queue: [],
    claims: [],
    bucket: newBucket(pacing, now),
    clock: newClock(now),
    refusals: [],
    over: [],
    lookSoon: false,
    emptyBackoffMs: FIRST_EMPTY_BACKOFF_MS,
    lastLookAt: 0,
  };
}

/**
 * A node asks for an address of one family. The same request again changes nothing: while it waits it keeps its place, and what was
 * granted is delivered once more. A later one takes the place of an earlier one.
 */
export function request(state: PoolState, asked: AddressRequest, now: number): void {
  const id: WaiterId = { workflowId: asked.workflowId, family: asked.query.family };
  const { requestId, runId, activityId } = asked;
  // Its activity was late: the node has taken it back, or has used what was granted.
  if (isOver(state, asked, now)) return;
  forgetOtherInstances(state.refusals, asked.workflowId, instanceText(asked.instance));
  const granted = state.claims.find((c) => isOf(id)(c) && c.state === 'granted');
  if (granted?.requestId === requestId) {
    Object.assign(granted, { runId, activityId, isAskedAgain: true });
    return;
  }
  // Its holder does not act on the claim any more: whether it associated, a list will show.
  if (granted !== undefined) linger(granted, now);
  const waiting = find(state.queue, id);
  if (waiting?.requestId === requestId) {
    Object.assign(waiting, { runId, activityId });
    if (waiting.told === undefined || asked.told === true) return;
    // It has not heard why it waits.
    delete waiting.told;
    lookSoon(state);
    return;
  }
  const before = remove(state.queue, id);
  insert(state.queue, {
    ...id,
    runId,
    requestId,
    instanceId: asked.instance.id,
    activityId,
    poolKey: poolKey(state, asked),
    priority: asked.priority,
    seq: before?.seq ?? state.nextSeq++,
    since: before?.since ?? now,
    ...(asked.holds === undefined
      ? {}
      : { holds: { ips: asked.holds.ips, exclusive: asked.holds.exclusive } }),
    ...(asked.pinned === undefined ? {} : { pinned: asked.pinned }),
    ...(asked.prefers === undefined ? {} : { prefers: asked.prefers }),
  });
  lookSoon(state);
}

function isOver({ over }: PoolState, asked: AddressRequest, now: number): boolean {
  return over.some(
    ({ workflowId, requestId, until }) =>
      requestId === asked.requestId && workflowId === asked.workflowId && until > now,
  );
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
 * A node does not want an address any more. What was granted to the request has not reached it, so nobody has acted on it: the claim
 * is dropped.
 */
export function withdraw(
  state: PoolState,
  { workflowId, requestId, replaced }: Withdrawal,
  now: number,
): void {
  for (const family of families) {
    const waiter = find(state.queue, { workflowId, family });
    const isMeant = requestId === undefined || waiter?.requestId === requestId;
    // One that is replaced keeps its place for the other.
    if (waiter !== undefined && isMeant && replaced !== true) remove(state.queue, waiter);
  }
  if (requestId === undefined) return;
  const claims = state.claims.length;
  // Also one that lingers since a later request came first.
  removeWhere(state.claims, (c) => c.requestId === requestId && c.workflowId === workflowId);
  if (state.claims.length < claims) lookSoon(state);
  rememberOver(state, workflowId, requestId, now);
}

export function rememberOver({ over }: PoolState, workflowId: string, requestId: string, now: number): void {
  over.push({ workflowId, requestId, until: now + OVER_MS });
  const isOld = ({ until }: (typeof over)[number]): boolean => until <= now;
  while (over.length > MAX_OVER || (over[0] !== undefined && isOld(over[0]))) over.shift();
}

/** A node says how its claim ended. A settlement without its claim is old or repeated, and changes nothing. */
export function settle(state: PoolState, settlement: Settlement, now: number): void {
  const { workflowId, addressId, token, outcome, instance } = settlement;
  const isUndone = outcome === 'abandoned' || outcome === 'refused';
  const claim = state.claims.find((c) => c.token === token);
  if (claim === undefined) return;
  if (claim.workflowId !== workflowId || claim.address.id !== addressId) return;
  rememberOver(state, workflowId, claim.requestId, now);
  // A lingering claim waits for a list, and for its holder's word that it did nothing.
  if (claim.state !== 'granted' && !isUndone) return;
  if (outcome === 'refused' && instance !== undefined)
    rememberRefusal(state.refusals, { workflowId, instance, addressId }, now);
  if (outcome === 'throttled') slowDown(state.bucket, now);
  if (outcome === 'throttled' || isUndone) {
    removeWhere(state.claims, (c) => c === claim);
    lookSoon(state);
  } else {
    linger(claim, now);
  }
}

/** An address came back to its pool. */
export interface Freed {
  readonly addressId: string;
  /** A call was made that counts against the rate limit. */
  readonly disassociated: boolean;
  /** By which claim the node had the address: it has ended. */
  readonly token?: number;
}

export function freed(state: PoolState, { addressId, disassociated, token }: Freed, now: number): void {
  refill(state.bucket, now);
  if (disassociated) take(state.bucket, 1);
  const claim = state.claims.find((c) => c.address.id === addressId);
  if (claim !== undefined && (claim.state === 'lingering' || claim.token === token)) {
    if (claim.state === 'granted') rememberOver(state, claim.workflowId, claim.requestId, now);
    removeWhere(state.claims, (c) => c === claim);
  }
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

/**
 * Holders whose claims are past their deadline, if that is of any matter: somebody waits, or an operator asked. Ask whether those runs
 * are open, then {@link checkedHolders}.
 */
export function overdueHolders(state: PoolState, now: number): Holder[] {
  const isAwaited = state.queue.length > 0;
  return overdue(state.claims, now)
    .filter(({ isToCheck }) => isAwaited || isToCheck === true)
    .map(({ workflowId, runId }) => ({ workflowId, runId }));
}

/**
 * @param holders those that were looked for. An operator may have asked about another one meanwhile, of which nothing is known yet
 * @param closed run ids of those that run no more; the others get more time
 */
export function checkedHolders(
  state: PoolState,
  holders: readonly Holder[],
  closed: readonly string[],
  now: number,
): void {
  const searched = new Set(holders.map(({ runId }) => runId));
  const gone = new Set(closed);
  for (const claim of overdue(state.claims, now)) {
    if (!searched.has(claim.runId)) continue;
    delete claim.isToCheck;
    const isTooOld = now - claim.since >= LONGEST_CLAIM_MS;
    if (gone.has(claim.runId) || isTooOld) linger(claim, now);
    else claim.deadline = now + CLAIM_MS;
  }
}
