/** What an event means for a node: changes its state in place, without I/O and without a clock. decide.ts says what is then to be done. */
import type { Family } from '../../model/address.ts';
import { formatScope } from '../../model/scope.ts';
import type { PoolSpec } from '../../model/settings.ts';
import {
  abandon,
  associated,
  associateFailed,
  selected,
  selectFailed,
  isStillWanted,
  mayLackEphemeral,
  notMoved,
  putBack,
  takenAsAssociated,
  verified,
  verifyFailed,
} from './apply-claim.ts';
import {
  checked,
  giveBackFor,
  isAwaited,
  lookAtDeleted,
  looked,
  lookFailed,
  nodeDeleted,
} from './apply-look.ts';
import {
  ephemeralNotRestored,
  ephemeralRestored,
  giveBackFailed,
  giveBackFamilies,
  heirsFound,
  released,
  releaseFailed,
  startGivingBack,
  weighed,
} from './apply-release.ts';
import { ask, askAgain, requestFor, taintToleratedUntil } from './ask.ts';
import type { Action, Failure, Of, Result, Results } from './decide.ts';
import type { Fact } from './facts.ts';
import { goOn, tryAnew } from './fail.ts';
import { endTaintWait, published, publishFailed, taintLifted, writeFailed } from './apply-publish.ts';
import {
  assignmentsOf,
  type FamilyState,
  isAssociating,
  mustHaveNone,
  lookAgain,
  type NodeState,
  type Time,
} from './state.ts';
import { refresh } from './status.ts';
import {
  familyOf,
  noteTryingAgain,
  pauseAfter,
  say,
  skipPause,
  startRelease,
  type Step,
  stopAsking,
  forgetWaiting,
  withdrawRequests,
} from './step.ts';
import * as words from './words.ts';

export type Event =
  | { readonly kind: 'nodeChanged' }
  | { readonly kind: 'nodeDeleted'; readonly uid: string }
  /** A mutex was started that knows nothing of who waits. */
  | { readonly kind: 'mutexStarted'; readonly scope: string }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'time' }
  /** The look takes longer than it should: why its first try failed. */
  | { readonly kind: 'lookDelayed'; readonly error: string }
  | Result;

/** @returns what the log and the metrics are to hear */
export function apply(state: NodeState, event: Event, now: Time): readonly Fact[] {
  return change(state, now, (step) => handle(step, event));
}

/** A change of the state by an operator's command, or by an event: what follows from it by itself is done too. */
export function change(state: NodeState, now: Time, work: (step: Step) => void): readonly Fact[] {
  const step: Step = { state, now, facts: [] };
  work(step);
  proceed(step);
  withdrawRequests(state);
  refresh(state, now);
  // The watcher reads the memo of a failed run: the next one after a success is the first again.
  if (state.phase === 'assigned') state.failures = 0;
  return step.facts;
}

function handle(step: Step, event: Event): void {
  const { state } = step;
  switch (event.kind) {
    case 'nodeChanged':
      return tryAnew(step);
    case 'nodeDeleted':
      return nodeDeleted(step, event.uid);
    case 'mutexStarted':
      return askMutexAgain(step, event.scope);
    case 'cancelled':
      state.cancelled = true;
      return;
    case 'time':
      return;
    case 'lookDelayed':
      if (state.look.kind === 'looking') state.look = { ...state.look, error: event.error };
      return;
    case 'done':
      return done(step, event);
    case 'failed':
      return failed(step, event);
  }
}

function askMutexAgain({ state }: Step, scope: string): void {
  for (const familyState of state.families) {
    if (familyState.progress.kind === 'asking' && formatScope(familyState.progress.pool.scope) === scope)
      askAgain(familyState);
  }
}

type Done = Extract<Result, { kind: 'done' }>;
type Failed = Extract<Result, { kind: 'failed' }>;

/** The action tells the result's type; the two are of one row in `Results`. */
function done(step: Step, { action, result }: Done): void {
  (whenDone[action.kind] as (step: Step, action: Action, result: unknown) => void)(step, action, result);
}

function failed(step: Step, { action, failure }: Failed): void {
  (whenFailed[action.kind] as (step: Step, action: Action, failure: Failure) => void)(step, action, failure);
}

