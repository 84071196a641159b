/** What a look at the Node means for the addresses that it has and asks for. Pure. */
import type { Discovery } from '../../activities/contract.ts';
import { traitsOf } from '../../clouds/traits.ts';
import { type AddressQuery, type Family, familyName, solePublicIp } from '../../model/address.ts';
import type { PoolSpec } from '../../model/settings.ts';
import type { Assignment } from '../messages.ts';
import { askOtherwise, isTheSameRequest, requestFor } from './ask.ts';
import type { Failure } from './decide.ts';
import { failNode } from './fail.ts';
import {
  assignmentsOf,
  type CheckTarget,
  type Deletion,
  type FamilyState,
  growingPause,
  hasSomething,
  isAssociating,
  isSameInstance,
  isSameScope,
  isShownOn,
  lookAgain,
  MINUTE,
  mustHaveNone,
  newDeletion,
  newFamily,
  refOf,
} from './state.ts';
import {
  familyOf,
  stopAskingAll,
  note,
  noteTryingAgain,
  pauseAfter,
  reportFreed,
  say,
  startRelease,
  type Step,
  stopAsking,
  forgetWaiting,
} from './step.ts';
import * as words from './words.ts';

type Ready = Extract<Discovery, { kind: 'ready' }>;
type NotReady = Extract<Discovery, { kind: 'notReady' }>;
type NotSelected = Extract<Discovery, { kind: 'notSelected' }>;
type Present = Exclude<Discovery, { kind: 'gone' }>;

/** A node whose instance is gone without its Node is looked at again after this long, in case no signal tells. */
const INSTANCE_GONE_LOOK_MS = 5_000;
/** The instance of a deleted Node is looked at this often: once it is terminated, nothing is waited for any more. */
const DELETED_LOOK_MS = 30_000;
/** Of one whose release is held: an operator may take days, and only the end of its instance is not told. */
const LONGEST_HELD_LOOK_MS = 10 * MINUTE;

/** A change of the Node is told by a signal. What only the cloud knows is looked for, less and less often. */
const FIRST_NOT_READY_MS = 5_000;
const LONGEST_NOT_READY_MS = 30 * MINUTE;

export function looked(step: Step, found: Discovery): void {
  const { state, now } = step;
  const { look } = state;
  const isChanged = look.kind === 'looking' && look.again;
  const tries = look.kind === 'done' ? 0 : look.tries;
  state.look = { kind: 'done' };
  if (found.kind === 'gone') gone(step, found);
  else if (found.node.uid !== state.node.uid) otherNode(step, found);
  else sameNode(step, found, tries);
  if (isChanged) lookAgain(state, now);
}

/** The Node exists, whatever was said of its deletion. */
function sameNode(step: Step, found: Present, tries: number): void {
  const { state, facts } = step;
  if (state.deletion !== undefined) {
    const details = { uid: found.node.uid };
    facts.push({
      log: 'warn',
      message: 'the Node is said to be deleted but exists: nothing is released',
      details,
    });
    state.deletion = undefined;
  }
  // What was being given back since no pool selected it, or another Node had its name, it may keep now.
  if (found.kind !== 'notSelected') state.giveBack = undefined;
  state.lastError = undefined;
  if (found.kind === 'ready') ready(step, found);
  else if (found.kind === 'notReady') notReady(step, found, tries);
  else notSelected(step, found);
}

// ---- gone, or another one ----

function gone({ state, now }: Step, found: Extract<Discovery, { kind: 'gone' }>): void {
  // Without the instance if that is gone: the brake counts the search attribute of runs that ended.
  state.instance = found.instanceGone === true ? undefined : (found.instance ?? state.instance);
  const deletion = noteDeleted({ state, now });
  deletion.found = { kind: found.instanceGone === true ? 'instanceGone' : 'gone', at: now };
  // `discover` told the instance's other Nodes to look. They may be gone again by now, so they are listed once more.
  deletion.hasNoHeirs = found.heirs?.length === 0;
  lookAtDeleted({ state, now });
}

/** Records the deletion. The first record's grace period stands. */
function noteDeleted({ state, now }: Pick<Step, 'state' | 'now'>): Deletion {
  const pool = assignmentsOf(state)[0]?.pool ?? (state.releasedByHand ? state.pool : undefined);
  const graceMs = pool?.release.gracePeriodMs ?? 0;
  state.deletion ??= newDeletion(now + graceMs, now);
  return state.deletion;
}

