/** When a node that failed for good is tried again: after a pause that doubles with each failure in a row. Pure. */
import type { FailureCooldown } from '../config/config.ts';

/** What is known of a node whose latest run failed for good. */
export interface FailedRun {
  readonly node: string;
  /** The uid of the Node that it was for; undefined if its memo does not tell (started by hand). */
  readonly uid: string | undefined;
  /** The hash of the pool's settings that it failed with. */
  readonly poolHash: string | undefined;
  /** Failures in a row, this one included: 1 or more. */
  readonly failures: number;
  /** Unix time in milliseconds, by the clock of the Temporal server. */
  readonly closedAt: number;
}

/** How far the watcher's clock may be behind the server's before it is taken for wrong. */
const toleranceMs = 60_000;

/**
 * @param now Unix time in milliseconds, by the watcher's clock
 * @returns when the node is due, by the watcher's clock. A run that ended in the future shows that the clock is wrong: it is
 * due at once, since nobody knows when else
 */
export function dueAt(
  { failures, closedAt }: Pick<FailedRun, 'failures' | 'closedAt'>,
  { initialIntervalMs, maximumIntervalMs }: FailureCooldown,
  now: number,
): number {
  if (closedAt > now + toleranceMs) return now;
  // Above this exponent every interval is at its maximum.
  const doublings = Math.min(Math.max(failures, 1) - 1, 40);
  return closedAt + Math.min(initialIntervalMs * 2 ** doublings, maximumIntervalMs);
}

/**
 * @returns how long ago, in milliseconds, a run may have failed and its count still matter: well beyond the longest
 * pause, so that the count is known when the pause is over
 */
export function memoryMs(cooldown: FailureCooldown, reconcileIntervalMs: number): number {
  return 2 * (cooldown.maximumIntervalMs + reconcileIntervalMs);
}
