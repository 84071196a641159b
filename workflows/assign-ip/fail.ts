/** A family, or the node, that no further try of now can help. Pure. */
import type { Failure } from './decide.ts';
import { type FamilyState, growingPause, lookAgain, MINUTE } from './state.ts';
import { stopAskingAll, note, say, skipPause, type Step } from './step.ts';
import * as words from './words.ts';

/** One family failed for good while the other goes on: it is tried again after a pause that grows up to this. */
const LONGEST_PAUSE_MS = 10 * MINUTE;
/** A node that an operator pinned, or wants to have a certain address, goes on by itself, after this long: the next run would not know of that. */
const PINNED_PAUSE_MS = 10 * MINUTE;

/** As long as the other family goes on it is tried again now and then; if that has failed as well, the node has. */
export function failFamily(step: Step, familyState: FamilyState, { type, message }: Failure): void {
  const { state, facts, now } = step;
  if (familyState.isNews) {
    familyState.progress = { kind: 'idle' };
    familyState.lastError = message;
    lookAgain(state, now);
    return;
  }
  const intervalMs = (state.pool ?? familyState.has?.pool)?.retries.intervalMs ?? MINUTE;
  const pauseMs = growingPause(intervalMs, LONGEST_PAUSE_MS, familyState.gaveUp++);
  const notice = words.failed(state.node.name, type, message);
  Object.assign(familyState, { failures: 0, lastError: message });
  familyState.progress = { kind: 'failed', notBefore: now + pauseMs, message: notice.message };
  if (state.families.every(({ has, progress }) => has === undefined && progress.kind === 'failed')) {
    failNode(step, { type, message });
    return;
  }
  facts.push(...failedFacts(step, { type, message }, familyState));
  say(step, notice);
}

/**
 * Nothing stays claimed or asked for, and it shows; then the run ends, and the watcher starts another one after a cool-down. A signal that
 * comes by then is obeyed: it would be lost with the run, and what it tells may be what was missing.
 */
export function failNode(step: Step, { type, message }: Failure): void {
  const { state, now } = step;
  stopAskingAll(step);
  if (state.look.kind !== 'done') return;
  const notice = words.failedForGood(state.node.name, type, message);
  const isPinned = Object.keys({ ...state.pins, ...state.wanted }).length > 0;
  state.lastError = message;
  state.failed = { type, message: notice.message, ...(isPinned ? { retryAt: now + PINNED_PAUSE_MS } : {}) };
  note(step, 'assign an address', 'failed', message);
  say(step, notice);
}

/** Something about the node is new: it is looked at again, and what fails that began before is no reason to give up. */
export function tryAnew(step: Pick<Step, 'state' | 'now'>): void {
  for (const familyState of step.state.families) {
    familyState.isNews = true;
    familyState.remark = undefined;
    skipPause(familyState);
  }
  goOn(step);
}

/** The node goes on although it may have failed. */
export function goOn({ state, now }: Pick<Step, 'state' | 'now'>): void {
  state.failed = undefined;
  lookAgain(state, now);
}

export function failedFacts(
  { state }: Pick<Step, 'state'>,
  { type, message }: Failure,
  familyState?: FamilyState,
): Step['facts'] {
  const pool = state.pool?.name;
  const details = { reason: type, message };
  return [
    { log: 'error', message: 'assignment failed', family: familyState?.family, pool, details },
    { measure: 'failed', of: { pool: pool ?? '', reason: type } },
  ];
}