const whenDone: {
  readonly [Kind in Action['kind']]: (step: Step, action: Of<Kind>, result: Results[Kind]) => void;
} = {
  look: (step, _, found) => looked(step, found),
  select: (step, { family }, grant) => selected(step, family, grant),
  tell: ({ state, now }, { messages }) => {
    state.outbox.splice(0, messages.length);
    state.telling = { notBefore: now, tries: 0 };
  },
  associate: (step, { family }, association) => associated(step, family, association),
  verify: (step, { family }, { association, settled }) => verified(step, family, association, settled),
  putBack: (step, { family }, result) => putBack(step, family, result),
  check: (step, { family }, result) => checked(step, family, result),
  release: (step, { family }, outcome) => released(step, family, outcome),
  restoreEphemeral: (step, { family }) => ephemeralRestored(step, family),
  weigh: (step, _, verdict) => weighed(step, verdict),
  findHeirs: (step, _, heirs) => heirsFound(step, heirs),
  publish: (step, { shown }, written) => published(step, shown, written),
  liftTaint: (step, { taint }) => taintLifted(step, taint),
};

const whenFailed: {
  readonly [Kind in Action['kind']]: (step: Step, action: Of<Kind>, failure: Failure) => void;
} = {
  look: (step, _, failure) => lookFailed(step, failure),
  select: (step, { family, request }, failure) => {
    if (failure.cancelled !== true) selectFailed(step, family, request.requestId, failure);
  },
  tell: (step, _, failure) => tellFailed(step, failure),
  associate: (step, { family }, failure) => associateFailed(step, family, failure),
  verify: (step, { family }, failure) => verifyFailed(step, family, failure),
  putBack: (step, { family }, { message }) => putBack(step, family, { has: 'unknown', error: message }),
  check: (step, { family }, failure) => checkFailed(step, family, failure),
  release: (step, { family }, failure) => releaseFailed(step, family, failure),
  restoreEphemeral: (step, { family }, failure) => ephemeralNotRestored(step, family, failure),
  weigh: (step, _, failure) => giveBackFailed(step, failure),
  findHeirs: (step, _, failure) => giveBackFailed(step, failure),
  publish: (step, { shown }, failure) => publishFailed(step, shown, failure),
  liftTaint: (step, _, failure) => {
    if (failure.cancelled !== true) writeFailed(step, failure);
  },
};

/** No mutex runs for the scope, and none could be started. */
function tellFailed(step: Step, { message }: Failure): void {
  const { state, now } = step;
  const { tries } = state.telling;
  state.telling = { notBefore: now + pauseAfter(tries), tries: tries + 1 };
  state.lastError = message;
  noteTryingAgain(step, message);
}

/** The provider does not say whether the address is there: nothing is decided on that. */
function checkFailed(step: Step, family: Family, failure: Failure): void {
  const familyState = familyOf(step, family);
  if (familyState?.progress.kind !== 'checking') return;
  familyState.progress = { kind: 'idle' };
  if (failure.cancelled === true) return;
  // The next look has it checked again. One that is under way goes on, and may have been told of a change.
  if (step.state.look.kind === 'looking') {
    lookAgain(step.state, step.now);
    return;
  }
  // The look itself comes off: its tries tell nothing of how long the pause is to be.
  const tries = familyState.checksFailed ?? 0;
  familyState.checksFailed = tries + 1;
  lookFailed(step, failure, tries);
}

// ---- what follows by itself ----

/** What is to be noted before an action begins: its end may never be heard of. */
export function begin(state: NodeState, action: Action, now: Time): void {
  if (action.kind === 'look') {
    const { look } = state;
    const { tries, error } = look.kind === 'done' ? { tries: 0, error: undefined } : look;
    state.look = {
      kind: 'looking',
      again: false,
      tries,
      error,
      isEarly: look.kind === 'due' && look.isEarly === true,
    };
  }
  // What becomes stale from now on, this does not write.
  if (action.kind === 'publish')
    Object.assign(state.publishing, { count: state.publishing.count + 1, isStale: false });
  if (!('family' in action) || action.kind === 'select') return;
  const familyState = familyOf({ state }, action.family);
  if (familyState === undefined) return;
  const { progress } = familyState;
  if (progress.kind === 'claimed' || progress.kind === 'verifying' || progress.kind === 'checking') {
    familyState.progress = { ...progress, begun: true };
  }
  // Some clouds demand that an ephemeral address goes first, and a release may leave the instance with none.
  if (action.kind === 'associate' || action.kind === 'release') mayLackEphemeral({ now }, familyState);
}

