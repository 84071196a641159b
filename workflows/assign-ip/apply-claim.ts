/** From an answer of the mutex to an address that the node has: granted, associated, verified. Pure. */
import { traitsOf } from '../../clouds/traits.ts';
import { type Association, type Family, familyName } from '../../model/address.ts';
import type { ClaimOutcome, Grant, Notice } from '../messages.ts';
import type { Failure } from './decide.ts';
import { failFamily } from './fail.ts';
import {
  type Asking,
  type Claim,
  type FamilyState,
  growingPause,
  mustHaveNone,
  lookAgain,
  MINUTE,
  type Move,
  wishOf,
} from './state.ts';
import { familyOf, note, noteTryingAgain, reportFreed, say, settle, type Step, stopAsking } from './step.ts';
import * as words from './words.ts';

/** A node that holds a foreign address is looked at again after this long, in case it was detached; then less and less often. */
const FOREIGN_AGAIN_MS = 5 * MINUTE;
/** A node that is to leave its pool, and could not, tries again after this long; then less and less often. */
const LEAVE_AGAIN_MS = MINUTE;
const LONGEST_AGAIN_MS = 60 * MINUTE;
const LONGEST_PAUSE_MS = MINUTE;
/** What a new look at the node, or another address, may mend. */
const TRY_AGAIN: readonly string[] = ['InUse', 'ForeignAddress', 'NotFound', 'NotVisibleYet'];

/** The mutex's answer. One to a request that was taken back is of no use: the mutex has dropped what it claimed. */
export function selected(step: Step, family: Family, grant: Grant): void {
  const familyState = familyOf(step, family);
  if (familyState?.progress.kind !== 'asking' || familyState.progress.request.requestId !== grant.requestId)
    return;
  const asking = familyState.progress;
  // After `empty` and `pinned` the request stays in the queue.
  if (grant.kind !== 'empty' && grant.kind !== 'pinned') answered(step, grant.requestId);
  if (grant.kind === 'granted') {
    const { address, token, held } = grant;
    const { pool, request, inPlaceOf } = asking;
    const claim = {
      address,
      token,
      held,
      pool,
      query: request.query,
      instance: request.instance,
      grantedAt: step.now,
    };
    const details = { address: address.ip, allocation: address.id, token };
    step.facts.push({
      log: 'info',
      message: 'address granted',
      family: familyState.family,
      pool: pool.name,
      details,
    });
    familyState.progress = { kind: 'claimed', claim, begun: false, ...(inPlaceOf && { inPlaceOf }) };
    return;
  }
  if (asking.inPlaceOf === 'move') notGrantedToMove(step, familyState, asking, grant);
  else if (asking.inPlaceOf === 'labels') notGrantedToLeave(step, familyState, asking, grant);
  else notGranted(step, familyState, asking, grant);
}

function answered({ state }: Step, requestId: string): void {
  state.openRequests = state.openRequests.filter((open) => open.requestId !== requestId);
}

type NotGranted = Exclude<Grant, { kind: 'granted' }>;

function notGranted(step: Step, familyState: FamilyState, asking: Asking, grant: NotGranted): void {
  const { pool } = asking;
  switch (grant.kind) {
    case 'empty':
    case 'pinned':
      told(step, familyState, asking, waitingNotice(step, familyState, asking, grant));
      return;
    case 'foreign': {
      const notice = words.foreign(pool, grant.ip);
      told(step, familyState, asking, notice);
      const pauseMs = growingPause(FOREIGN_AGAIN_MS, LONGEST_AGAIN_MS, familyState.pauses++);
      familyState.progress = { kind: 'paused', notBefore: step.now + pauseMs, message: notice.message };
      return;
    }
    case 'refused': {
      const details = { error: grant.error };
      step.facts.push({
        log: 'warn',
        message: 'request refused',
        family: familyState.family,
        pool: pool.name,
        details,
      });
      failFamily(step, familyState, { type: grant.type ?? 'Refused', message: grant.error });
    }
  }
}

