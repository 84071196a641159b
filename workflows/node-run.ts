/** What one run of AssignIpWorkflow knows of its node, and how it shows that. */
import { defineSearchAttributeKey } from '@temporalio/common';
import {
  condition,
  setCurrentDetails,
  upsertMemo,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { PublishInput } from '../activities/contract.ts';
import { type Family, type Instance, instanceKey } from '../model/address.ts';
import { formatScope } from '../model/scope.ts';
import type { Selection } from '../model/selection.ts';
import type { PoolSpec } from '../model/settings.ts';
import {
  addressStatus,
  type FamilyRun,
  newFamilyRun,
  nodeMessage,
  nodePhase,
  resumedPhase,
} from './family-run.ts';
import type {
  AssignIpInput,
  AssignIpStatus,
  Assignment,
  Grant,
  Hold,
  NodeRef,
  Phase,
  Tried,
  Unpublished,
} from './messages.ts';
import { nodeDetails } from './node-details.ts';
import { remember } from './tried.ts';
import { looking, releasedByHand, type WishSource } from './words.ts';

const phaseAttribute = defineSearchAttributeKey('KubeipPhase', 'KEYWORD');
const poolAttribute = defineSearchAttributeKey('KubeipPool', 'KEYWORD');
const poolHashAttribute = defineSearchAttributeKey('KubeipPoolHash', 'KEYWORD');
const addressAttribute = defineSearchAttributeKey('KubeipAddress', 'KEYWORD_LIST');
const instanceAttribute = defineSearchAttributeKey('KubeipInstance', 'KEYWORD');

/** Phases that last: only these are written to visibility, so that a fast assignment costs few history events. */
const LASTING: readonly Phase[] = ['waiting', 'assigned', 'held', 'released', 'failed'];

/** A move to another address of the pool, and what became of it: whoever asked by an Update waits for that. */
export interface Move {
  readonly to: string;
  readonly family: Family;
  /** `refused`: why, in words. */
  became: { readonly moved: true } | { readonly refused: string } | undefined;
}

export interface NodeRun {
  readonly cluster: string;
  readonly input: AssignIpInput;
  node: NodeRef;
  phase: Phase;
  /** ISO 8601. */
  since: string;
  message: string;
  lastError: string | undefined;
  pool: PoolSpec | undefined;
  instance: Instance | undefined;
  /** By what the node was selected for the pool of its address. */
  selection: Selection | undefined;
  /** It keeps its address although no pool selects it any more. */
  deselected: boolean;
  /** What the Node says it is pinned to, and by what it says so. */
  pinned: Readonly<Partial<Record<Family, string>>>;
  pinnedBy: Readonly<Partial<Record<Family, 'label' | 'annotation'>>>;
  /** What an operator pinned it to: this goes before what the Node says. */
  pins: Readonly<Partial<Record<Family, string>>>;
  /** Something about the Node that is not heeded, and why; and whether that is still to be said by an Event. */
  warning: string | undefined;
  untoldWarning: PublishInput['event'];
  /** The addresses that the Node shows, as of the last look at it. */
  shownOnNode: readonly string[];
  /** When the Node was created (ISO 8601), as the look at it told. */
  createdAt: string | undefined;
  /** One for each family that the pool asks for. */
  families: FamilyRun[];

  // What signals and updates ask for; the run acts on it at the next safe place.
  /** The uid of the Node that was deleted. */
  deletedUid: string | undefined;
  /** Until when (ISO 8601) a deleted Node may come back and keep its address; undefined: not asked yet. */
  graceUntil: string | undefined;
  hold: Hold | undefined;
  /** The Node changed, or an operator wants another try: look at it again. */
  changed: boolean;
  releasedByHand: boolean;
  /** It has failed for good, unless something comes before that is written on the Node. */
  failed: boolean;
  /** How many runs for this Node failed for good in a row before this one; none once it is assigned. */
  failures: number;
  /** Answers of the mutex to requests that no family waits for: they go back at once. */
  readonly strayGrants: Grant[];

  /** The instance is being changed: for one family at a time. */
  readonly changing: Lock;
  /** The Node is being written to: what is written last must be what was known last. */
  readonly publishing: Lock;
  /** It is written as soon as what came first is done. */
  unpublished: Unpublished | undefined;
  /** Numbers what is published, so that a repeated write is the same Event. */
  published: number;
  /** The address, by IP or id, that an operator asked for by `assign`, this time: rather than the pinned one. */
  wanted: Readonly<Partial<Record<Family, string>>>;
  /** An operator wants another address for the node that has one. */
  move: Move | undefined;
  /** The run is about to end: nobody acts any more on what is asked now. */
  closing: boolean;
  /** ISO 8601: when the pause that it makes after a failure is over. */
  retryAt: string | undefined;
  /** The last few things that were tried, for people; the oldest first. */
  readonly tried: Tried[];
  /** Looks at the Node since it was last ready. */
  looks: number;
  /** What visibility shows. */
  shown: string;
}

export function newNodeRun(input: AssignIpInput): NodeRun {
  const families = (input.resume?.families ?? []).map((resume) => newFamilyRun(resume.family, resume));
  const pool = families.find(({ assignment }) => assignment !== undefined)?.assignment?.pool;
  return {
    cluster: input.cluster,
    input,
    node: input.node,
    ...resumed(input, families, pool),
    lastError: undefined,
    pool,
    instance: undefined,
    selection: input.resume?.selection,
    deselected: false,
    pinned: {},
    pinnedBy: {},
    pins: input.resume?.pins ?? {},
    warning: undefined,
    untoldWarning: undefined,
    shownOnNode: [],
    createdAt: undefined,
    families,
    deletedUid: input.resume?.deleted?.uid,
    graceUntil: input.resume?.deleted?.graceUntil,
    hold: input.resume?.deleted?.hold,
    changed: true,
    releasedByHand: input.resume?.releasedByHand ?? false,
    failed: false,
    failures: input.failures ?? 0,
    strayGrants: [],
    changing: { held: false },
    publishing: { held: false },
    unpublished: input.resume?.unpublished,
    published: 0,
    wanted: input.resume?.wanted ?? {},
    move: undefined,
    closing: false,
    retryAt: undefined,
    tried: [...(input.resume?.tried ?? [])],
    looks: 0,
    shown: '',
  };
}

/** What a run says of its node before it has entered a phase itself: what the run before it said, if that lasts. */
function resumed(
  { resume }: AssignIpInput,
  families: readonly FamilyRun[],
  pool: PoolSpec | undefined,
): Pick<NodeRun, 'phase' | 'since' | 'message'> {
  const phase = resumedPhase(families, pool, resume?.releasedByHand ?? false);
  const message = phase === 'released' ? releasedByHand : nodeMessage(families);
  const since = LASTING.includes(phase) ? resume?.since : undefined;
  return {
    phase,
    since: since ?? workflowInfo().runStartTime.toISOString(),
    message: message === '' ? looking : message,
  };
}

/** @returns whether it is released, and this run has said so */
export function isReleased(run: NodeRun): boolean {
  return run.phase === 'released' && !isResumed(run);
}

/** It has entered no phase that lasts: what it says, and visibility shows, is what the run before it left. */
function isResumed(run: NodeRun): boolean {
  return run.shown === '';
}

/** Something came that the run must act on before it waits on. */
export function isInterrupted(run: NodeRun): boolean {
  return isWantedOtherwise(run) || run.changed || run.move !== undefined;
}

/** @returns the one address of the family, by IP or id, that the node is to have: by hand this time, or as it is pinned */
export function wishOf(run: NodeRun, family: Family): string | undefined {
  return run.wanted[family] ?? run.pins[family] ?? run.pinned[family];
}

/** @returns by whose word it is to have that address */
export function wishSource(run: NodeRun, family: Family): WishSource {
  if (run.wanted[family] !== undefined) return 'assign';
  return run.pins[family] === undefined ? (run.pinnedBy[family] ?? 'annotation') : 'operator';
}

/** What was wanted this time only is had, or is not wanted any more. */
export function forgetWish(run: NodeRun, family: Family): void {
  const { [family]: _, ...others } = run.wanted;
  run.wanted = others;
}

/** Notes for people what was tried, and how it came out. */
export function note(run: NodeRun, what: string, outcome: Tried['outcome'], error?: string): void {
  const at = new Date().toISOString();
  remember(run.tried, { at, what, outcome, ...(error === undefined ? {} : { error }) });
  showDetails(run);
}

/** Waits until the pause is over, or something else goes first; the status says until when. */
export async function pause(run: NodeRun, ms: number, isOver: () => boolean): Promise<void> {
  const until = new Date(Date.now() + ms).toISOString();
  // Two families may pause at once: what is shown is the one that ends first.
  if (run.retryAt === undefined || until < run.retryAt) run.retryAt = until;
  showDetails(run);
  await condition(isOver, ms);
  if (run.retryAt !== until) return;
  run.retryAt = undefined;
  showDetails(run);
}

/** What cannot wait for a claim or a compensation to come off. */
export function isWantedOtherwise(run: NodeRun): boolean {
  return run.deletedUid !== undefined || run.releasedByHand;
}

/** @returns the node's pool, as far as it is known; where the first look failed, as whoever started the run knows it */
export function poolOf(run: NodeRun): AssignIpInput['pool'] {
  return run.pool ?? (run.failed ? run.input.pool : undefined);
}

/** What the node has, IPv4 first. */
export function assignmentsOf(run: NodeRun): Assignment[] {
  return run.families.flatMap(({ assignment }) => assignment ?? []);
}

/** @returns whether each family that is asked for has an address */
export function lacksNothing(run: NodeRun): boolean {
  return run.families.every(({ assignment }) => assignment !== undefined);
}

/** The node and each of its families move to a phase. */
export function enterPhase(run: NodeRun, phase: Phase, message: string): void {
  for (const of of run.families) Object.assign(of, { phase, message });
  show(run, phase, message);
}

/** One family moves to a phase, and the node with it as far as its pool's policy says. */
export function enterFamilyPhase(run: NodeRun, of: FamilyRun, phase: Phase, message: string): void {
  of.phase = phase;
  of.message = message;
  const phases = run.families.map((family) => family.phase);
  show(run, nodePhase(phases, run.pool?.require ?? 'all'), nodeMessage(run.families));
}

/** Says something else about the phase that the node is in. */
export function explain(run: NodeRun, message: string): void {
  if (!isResumed(run)) return show(run, run.phase, message);
  run.message = message;
  showDetails(run);
}

/** On the workflow's page in the Temporal UI. */
function showDetails(run: NodeRun): void {
  setCurrentDetails(nodeDetails(statusOf(run)));
}

/** In the status, in the Temporal UI, and, where it lasts, in visibility. */
function show(run: NodeRun, phase: Phase, message: string): void {
  if (run.phase !== phase) run.since = new Date().toISOString();
  run.phase = phase;
  run.message = message;
  if (phase === 'assigned') forgetFailures(run);
  showDetails(run);
  if (!LASTING.includes(phase)) return;
  const assignments = assignmentsOf(run);
  const pool = assignments[0]?.pool ?? poolOf(run);
  const ips = assignments.map(({ address }) => address.ip);
  const holder = assignments[0]?.instance ?? run.instance;
  const instance = holder === undefined ? null : instanceKey(holder);
  // The reconcile wakes a node whose settings are others: of one that no pool selects there are none.
  // One that moves to another pool has an address of the former one.
  const hash = run.deselected ? undefined : (run.pool ?? pool)?.hash;
  const shown = [phase, pool?.name, hash, instance, ...ips].join(' ');
  if (shown === run.shown) return;
  run.shown = shown;
  upsertSearchAttributes([
    { key: phaseAttribute, value: phase },
    { key: poolAttribute, value: pool?.name ?? null },
    { key: poolHashAttribute, value: hash ?? null },
    { key: addressAttribute, value: ips.length === 0 ? null : ips },
    { key: instanceAttribute, value: instance },
  ]);
}

/**
 * Which families of ephemeral address the instance had: an audit that releases for a run which has ended must know what to put
 * in place of a static one.
 */
export function ephemeralMemo(run: NodeRun): { readonly ephemeral?: Family[] } {
  const ephemeral = run.families.filter((of) => of.hadEphemeral !== undefined).map(({ family }) => family);
  return ephemeral.length === 0 ? {} : { ephemeral };
}

/** The watcher reads the memo of a failed run: the next one after a success is the first again. */
function forgetFailures(run: NodeRun): void {
  if (run.failures === 0) return;
  run.failures = 0;
  upsertMemo({ failures: null });
}

export function statusOf(run: NodeRun): AssignIpStatus {
  const [assignment] = assignmentsOf(run);
  const spec = assignment?.pool ?? run.pool;
  const pool = spec ?? poolOf(run);
  const instance = assignment?.instance ?? run.instance;
  const pinned = { ...run.pinned, ...run.pins };
  const lastError = run.lastError ?? run.families.find((of) => of.lastError !== undefined)?.lastError;
  return {
    phase: run.phase,
    cluster: run.cluster,
    node: run.node,
    since: run.since,
    message: run.message,
    addresses: run.families.map(addressStatus),
    releasedByHand: run.releasedByHand,
    tried: run.tried.slice(),
    ...(run.failures === 0 ? {} : { attempt: run.failures + 1 }),
    ...(pool === undefined ? {} : { pool: pool.name }),
    ...(spec === undefined ? {} : { scope: formatScope(spec.scope) }),
    ...(instance === undefined ? {} : { instance: instance.id }),
    ...(spec === undefined ? {} : { requires: spec.require }),
    ...(Object.keys(pinned).length === 0 ? {} : { pinned }),
    ...(run.warning === undefined ? {} : { warning: run.warning }),
    ...(lastError === undefined ? {} : { lastError }),
    ...(run.retryAt === undefined ? {} : { retryAt: run.retryAt }),
  };
}

/** Held by one of the run's two families at most. */
export interface Lock {
  held: boolean;
}

/** Does the work when nobody else holds the lock; not at all if it is given up by then. */
export async function holding(
  lock: Lock,
  work: () => Promise<void>,
  giveUp: () => boolean = () => false,
): Promise<void> {
  // More than one may wait: whoever wakes first takes it, and the others see that.
  while (lock.held && !giveUp()) await condition(() => !lock.held || giveUp());
  if (giveUp()) return;
  lock.held = true;
  try {
    await work();
  } finally {
    lock.held = false;
  }
}
