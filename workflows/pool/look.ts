/**
 * A look: one list for all that wait, and the decision who gets what. Pure; AddressPoolWorkflow makes the list between
 * {@link beginLook} and {@link decide}.
 */
import type { ListInput, ListResult } from '../../activities/contract.ts';
import type { Grant } from '../messages.ts';
import { dropExpired, isUnseen, removeWhere } from './claims.ts';
import { Offer, type Waiting } from './offer.ts';
import { available, nextGroupAt, refill } from './pacing.ts';
import type { Waiter } from './queue.ts';
import { forgetOld, refusedByNode } from './refusals.ts';
import { LONGEST_EMPTY_BACKOFF_MS, type PoolState, rememberOver } from './state.ts';
import { isLeftOut, markUnlisted } from './unlisted.ts';

/** Requests that come within this time share a look. */
export const LOOK_GAP_MS = 200;

/**
 * So many are answered by one look; the others by the next one, at once. Their answers are the input of one activity, and
 * between two looks the mutex may continue as new. When a pool runs dry, thousands are told.
 */
export const MOST_ANSWERS = 500;

/** What to list for those who wait: one entry for each pool. */
export type Look = Omit<ListInput, 'scope'>;
export type PlannedPool = Look['pools'][number];

/** What a look found. */
export type Found = ListResult;

/** An answer to a node: the result of its activity `select`. */
export interface Message {
  readonly workflowId: string;
  readonly runId: string;
  readonly activityId: string;
  readonly grant: Grant;
}

/**
 * Begins a look for all nodes that wait now. Left out are those whose pool could not be listed a short while ago. A node that asks later
 * is served by the next look.
 */
export function beginLook(state: PoolState, now: number): Look {
  refill(state.bucket, now);
  dropExpired(state.claims, now);
  forgetOld(state.refusals, now);
  state.lookSoon = false;
  state.lastLookAt = now;
  // One more than pacing allows, so that "no more calls now" can be told from "no more addresses". Those that anybody is
  // pinned to, in whatever pool, may be among the free ones and are not for the others.
  const pinned = state.queue.filter((waiter) => waiter.pinned !== undefined).length;
  const refused = refusedByNode(state.refusals);
  const refusedTo = (waiters: readonly Waiter[]): number =>
    refused.size === 0
      ? 0
      : Math.max(0, ...waiters.map(({ workflowId }) => refused.get(workflowId)?.size ?? 0));
  const most = available(state.bucket) + 1 + pinned;
  const byPool = Map.groupBy(state.queue, (waiter) => waiter.poolKey);
  // Also those whose claims no list has ended yet.
  for (const claim of state.claims)
    if (isUnseen(claim, now) && !byPool.has(claim.poolKey)) byPool.set(claim.poolKey, []);
  return {
    claimed: state.claims.map((claim) => claim.address.id),
    pools: [...byPool].flatMap(([key, waiters]) => {
      const pool = state.pools[key];
      if (pool === undefined || isLeftOut(pool, now)) return [];
      // So many may stand first that one of those who wait cannot have.
      const want = Math.min(waiters.length + pinned, most) + refusedTo(waiters);
      return [{ key, query: pool.query, want, holders: holdersAmong(waiters), pinned: wishesAmong(waiters) }];
    }),
  };
}

function holdersAmong(waiters: readonly Waiter[]): PlannedPool['holders'] {
  return waiters.flatMap(({ workflowId, holds }) => (holds ? [{ workflowId, ips: holds.ips }] : []));
}

/** Of those who are pinned to an address, and of those who would rather have one. */
function wishesAmong(waiters: readonly Waiter[]): PlannedPool['pinned'] {
  return waiters.flatMap(({ workflowId, pinned, prefers }) => {
    const wanted = pinned ?? prefers;
    return wanted === undefined ? [] : [{ workflowId, wanted }];
  });
}

/** The list failed: the next try of these pools comes after a longer pause. Nodes that wait for other pools are served meanwhile. */
export function lookFailed(state: PoolState, look: Look, error: string, now: number): void {
  for (const { key } of look.pools) noteUnlisted(state, key, error, now);
}

function noteUnlisted({ pools }: PoolState, key: string, error: string, now: number): void {
  const pool = pools[key];
  if (pool !== undefined) markUnlisted(pool, error, now);
}

/**
 * Decides on what a look found: who gets which address, who is told that there is none.
 *
 * @param look the look that `found` answers
 * @param most how many are answered: the others are not decided on, and the next look is soon
 * @returns messages to send; state already counts their claims
 */
