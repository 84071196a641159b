/**
 * What is to be done for a node now: one action for each thing that is free, and when to look at the state again. Pure.
 *
 * What goes first is the order of the calls in apply.ts (`proceed`). An action that is under way keeps its place: at most one for each family, one that changes the instance, one look, one write, one message to a mutex at a time.
 * So nothing waits behind a look that fails: a release needs its family's place only.
 */
import type { Discovery, NodeRequest, Verified } from '../../activities/contract.ts';
import type { Association, Family, ReleaseOutcome } from '../../model/address.ts';
import { phaseTraits } from '../../model/phase.ts';
import type { BrakeVerdict } from '../../model/release-brake.ts';
import type { PoolSpec } from '../../model/settings.ts';
import type { AssignIpInput, Grant } from '../messages.ts';
import type { PutBack } from './apply-claim.ts';
import type { CheckResult } from './apply-look.ts';
import { taintToleratedUntil } from './ask.ts';
import {
  assignmentsOf,
  type CheckTarget,
  type Claim,
  type End,
  type FamilyState,
  isAssociating,
  mustHaveNone,
  isSameTaint,
  type NodeState,
  type PendingTaint,
  type Time,
  type ToMutex,
} from './state.ts';
import { publishedState } from './status.ts';

export type Action =
  | { readonly kind: 'look' }
  | {
      readonly kind: 'select';
      readonly family: Family;
      readonly request: NodeRequest;
      readonly pool: PoolSpec;
      /** Counts the times that it asks for the same. */
      readonly repeats: number;
    }
  | { readonly kind: 'tell'; readonly messages: readonly ToMutex[] }
  | { readonly kind: 'associate'; readonly family: Family; readonly claim: Claim }
  | { readonly kind: 'verify'; readonly family: Family; readonly claim: Claim }
  | { readonly kind: 'putBack'; readonly family: Family; readonly claim: Claim; readonly isUnknown: boolean }
  | { readonly kind: 'check'; readonly family: Family; readonly target: CheckTarget | undefined }
  | { readonly kind: 'release'; readonly family: Family }
  | { readonly kind: 'restoreEphemeral'; readonly family: Family }
  | { readonly kind: 'weigh' }
  | { readonly kind: 'findHeirs' }
  | { readonly kind: 'publish'; readonly shown: string }
  | { readonly kind: 'liftTaint'; readonly taint: Omit<PendingTaint, 'until'> };

export type Of<Kind extends Action['kind']> = Extract<Action, { readonly kind: Kind }>;

/** What an action that came off has found out. */
export interface Results {
  readonly look: Discovery;
  readonly select: Grant;
  readonly tell: undefined;
  readonly associate: Association;
  readonly verify: Verified;
  readonly putBack: PutBack;
  readonly check: CheckResult;
  readonly release: ReleaseOutcome;
  readonly restoreEphemeral: undefined;
  readonly weigh: BrakeVerdict;
  readonly findHeirs: readonly string[];
  readonly publish: {
    readonly notices: number;
    readonly warning?: string;
    /** The taint stays until the Node's status shows the addresses. */
    readonly pending?: Omit<PendingTaint, 'until'>;
  };
  readonly liftTaint: undefined;
}

/**
 * Why an action failed: the type of the ApplicationFailure, and the sentence for a person. `cancelled`: it was given up. `isOfPair`: the
 * cloud refuses this address for this instance.
 */
export type Failure = {
  readonly type: string;
  readonly message: string;
  readonly cancelled?: true;
  readonly isOfPair?: true;
};

export type Result = {
  [Kind in Action['kind']]:
    | { readonly kind: 'done'; readonly action: Of<Kind>; readonly result: Results[Kind] }
    | { readonly kind: 'failed'; readonly action: Of<Kind>; readonly failure: Failure };
}[Action['kind']];

/** What one action at a time is for. */
export type Place = 'look' | 'tell' | 'publish' | 'taint' | 'giveBack' | `select ${Family}` | Family;

export interface Decision {
  readonly start: readonly Action[];
  readonly cancel: readonly Place[];
  /** When something is due by itself. */
  readonly wakeAt?: Time;
  /** The run is over. */
  readonly end?: End;
}

