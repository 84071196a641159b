/** What became of writing on the Node. Pure. */
import type { PublishedState } from '../messages.ts';
import type { Failure, Results } from './decide.ts';
import {
  assignmentsOf,
  growingPause,
  isSameTaint,
  MINUTE,
  type NodeState,
  type PendingTaint,
  type Time,
} from './state.ts';
import { say, type Step } from './step.ts';
import * as words from './words.ts';

const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 60 * MINUTE;

/** @param shown what the Node shows, as text to compare with */
export function published(
  { state, now }: Step,
  shown: string,
  { notices, warning, pending }: Results['publish'],
): void {
  const { publishing } = state;
  publishing.taint = pending && { ...pending, until: untilOf(state, pending, now) };
  publishing.shown = shown;
  publishing.notices.splice(0, notices);
  if (publishing.warning?.message === warning) publishing.warning = undefined;
  if (publishing.tries > 0) state.lastError = undefined;
  publishing.tries = 0;
}

/** Its taint waits no longer for that: whatever is refused, an Event or a tag, may be refused for good. */
export function publishFailed(step: Step, shown: string, failure: Failure): void {
  const { state, now } = step;
  const { publishing } = state;
  const { node, taintKey: key, awaits } = JSON.parse(shown) as PublishedState;
  if (key !== undefined && awaits !== undefined) {
    const taint = { uid: node.uid, key, awaits };
    if (!isSameTaint(taint, publishing.taint))
      publishing.taint = { ...taint, until: untilOf(state, taint, now), isUnwritten: true };
  }
  writeFailed(step, failure);
}

/** It is written once it can be; meanwhile the status says so. What the cloud did stands. */
export function writeFailed({ state, now, facts }: Step, { message }: Failure): void {
  const { publishing } = state;
  publishing.notBefore = now + growingPause(FIRST_PAUSE_MS, LONGEST_PAUSE_MS, publishing.tries);
  publishing.tries += 1;
  publishing.isStale = true;
  state.lastError = message;
  facts.push({ log: 'warn', message: 'could not write to the Node', details: { error: message } });
}

/** What is written again while the taint waits changes nothing about how long it does. */
function untilOf(state: NodeState, pending: Omit<PendingTaint, 'until'>, now: Time): Time {
  const { taint } = state.publishing;
  if (taint !== undefined && isSameTaint(taint, pending)) return taint.until;
  const waits = assignmentsOf(state).map(({ pool }) => pool.taintWaitMs ?? 0);
  return now + Math.max(0, ...waits);
}

export function taintLifted({ state }: Step, lifted: Omit<PendingTaint, 'until'>): void {
  const { publishing } = state;
  if (isSameTaint(lifted, publishing.taint)) publishing.taint = undefined;
  if (publishing.tries > 0) state.lastError = undefined;
  publishing.tries = 0;
}

/** The Node's status has not shown the address in time: what is written next lifts the taint all the same, and says so. */
export function endTaintWait(step: Step): void {
  const { state, now, facts } = step;
  const { taint } = state.publishing;
  if (taint === undefined || taint.until > now) return;
  state.publishing.taint = undefined;
  const missing = assignmentsOf(state).filter(({ address }) => taint.awaits.includes(address.ip));
  const [first] = missing;
  if (first === undefined || state.phase !== 'assigned') {
    // It may soon be assigned again, and have the taint still: then that is written anew.
    state.publishing.shown = undefined;
    return;
  }
  const ips = missing.map(({ address }) => address.ip);
  state.publishing.notShown = ips;
  say(step, words.taintNotShown(words.assigned(first).message, first.pool, ips));
  facts.push({
    log: 'warn',
    message: 'the Node’s status did not show its address in time: the taint is lifted without that',
    pool: first.pool.name,
    details: { addresses: ips, taint: taint.key },
  });
}
