/** What the mutex does next. Pure, as the rest of its bookkeeping: AddressPoolWorkflow carries it out. */
import { type Message, nextLookAt, nextWakeAt, repeatedGrants } from './look.ts';
import { type Holder, overdueHolders, type PoolState } from './state.ts';

export type NextStep =
  | { readonly kind: 'deliver'; readonly answers: readonly Message[] }
  | { readonly kind: 'look' }
  | { readonly kind: 'findHolders'; readonly holders: readonly Holder[] }
  /** Nothing is due before `until` (milliseconds since the epoch). Undefined: nothing before a signal comes. */
  | { readonly kind: 'wait'; readonly until: number | undefined };

/**
 * A look goes before the search for silent holders: it ends the claims of those that have their address. A claim that was overdue
 * when the last look began has had its look. Its holder is looked for before the next one: while thousands wait and lists are slow,
 * a look is always due.
 */
export function nextStep(state: PoolState, now: number): NextStep {
  const answers = repeatedGrants(state);
  if (answers.length > 0) return { kind: 'deliver', answers };
  const holders = overdueHolders(state, now);
  const haveHadTheirLook = overdueHolders(state, Math.min(now, state.lastLookAt)).length > 0;
  if (isDue(nextLookAt(state), now) && !haveHadTheirLook) return { kind: 'look' };
  if (holders.length > 0) return { kind: 'findHolders', holders };
  return { kind: 'wait', until: nextWakeAt(state) };
}

function isDue(at: number | undefined, now: number): boolean {
  return at !== undefined && at <= now;
}