/** @param running what is under way, by its place */
export function decide(
  state: NodeState,
  input: AssignIpInput,
  running: ReadonlyMap<Place, Action>,
  now: Time,
): Decision {
  const end = endOf(state, input, running);
  if (end !== undefined) return { start: [], cancel: [], end };
  const start: Action[] = [];
  const cancel: Place[] = [];
  const begin = (action: Action | undefined): void => {
    if (action !== undefined && !running.has(placeOf(action))) start.push(action);
  };
  begin(tell(state, now));
  begin(look(state, now));
  begin(askBeforeGivingBack(state, now));
  begin(publish(state, input, now));
  const lift = liftTaint(state, now);
  const lifting = running.get('taint');
  if (lifting?.kind === 'liftTaint' && !isSameTaint(lifting.taint, lift?.taint)) cancel.push('taint');
  begin(lift);
  const selects = state.families.flatMap((familyState) => select(familyState) ?? []);
  for (const [place, action] of running) {
    if (action.kind === 'select' && !selects.some((it) => isSameSelect(action, it))) cancel.push(place);
  }
  selects.forEach(begin);
  let isInstanceBusy = [...running.values()].some(changesInstance);
  for (const familyState of state.families) {
    const underWay = running.get(familyState.family);
    if (underWay !== undefined) {
      if (mustHaveNone(state) && (underWay.kind === 'verify' || underWay.kind === 'check'))
        cancel.push(familyState.family);
      continue;
    }
    const action = forFamily(familyState, now);
    if (action === undefined || (isInstanceBusy && changesInstance(action))) continue;
    isInstanceBusy ||= changesInstance(action);
    start.push(action);
  }
  const wakeAt = wakeTime(state, now);
  return { start, cancel, ...(wakeAt === undefined ? {} : { wakeAt }) };
}

export function placeOf(action: Action): Place {
  switch (action.kind) {
    case 'look':
    case 'tell':
    case 'publish':
      return action.kind;
    case 'select':
      return `select ${action.family}`;
    case 'liftTaint':
      return 'taint';
    case 'weigh':
    case 'findHeirs':
      return 'giveBack';
    default:
      return action.family;
  }
}

/** The network interface of an instance is changed for one family at a time. */
function changesInstance({ kind }: Action): boolean {
  return kind === 'associate' || kind === 'putBack' || kind === 'release' || kind === 'restoreEphemeral';
}

function forFamily(familyState: FamilyState, now: Time): Action | undefined {
  const { family, has, progress, lacksEphemeral } = familyState;
  switch (progress.kind) {
    case 'claimed':
      return { kind: 'associate', family, claim: progress.claim };
    case 'verifying':
      return { kind: 'verify', family, claim: progress.claim };
    case 'puttingBack':
      return { kind: 'putBack', family, claim: progress.claim, isUnknown: progress.outcome === 'unknown' };
    case 'checking':
      return { kind: 'check', family, target: progress.target };
    case 'releasing':
      return progress.notBefore <= now ? { kind: 'release', family } : undefined;
    case 'idle':
    case 'paused':
    case 'failed':
    case 'asking': {
      const isDue = has === undefined && lacksEphemeral !== undefined && lacksEphemeral.notBefore <= now;
      return isDue ? { kind: 'restoreEphemeral', family } : undefined;
    }
  }
}

/** Settlements may be told in any order, and many at once: the server takes 2,000 signals in flight from one workflow. */
const SETTLEMENTS_AT_ONCE = 500;

function tell({ outbox, telling }: NodeState, now: Time): Action | undefined {
  const [first] = outbox;
  if (first === undefined || telling.notBefore > now) return undefined;
  const others = outbox.findIndex(({ kind }) => kind !== 'settle');
  const settlements = others === -1 ? outbox.length : others;
  return { kind: 'tell', messages: outbox.slice(0, Math.max(1, Math.min(settlements, SETTLEMENTS_AT_ONCE))) };
}

function look({ look: next, cancelled }: NodeState, now: Time): Action | undefined {
  return next.kind === 'due' && next.notBefore <= now && !cancelled ? { kind: 'look' } : undefined;
}

/** It waits for the mutex as long as it takes. */
function select({ family, progress }: FamilyState): Of<'select'> | undefined {
  if (progress.kind !== 'asking') return undefined;
  const { request, pool, repeats, told } = progress;
  return { kind: 'select', family, request: { ...request, told: told !== undefined }, pool, repeats };
}

function isSameSelect(a: Of<'select'>, b: Of<'select'>): boolean {
  return a.request.requestId === b.request.requestId && a.repeats === b.repeats;
}

/** What must be known before everything is given back: who else has the instance, and whether too many Nodes are gone at once. */
function askBeforeGivingBack(state: NodeState, now: Time): Action | undefined {
  const { giveBack: going, deletion } = state;
  if (assignmentsOf(state).length === 0 || state.families.some(({ progress }) => isAssociating(progress)))
    return undefined;
  if (going !== undefined)
    return going.heirs === undefined && going.notBefore <= now ? { kind: 'findHeirs' } : undefined;
  if (deletion?.found === undefined || deletion.cleared || deletion.hold === 'confirmed') return undefined;
  if (deletion.notBefore > now) return undefined;
  const { kind, at } = deletion.found;
  if (kind === 'gone' && at < deletion.graceUntil) return undefined;
  // Once after each look: not while the next one is due.
  if (state.look.kind !== 'due' || state.look.notBefore <= now) return undefined;
  if (deletion.hasNoHeirs !== true) return { kind: 'findHeirs' };
  return deletion.hold === undefined ? { kind: 'weigh' } : undefined;
}