function waitingNotice(
  { state }: Step,
  { family }: FamilyState,
  { pool, request }: Asking,
  grant: NotGranted,
): Notice {
  if (grant.kind === 'empty') return words.poolEmpty(pool, request.query, grant.size, grant.refused);
  if (grant.kind !== 'pinned') throw new Error(`${grant.kind} is no word on why a node waits`);
  const { wanted, pins, nodePinsBy } = state;
  const operator = pins[family] === undefined ? undefined : 'operator';
  const source = wanted[family] === undefined ? (operator ?? nodePinsBy[family] ?? 'annotation') : 'assign';
  return words.wishUnavailable(pool, grant, source);
}

/** It waits, and why. The same is said once, however often it asks again. */
function told(step: Step, familyState: FamilyState, asking: Asking, notice: Notice): void {
  const { message, reason } = notice;
  familyState.progress = { ...asking, told: message };
  familyState.throttled = false;
  if (familyState.lastError === message) return;
  familyState.lastError = message;
  const details = { reason, message };
  step.facts.push({
    log: 'info',
    message: 'node waits',
    family: familyState.family,
    pool: asking.pool.name,
    details,
  });
  note(step, `claim an ${familyName(familyState.family)} address`, 'waiting', message);
  say(step, notice);
}

/** It could not ask: it looks and asks anew after a pause. A move is over. */
export function selectFailed(step: Step, family: Family, requestId: string, { message }: Failure): void {
  const familyState = familyOf(step, family);
  if (familyState?.progress.kind !== 'asking' || familyState.progress.request.requestId !== requestId) return;
  const { inPlaceOf } = familyState.progress;
  stopAsking(familyState);
  if (inPlaceOf === 'move') {
    notMoved(step, familyState, message);
    return;
  }
  familyState.lastError = message;
  noteTryingAgain(step, message, family);
  const pauseMs = growingPause(LEAVE_AGAIN_MS, LONGEST_AGAIN_MS, familyState.pauses++);
  const notBefore = step.now + pauseMs;
  familyState.progress = { kind: 'paused', notBefore, message: words.tryingAgain(pauseMs, message) };
}

// ---- in place of another one ----

function notGrantedToLeave(step: Step, familyState: FamilyState, asking: Asking, grant: NotGranted): void {
  const { has } = familyState;
  if (has === undefined) return;
  if (grant.kind === 'empty' || grant.kind === 'pinned') {
    const { message } = waitingNotice(step, familyState, asking, grant);
    familyState.progress = { ...asking, told: message };
    keepFor(step, familyState, words.leaving(has, asking.pool, message));
  } else {
    leaveLater(step, familyState, asking.pool, grant.kind === 'refused' ? grant.error : grant.ip);
  }
}

function leaveLater(step: Step, familyState: FamilyState, pool: Asking['pool'], why: string): void {
  const { has } = familyState;
  if (has === undefined) return;
  const message = words.leaving(has, pool, why);
  const pauseMs = growingPause(LEAVE_AGAIN_MS, LONGEST_AGAIN_MS, familyState.pauses++);
  familyState.progress = { kind: 'paused', notBefore: step.now + pauseMs, message };
  keepFor(step, familyState, message);
}

function keepFor(step: Step, familyState: FamilyState, message: string): void {
  if (familyState.kept === message) return;
  Object.assign(familyState, { kept: message, lastError: message });
  say(step, { type: 'Warning', reason: 'AddressKept', message });
}

function notGrantedToMove(step: Step, familyState: FamilyState, asking: Asking, grant: NotGranted): void {
  // A refused request is answered for good; another one waits on, and the node does not.
  if (grant.kind === 'empty' || grant.kind === 'pinned') stopAsking(familyState);
  familyState.progress = { kind: 'idle' };
  notMoved(step, familyState, whyNotMoved(step.state.move?.to ?? '', asking.pool.name, grant));
}

