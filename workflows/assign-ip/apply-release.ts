/** Giving back: what became of a release, of an ephemeral address that was to come back, and of all that a node had. Pure. */
import { type Family, familyName, type ReleaseOutcome } from '../../model/address.ts';
import type { BrakeVerdict } from '../../model/release-brake.ts';
import type { ReleaseReason, ReleaseResult } from '../measures.ts';
import type { Failure } from './decide.ts';
import { giveBackFor } from './apply-look.ts';
import {
  assignmentsOf,
  type FamilyState,
  isAssociating,
  isReleaseByHandDone,
  lookAgain,
  type NodeState,
} from './state.ts';
import {
  familyOf,
  note,
  noteTryingAgain,
  pauseAfter,
  reportFreed,
  say,
  startRelease,
  type Step,
} from './step.ts';
import * as words from './words.ts';

/** A Node that has just registered may not be ready to be seen as the machine's: it is looked at after this long. */
const REGISTERED_LOOK_MS = 2_000;

// ---- one address ----

export function released(step: Step, family: Family, outcome: ReleaseOutcome): void {
  const familyState = familyOf(step, family);
  if (familyState?.has === undefined) return;
  const { state } = step;
  const had = familyState.has;
  const { address, pool } = had;
  noteReleased(step, pool.name, outcome);
  note(step, whatOf(familyState), 'done');
  const became = words.released(had, outcome);
  state.became = [...state.became, became];
  const why = familyState.progress.kind === 'releasing' ? ` Reason: ${familyState.progress.why}.` : '';
  const message = became + why;
  familyState.progress = { kind: 'idle' };
  const lastError = state.releasedByHand || state.giveBack !== undefined ? undefined : message;
  Object.assign(familyState, {
    has: undefined,
    lost: undefined,
    kept: undefined,
    remark: undefined,
    lastError,
  });
  state.publishing.isStale = true;
  if (outcome === 'released' || outcome === 'alreadyFree') forgetAddress(state, address.ip);
  reportFreed(step, had, outcome === 'released');
  if (isReleaseByHandDone(state) && state.giveBack === undefined)
    say(step, words.releasedNotice(state.became));
}

/** The instance as it was seen before the release would be taken for one that holds a foreign address. */
function forgetAddress(state: NodeState, ip: string): void {
  if (state.instance === undefined) return;
  state.instance = {
    ...state.instance,
    publicIps: state.instance.publicIps.filter((held) => held.ip !== ip),
  };
}

export function releaseFailed(step: Step, family: Family, { message }: Failure): void {
  const { state, now } = step;
  const familyState = familyOf(step, family);
  if (familyState?.has === undefined) return;
  if (familyState.progress.kind !== 'releasing') {
    // It was taken back meanwhile. It may have come off all the same, after the look at what the instance has.
    lookAgain(state, now);
    return;
  }
  noteReleased(step, familyState.has.pool.name, 'failed');
  note(step, whatOf(familyState), 'failed', message);
  familyState.lastError = message;
  const { cause, why, tries } = familyState.progress;
  const pauseMs = pauseAfter(tries);
  familyState.progress = {
    kind: 'releasing',
    cause,
    why,
    notBefore: now + pauseMs,
    tries: tries + 1,
    error: message,
    pauseMs,
  };
  noteTryingAgain(step, message, family);
  if (state.releasedByHand && state.giveBack === undefined) refusedByHand(step);
}

/** A release by hand that nothing came of is refused: the node keeps what it has. One of which a part is done goes on. */
function refusedByHand({ state, now }: Step): void {
  const having = state.families.filter(({ has }) => has !== undefined);
  const isRefused =
    state.became.length === 0 &&
    having.every(({ progress }) => progress.kind === 'releasing' && progress.error !== undefined);
  if (!isRefused) return;
  state.releasedByHand = false;
  for (const familyState of having) {
    familyState.remark = `Could not be released by hand: ${familyState.lastError}`;
    familyState.progress = { kind: 'idle' };
  }
  // It may have come off all the same.
  lookAgain(state, now);
}

function whatOf({ has, progress }: FamilyState): string {
  const why = progress.kind === 'releasing' ? progress.why : '';
  return `release ${has?.address.ip ?? ''} from ${has?.instance.id ?? ''}: ${why}`;
}

function noteReleased({ state, facts }: Step, pool: string, result: ReleaseResult): void {
  const byHand: ReleaseReason = state.releasedByHand ? 'byHand' : 'moved';
  const reason = state.giveBack?.nodeDeleted === true ? 'nodeDeleted' : byHand;
  facts.push({ measure: 'released', of: { pool, result, reason } });
}

// ---- the ephemeral address ----

export function ephemeralRestored(step: Step, family: Family): void {
  const familyState = familyOf(step, family);
  if (familyState?.lacksEphemeral === undefined) return;
  familyState.lacksEphemeral = undefined;
  note(step, ephemeralOf(familyState), 'done');
}

