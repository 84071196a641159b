/** One change of the state, and the words for it that more than one event needs. Pure. */
import type { Family } from '../../model/address.ts';
import { instanceText } from '../pool/refusals.ts';
import type { Assignment, ClaimOutcome, Notice, Tried } from '../messages.ts';
import type { Fact } from './facts.ts';
import {
  type Claim,
  type FamilyState,
  growingPause,
  MINUTE,
  type NodeState,
  type Releasing,
  type Time,
} from './state.ts';
import { remember } from './tried.ts';

export interface Step {
  readonly state: NodeState;
  readonly now: Time;
  readonly facts: Fact[];
}

/** Enough for each family and a warning; of more the Node hears the newest. */
const MOST_NOTICES = 4;

/** To be said on the Node by an Event. */
export function say({ state }: Step, notice: Notice): void {
  const { notices } = state.publishing;
  notices.push(notice);
  notices.splice(0, notices.length - MOST_NOTICES);
  state.publishing.notBefore = 0;
}

/** Notes for people what was tried, and how it came out. */
export function note({ state, now }: Step, what: string, outcome: Tried['outcome'], error?: string): void {
  const at = new Date(now).toISOString();
  remember(state.tried, { at, what, outcome, ...(error === undefined ? {} : { error }) });
}

export function familyOf({ state }: Pick<Step, 'state'>, family: Family): FamilyState | undefined {
  return state.families.find((familyState) => familyState.family === family);
}

/** It does not ask any more. The mutex is told by {@link withdrawRequests}. */
export function stopAsking(familyState: FamilyState): void {
  if (familyState.progress.kind === 'asking') familyState.progress = { kind: 'idle' };
}

/** A family that is to have no address: why it had none, and since when it asked, is not shown and not counted any more. */
export function forgetWaiting(familyState: FamilyState): void {
  if (
    familyState.has !== undefined ||
    familyState.lacksEphemeral !== undefined ||
    familyState.progress.kind !== 'idle'
  )
    return;
  familyState.lastError = undefined;
  familyState.askingSince = undefined;
  familyState.gaveUpTaint = false;
}

/** Tells the mutex which requests are not wanted any more. It drops what it may have granted to them meanwhile. */
export function withdrawRequests(state: NodeState): void {
  const wanted = state.families.flatMap(({ progress }) => (progress.kind === 'asking' ? progress : []));
  const isWanted = (id: string): boolean => wanted.some(({ request }) => request.requestId === id);
  for (const { requestId, scope, replaces = [] } of state.openRequests) {
    if (isWanted(requestId)) continue;
    const replaced = wanted.some((other) => other.replaces === requestId);
    state.outbox.push({ kind: 'withdraw', scope, requestId, ...(replaced ? { replaced } : {}) });
    // It may not have asked yet: then one of those still has its place.
    if (replaced) continue;
    for (const earlier of replaces) state.outbox.push({ kind: 'withdraw', scope, requestId: earlier });
  }
  state.openRequests = state.openRequests.filter(({ requestId }) => isWanted(requestId));
}

export function settle(
  { state, facts, now }: Step,
  claim: Claim,
  outcome: ClaimOutcome,
  isTold = false,
): void {
  const { address, token, pool, grantedAt, instance } = claim;
  facts.push({
    measure: 'claimSettled',
    of: { pool: pool.name, outcome, seconds: (now - grantedAt) / 1000 },
  });
  if (isTold) return;
  const pair = outcome === 'refused' ? { instance: instanceText(instance) } : {};
  state.outbox.push({ kind: 'settle', scope: pool.scope, addressId: address.id, token, outcome, ...pair });
}

/** @param had what the node had until now */
export function reportFreed(
  { state }: Step,
  { address, pool, token }: Assignment,
  disassociated: boolean,
): void {
  state.outbox.push({ kind: 'freed', scope: pool.scope, addressId: address.id, disassociated, token });
}

/** The node is not to have an address now: what is asked for is taken back, and what pauses goes no further. */
export function stopAskingAll(step: Step): void {
  for (const familyState of step.state.families) {
    stopAsking(familyState);
    skipPause(familyState);
  }
}

export function skipPause(familyState: FamilyState): void {
  if (familyState.progress.kind === 'paused' || familyState.progress.kind === 'failed')
    familyState.progress = { kind: 'idle' };
}

/** What the node has of the family is to be given back. */
export function startRelease(
  { now }: Step,
  familyState: FamilyState,
  cause: Releasing['cause'],
  why: string,
): void {
  familyState.progress = { kind: 'releasing', cause, why, notBefore: now, tries: 0 };
}

const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 5 * MINUTE;

/** @returns how long a node that cannot do without is to wait before it tries again what failed so often */
export function pauseAfter(tries: number): number {
  return growingPause(FIRST_PAUSE_MS, LONGEST_PAUSE_MS, tries);
}

export function noteTryingAgain({ state, facts }: Step, error: string, family?: Family): void {
  facts.push({ log: 'warn', message: 'trying again', family, details: { phase: state.phase, error } });
}