function whyNotMoved(to: string, pool: string, grant: NotGranted): string {
  switch (grant.kind) {
    case 'pinned':
      return grant.reason === 'inUse'
        ? `${to} is in use, or claimed for another node`
        : `${to} is not an address of pool ${pool}`;
    case 'refused':
      return grant.error;
    case 'empty':
    case 'foreign':
      return `pool ${pool} has no such address free`;
  }
}

/** The move that was wanted is over. The node keeps what it has. */
export function notMoved(step: Step, familyState: FamilyState | undefined, why: string): void {
  const { state, now } = step;
  const { move } = state;
  if (move === undefined) return;
  const message = words.notMoved(state.node.name, move.to, why, familyState?.has);
  const details = { address: move.to, reason: why };
  step.facts.push({ log: 'warn', message: 'the node was not moved', details });
  note(step, `move to ${move.to}`, 'failed', why);
  if (familyState?.has !== undefined) familyState.remark = message;
  endMove(step, move, { refused: message });
  lookAgain(state, now);
}

function endMove(
  { state }: Step,
  { number }: Move,
  outcome: NonNullable<Step['state']['lastMove']>['outcome'],
): void {
  state.move = undefined;
  state.lastMove = { number, outcome };
}

// ---- associated ----

export function associated(step: Step, family: Family, association: Association): void {
  const familyState = familyOf(step, family);
  if (familyState?.progress.kind !== 'claimed') return;
  const { claim, inPlaceOf } = familyState.progress;
  const { address, token, instance, pool, query } = claim;
  const before = familyState.has;
  familyState.has = { address, token, association, instance, pool, query };
  familyState.lacksEphemeral = undefined;
  familyState.progress = {
    kind: 'verifying',
    claim,
    begun: false,
    ...(inPlaceOf && { inPlaceOf }),
    ...(before && { before }),
  };
}

export function associateFailed(step: Step, family: Family, failure: Failure): void {
  const familyState = familyOf(step, family);
  if (familyState?.progress.kind !== 'claimed') return;
  const { claim, inPlaceOf } = familyState.progress;
  const outcome = failure.isOfPair === true ? 'refused' : outcomeOf(failure.type, false);
  noteNotAssociated(step, claim, failure);
  if (inPlaceOf !== undefined && familyState.has !== undefined) {
    familyState.progress = { kind: 'puttingBack', claim, inPlaceOf, outcome, error: failure.message };
    return;
  }
  settle(step, claim, outcome);
  notAssigned(step, familyState, claim, failure);
}

/** @param isAssociated the provider said that it associated the address, so a later failure does not mean that it is free */
function outcomeOf(type: string, isAssociated: boolean): ClaimOutcome {
  if (type === 'InUse') return 'inUse';
  if (isAssociated || type === 'Unavailable' || type === 'NotVisibleYet') return 'unknown';
  return type === 'Throttled' ? 'throttled' : 'abandoned';
}

/** @param isSettled the mutex knows of it */
export function verified(step: Step, family: Family, association: Association, isSettled: boolean): void {
  const familyState = familyOf(step, family);
  if (familyState?.progress.kind !== 'verifying' || familyState.has === undefined) return;
  familyState.has = { ...familyState.has, association };
  settle(step, familyState.progress.claim, 'associated', isSettled);
  assigned(step, familyState, familyState.progress);
}

type Verifying = Extract<FamilyState['progress'], { kind: 'verifying' }>;

export function verifyFailed(step: Step, family: Family, failure: Failure): void {
  const familyState = familyOf(step, family);
  if (familyState?.progress.kind !== 'verifying') return;
  const verifying = familyState.progress;
  // The node is to give it back: whatever was seen last, a release finds out what is there.
  if (mustHaveNone(step.state)) {
    takenAsAssociated(step, familyState, verifying);
    return;
  }
  settle(step, verifying.claim, outcomeOf(failure.type, true));
  noteNotAssociated(step, verifying.claim, failure);
  if (verifying.inPlaceOf === undefined && TRY_AGAIN.includes(failure.type)) {
    // The provider reported the association and does not show it. The ephemeral address may be gone.
    familyState.has = undefined;
    mayLackEphemeral(step, familyState);
    notAssigned(step, familyState, verifying.claim, failure);
    return;
  }
  // The provider said that it associated the address; that it could not be read back is no reason to do without it.
  assigned(step, familyState, verifying);
  familyState.lastError = failure.message;
  lookAgain(step.state, step.now);
}