export function ephemeralNotRestored(step: Step, family: Family, { message }: Failure): void {
  const { now, facts } = step;
  const familyState = familyOf(step, family);
  if (familyState?.lacksEphemeral === undefined) return;
  const { tries } = familyState.lacksEphemeral;
  const instance = familyState.hadEphemeral?.instance.id ?? '';
  const pauseMs = pauseAfter(tries);
  familyState.lacksEphemeral = { notBefore: now + pauseMs, tries: tries + 1, pauseMs };
  familyState.lastError = words.notRestored(instance, family, message);
  note(step, ephemeralOf(familyState), 'failed', message);
  const details = { instance, error: familyState.lastError };
  facts.push({ log: 'warn', message: 'an ephemeral address could not be put back', family, details });
}

function ephemeralOf({ family, hadEphemeral }: FamilyState): string {
  return `restore an ephemeral ${familyName(family)} address for ${hadEphemeral?.instance.id ?? ''}`;
}

// ---- everything that a node has ----

/** The brake on releases: once held, a node stays so until its Node is back, its instance terminated, or an operator confirms. */
export function weighed(step: Step, verdict: BrakeVerdict): void {
  const { state, facts } = step;
  const { deletion } = state;
  if (deletion === undefined) return;
  forgetFailure(state, deletion);
  if (!verdict.held) {
    deletion.cleared = true;
    return;
  }
  deletion.hold = 'held';
  deletion.heldBecause = words.held(assignmentsOf(state), verdict);
  facts.push({ log: 'warn', message: 'release held: many nodes are gone at once', details: { ...verdict } });
  note(step, 'release the address of a Node that is gone', 'waiting', deletion.heldBecause);
}

/** Kubernetes, or Temporal's lists, could not be read: nothing is released on that. */
export function giveBackFailed(step: Step, { message }: Failure): void {
  const { state, now } = step;
  noteTryingAgain(step, message);
  state.lastError = message;
  const asking = state.giveBack ?? state.deletion;
  if (asking === undefined) return;
  asking.notBefore = now + pauseAfter(asking.tries);
  asking.tries += 1;
}

/** It was answered: why it was not before is not shown any more. */
function forgetFailure(state: NodeState, asking: { tries: number }): void {
  if (asking.tries > 0) state.lastError = undefined;
  asking.tries = 0;
}

/** @param heirs the other Nodes of the instance: an address on it passes to them */
export function heirsFound(step: Step, heirs: readonly string[]): void {
  const { state } = step;
  const { giveBack, deletion } = state;
  // A look has seen the new Node already, on another machine: it is not the one that is listed here.
  const isSeen =
    deletion?.found?.kind !== 'replaced' && (giveBack ?? deletion?.found)?.successor !== undefined;
  if (deletion !== undefined && heirs.includes(state.node.name) && !isSeen) {
    registeredAgain(step);
  } else if (giveBack !== undefined) {
    giveBack.heirs = heirs;
    forgetFailure(state, giveBack);
  } else if (deletion !== undefined && heirs.length > 0) {
    // It takes nothing from the machine, so no brake is on it.
    deletion.cleared = true;
    startGivingBack(step);
    if (state.giveBack !== undefined) state.giveBack.heirs = heirs;
  } else if (deletion !== undefined) {
    deletion.hasNoHeirs = true;
  }
}

/** The machine has a new Node of the same name, which no look has seen yet: the next look decides. */
function registeredAgain({ state, now }: Step): void {
  state.giveBack = undefined;
  if (state.deletion !== undefined) state.deletion = { ...state.deletion, found: undefined };
  lookAgain(state, now + REGISTERED_LOOK_MS);
}

/** The Node is gone, the grace period over and the release not held. */
export function startGivingBack(step: Step): void {
  const { state } = step;
  const { deletion } = state;
  if (deletion?.found === undefined) return;
  const { successor } = deletion.found;
  const why = successor === undefined ? 'the Node is deleted' : 'another Node has taken over the name';
  state.giveBack = giveBackFor(step, { why, nodeDeleted: true, successor });
  // No other Node has the instance: that was asked a moment ago.
  if (deletion.hasNoHeirs === true && deletion.hold === undefined) state.giveBack.heirs = [];
  state.became = [];
  // The next look is not needed.
  if (state.look.kind === 'due' && state.look.notBefore > step.now) state.look = { kind: 'done' };
}

/** What need not be released goes: it passes to another Node, or stays, as its pool is configured. The rest is to be released. */
export function giveBackFamilies(step: Step): void {
  const { state } = step;
  const { giveBack } = state;
  if (giveBack?.heirs === undefined) return;
  for (const familyState of state.families) {
    const { has, progress } = familyState;
    const isBusy = isAssociating(progress) || progress.kind === 'releasing' || progress.kind === 'checking';
    if (has === undefined || isBusy) continue;
    const { address, instance, pool } = has;
    if (giveBack.heirs.length > 0) {
      leave(step, familyState, words.passedOn(address.ip, instance.id, giveBack.heirs));
    } else if (giveBack.nodeDeleted && !pool.release.onNodeDelete) {
      leave(step, familyState, `${address.ip} stays where it is, as pool ${pool.name} is configured.`);
    } else {
      startRelease(step, familyState, 'giveBack', giveBack.why);
    }
  }
}

function leave(step: Step, familyState: FamilyState, became: string): void {
  const { state } = step;
  // The mutex need not have seen it on the instance, which may be gone with it: nobody else ends its claim.
  if (familyState.has !== undefined) reportFreed(step, familyState.has, false);
  Object.assign(familyState, { has: undefined, lacksEphemeral: undefined });
  state.became = [...state.became, became];
}
