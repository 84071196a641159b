/** What a node asks the mutex for. Pure. */
import { type AddressQuery, type Family, type Instance } from '../../model/address.ts';
import { formatScope } from '../../model/scope.ts';
import type { PoolSpec } from '../../model/settings.ts';
import type { NodeRequest } from '../../activities/contract.ts';
import type { Holding } from '../messages.ts';
import {
  type Asking,
  type FamilyState,
  MINUTE,
  type NodeState,
  type Purpose,
  refOf,
  type Time,
  wishOf,
} from './state.ts';
import type { Step } from './step.ts';

/** Longer than the mutex takes to serve hundreds who wait at EC2's rate limit. */
export const MOVE_ANSWER_MS = 5 * MINUTE;

interface Wanted {
  readonly query: AddressQuery;
  readonly inPlaceOf?: Purpose | undefined;
}

interface WantedRequest {
  readonly pool: PoolSpec;
  readonly request: Omit<NodeRequest, 'requestId'>;
}

/** @returns undefined where the pool or the instance is not known */
export function requestFor(
  state: NodeState,
  familyState: FamilyState,
  { query, inPlaceOf }: Wanted,
): WantedRequest | undefined {
  const { has } = familyState;
  const pool = inPlaceOf === 'move' ? has?.pool : state.pool;
  const instance = inPlaceOf === 'move' ? has?.instance : state.instance;
  if (pool === undefined || instance === undefined) return undefined;
  const pinned = inPlaceOf === 'move' ? state.move?.to : wishOf(state, familyState.family);
  // Where another one is to take the place of what the instance holds, that is not said: it would keep it.
  const holds =
    inPlaceOf === undefined && state.instance !== undefined
      ? holdingOf(state.instance, familyState.family)
      : undefined;
  return {
    pool,
    request: {
      pool: pool.name,
      query,
      priority: pool.priority,
      instance: refOf(instance),
      ...(holds === undefined ? {} : { holds }),
      ...(pinned === undefined ? {} : { pinned }),
      ...(familyState.lost === undefined ? {} : { prefers: familyState.lost.id }),
    },
  };
}

/** An ephemeral address is nothing that a node could keep. */
export function holdingOf({ publicIps }: Pick<Instance, 'publicIps'>, family: Family): Holding | undefined {
  const held = publicIps.filter((it) => it.family === family && it.kind !== 'ephemeral');
  if (held.length === 0) return undefined;
  return { ips: held.map(({ ip }) => ip), exclusive: held.some(({ kind }) => kind === 'static') };
}

/** @returns whether it asks for the same addresses for the same instance: then it keeps its place and its name */
export function isTheSameRequest(asking: Asking, wanted: WantedRequest): boolean {
  return keyOf(asking) === keyOf(wanted);
}

function keyOf({ pool, request }: WantedRequest): string {
  const { query, pinned, instance } = request;
  return JSON.stringify([pool.name, formatScope(pool.scope), query.filter, query.subnet, pinned, instance]);
}

/** Asks for an address of the family, by a request of its own. */
export function ask(
  { state, now }: Step,
  familyState: FamilyState,
  { pool, request }: WantedRequest,
  inPlaceOf?: Purpose,
): void {
  const named = openRequest(state, pool, request);
  const untilAnswered = inPlaceOf === 'move' ? { giveUpAt: now + MOVE_ANSWER_MS } : {};
  familyState.progress = { kind: 'asking', request: named, pool, inPlaceOf, repeats: 0, ...untilAnswered };
  familyState.askingSince ??= now;
  familyState.isNews = false;
}

/** Asks for the same with what is new about it, and keeps its place in the queue. */
export function askOtherwise(
  { state }: Step,
  familyState: FamilyState,
  { pool, request }: WantedRequest,
): void {
  if (familyState.progress.kind !== 'asking') return;
  const { requestId } = familyState.progress.request;
  if (JSON.stringify({ ...request, requestId }) === JSON.stringify(familyState.progress.request)) {
    // What the mutex need not know may be new: how long the taint waits, and how often it is tried.
    familyState.progress = { ...familyState.progress, pool };
    return;
  }
  const before = state.openRequests.find((open) => open.requestId === requestId)?.replaces ?? [];
  const named = openRequest(state, pool, request, [...before, requestId]);
  familyState.progress = {
    ...familyState.progress,
    pool,
    request: named,
    told: undefined,
    replaces: requestId,
    repeats: 0,
  };
}

function openRequest(
  state: NodeState,
  { scope }: PoolSpec,
  request: WantedRequest['request'],
  replaces: readonly string[] = [],
): NodeRequest {
  const requestId = `${state.id}-${state.nextRequest++}`;
  const open = { requestId, scope, ...(replaces.length === 0 ? {} : { replaces }) };
  state.openRequests = [...state.openRequests, open];
  return { ...request, requestId };
}

/**
 * The same once more: the mutex may have forgotten it. What it said before does not count any more: a node that knows why it waits asks
 * again only after two hours, and its worker may die before this request is sent.
 */
export function askAgain(familyState: FamilyState): void {
  const { progress } = familyState;
  if (progress.kind !== 'asking') return;
  familyState.progress = { ...progress, told: undefined, repeats: progress.repeats + 1 };
}

/**
 * With the taint policy `assignedOrGaveUp` a node keeps its taint for as long as its pool's retries take, as KubeIP's agent would
 * have tried; then Pods may run there without an address, while it waits on.
 */
export function taintToleratedUntil({ progress, askingSince, gaveUpTaint, has }: FamilyState): Time {
  if (progress.kind !== 'asking' || gaveUpTaint || askingSince === undefined || has !== undefined)
    return Infinity;
  const { taintKey, taintPolicy, retries } = progress.pool;
  if (taintKey === undefined || taintPolicy !== 'assignedOrGaveUp') return Infinity;
  return askingSince + retries.attempts * retries.intervalMs;
}
