/**
 * What the workflow of a node knows: plain JSON, and itself the input of the next run when it continues as new. decide.ts reads it.
 * apply*.ts and the operator's commands change it, in place.
 *
 * It has three parts. Intent: what the node is to have (`releasedByHand`, `move`, `wanted`, `pins`). Observation: what the last look at
 * the Node and its instance found (`look`, `seen`, `pool`, `instance`). Progress: what is being done about each family's address, and
 * about a Node that is deleted (`deletion`, `giveBack`).
 *
 * Words. `held`: the release brake stopped the release of a deleted Node's address. To withdraw: to
 * take a request to the mutex back. To abandon: to return a claim that was not used. To settle: to tell the mutex how a claim ended. To
 * give back: all that happens to the address of a deleted Node. `freed`: the mutex is told that an address has no instance any more.
 */
import type { NodeRequest } from '../../activities/contract.ts';
import {
  type AddressQuery,
  type AddressRef,
  families,
  type Family,
  type Instance,
  type InstanceRef,
  instanceKey,
} from '../../model/address.ts';
import { formatScope, type Scope } from '../../model/scope.ts';
import type { Selection } from '../../model/selection.ts';
import type { PoolSpec } from '../../model/settings.ts';
import type { Phase } from '../../model/phase.ts';
import type {
  AssignIpInput,
  Assignment,
  ClaimOutcome,
  EphemeralHolder,
  Hold,
  NodeRef,
  Notice,
  Tried,
} from '../messages.ts';
import { looking } from './words.ts';

/** Milliseconds since the epoch. Every retry has one, but for those that the mutex paces and those that only look again. */
export type Time = number;

export type ByFamily<T> = Readonly<Partial<Record<Family, T>>>;

export interface NodeState {
  /** Names the requests to the mutex, with a number: no two runs have the same. */
  readonly id: string;
  nextRequest: number;
  node: NodeRef;
  /** How many runs for this Node failed for good in a row before this one; none once it is assigned. */
  failures: number;

  // ---- intent ----
  /** By an operator's `release`: the node is to have no address. {@link isReleaseByHandDone} says whether it has none. */
  releasedByHand: boolean;
  /** Absent: the Node is there, as far as is known. */
  deletion?: Deletion | undefined;
  /** An operator wants another address for the node that has one. */
  move?: Move | undefined;
  moves: number;
  lastMove?: { readonly number: number; readonly outcome: MoveOutcome } | undefined;
  /** The addresses, by IP or id, that an operator asked for by `assign`, this time. */
  wanted: ByFamily<string>;
  /** Those that an operator pinned the node to: they go before what the Node says. */
  pins: ByFamily<string>;

  // ---- observation ----
  look: Look;
  seen: Seen;
  pool?: PoolSpec | undefined;
  instance?: Instance | undefined;
  /** What the Node says it is pinned to, and by what it says so. */
  nodePins: ByFamily<string>;
  nodePinsBy: ByFamily<'label' | 'annotation'>;
  /** By what the node was selected for the pool of its address, and by what it is selected now. */
  selection?: Selection | undefined;
  selectedBy: Selection['labels'];
  /** The addresses that the Node shows, as of the last look at it. */
  shownOnNode: readonly string[];
  /** When the Node was created (ISO 8601). */
  createdAt?: string | undefined;
  /** Something about the Node that is not heeded, and why. */
  warning?: string | undefined;

  // ---- progress ----
  /** Those that the pool asks for, and those of which the node still has an address. IPv4 first. */
  families: FamilyState[];
  /** Everything that the node has is being given back, and then its run ends. */
  giveBack?: GiveBack | undefined;
  /** What became of addresses that were given back, in sentences: until the node is to have one again. */
  became: readonly string[];
  /** The run ends as failed once that is written on the Node, unless a signal comes first. With `retryAt` it goes on then. */
  failed?: { readonly type: string; readonly message: string; readonly retryAt?: Time } | undefined;
  cancelled: boolean;
  /** To be told to the mutexes, in this order. What is sent is taken out; a run does not end before all is. */
  outbox: ToMutex[];
  /** Requests that a mutex may still answer. One that is not wanted any more is withdrawn. */
  openRequests: readonly OpenRequest[];
  telling: { readonly notBefore: Time; readonly tries: number };