/** The watcher, or an audit, says that the Node is deleted. A look must confirm it. */
export function nodeDeleted(step: Step, uid: string): void {
  const { state, facts, now } = step;
  if (uid !== state.node.uid) {
    facts.push({
      log: 'info',
      message: 'ignored the deletion of an earlier Node of this name',
      details: { uid },
    });
    // Or of a later one: a look that is under way may have seen it, and its own deletion may not be told.
    if (state.failed === undefined) lookAgain(state, now);
    return;
  }
  noteDeleted(step);
  state.failed = undefined;
  lookAgain(state, now);
}

/** While it is not clear whether the address is to be released, it is looked at now and then, and when the grace period is over. */
export function lookAtDeleted({ state, now }: Pick<Step, 'state' | 'now'>): void {
  const { deletion, giveBack } = state;
  if (deletion === undefined || giveBack !== undefined || !isAwaited(state)) return;
  const leftMs = deletion.graceUntil - now;
  const tries = deletion.looksWhileHeld ?? 0;
  if (deletion.hold === 'held') deletion.looksWhileHeld = tries + 1;
  const pauseMs = growingPause(DELETED_LOOK_MS, LONGEST_HELD_LOOK_MS, tries);
  lookAgain(state, now + (leftMs > 0 ? Math.min(leftMs, pauseMs) : pauseMs));
}

/** A machine that has an address, or is held without one, may register again. */
export function isAwaited(state: Step['state']): boolean {
  return state.releasedByHand || assignmentsOf(state).length > 0;
}

/** A Node of this name with another uid: the same machine registered again keeps its address, another one starts anew. */
function otherNode(step: Step, found: Present): void {
  const { state, now } = step;
  const instance = found.kind === 'notReady' ? undefined : found.instance;
  const assignments = assignmentsOf(state);
  const machines = [
    ...assignments.map((has) => has.instance),
    ...(state.instance === undefined ? [] : [state.instance]),
  ];
  if (instance !== undefined && machines.some((known) => isSameInstance(known, instance))) {
    state.node = found.node;
    state.deletion = undefined;
    state.giveBack = undefined;
    // It may have its taint again, and shows nothing yet.
    Object.assign(state.publishing, {
      taint: undefined,
      notShown: undefined,
      shown: undefined,
      isStale: true,
    });
    sameNode(step, found, 0);
    return;
  }
  // A Node that no pool selects gets no run of its own.
  const successor = found.kind === 'notSelected' && found.reason === undefined ? undefined : found.node;
  const isBusy = state.families.some(({ progress }) => isAssociating(progress));
  if (assignments.length === 0 && !isBusy && (instance !== undefined || !state.releasedByHand)) {
    state.giveBack = giveBackFor(step, {
      why: 'another Node has taken over the name',
      nodeDeleted: true,
      successor,
    });
    return;
  }
  // Whether it is the same machine shows only when it is ready: until then the grace period counts.
  const deletion = noteDeleted(step);
  deletion.found = {
    kind: instance === undefined ? 'gone' : 'replaced',
    at: now,
    ...(successor && { successor }),
  };
  deletion.hasNoHeirs = false;
  // What is being given back already is followed by that Node, too.
  if (state.giveBack !== undefined) state.giveBack = { ...state.giveBack, successor };
  lookAtDeleted(step);
}

interface Reason {
  readonly why: string;
  readonly nodeDeleted?: boolean;
  readonly publish?: boolean;
  readonly successor?: { readonly name: string; readonly uid: string } | undefined;
}

export function giveBackFor(
  { now }: Step,
  { why, nodeDeleted = false, publish = false, successor }: Reason,
): NonNullable<Step['state']['giveBack']> {
  return { why, nodeDeleted, publish, notBefore: now, tries: 0, ...(successor && { successor }) };
}

// ---- not selected, not ready ----

/** It has an address, and no pool selects it any more: it keeps the address (docs/decisions/0050). */
function notSelected(step: Step, found: NotSelected): void {
  const { state } = step;
  stopAskingAll(step);
  for (const familyState of state.families) forgetWaiting(familyState);
  const assignments = assignmentsOf(state);
  const isReleased =
    found.change === 'labels' && assignments.every(({ pool }) => pool.release.onDeselect === 'release');
  // An ephemeral address that is still to come back does not keep the run going. Its end waits for that.
  const hasNothing =
    assignments.length === 0 && !state.families.some(({ progress }) => isAssociating(progress));
  if ((hasNothing || isReleased) && !state.releasedByHand) {
    state.giveBack ??= giveBackFor(step, { why: 'no pool selects the Node any more', publish: true });
    return;
  }
  state.giveBack = undefined;
  // No pool gives it what it lacks.
  state.families = state.families.filter(
    (familyState) =>
      familyState.has !== undefined ||
      familyState.lacksEphemeral !== undefined ||
      isAssociating(familyState.progress),
  );
  if (assignments.length === 0) {
    // Nothing is asked for, whatever becomes of what is under way.
    state.seen = { kind: 'notSelected', message: words.notSelected(state.node.name) };
    return;
  }
  const notice = words.deselected(state.node.name, assignments, found);
  const isNews = state.seen.kind !== 'notSelected' || state.seen.message !== notice.message;
  state.seen = { kind: 'notSelected', message: notice.message };
  for (const familyState of state.families)
    Object.assign(familyState, { lastError: notice.message, remark: undefined, isLeaving: false });
  if (isNews) say(step, notice);
  showAgain(step);
}

