/** What one run of AssignIpWorkflow knows of a node's address of one family. Pure but for the failure that it may hold. */
import type { TemporalFailure } from '@temporalio/common';
import { type AddressQuery, type Family, familyName } from '../model/address.ts';
import type { FamilyRequirement, PoolSpec } from '../model/settings.ts';
import { formatScope, type Scope } from '../model/scope.ts';
import type { AddressStatus, Assignment, EphemeralHolder, FamilyResume, Grant, Phase } from './messages.ts';
import { assigned, looking } from './words.ts';

export interface FamilyRun {
  readonly family: Family;
  phase: Phase;
  message: string;
  lastError: string | undefined;
  assignment: Assignment | undefined;
  /** The request that is with the mutex and not answered for good. */
  requestId: string | undefined;
  /** What it asks for, as {@link wantedOf} says it: another one is another request. */
  requestedFor: string | undefined;
  /** The last request, as JSON: the same one again says that nothing has changed. */
  asked: string | undefined;
  /** The id of the request that it repeats for no other reason than that it has waited for long. */
  asksAgain: string | undefined;
  /** Whose mutex was asked last: what it granted too late goes back to it. */
  askedScope: Scope | undefined;
  /** Answers of the mutex that were not read yet. */
  readonly grants: Grant[];
  /**
   * The instance that had an ephemeral address before it was to get a static one. Noted before the first association, since
   * some clouds demand that it goes first: whatever happens then, the instance must not end without any.
   */
  hadEphemeral: EphemeralHolder | undefined;
  /** The ephemeral address may be gone and no static one be there. */
  mayLackEphemeral: boolean;
  /** The id of the address that somebody took from the instance: had again if it is free. */
  lost: string | undefined;
  /** The IP of that address, until the node has one again: then it is said that the drift is healed. */
  lostIp: string | undefined;
  /** Milliseconds since the epoch: since when it asks for an address. */
  askingSince: number | undefined;
  /** It has asked for so long that the Node's taint need not wait for it any more. */
  gaveUpTaint: boolean;
  /** The cloud throttled the last try. */
  throttled: boolean;
  /** Why it keeps an address that is not of its pool: the configuration changed. In words. */
  kept: string | undefined;
  /** The Node's labels moved it to another pool: it keeps its address until it has one of that pool, which may be of another family. */
  isLeaving: boolean;
  /** This run saw it assigned once: what comes later is not the node's first address. */
  wasAssigned: boolean;
  /** Failed tries since the last success. */
  failures: number;
  /** How often it failed for good since the last success, while the other family went on. */
  gaveUp: number;
  /** It failed for good, as far as one can tell; tried again as long as the other family goes on. */
  failure: TemporalFailure | undefined;
}

export function newFamilyRun(family: Family, resume?: FamilyResume): FamilyRun {
  const { assignment } = resume ?? {};
  return {
    family,
    phase: assignment === undefined ? 'discovering' : 'assigned',
    message: assignment === undefined ? looking : assigned(assignment).message,
    lastError: undefined,
    assignment,
    requestId: resume?.request?.id,
    requestedFor: resume?.request?.wanted,
    asked: undefined,
    asksAgain: undefined,
    askedScope: resume?.request?.scope,
    grants: [],
    hadEphemeral: resume?.hadEphemeral,
    mayLackEphemeral: resume?.mayLackEphemeral ?? false,
    lost: resume?.lost,
    lostIp: resume?.lostIp,
    askingSince: resume?.askingSince,
    gaveUpTaint: resume?.gaveUpTaint ?? false,
    throttled: false,
    kept: undefined,
    isLeaving: false,
    wasAssigned: assignment !== undefined || resume?.lost !== undefined,
    failures: 0,
    gaveUp: 0,
    failure: undefined,
  };
}

