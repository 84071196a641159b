/**
 * What the mutex would decide if it looked now, without the rate limit that spreads the same decisions over time. It is the mutex'
 * own core that decides, on a copy of its state. Pure.
 */
import type { Family } from '../../model/address.ts';
import type { AddressRequest, Grant } from '../messages.ts';
import { beginLook, decide, type Found, type Look } from './look.ts';
import { newBucket } from './pacing.ts';
import { find, type WaiterId } from './queue.ts';
import { type PoolState, request, withdraw } from './state.ts';

/** More than anybody waits for. */
const UNLIMITED = { burst: 1_000_000, perSecond: 1_000_000 };

export interface Forecast {
  readonly state: PoolState;
  readonly look: Look;
  /** Who waited before the forecast's own requests, by {@link keyOf}. */
  readonly waited: ReadonlySet<string>;
}

/**
 * @param state a copy: it is changed
 * @param requests of nodes that would ask, in the order in which they are assumed to come
 * @param gone workflows of nodes that are no more: they would take their requests back
 */
export function beginForecast(
  state: PoolState,
  requests: readonly AddressRequest[],
  gone: readonly string[],
  now: number,
): Forecast {
  for (const workflowId of gone) withdraw(state, { workflowId }, now);
  const waited = new Set(state.queue.map(keyOf));
  for (const asked of requests) request(state, asked, now);
  // Its list is made once, and is to say something of each pool.
  for (const pool of Object.values(state.pools)) delete pool.unlisted;
  const unpaced: PoolState = { ...state, bucket: newBucket(UNLIMITED, now) };
  return { state: unpaced, look: beginLook(unpaced, now), waited };
}

export interface Forecasted {
  /** By {@link keyOf}. Who is not in it is told nothing, and waits. */
  readonly answers: ReadonlyMap<string, Grant>;
  /** Who still waits then, and how many are served from its pool before it; undefined if it does not wait. */
  waiting(id: WaiterId): { readonly before: number; readonly pinned?: string } | undefined;
}

/** @param found what the look of the forecast found */
export function finishForecast({ state, look }: Forecast, found: Found, now: number): Forecasted {
  const families = new Map(
    state.queue.map(({ workflowId, requestId, family }) => [`${workflowId} ${requestId}`, family]),
  );
  const answers = new Map<string, Grant>();
  for (const { workflowId, grant } of decide(state, look, found, now)) {
    const family = families.get(`${workflowId} ${grant.requestId}`);
    if (family !== undefined) answers.set(keyOf({ workflowId, family }), grant);
  }
  return {
    answers,
    waiting: (id) => {
      const waiter = find(state.queue, id);
      if (waiter === undefined) return undefined;
      const { pinned } = waiter;
      const earlier = state.queue.slice(0, state.queue.indexOf(waiter));
      const before = earlier.filter(({ poolKey }) => poolKey === waiter.poolKey).length;
      return { before, ...(pinned === undefined ? {} : { pinned }) };
    },
  };
}

export function keyOf({ workflowId, family }: { workflowId: string; family: Family }): string {
  return `${family} ${workflowId}`;
}