function notReady(step: Step, found: NotReady, tries: number): void {
  const { state, now } = step;
  const { reason, refused = false, instanceGone = false } = found;
  const isNews = state.seen.kind !== 'notReady' || state.seen.reason !== reason;
  state.seen = { kind: 'notReady', reason, refused };
  for (const familyState of state.families) {
    stopAsking(familyState);
    if (instanceGone) check(familyState, undefined);
  }
  // What it has it keeps: an instance that is gone has lost it anyway, and the Node's deletion will follow.
  const keeps = state.families.some(({ has, progress }) => has !== undefined || isAssociating(progress));
  if (state.releasedByHand) return;
  // Of one that lacks an address all the same, nobody else tells when it is ready.
  const lacks = state.families.some(({ has, progress }) => has === undefined && !isAssociating(progress));
  if (keeps && !lacks) return;
  if (!keeps) for (const familyState of state.families) familyState.progress = { kind: 'idle' };
  if (refused && isNews) say(step, words.instanceRefused(reason));
  const pauseMs = growingPause(FIRST_NOT_READY_MS, LONGEST_NOT_READY_MS, tries);
  state.look = { kind: 'due', notBefore: now + pauseMs, tries: tries + 1 };
}

// ---- ready ----

function ready(step: Step, found: Ready): void {
  const { state } = step;
  const { pool, instance } = found;
  const had = assignmentsOf(state).length > 0;
  Object.assign(state, {
    pool,
    instance,
    seen: { kind: 'ready' },
    nodePins: found.pinned,
    nodePinsBy: found.pinnedBy ?? {},
    shownOnNode: found.shown ?? [],
    createdAt: found.createdAt,
    selectedBy: found.selectedBy,
  });
  noteIgnoredPins(step, found);
  for (const familyState of state.families)
    if (!pool.queries.some(({ family }) => family === familyState.family))
      notAskedFor(step, familyState, found);
  for (const query of pool.queries) {
    const familyState = familyFor(step, query.family);
    familyState.notAsked = undefined;
    noteEphemeral(familyState, found);
    if (familyState.has === undefined) renewRequest(step, familyState, query);
    else checkAssignment(step, familyState, query, found);
  }
  if (had) showAgain(step);
}

/** Writes on the Node again even if nothing is new: somebody may have changed what it shows. */
function showAgain({ state }: Step): void {
  state.publishing.shown = undefined;
  // Of a Node without the taint nothing is waited for.
  state.publishing.notShown = undefined;
}

/** In the status for as long as it is so, and once by an Event, with the next write on the Node. */
function noteIgnoredPins({ state }: Step, { ignoredPins = [], pool }: Ready): void {
  const notice = ignoredPins.length === 0 ? undefined : words.pinIgnored(state.node.name, pool, ignoredPins);
  if (notice?.message === state.warning) return;
  state.warning = notice?.message;
  state.publishing.warning = notice;
}

/**
 * The pool does not ask for the family. The node keeps the address that it has: settings alone take nothing away. The Node's own labels,
 * or another instance, do.
 */
function notAskedFor(step: Step, familyState: FamilyState, { pool, instance, change }: Ready): void {
  stopAsking(familyState);
  const { has, progress } = familyState;
  familyState.notAsked = undefined;
  if (has === undefined || isAssociating(progress) || progress.kind === 'releasing') return;
  familyState.isLeaving = false;
  const isMoved = isMovedByLabels(has, pool, change);
  const why = `pool ${pool.name} gives no ${familyName(familyState.family)} addresses`;
  if (!isSameInstance(has.instance, instance)) {
    startRelease(step, familyState, 'moved', why);
    return;
  }
  const keeper = isMoved ? has.pool : { ...pool, scope: has.pool.scope };
  if (!isMoved) belong(familyState, { ...has, pool: keeper });
  else {
    familyState.notAsked = why;
    familyState.kept = words.leaving(has, pool, `${why}, so this one is released then.`);
  }
  if (!isShownOn(instance, has)) check(familyState, { pool: keeper, query: has.query, byLabels: false });
}