  // ---- what is shown ----
  phase: Phase;
  /** ISO 8601. */
  since: string;
  message: string;
  lastError?: string | undefined;
  /** The last few things that were tried, for people; the oldest first. */
  tried: Tried[];
  publishing: Publishing;
  /** What visibility shows. Absent: nothing that this run, or whoever started it, has written. */
  attributes?: ShownAttributes | undefined;
}

/** What visibility shows, by the names in messages.ts. */
export interface ShownAttributes {
  readonly phase: Phase;
  readonly pool: string | null;
  readonly poolHash: string | null;
  readonly addresses: readonly string[] | null;
  readonly instance: string | null;
}

/** The Node is said to be deleted. Its address is released when a look has confirmed it and the grace period is over. */
export interface Deletion {
  readonly graceUntil: Time;
  hold?: Hold;
  /** Why it is held, in a sentence. */
  heldBecause?: string;
  /** How often it was looked at since: less and less often. */
  looksWhileHeld?: number;
  /**
   * What the last look found. `gone`: its instance may run and register again. `instanceGone`: there is nothing to wait for.
   * `replaced`: another machine has the name.
   */
  found?:
    | {
        readonly kind: 'gone' | 'instanceGone' | 'replaced';
        readonly at: Time;
        readonly successor?: NodeRef;
      }
    | undefined;
  /** No other Node is of the instance. */
  hasNoHeirs?: boolean;
  /** The brake lets the release through. */
  cleared: boolean;
  /** When to ask for the other Nodes of the instance, or the brake, again. */
  notBefore: Time;
  tries: number;
}

export interface Move {
  readonly to: string;
  readonly family: Family;
  /** Numbers the moves of a node: whoever asked by an Update waits for the end of this one. */
  readonly number: number;
}

/** How the last move ended. `refused`: why, in words. */
export type MoveOutcome = { readonly moved: true } | { readonly refused: string };

/** The next look at the Node. `error`: why the last one failed; `pauseMs`: until the next. */
export type Look =
  | { readonly kind: 'done' }
  | {
      readonly kind: 'due';
      readonly notBefore: Time;
      readonly tries: number;
      readonly error?: string | undefined;
      readonly pauseMs?: number;
      /** A signal asked for it before the pause was over: it says nothing about how long the next pause is to be. */
      readonly isEarly?: boolean;
    }
  /** `again`: something changed while it was under way. */
  | {
      readonly kind: 'looking';
      readonly again: boolean;
      readonly tries: number;
      readonly error?: string | undefined;
      readonly isEarly?: boolean;
    };

export type Seen =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'ready' }
  | { readonly kind: 'notReady'; readonly reason: string; readonly refused: boolean }
  /** It keeps its address although no pool selects it any more. `message`: why, and what to do. */
  | { readonly kind: 'notSelected'; readonly message: string };

/** A request that a mutex may still answer. */
export interface OpenRequest {
  readonly requestId: string;
  readonly scope: Scope;
  /** Those whose place in the queue it takes: until it has asked, they keep that. */
  readonly replaces?: readonly string[];
}

/** One address being claimed. */
export interface Claim {
  readonly address: AddressRef;
  readonly token: number;
  /** The instance was seen to hold it already. */
  readonly held: boolean;
  readonly pool: PoolSpec;
  readonly query: AddressQuery;
  readonly instance: InstanceRef;
  readonly grantedAt: Time;
}

/**
 * What is being done about the address of a family.
 *
 * `idle`: nothing. `asking`: a request is with the mutex. `claimed`: the address is to be associated. `verifying`: it was
 * associated and is to be read back. `puttingBack`: it could not take the place of another one, which is to be had again.
 * `checking`: is what the node has still there, and of its pool? `releasing`: it is to be given back. `paused`: it is tried again
 * later. `failed`: given up, while the other family goes on; it is tried again at `notBefore` all the same.
 */
