/**
 * The provider's rate limit, kept as a token bucket: so many calls at once, then so many a second.
 * Pure: the caller says what time it is.
 */
import type { RateLimit } from '../../model/settings.ts';

export interface Bucket {
  burst: number;
  perSecond: number;
  /** Calls that may be made at `at`; below zero after calls that did not ask, or after throttling. */
  tokens: number;
  /** Milliseconds since the epoch. */
  at: number;
  /** Share of `perSecond` in use: 1, and less for a while after the provider throttled. */
  share: number;
}

/** The share falls to this at most, however often the provider throttles. */
const LEAST_SHARE = 0.1;
/** How much of the full rate comes back each second after throttling. */
const SHARE_REGAINED_PER_SECOND = 0.01;
/** Throttled calls of one burst arrive together: they slow the bucket once. */
const ONE_BURST_MS = 1000;
/** After the first burst, calls are let through in groups of this much time: fewer lists and timers, the same rate. */
const GROUP_MS = 1000;

/** Anybody may configure a mutex by signal: beyond these its arithmetic, or its patience, would come to an end. */
const MOST_CALLS = 1_000_000;
const LEAST_PER_SECOND = 0.001;

export function newBucket(limit: RateLimit, now: number): Bucket {
  const { burst, perSecond } = sane(limit);
  return { burst, perSecond, tokens: burst, at: now, share: 1 };
}

function sane({ burst, perSecond }: RateLimit): RateLimit {
  return {
    burst: Math.min(MOST_CALLS, Math.max(1, burst)),
    perSecond: Math.min(MOST_CALLS, Math.max(LEAST_PER_SECOND, perSecond)),
  };
}

/** Takes over new limits; what has been used stays used. */
export function configureBucket(bucket: Bucket, limit: RateLimit, now: number): void {
  refill(bucket, now);
  const used = bucket.burst - bucket.tokens;
  Object.assign(bucket, sane(limit));
  bucket.tokens = Math.max(lowest(bucket), bucket.burst - used);
}

/** Adds what has accrued since the last time. A clock that went back adds nothing. */
export function refill(bucket: Bucket, now: number): void {
  const seconds = Math.max(0, now - bucket.at) / 1000;
  bucket.tokens = Math.min(bucket.burst, bucket.tokens + seconds * bucket.perSecond * bucket.share);
  bucket.share = Math.min(1, bucket.share + seconds * SHARE_REGAINED_PER_SECOND);
  bucket.at = Math.max(bucket.at, now);
}

/** Whole calls that may be made now. */
export function available(bucket: Bucket): number {
  return Math.max(0, Math.floor(bucket.tokens + 1e-9));
}

/** Counts calls that are about to be made or were made. May take the bucket below zero. */
export function take(bucket: Bucket, calls: number): void {
  bucket.tokens = Math.max(lowest(bucket), bucket.tokens - calls);
}

/** What calls that did not ask may leave behind: the provider let them through, so they are no reason to wait for ever. */
function lowest({ burst, perSecond }: Bucket): number {
  return -Math.max(burst, perSecond);
}

/** The provider throttled: nothing for a second, and a lower rate that recovers. */
export function slowDown(bucket: Bucket, now: number): void {
  refill(bucket, now);
  const justSlowed = bucket.tokens < 0 && bucket.tokens > (-bucket.perSecond * ONE_BURST_MS) / 1000;
  if (justSlowed) return;
  bucket.share = Math.max(LEAST_SHARE, bucket.share * 0.7);
  bucket.tokens = Math.min(bucket.tokens, -bucket.perSecond * bucket.share);
}

/**
 * When the next group of calls may be made.
 *
 * @param wanted calls that wait, at least 1
 * @returns milliseconds since the epoch; `bucket.at` if the group may go at once
 */
export function nextGroupAt(bucket: Bucket, wanted: number): number {
  const rate = bucket.perSecond * bucket.share;
  const group = Math.max(1, Math.min(wanted, Math.floor((rate * GROUP_MS) / 1000), bucket.burst));
  if (bucket.tokens + 1e-9 >= group) return bucket.at;
  return bucket.at + Math.ceil(((group - bucket.tokens) / rate) * 1000);
}