function familyFor(step: Step, family: Family): FamilyState {
  const known = familyOf(step, family);
  if (known !== undefined) return known;
  const added = newFamily(family);
  step.state.families = [...step.state.families, added].sort((a, b) => (a.family < b.family ? -1 : 1));
  return added;
}

/** Once seen it stays noted, for this instance: a later look may come when it is gone already. */
function noteEphemeral(familyState: FamilyState, { instance, pool }: Ready): void {
  if (
    familyState.hadEphemeral !== undefined &&
    !isSameInstance(familyState.hadEphemeral.instance, instance)
  ) {
    familyState.hadEphemeral = undefined;
    familyState.lacksEphemeral = undefined;
  }
  const shown = solePublicIp(instance, familyState.family);
  // Also one that an earlier run replaced, of which this one knows nothing else: Temporal's data may have been lost since.
  if (shown?.kind !== 'ephemeral' && shown?.inPlaceOfEphemeral !== true) return;
  familyState.hadEphemeral = { instance: refOf(instance), scope: pool.scope };
}

/** What was asked of another set of addresses, or for another pin or instance, is taken back; the node then asks anew. */
function renewRequest(step: Step, familyState: FamilyState, query: AddressQuery): void {
  const { progress } = familyState;
  if (progress.kind !== 'asking' || progress.inPlaceOf === 'move') return;
  const wanted = requestFor(step.state, familyState, { query, inPlaceOf: progress.inPlaceOf });
  if (wanted === undefined || !isTheSameRequest(progress, wanted)) stopAsking(familyState);
  else askOtherwise(step, familyState, wanted);
}

function checkAssignment(step: Step, familyState: FamilyState, query: AddressQuery, found: Ready): void {
  // What was to go, and could not yet, may stay.
  if (familyState.progress.kind === 'releasing') familyState.progress = { kind: 'idle' };
  const { has, progress } = familyState;
  const { pool, instance, change } = found;
  if (has === undefined || isAssociating(progress)) return;
  if (!isSameInstance(has.instance, instance)) {
    stopAsking(familyState);
    startRelease(step, familyState, 'moved', `the Node is ${instance.id} now`);
    return;
  }
  const isShown = isShownOn(instance, has);
  if (!isSameScope(has.pool.scope, pool.scope) || !isSameQuery(has.query, query)) {
    // One that leaves its pool waits for another address, unless it may have lost its own.
    if (isShown) renewRequest(step, familyState, query);
    else stayed(familyState);
    check(familyState, { pool, query, byLabels: isMovedByLabels(has, pool, change) });
    return;
  }
  stayed(familyState);
  if (isShown) belong(familyState, { ...has, pool });
  else check(familyState, undefined);
}

/**
 * No change is told of where the labels were changed and changed back while an address of the other pool was associated.
 */
function isMovedByLabels(has: Assignment, pool: PoolSpec, change: Ready['change']): boolean {
  return has.pool.name !== pool.name && change !== 'configuration';
}

/** The order in which addresses are given is of no matter to those that were given. */
function isSameQuery(a: AddressQuery, b: AddressQuery): boolean {
  return a.filter === b.filter && a.subnet === b.subnet;
}

/** Its address is to be read back, and compared with the pool's filter. */
function check(familyState: FamilyState, target: CheckTarget | undefined): void {
  const { has, progress } = familyState;
  if (has === undefined || isAssociating(progress) || progress.kind === 'releasing') return;
  // One that is moved is checked when that is over: its request is with the mutex.
  if (progress.kind === 'asking') return;
  familyState.progress = { kind: 'checking', begun: false, ...(target && { target }) };
}

/** It does not leave its pool, or not any more. */
function stayed(familyState: FamilyState): void {
  familyState.isLeaving = false;
  if (familyState.progress.kind === 'asking' && familyState.progress.inPlaceOf === 'labels')
    stopAsking(familyState);
}

/** The address is of the pool that selects the node: nothing is amiss with it. */
function belong(familyState: FamilyState, has: NonNullable<FamilyState['has']>): void {
  familyState.has = has;
  familyState.kept = undefined;
  familyState.lastError = undefined;
}

export type CheckResult =
  /** It is there, and of the pool that it was checked against. */
  | 'there'
  /** It is there, and not of that pool. */
  | 'notOfPool'
  /** The provider says that it is not there. */
  | 'lost';