export type Progress =
  | { readonly kind: 'idle' }
  | Asking
  | { readonly kind: 'claimed'; readonly claim: Claim; readonly begun: boolean; readonly inPlaceOf?: Purpose }
  | {
      readonly kind: 'verifying';
      readonly claim: Claim;
      readonly begun: boolean;
      readonly inPlaceOf?: Purpose;
      /** The address that gave way. */
      readonly before?: Assignment;
    }
  | {
      readonly kind: 'puttingBack';
      readonly claim: Claim;
      readonly inPlaceOf: Purpose;
      readonly outcome: ClaimOutcome;
      readonly error: string;
    }
  | { readonly kind: 'checking'; readonly begun: boolean; readonly target?: CheckTarget }
  | Releasing
  | { readonly kind: 'paused'; readonly notBefore: Time; readonly message: string }
  | { readonly kind: 'failed'; readonly notBefore: Time; readonly message: string };

export interface Releasing {
  readonly kind: 'releasing';
  /** By whose word: where that is taken back, the node keeps what it has. `moved`: the Node, its pool or its instance is another one. */
  readonly cause: 'byHand' | 'giveBack' | 'moved';
  readonly why: string;
  readonly notBefore: Time;
  readonly tries: number;
  readonly error?: string;
  readonly pauseMs?: number;
}

/** Why another address takes the place of the one that the node has: an operator moved it, or its labels did. */
export type Purpose = 'move' | 'labels';

export interface Asking {
  readonly kind: 'asking';
  readonly request: NodeRequest;
  /** The pool that it asks for, by the name in the request. */
  readonly pool: PoolSpec;
  readonly inPlaceOf?: Purpose | undefined;
  /** What the mutex said last about why it waits. */
  readonly told?: string | undefined;
  /** The request whose place in the queue it takes. */
  readonly replaces?: string;
  /** How often it asked anew, in case that the mutex has forgotten it. */
  readonly repeats: number;
  /** Of a move. */
  readonly giveUpAt?: Time;
}

/** The pool that an address is perhaps of: the Node's, or its filter, is another one than when it was assigned. */
export interface CheckTarget {
  readonly pool: PoolSpec;
  readonly query: AddressQuery;
  /** The Node's own labels changed. */
  readonly byLabels: boolean;
}

export interface FamilyState {
  readonly family: Family;
  has?: Assignment | undefined;
  progress: Progress;
  lastError?: string | undefined;
  /** The instance that had an ephemeral address before it was to get a static one: it must not end without any. */
  hadEphemeral?: EphemeralHolder | undefined;
  /** The ephemeral address may be gone, with no static one in its place: an ephemeral one is put back, not before `notBefore`. */
  lacksEphemeral?:
    | { readonly notBefore: Time; readonly tries: number; readonly pauseMs?: number }
    | undefined;
  /** The address that somebody took from the instance: had again if it is free. */
  lost?: AddressRef | undefined;
  /** Since when it asks for an address. */
  askingSince?: Time | undefined;
  /** It has asked for so long that the Node's taint need not wait for it any more. */
  gaveUpTaint: boolean;
  /** The cloud throttled the last try. */
  throttled: boolean;
  /** Why it keeps an address that is not of its pool, in words. */
  kept?: string | undefined;
  /** Something that could not be done about the address that it has, in words, until something new is told. */
  remark?: string | undefined;
  /** The Node's labels moved it to another pool: it keeps its address until it has one of that pool. */
  isLeaving: boolean;
  /** The pool has no addresses of the family, and the Node's labels chose that pool: released, for this reason, once nothing else is leaving. */
  notAsked?: string | undefined;
  /** It was assigned once: what comes later is not the node's first address. */
  wasAssigned: boolean;
  /** Failed tries since the last success. */
  failures: number;
  /** Addresses in a row that the cloud refused for the instance. */
  refusals?: number;
  /** How often in a row the provider did not say whether its address is there. */
  checksFailed?: number | undefined;
  /** How often it paused since it had an address, as it could not be served: each pause is longer. */
  pauses: number;
  /** How often it failed for good since the last success, while the other family went on. */
  gaveUp: number;
  /** A signal came since it last asked for an address. */
  isNews: boolean;
}

