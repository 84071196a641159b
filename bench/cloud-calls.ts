/** The calls that the emulated cloud counted. Pure. */
import type { CallSummary } from '../sandbox/cloud/call-log.ts';
import { round, sum } from './numbers.ts';

export interface CloudCalls {
  readonly byAction: Readonly<Record<string, number>>;
  readonly total: number;
  /** Refused by the rate limit. */
  readonly throttled: number;
}

/** The codes with which EC2, Compute Engine and Oracle Cloud refuse what is too much. */
const THROTTLED = ['RequestLimitExceeded', 'rateLimitExceeded', 'TooManyRequests'];

/** @param before what had been counted when the measuring began */
export function callsSince(before: CallSummary, after: CallSummary): CloudCalls {
  const actions = Object.entries(after.counts).map(([action, outcomes]): [string, number, number] => {
    const earlier = before.counts[action] ?? {};
    const made = sum(Object.values(outcomes)) - sum(Object.values(earlier));
    const refused = (of: Readonly<Record<string, number>>) => sum(THROTTLED.map((code) => of[code] ?? 0));
    return [action, made, refused(outcomes) - refused(earlier)];
  });
  return {
    byAction: Object.fromEntries(
      actions.filter(([, made]) => made > 0).map(([action, made]) => [action, made]),
    ),
    total: sum(actions.map(([, made]) => made)),
    throttled: sum(actions.map(([, , throttled]) => throttled)),
  };
}

/** As a result shows them. */
export function shownCalls({ byAction, total, throttled }: CloudCalls, nodes: number): object {
  return {
    cloudCalls: byAction,
    callsPerNode: round(total / nodes),
    throttled,
    throttledShare: round(throttled / Math.max(1, total), 4),
  };
}