export function checked(step: Step, family: Family, result: CheckResult): void {
  const familyState = familyOf(step, family);
  if (familyState?.progress.kind !== 'checking') return;
  const { target } = familyState.progress;
  const { has } = familyState;
  familyState.progress = { kind: 'idle' };
  familyState.checksFailed = undefined;
  const { state } = step;
  // What is to be given back, a release finds out about.
  if (has === undefined || mustHaveNone(state)) return;
  if (result === 'lost') {
    stayed(familyState);
    if (state.seen.kind === 'notReady') lostWithItsInstance(step, familyState, state.seen.reason);
    else lost(step, familyState);
  } else if (result === 'there') {
    stayed(familyState);
    if (state.seen.kind === 'ready')
      belong(familyState, { ...has, ...target, pool: target?.pool ?? state.pool ?? has.pool });
  } else if (target !== undefined) {
    notOfPool(step, familyState, target);
  }
}

/** The Node may have moved to another pool, or its pool may have got another filter. */
function notOfPool(step: Step, familyState: FamilyState, { pool, byLabels }: CheckTarget): void {
  const { state, facts } = step;
  const { has } = familyState;
  if (has === undefined) return;
  familyState.isLeaving = byLabels;
  if (byLabels) return;
  familyState.has = { ...has, pool: { ...pool, scope: has.pool.scope } };
  const notice = words.leftItsPool(state.node.name, has.address.ip, pool);
  if (familyState.kept !== notice.message) {
    say(step, notice);
    const details = { address: has.address.ip };
    facts.push({
      log: 'warn',
      message: 'the address is not of its pool: the node keeps it',
      family: familyState.family,
      details,
    });
  }
  Object.assign(familyState, { kept: notice.message, lastError: notice.message });
}

/** Somebody took the address from the instance. */
function lost(step: Step, familyState: FamilyState): void {
  const { has, family } = familyState;
  if (has === undefined) return;
  const { address, instance, pool } = has;
  step.facts.push(
    {
      log: 'warn',
      message: 'the node lost its address',
      family,
      pool: pool.name,
      details: { address: address.ip },
    },
    { measure: 'driftFound', of: { pool: pool.name } },
  );
  familyState.lastError = words.lost(address.ip);
  note(step, `look for ${address.ip} on ${instance.id}`, 'failed', familyState.lastError);
  familyState.has = undefined;
  // No list may have shown it on the instance yet, which would have ended the claim.
  reportFreed(step, has, false);
  step.state.publishing.isStale = true;
  familyState.lost = address;
  // The instance may have no address now, and not every cloud gives it one.
  if (
    familyState.hadEphemeral !== undefined &&
    !traitsOf(familyState.hadEphemeral.instance.provider).restoresEphemeral
  ) {
    familyState.lacksEphemeral = { notBefore: step.now, tries: 0 };
  }
}

/** The cloud says that the instance is gone, without its Node: what it lost by that is no longer the node's, and serves others. */
function lostWithItsInstance(step: Step, familyState: FamilyState, reason: string): void {
  const { has } = familyState;
  if (has === undefined) return;
  Object.assign(familyState, { has: undefined, hadEphemeral: undefined, lacksEphemeral: undefined });
  familyState.lastError = `${has.address.ip} is free again: ${reason}`;
  reportFreed(step, has, false);
  say(step, words.instanceGone(familyState.lastError));
  lookAgain(step.state, step.now + INSTANCE_GONE_LOOK_MS);
}

// ---- it failed ----

/** After all tries of the activity. A node that has nothing fails by it; any other one is looked at again after a pause. */
export function lookFailed(step: Step, { type, message }: Failure, triesBefore = 0): void {
  const { state, now } = step;
  const { look } = state;
  const tries = look.kind === 'done' ? triesBefore : look.tries;
  if (!hasSomething(state) && state.deletion === undefined) {
    state.look = { kind: 'done' };
    if (look.kind === 'looking' && look.again) lookAgain(state, now);
    else failNode(step, { type, message });
    return;
  }
  const pauseMs = pauseAfter(tries);
  note(step, 'look at the Node', 'failed', message);
  noteTryingAgain(step, message);
  const { isEarly = false, again = false } = look.kind === 'looking' ? look : {};
  const next = { kind: 'due', tries: isEarly ? tries : tries + 1, error: message, pauseMs } as const;
  state.look = again ? { ...next, notBefore: now, isEarly: true } : { ...next, notBefore: now + pauseMs };
}