export interface GiveBack {
  readonly why: string;
  /** The pool's policy may leave the addresses on the machine. */
  readonly nodeDeleted: boolean;
  /** The Node exists: it is to show that it has nothing any more. */
  readonly publish: boolean;
  /** Other Nodes of the instance: the addresses pass to them. Absent: not asked yet. */
  heirs?: readonly string[];
  /** When to ask, or to release, again. */
  notBefore: Time;
  tries: number;
  /** Another Node under this name, for which the run begins anew. */
  readonly successor?: NodeRef | undefined;
}

export type End =
  | { readonly kind: 'released' }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'failed'; readonly type: string; readonly message: string }
  | { readonly kind: 'continued'; readonly node: NodeRef };

/** What is told to a mutex. */
export type ToMutex = { readonly scope: Scope } & (
  | { readonly kind: 'withdraw'; readonly requestId: string; readonly replaced?: boolean }
  | {
      readonly kind: 'settle';
      readonly addressId: string;
      readonly token: number;
      readonly outcome: ClaimOutcome;
      readonly instance?: string;
    }
  | {
      readonly kind: 'freed';
      readonly addressId: string;
      readonly disassociated: boolean;
      readonly token: number;
    }
);

export interface PendingTaint {
  /** Of the Node that has it. */
  readonly uid: string;
  readonly key: string;
  readonly awaits: readonly string[];
  readonly until: Time;
  /** The address may not be on the Node yet. It must be written there before the taint is removed. */
  readonly isUnwritten?: true;
}

/** @returns whether both are the same taint of the same Node, and wait for the same */
export function isSameTaint(
  a: Omit<PendingTaint, 'until'>,
  b: Omit<PendingTaint, 'until'> | undefined,
): boolean {
  return a.uid === b?.uid && a.key === b.key && String(a.awaits) === String(b.awaits);
}

export interface Publishing {
  /** What the Node shows, as text to compare with; undefined: it is to be written again. */
  shown?: string | undefined;
  /** The Node shows an address that the node has not any more. */
  isStale: boolean;
  /** Events that are still to be said. */
  notices: Notice[];
  /** Something about the Node that is not heeded, still to be said. */
  warning?: Notice | undefined;
  /** The taint stays until the Node's status shows these IPs: at the latest until then. */
  taint?: PendingTaint | undefined;
  /** IPs that the Node's status did not show in time: the taint waits for them no longer. */
  notShown?: readonly string[] | undefined;
  /** Numbers what is written, so that a repeated write is the same Event. */
  count: number;
  notBefore: Time;
  tries: number;
}

/** @param id differs from that of every other run */
export function newNodeState(
  input: AssignIpInput,
  id: string,
  now: Time,
  attributes?: ShownAttributes,
): NodeState {
  const state: NodeState = {
    id,
    nextRequest: 1,
    node: input.node,
    failures: input.failures ?? 0,
    releasedByHand: false,
    moves: 0,
    wanted: {},
    pins: {},
    look: { kind: 'due', notBefore: now, tries: 0 },
    seen: { kind: 'nothing' },
    nodePins: {},
    nodePinsBy: {},
    selectedBy: {},
    shownOnNode: [],
    families: [],
    became: [],
    cancelled: false,
    outbox: [],
    openRequests: [],
    telling: { notBefore: now, tries: 0 },
    phase: 'discovering',
    since: new Date(now).toISOString(),
    message: looking,
    tried: [],
    publishing: { isStale: false, notices: [], count: 0, notBefore: now, tries: 0 },
    attributes,
  };
  const { leftBehind = [] } = input;
  if (leftBehind.length === 0) return state;
  state.families = families.flatMap((family) => {
    const left = leftBehind.find(({ assignment }) => assignment.query.family === family);
    if (left === undefined) return [];
    const { assignment, hadEphemeral } = left;
    return { ...newFamily(family), has: assignment, hadEphemeral, wasAssigned: true };
  });
  state.pool = assignmentsOf(state)[0]?.pool;
  state.deletion = newDeletion(now, now);
  return state;
}