/** What the next run must know. A family of which nothing is to be known is left out. */
export function familyResume(of: FamilyRun): FamilyResume[] {
  const { family, assignment, requestId, requestedFor, askedScope } = of;
  const { hadEphemeral, mayLackEphemeral, lost, lostIp, askingSince, gaveUpTaint } = of;
  const isAsked = requestId !== undefined && requestedFor !== undefined && askedScope !== undefined;
  const request = isAsked ? { id: requestId, scope: askedScope, wanted: requestedFor } : undefined;
  const isKnown = [assignment, request, hadEphemeral, lost, askingSince].some((it) => it !== undefined);
  if (!isKnown) return [];
  return [
    {
      family,
      ...(assignment === undefined ? {} : { assignment }),
      ...(request === undefined ? {} : { request }),
      ...(hadEphemeral === undefined ? {} : { hadEphemeral }),
      ...(mayLackEphemeral ? { mayLackEphemeral } : {}),
      ...(lost === undefined ? {} : { lost }),
      ...(lostIp === undefined ? {} : { lostIp }),
      ...(askingSince === undefined ? {} : { askingSince }),
      ...(gaveUpTaint ? { gaveUpTaint } : {}),
    },
  ];
}

/** @returns what a request asks for, in a form that can be compared */
export function wantedOf(pool: PoolSpec, query: AddressQuery, pinned: string | undefined): string {
  return JSON.stringify([pool.name, formatScope(pool.scope), query.filter, query.subnet, pinned]);
}

/** @returns whether the pool gives addresses of this family */
export function isAskedBy(
  { queries }: Pick<PoolSpec, 'queries'>,
  { family }: Pick<FamilyRun, 'family'>,
): boolean {
  return queries.some((query) => query.family === family);
}

/** @returns whether the node has all that the pool gives, and waits for nothing to take its place */
export function hasAllOf(
  { queries }: Pick<PoolSpec, 'queries'>,
  families: readonly Pick<FamilyRun, 'family' | 'assignment' | 'isLeaving'>[],
): boolean {
  return queries.every(({ family }) =>
    families.some((of) => of.family === family && of.assignment !== undefined && !of.isLeaving),
  );
}

/** It lost its ephemeral address, or may have, and has no static one. */
export function lacksEphemeral(of: FamilyRun): boolean {
  return of.mayLackEphemeral && of.assignment === undefined;
}

export function addressStatus(of: FamilyRun): AddressStatus {
  const { family, phase, message, assignment, lastError } = of;
  return {
    family,
    phase,
    message,
    ...(assignment === undefined ? {} : { address: assignment.address, token: assignment.token }),
    ...(lastError === undefined ? {} : { lastError }),
  };
}

/** Which phase of a family is the node's, the first one found. */
const ON_ITS_WAY: readonly Phase[] = ['waiting', 'discovering', 'associating', 'verifying'];
const PRECEDENCE: Readonly<Record<FamilyRequirement, readonly Phase[]>> = {
  all: ['failed', ...ON_ITS_WAY],
  // As long as one may come, the node has not failed.
  any: [...ON_ITS_WAY, 'failed'],
};

/** @returns the node's phase: `assigned` when it has what its pool requires, else that of the family which is behind */
export function nodePhase(phases: readonly Phase[], require: FamilyRequirement): Phase {
  // Both families go at once: as long as one has not gone, the node is on its way.
  if (phases.every((phase) => phase === 'released')) return 'released';
  if (phases.includes('releasing') || phases.includes('released')) return 'releasing';
  if (require === 'any' && phases.includes('assigned')) return 'assigned';
  return PRECEDENCE[require].find((phase) => phases.includes(phase)) ?? 'assigned';
}

/**
 * @param pool of the addresses that the node has, if it has any
 * @returns the phase of a run that goes on with what the one before it had, until it has looked at the Node
 */
export function resumedPhase(
  families: readonly FamilyRun[],
  pool: PoolSpec | undefined,
  releasedByHand: boolean,
): Phase {
  const isKnown = (family: Family): boolean => families.some((of) => of.family === family);
  if (pool === undefined) return releasedByHand ? 'released' : 'discovering';
  if (!pool.queries.every(({ family }) => isKnown(family))) return 'discovering';
  return nodePhase(
    families.map(({ phase }) => phase),
    pool.require,
  );
}

/** @returns one sentence or two: with two families each says its own */
export function nodeMessage(families: readonly Pick<FamilyRun, 'family' | 'message'>[]): string {
  const [first, second] = families;
  if (second === undefined || first?.message === second.message) return first?.message ?? '';
  return families.map(({ family, message }) => `${familyName(family)}: ${message}`).join(' ');
}