export function decide(
  state: PoolState,
  look: Look,
  found: Found,
  now: number,
  most = MOST_ANSWERS,
): Message[] {
  refill(state.bucket, now);
  trustList(state, found, now);
  const offers = new Map<string, Offer>();
  const refused = refusedByNode(state.refusals);
  for (const pool of found.pools) {
    const looked = look.pools.find((p) => p.key === pool.key);
    if (looked !== undefined) offers.set(pool.key, new Offer(state, looked, pool, refused));
  }
  const reserved = reservedAddresses(state, offers);
  const messages: Message[] = [];
  const waits: Waiting[] = [];
  const given = new Map<string, number>();
  for (const waiter of state.queue.slice()) {
    if (messages.length >= most) {
      waits.push('paced');
      break;
    }
    const outcome = offers.get(waiter.poolKey)?.answer(waiter, reserved, now) ?? 'later';
    if (typeof outcome === 'string') waits.push(outcome);
    else messages.push(messageTo(waiter, outcome));
    const isGiven = typeof outcome !== 'string' && outcome.kind === 'granted' && !outcome.held;
    if (isGiven) given.set(waiter.poolKey, (given.get(waiter.poolKey) ?? 0) + 1);
  }
  for (const { key, error } of found.unlisted ?? []) noteUnlisted(state, key, error, now);
  for (const { key, size, unused } of found.pools) {
    const pool = state.pools[key];
    if (pool !== undefined) delete pool.unlisted;
    const free = (unused ?? 0) - (given.get(key) ?? 0);
    if (pool !== undefined && unused !== undefined) pool.looked = { at: now, size, free };
  }
  if (waits.includes('paced')) state.lookSoon = true;
  else if (waits.includes('empty')) growBackoff(state);
  return messages;
}

/** Grants that have not reached their nodes, which ask again. They are delivered once more. */
export function repeatedGrants(state: PoolState): Message[] {
  const repeated = state.claims.filter(({ isAskedAgain }) => isAskedAgain === true);
  return repeated.map((claim) => {
    delete claim.isAskedAgain;
    const { requestId, address, token, held } = claim;
    return messageTo(claim, { kind: 'granted', requestId, address, token, held });
  });
}

function messageTo({ workflowId, runId, activityId }: Omit<Message, 'grant'>, grant: Grant): Message {
  return { workflowId, runId, activityId, grant };
}

/** Ids and IPs of what pinned waiters wait for: nobody else is offered it, even if he stands before them. */
function reservedAddresses(state: PoolState, offers: ReadonlyMap<string, Offer>): Set<string> {
  const pinned = state.queue.filter((waiter) => waiter.pinned !== undefined);
  return new Set(
    pinned.flatMap((waiter) => {
      const offer = offers.get(waiter.poolKey);
      return (offer === undefined ? waiter.pinned : offer.reservedFor(waiter)) ?? [];
    }),
  );
}

/**
 * A list that shows who has an address ends the wait for it, and one that shows it where it is to be ends its claim: its holder says
 * nothing of that. A list that shows nobody may be old, and proves nothing.
 */
function trustList(state: PoolState, found: Found, now: number): void {
  const seen = new Map(found.claims.map(({ addressId, instanceId }) => [addressId, instanceId]));
  removeWhere(state.claims, (claim) => {
    const instanceId = seen.get(claim.address.id) ?? null;
    if (instanceId === null) return false;
    if (claim.state === 'lingering') return true;
    if (instanceId !== claim.instanceId) return false;
    // Of one that was held before it was granted, the list does not show whether the grant has arrived: the node may ask again.
    if (!claim.held) rememberOver(state, claim.workflowId, claim.requestId, now);
    return true;
  });
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
  const { queue, pools } = state;
  if (queue.length === 0) return undefined;
  const listable: Waiter[] = [];
  const unlisted: Waiter[] = [];
  let listableAgainAt = Infinity;
  for (const waiter of queue) {
    const until = pools[waiter.poolKey]?.unlisted?.until;
    (until === undefined ? listable : unlisted).push(waiter);
    if (until !== undefined) listableAgainAt = Math.min(listableAgainAt, until);
  }
  const at = listable.length === 0 ? Infinity : nextLookFor(state, listable);
  return unlisted.length === 0 ? at : Math.min(at, Math.max(listableAgainAt, nextLookFor(state, unlisted)));
}

/** When it is the turn of these, as far as it is for their pools. */
function nextLookFor(state: PoolState, waiters: readonly Waiter[]): number {
  const earliest = state.lastLookAt + LOOK_GAP_MS;
  if (!state.lookSoon) {
    // An address whose claim lingers may be free when that is over.
    const lingering = state.claims.filter((claim) => claim.state === 'lingering');
    const freeAt = Math.min(...lingering.map((claim) => claim.deadline));
    return Math.min(state.lastLookAt + state.emptyBackoffMs, Math.max(earliest, freeAt));
  }
  // Keeping what one has costs no call, so it need not wait for the rate limit.
  if (waiters.some((waiter) => waiter.holds !== undefined)) return earliest;
  return Math.max(earliest, nextGroupAt(state.bucket, waiters.length));
}

/**
 * When something must be done next: a look, or a search for a silent holder. Undefined: nothing until a signal comes. A claim that
 * nobody waits for is of no matter: a timer for each would be one more action for each assignment.
 */
export function nextWakeAt(state: PoolState): number | undefined {
  const look = nextLookAt(state);
  if (look === undefined) return undefined;
  return Math.min(look, ...state.claims.filter((c) => c.state === 'granted').map((c) => c.deadline));
}