/** What the provider said to have associated is not read back any more: the node is to have none. */
export function takenAsAssociated(
  step: Step,
  familyState: FamilyState,
  { claim, inPlaceOf, before }: Verifying,
): void {
  const { move } = step.state;
  settle(step, claim, 'associated');
  familyState.progress = { kind: 'idle' };
  if (before === undefined) return;
  reportFreed(step, before, false);
  if (move !== undefined && inPlaceOf === 'move') endMove(step, move, { moved: true });
}

function noteNotAssociated(step: Step, { address, instance }: Claim, { message }: Failure): void {
  note(step, `associate ${address.ip} with ${instance.id}`, 'failed', message);
}

/** Not every cloud gives an instance an ephemeral address by itself. */
export function mayLackEphemeral({ now }: Pick<Step, 'now'>, familyState: FamilyState): void {
  if (
    familyState.hadEphemeral === undefined ||
    traitsOf(familyState.hadEphemeral.instance.provider).restoresEphemeral
  )
    return;
  familyState.lacksEphemeral ??= { notBefore: now, tries: 0 };
}

function assigned(step: Step, familyState: FamilyState, { claim, inPlaceOf, before }: Verifying): void {
  const { state, facts } = step;
  const { has, lost } = familyState;
  if (has === undefined) return;
  noteAssigned(step, familyState, claim);
  Object.assign(familyState, {
    progress: { kind: 'idle' },
    lastError: undefined,
    kept: undefined,
    remark: undefined,
    isLeaving: false,
    failures: 0,
    refusals: 0,
    pauses: 0,
    gaveUp: 0,
    throttled: false,
    gaveUpTaint: false,
    askingSince: undefined,
    lost: undefined,
    wasAssigned: true,
  });
  state.became = [];
  const { [familyState.family]: _, ...otherWishes } = state.wanted;
  state.wanted = otherWishes;
  // What is to become of it, as no pool selects the node any more, or another one does, the next look says.
  // And of one whose instance was seen to be gone meanwhile.
  if (state.seen.kind !== 'ready' || state.pool?.hash !== has.pool.hash) lookAgain(state, step.now);
  if (inPlaceOf === undefined || before === undefined) {
    say(step, lost === undefined ? words.assigned(has) : words.driftHealed(has, lost.ip));
    note(step, `associate ${has.address.ip} with ${has.instance.id}`, 'done');
    if (lost !== undefined) {
      const details = { address: has.address.ip };
      facts.push({
        log: 'info',
        message: 'drift healed',
        family: familyState.family,
        pool: claim.pool.name,
        details,
      });
    }
    return;
  }
  const from = before.address;
  reportFreed(step, before, false);
  note(step, `move from ${from.ip} to ${has.address.ip}`, 'done');
  say(step, inPlaceOf === 'move' ? words.moved(has, from.ip) : words.movedToPool(has, from.ip));
  if (state.move !== undefined && inPlaceOf === 'move') endMove(step, state.move, { moved: true });
}

function noteAssigned({ state, facts, now }: Step, familyState: FamilyState, { pool, held }: Claim): void {
  const reason = familyState.lost !== undefined ? 'healed' : held ? 'kept' : 'granted';
  facts.push({ measure: 'assigned', of: { pool: pool.name, reason } });
  if (state.createdAt === undefined || familyState.wasAssigned) return;
  // The two clocks are those of the Kubernetes API and of Temporal.
  const seconds = Math.max(0, now - Date.parse(state.createdAt)) / 1000;
  facts.push({ measure: 'firstAddress', of: { pool: pool.name, seconds } });
}

// ---- not assigned ----