function proceed(step: Step): void {
  const { state, now } = step;
  if (state.failed?.retryAt !== undefined && state.failed.retryAt <= now) goOn(step);
  for (const familyState of state.families) {
    endPause(step, familyState);
    takeBackRelease(step, familyState);
  }
  if (mustHaveNone(state)) interrupt(step);
  endTaintWait(step);
  proceedWithDeletion(step);
  endUnselected(step);
  giveBackFamilies(step);
  dropFamilies(step);
  const isByHand = state.releasedByHand && state.deletion === undefined && state.giveBack === undefined;
  if (isByHand && !state.cancelled) releaseAll(step);
  if (!mustHaveNone(state)) pursue(step);
}

function endPause({ state, now }: Step, familyState: FamilyState): void {
  const { progress } = familyState;
  if ((progress.kind !== 'paused' && progress.kind !== 'failed') || progress.notBefore > now) return;
  familyState.progress = { kind: 'idle' };
  lookAgain(state, now);
}

/** An operator assigns the node again, or its Node is back: what could not be released yet stays. What was, shows when it is looked at. */
function takeBackRelease({ state, now }: Step, familyState: FamilyState): void {
  if (familyState.progress.kind !== 'releasing') return;
  const { cause } = familyState.progress;
  const isStillMeant = { byHand: state.releasedByHand, giveBack: state.giveBack !== undefined, moved: true };
  if (isStillMeant[cause]) return;
  familyState.progress = { kind: 'idle' };
  lookAgain(state, now);
}

/** Drops the steps whose activity has not started, for a node that is to have no address. */
function interrupt(step: Step): void {
  const { state } = step;
  if (state.move !== undefined) {
    const familyState = familyOf(step, state.move.family);
    if (familyState === undefined || !isAssociating(familyState.progress))
      notMoved(step, familyState, 'its address is being released');
  }
  for (const familyState of state.families) {
    stopAsking(familyState);
    skipPause(familyState);
    const { progress } = familyState;
    if (progress.kind === 'claimed' && !progress.begun) abandon(step, familyState);
    else if (progress.kind === 'verifying' && !progress.begun) takenAsAssociated(step, familyState, progress);
    else if (progress.kind === 'checking' && !progress.begun) familyState.progress = { kind: 'idle' };
    forgetWaiting(familyState);
  }
}

/** A deleted Node's address is given back when the grace period is over, as a look since then confirms, and the release is not held. */
function proceedWithDeletion(step: Step): void {
  const { state } = step;
  const { deletion } = state;
  if (deletion?.found === undefined || state.giveBack !== undefined) return;
  if (state.families.some(({ progress }) => isAssociating(progress))) return;
  if (isLookPending(step)) return;
  const assignments = assignmentsOf(state);
  const { kind, at } = deletion.found;
  const isOver = kind !== 'gone' || at >= deletion.graceUntil;
  const staysAnyway = assignments.every(({ pool }) => !pool.release.onNodeDelete);
  const isCleared =
    deletion.cleared || deletion.hold === 'confirmed' || kind === 'instanceGone' || staysAnyway;
  const hasNothing = assignments.length === 0 && (isOver || !isAwaited(state));
  if (hasNothing || (isOver && isCleared)) startGivingBack(step);
  // The last look came before its association was done: it had nothing to be looked after then.
  else if (state.look.kind === 'done') lookAtDeleted(step);
}

/** Something came since the last look: the next look is waited for, unless it fails. */
function isLookPending({ state: { look }, now }: Step): boolean {
  if (look.kind === 'done' || look.error !== undefined) return false;
  return look.kind === 'looking' || look.notBefore <= now;
}

/** It kept its address although no pool selected it, and has lost it since, or did not get it: the run is over. */
function endUnselected(step: Step): void {
  const { state } = step;
  if (state.seen.kind !== 'notSelected' || state.look.kind !== 'done') return;
  if (mustHaveNone(state) || state.failed !== undefined || assignmentsOf(state).length > 0) return;
  if (state.families.some(({ progress }) => isAssociating(progress))) return;
  state.giveBack = giveBackFor(step, { why: 'no pool selects the Node any more', publish: true });
}

/** Families that the pool does not ask for and of which nothing is left; and those that are to go, once the node has what replaces them. */
function dropFamilies(step: Step): void {
  const { state } = step;
  const { pool, seen } = state;
  if (pool === undefined || seen.kind !== 'ready' || mustHaveNone(state)) return;
  const isIncomplete = !hasWhatItsPoolGives(state, pool);
  for (const familyState of state.families) {
    if (
      familyState.notAsked === undefined ||
      familyState.has === undefined ||
      familyState.progress.kind !== 'idle' ||
      isIncomplete
    )
      continue;
    startRelease(step, familyState, 'moved', familyState.notAsked);
  }
  state.families = state.families.filter(
    ({ family, has, lacksEphemeral, progress }) =>
      has !== undefined ||
      lacksEphemeral !== undefined ||
      progress.kind !== 'idle' ||
      pool.queries.some((query) => query.family === family),
  );
  // The former selection stays until the addresses have followed: `discover` compares with it, to tell a change of labels.
  if (!isIncomplete) state.selection = { pool: pool.name, labels: state.selectedBy };
}

