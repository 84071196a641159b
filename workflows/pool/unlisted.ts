/** Pools that could not be listed lately. Looks leave each out for a while, so that it holds up nobody who waits for another one. Pure. */
import type { Waiter } from './queue.ts';
import { FIRST_EMPTY_BACKOFF_MS, type KnownPool, LONGEST_EMPTY_BACKOFF_MS, type PoolState } from './state.ts';

/** An error is kept for each pool, and all of the state must fit one payload. */
const MOST_ERROR_CHARACTERS = 500;

/** The pool could not be listed: the next try waits longer than the last one did. */
export function markUnlisted(pool: KnownPool, error: string, now: number): void {
  const { unlisted } = pool;
  const isAgain = unlisted !== undefined && now - unlisted.until <= LONGEST_EMPTY_BACKOFF_MS;
  const pauseMs = isAgain ? Math.min(LONGEST_EMPTY_BACKOFF_MS, unlisted.pauseMs * 2) : FIRST_EMPTY_BACKOFF_MS;
  pool.unlisted = { until: now + pauseMs, pauseMs, error: error.slice(0, MOST_ERROR_CHARACTERS) };
}

/** @returns whether looks leave it out now */
export function isLeftOut(pool: KnownPool | undefined, now: number): boolean {
  return pool?.unlisted !== undefined && pool.unlisted.until > now;
}

/** @returns why the first of those who wait for such a pool still waits; undefined if nobody does */
export function unlistedError({ pools, queue }: PoolState): string | undefined {
  const isOfSuch = ({ poolKey }: Waiter): boolean => pools[poolKey]?.unlisted !== undefined;
  const pool = pools[queue.find(isOfSuch)?.poolKey ?? ''];
  if (pool?.unlisted === undefined) return undefined;
  const where = pool.query.subnet === undefined ? '' : ` in ${pool.query.subnet}`;
  return `Pool ${pool.name}${where} could not be listed: ${pool.unlisted.error}`;
}