/** What a failed try means: another one, at once or after a pause, or the end. */
function notAssigned(step: Step, familyState: FamilyState, { pool }: Claim, failure: Failure): void {
  const { state, facts, now } = step;
  const { type, message } = failure;
  const details = { reason: type, message };
  facts.push({
    log: 'warn',
    message: 'address not assigned',
    family: familyState.family,
    pool: pool.name,
    details,
  });
  familyState.progress = { kind: 'idle' };
  familyState.lastError = message;
  // The mutex has slowed down and serves this node again in its turn.
  familyState.throttled = type === 'Throttled';
  // It does not ask again before it is ready, and nothing else may look.
  if (state.seen.kind !== 'ready') lookAgain(state, now);
  if (familyState.throttled || mustHaveNone(state)) return;
  familyState.failures += 1;
  if (failure.isOfPair === true && isAnotherToTry(step, familyState)) {
    lookAgain(state, now);
    return;
  }
  if (!TRY_AGAIN.includes(type) || familyState.failures >= pool.retries.attempts) {
    failFamily(step, familyState, { type, message });
    return;
  }
  if (type === 'InUse') {
    lookAgain(state, now);
    return;
  }
  const pauseMs = Math.min(
    LONGEST_PAUSE_MS,
    pool.retries.intervalMs,
    1_000 * 2 ** Math.min(familyState.failures, 10),
  );
  familyState.progress = {
    kind: 'paused',
    notBefore: now + pauseMs,
    message: words.tryingAgain(pauseMs, message),
  };
}

/** If the cloud refuses so many addresses in a row, it is the instance's fault. */
const MAX_REFUSALS = 3;

/** The mutex remembers the refused one, and has another one. For a node that is to have this one and no other, it has not. */
function isAnotherToTry({ state }: Step, familyState: FamilyState): boolean {
  familyState.refusals = (familyState.refusals ?? 0) + 1;
  if (familyState.refusals < MAX_REFUSALS && wishOf(state, familyState.family) === undefined) return true;
  familyState.refusals = 0;
  return false;
}

// ---- put back ----

/** What the node has after another address could not take the place of its own. */
export type PutBack =
  | { readonly has: 'before' | 'new'; readonly association: Association }
  | { readonly has: 'unknown'; readonly error: string };

export function putBack(step: Step, family: Family, result: PutBack): void {
  const familyState = familyOf(step, family);
  if (familyState?.progress.kind !== 'puttingBack' || familyState.has === undefined) return;
  const { state, facts, now } = step;
  const { claim, inPlaceOf, outcome, error } = familyState.progress;
  const before = familyState.has;
  familyState.lacksEphemeral = undefined;
  familyState.progress = { kind: 'idle' };
  settle(step, claim, outcome);
  if (result.has === 'new') {
    const { address, token, pool, query } = claim;
    familyState.has = { ...before, address, token, pool, query, association: result.association };
    assigned(step, familyState, { kind: 'verifying', claim, begun: true, inPlaceOf, before });
    familyState.lastError = error;
  } else {
    if (result.has === 'unknown')
      facts.push({
        log: 'warn',
        message: 'the node may be without its address',
        details: { error: result.error },
      });
    else familyState.has = { ...before, association: result.association };
    if (inPlaceOf === 'move') notMoved(step, familyState, error);
    else leaveLater(step, familyState, claim.pool, error);
  }
  if (result.has !== 'before') lookAgain(state, now);
}

/** A claim that nothing was done with yet, for a node that is wanted otherwise. */
export function abandon(step: Step, familyState: FamilyState): void {
  if (familyState.progress.kind !== 'claimed') return;
  settle(step, familyState.progress.claim, 'abandoned');
  familyState.progress = { kind: 'idle' };
}

/** @returns whether the claim is for what the node is to have, by the operator's last word and the Node's */
export function isStillWanted({ state }: Step, familyState: FamilyState): boolean {
  if (familyState.progress.kind !== 'claimed' || familyState.progress.inPlaceOf === 'move') return true;
  const wish = wishOf(state, familyState.family);
  const { address } = familyState.progress.claim;
  return wish === undefined || wish === address.ip || wish === address.id;
}