/** @returns whether addresses of a former pool may be released */
function hasWhatItsPoolGives({ families }: NodeState, { name, queries }: PoolSpec): boolean {
  const isUnsettled = families.some(
    ({ isLeaving, progress }) => isLeaving || progress.kind === 'checking' || isAssociating(progress),
  );
  // Its association had begun when the labels were changed: the next look compares it with its new pool.
  const isOfFormer = families.some(
    ({ has, notAsked }) => has && has.pool.name !== name && notAsked === undefined,
  );
  const hasAll = queries.every(({ family }) =>
    families.some((familyState) => familyState.family === family && familyState.has !== undefined),
  );
  return !isUnsettled && !isOfFormer && (hasAll || families.every(({ notAsked }) => notAsked === undefined));
}

function releaseAll(step: Step): void {
  for (const familyState of step.state.families) {
    familyState.lost = undefined;
    if (familyState.has === undefined || familyState.progress.kind !== 'idle') continue;
    startRelease(step, familyState, 'byHand', 'by hand');
  }
}

/** What the node lacks, or is to have in place of what it has, is asked for. */
function pursue(step: Step): void {
  const { state } = step;
  startMove(step);
  for (const familyState of state.families) {
    const { progress } = familyState;
    if (progress.kind === 'claimed' && !progress.begun && !isStillWanted(step, familyState))
      abandon(step, familyState);
    if (progress.kind === 'asking') checkDeadlines(step, familyState);
    else if (isToAsk(state, familyState)) askFor(step, familyState);
  }
}

function isToAsk(state: NodeState, familyState: FamilyState): boolean {
  const { look, seen, failed } = state;
  if (look.kind !== 'done' || seen.kind !== 'ready' || failed !== undefined) return false;
  if (familyState.progress.kind !== 'idle') return false;
  // One that still has its address, as a release was refused, lacks nothing.
  return familyState.has === undefined ? familyState.lacksEphemeral === undefined : familyState.isLeaving;
}

function askFor(step: Step, familyState: FamilyState): void {
  const { state } = step;
  const query = state.pool?.queries.find(({ family }) => family === familyState.family);
  if (query === undefined) return;
  const inPlaceOf = familyState.has === undefined ? undefined : 'labels';
  const wanted = requestFor(state, familyState, { query, inPlaceOf });
  if (wanted !== undefined) ask(step, familyState, wanted, inPlaceOf);
}

/** A move needs no look, and does not wait for one. It waits for what is under way with the address. */
function startMove(step: Step): void {
  const { state } = step;
  const { move } = state;
  if (move === undefined) return;
  const familyState = familyOf(step, move.family);
  if (familyState?.has === undefined) {
    notMoved(step, familyState, 'it has no address to move from: `assign` gives it one');
    return;
  }
  const { progress, has } = familyState;
  if (progress.kind === 'asking' && progress.inPlaceOf === 'labels') stopAsking(familyState);
  if (progress.kind === 'paused') familyState.progress = { kind: 'idle' };
  if (familyState.progress.kind !== 'idle') return;
  const query = has.pool.queries.find(({ family }) => family === familyState.family) ?? has.query;
  const wanted = requestFor(state, familyState, { query, inPlaceOf: 'move' });
  if (wanted !== undefined) ask(step, familyState, wanted, 'move');
}

/** It waits for the mutex: gives a move up in time, and lets the taint go when it has waited for as long as its pool retries. */
function checkDeadlines(step: Step, familyState: FamilyState): void {
  const { now } = step;
  const { progress } = familyState;
  if (progress.kind !== 'asking') return;
  if (progress.giveUpAt !== undefined && progress.giveUpAt <= now) {
    stopAsking(familyState);
    notMoved(step, familyState, 'the mutex did not answer within 5 minutes: try again');
    return;
  }
  if (taintToleratedUntil(familyState) > now) return;
  familyState.gaveUpTaint = true;
  const notice = words.taintGivenUp(progress.pool, progress.told ?? words.asked(progress.pool));
  familyState.progress = { ...progress, told: notice.message };
  say(step, notice);
}
