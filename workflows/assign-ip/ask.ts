/** What a node asks the mutex for. Pure. */
import { type AddressQuery, type Family, type Instance } from '../../model/address.ts';
import { formatScope } from '../../model/scope.ts';
import type { PoolSpec } from '../../model/settings.ts';
import type { Holding } from '../messages.ts';
import {
  type Asking,
  type FamilyState,
  MINUTE,
  type NodeState,
  type Purpose,
  refOf,
  type Request,
  type Time,
  wishOf,
} from './state.ts';
import type { Step } from './step.ts';

/** A node that waits asks again after this long, in case the mutex was terminated and forgot it. */
const ASK_AGAIN_MS = 10 * MINUTE;
/** Longer than the mutex takes to serve hundreds who wait at EC2's rate limit. */
export const MOVE_ANSWER_MS = 5 * MINUTE;

interface Wanted {
  readonly query: AddressQuery;
  readonly inPlaceOf?: Purpose | undefined;
}

interface WantedRequest {
  readonly pool: PoolSpec;
  readonly request: Omit<Request, 'requestId'>;
}

/** @returns undefined where the pool or the instance is not known */
export function requestFor(
  state: NodeState,
  of: FamilyState,
  { query, inPlaceOf }: Wanted,
): WantedRequest | undefined {
  const { has } = of;
  const pool = inPlaceOf === 'move' ? has?.pool : state.pool;
  const instance = inPlaceOf === 'move' ? has?.instance : state.instance;
  if (pool === undefined || instance === undefined) return undefined;
  const pinned = inPlaceOf === 'move' ? state.move?.to : wishOf(state, of.family);
  // Where another one is to take the place of what the instance holds, that is not said: it would keep it.
  const holds =
    inPlaceOf === undefined && state.instance !== undefined
      ? holdingOf(state.instance, of.family)
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
      ...(of.lost === undefined ? {} : { prefers: of.lost.id }),
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
  of: FamilyState,
  { pool, request }: WantedRequest,
  inPlaceOf?: Purpose,
): void {
  const named = { ...request, requestId: `${state.id}-${state.nextRequest++}` };
  const notBefore = now + (inPlaceOf === 'move' ? MOVE_ANSWER_MS : ASK_AGAIN_MS);
  of.progress = { kind: 'asking', request: named, pool, inPlaceOf, notBefore };
  of.askingSince ??= now;
  of.isNews = false;
  state.outbox.push({ kind: 'request', scope: pool.scope, request: named });
}

/** The same once more: the mutex may have forgotten it. */
export function askAgain({ state, now }: Pick<Step, 'state' | 'now'>, of: FamilyState): void {
  if (of.progress.kind !== 'asking') return;
  const { request, pool } = of.progress;
  of.progress = { ...of.progress, notBefore: now + ASK_AGAIN_MS };
  // The first may be on its way already. More than one that waits would say the same.
  const isToBeSent = state.outbox
    .slice(1)
    .some((message) => message.kind === 'request' && message.request.requestId === request.requestId);
  if (isToBeSent) return;
  state.outbox.push({ kind: 'request', scope: pool.scope, request: { ...request, again: true } });
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