export function newDeletion(graceUntil: Time, now: Time): Deletion {
  return { graceUntil, cleared: false, notBefore: now, tries: 0 };
}

export function newFamily(family: Family): FamilyState {
  const progress = { kind: 'idle' } as const;
  return {
    family,
    progress,
    gaveUpTaint: false,
    throttled: false,
    isLeaving: false,
    wasAssigned: false,
    failures: 0,
    pauses: 0,
    gaveUp: 0,
    isNews: false,
  };
}

/** @returns whether the look that found the instance saw the address on it */
export function isShownOn(
  { publicIps }: Pick<Instance, 'publicIps'>,
  { address }: Pick<Assignment, 'address'>,
): boolean {
  return publicIps.some((held) => held.ip === address.ip);
}

/** @returns what the node has, IPv4 first */
export function assignmentsOf({ families }: Pick<NodeState, 'families'>): Assignment[] {
  return families.flatMap(({ has }) => has ?? []);
}

/** @returns whether the node is not to have, or to get, an address now */
export function mustHaveNone(state: NodeState): boolean {
  return (
    state.releasedByHand || state.deletion !== undefined || state.giveBack !== undefined || state.cancelled
  );
}

/** There is something to give back, or to hold, or there may soon be: the run must not end for an error. */
export function hasSomething(state: NodeState): boolean {
  return (
    state.releasedByHand ||
    state.families.some(
      ({ has, lacksEphemeral, progress }) =>
        has !== undefined || lacksEphemeral !== undefined || isAssociating(progress),
    )
  );
}

/** @returns whether the operator's release by hand is done */
export function isReleaseByHandDone(state: NodeState): boolean {
  return (
    state.releasedByHand &&
    state.families.every(({ has, progress }) => has === undefined && !isAssociating(progress))
  );
}

/** The instance is being changed, or what became of that is not known. */
export function isAssociating({ kind }: Progress): boolean {
  return kind === 'claimed' || kind === 'verifying' || kind === 'puttingBack';
}

/** @returns the one address of the family, by IP or id, that the node is to have: by hand this time, or as it is pinned */
export function wishOf({ wanted, pins, nodePins }: NodeState, family: Family): string | undefined {
  return wanted[family] ?? pins[family] ?? nodePins[family];
}

/** By what is unique in the scope: a Node of AWS may name its instance without the zone. */
export function isSameInstance(a: InstanceRef, b: InstanceRef): boolean {
  return a.provider === b.provider && instanceKey(a) === instanceKey(b);
}

export function refOf({ provider, id, zone }: InstanceRef): InstanceRef {
  return { provider, id, zone };
}

export function isSameScope(a: Scope, b: Scope): boolean {
  return formatScope(a) === formatScope(b);
}

export const MINUTE = 60_000;

/** @returns a pause that doubles with each try */
export function growingPause(firstMs: number, longestMs: number, tries: number): number {
  return Math.min(longestMs, firstMs * 2 ** Math.min(tries, 20));
}

/** Looks at the Node at that time; sooner if that was to be done anyway. */
export function lookAgain(state: NodeState, notBefore: Time): void {
  const { look } = state;
  if (look.kind === 'looking') state.look = { ...look, again: true };
  else if (look.kind === 'done') state.look = { kind: 'due', notBefore, tries: 0 };
  else if (look.notBefore > notBefore) state.look = { ...look, notBefore, isEarly: true };
}
