/** Rate limits for the setting `published`. Oracle publishes none, so these are assumed. */
import type { ActionLimit } from '../cloud/rate-limits.ts';

/**
 * "API Errors" has the answer to a call too many (429, TooManyRequests), and no document says when it comes. What is assumed here is less
 * than what people report of Core Services: a client that gets along with it does so with more.
 */
export const assumedLimits: readonly ActionLimit[] = [
  { name: 'Reads', actions: ['Get*', 'List*'], burst: 200, perSecond: 50, shared: true },
  { name: 'Changes', actions: ['*'], burst: 50, perSecond: 10, shared: true },
];