function publish(state: NodeState, input: AssignIpInput, now: Time): Action | undefined {
  const { publishing, phase } = state;
  if (publishing.notBefore > now || !isWritable(state)) return undefined;
  const hasNews = publishing.notices.length > 0 || publishing.warning !== undefined;
  const shown = shownText(state, input);
  const isOutdated = (publishing.isStale || phaseTraits(phase).isShownOnNode) && shown !== publishing.shown;
  if ((!hasNews && !isOutdated) || adoptsUntil(state) > now) return undefined;
  return { kind: 'publish', shown };
}

/** Nobody writes on a Node that is gone. */
function isWritable({ deletion, giveBack: going, cancelled }: NodeState): boolean {
  return !cancelled && deletion === undefined && (going === undefined || going.publish);
}

/** It waits as long as its pool says. */
function liftTaint(state: NodeState, now: Time): Of<'liftTaint'> | undefined {
  const { publishing, phase } = state;
  const { taint } = publishing;
  if (taint === undefined || taint.isUnwritten === true) return undefined;
  if (publishing.notBefore > now || !isWritable(state)) return undefined;
  if (phaseTraits(phase).liftsTaint !== 'always') return undefined;
  const { uid, key, awaits } = taint;
  return { kind: 'liftTaint', taint: { uid, key, awaits } };
}

function shownText(state: NodeState, input: AssignIpInput): string {
  return JSON.stringify(publishedState(state, input));
}

/** A run that took over what the Node shows, as after the loss of Temporal's data, does so first: for so long nothing is written. */
const ADOPTION_MS = 30_000;

/** An address that the instance has and the Node shows is still to be taken over: it does not lose that only since another one came first. */
function adoptsUntil({ families, instance, shownOnNode, seen }: NodeState): Time {
  if (seen.kind !== 'ready') return 0;
  const adopting = families.filter(({ family, has, lastError, progress }) => {
    const isOver = has !== undefined && !isAssociating(progress);
    if (isOver || lastError !== undefined || progress.kind === 'failed') return false;
    return (
      instance?.publicIps.some((held) => held.family === family && shownOnNode.includes(held.ip)) === true
    );
  });
  return Math.max(0, ...adopting.map(({ askingSince }) => (askingSince ?? 0) + ADOPTION_MS));
}

/** The earliest of what is due by itself. */
function wakeTime(state: NodeState, now: Time): Time | undefined {
  const { look: next, families, giveBack: going, deletion, failed, publishing } = state;
  const times: (Time | undefined)[] = families.flatMap((familyState) => {
    const { progress, lacksEphemeral } = familyState;
    return [
      'notBefore' in progress ? progress.notBefore : undefined,
      'giveUpAt' in progress ? progress.giveUpAt : undefined,
      lacksEphemeral?.notBefore,
      taintToleratedUntil(familyState),
    ];
  });
  if (next.kind === 'due') times.push(next.notBefore);
  times.push((going ?? deletion)?.notBefore);
  times.push(failed?.retryAt, publishing.notBefore, publishing.taint?.until, state.telling.notBefore);
  if (publishing.notices.length > 0) times.push(adoptsUntil(state));
  const ahead = times.filter((time) => time !== undefined && time > now && time !== Infinity) as Time[];
  return ahead.length === 0 ? undefined : Math.min(...ahead);
}

/** A run ends when nothing is under way and everything is told. */
function endOf(state: NodeState, input: AssignIpInput, running: ReadonlyMap<Place, Action>): End | undefined {
  const { giveBack: going, failed, outbox, families, publishing, look: next } = state;
  const mayBeLeft: readonly Place[] = ['publish', 'taint', 'look'];
  const isBusy = [...running.keys()].some((place) => !mayBeLeft.includes(place));
  if (isBusy || outbox.length > 0) return undefined;
  // A family that has its static address needs no ephemeral one, whatever a failed change left noted.
  const isUnfinished = families.some(
    ({ has, progress, lacksEphemeral }) =>
      isAssociating(progress) || (has === undefined && lacksEphemeral !== undefined),
  );
  if (isUnfinished) return undefined;
  if (state.cancelled) return { kind: 'cancelled' };
  if (going !== undefined && assignmentsOf(state).length === 0) {
    const isToShow =
      going.publish &&
      isWritable(state) &&
      publishing.tries === 0 &&
      publishing.shown !== shownText(state, input);
    if (isToShow || (going.publish && running.has('publish')) || next.kind === 'looking' || isDue(state))
      return undefined;
    return going.successor === undefined
      ? { kind: 'released' }
      : { kind: 'continued', node: going.successor };
  }
  if (failed === undefined || failed.retryAt !== undefined) return undefined;
  const isSaid = publishing.notices.length === 0 || publishing.tries > 0;
  return isSaid && running.size === 0
    ? { kind: 'failed', type: failed.type, message: failed.message }
    : undefined;
}

/** A Node that came while the last one was being released must not be lost: nobody else starts a run for it. */
function isDue({ look: next }: NodeState): boolean {
  return next.kind === 'due' && next.error === undefined;
}
