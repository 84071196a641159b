/** The mutex's state as continue-as-new carries it. */
import { assignIpWorkflowId, type Holding } from '../messages.ts';
import { type Clock, newClock } from './clock.ts';
import type { Told, Waiter } from './queue.ts';
import type { PoolState } from './state.ts';

/** What most waiters do not have stands last and is left out. The instance's id is 0 where it is the node's name, as on GCE. */
type PackedWaiter = [
  workflowId: string,
  runId: string,
  requestId: string,
  instanceId: string | 0,
  activityId: string,
  poolKey: string,
  priority: number,
  seq: number,
  since: number,
  told?: Told | 0,
  pinned?: string | 0,
  holds?: Holding | 0,
  prefers?: string,
];

/**
 * Waiters are packed, since the whole state must fit one payload, which Temporal limits to 2 MiB ("Temporal Cloud limits", and its
 * server's default): the server terminates a workflow that hands on more. Some 10,000 waiters fit. The last of more are left out, and
 * ask again by themselves: within half a minute, or within two hours if they know why they wait.
 */
const MOST_BYTES = 2 * 2 ** 20;
/** For what stands beside the state in the payload, and for a codec that encrypts it. */
const MARGIN_BYTES = 64 * 2 ** 10;

export interface PackedPoolState extends Omit<PoolState, 'queue' | 'clock' | 'refusals'> {
  readonly clock?: Clock;
  readonly refusals?: PoolState['refusals'];
  readonly queue: PackedWaiter[];
}

/** Anybody may ask for any pool: of those that nobody waits for any more, so many are kept for a person to see. */
const MOST_IDLE_POOLS = 20;

/** @returns the state as JSON can carry it, with the pools that are waited for, and those of the rest that were looked at last */
export function pack(state: PoolState): PackedPoolState {
  const awaited = new Set([...state.queue, ...state.claims].map(({ poolKey }) => poolKey));
  const idle = Object.entries(state.pools)
    .filter(([key, { looked }]) => !awaited.has(key) && looked !== undefined)
    .sort(([, a], [, b]) => (b.looked?.at ?? 0) - (a.looked?.at ?? 0));
  const kept = new Set([...awaited, ...idle.slice(0, MOST_IDLE_POOLS).map(([key]) => key)]);
  const others = {
    ...state,
    pools: Object.fromEntries(Object.entries(state.pools).filter(([key]) => kept.has(key))),
    queue: [],
  };
  const left = MOST_BYTES - MARGIN_BYTES - byteLength(others);
  return { ...others, queue: fitting(state.queue.map(packWaiter), left) };
}

/** @returns the first of the queue, as many as fit so many bytes */
function fitting(queue: PackedWaiter[], bytes: number): PackedWaiter[] {
  let left = bytes;
  const first = queue.findIndex((waiter) => {
    left -= byteLength(waiter) + 1;
    return left < 0;
  });
  return first === -1 ? queue : queue.slice(0, first);
}

/** @returns the size of its JSON */
function byteLength(value: unknown): number {
  return new TextEncoder().encode(JSON.stringify(value)).length;
}

/** All nodes' workflows begin alike. */
const PREFIX = assignIpWorkflowId('', '').replace(/\/+$/, '');

function shortId(workflowId: string): string {
  return workflowId.startsWith(`${PREFIX}/`) ? workflowId.slice(PREFIX.length) : workflowId;
}

function longId(shortened: string): string {
  return shortened.startsWith('/') ? PREFIX + shortened : shortened;
}

function packWaiter(w: Waiter): PackedWaiter {
  const packed: PackedWaiter = [
    shortId(w.workflowId),
    w.runId,
    w.requestId,
    w.workflowId.endsWith(`/${w.instanceId}`) ? 0 : w.instanceId,
    w.activityId,
    w.poolKey,
    w.priority,
    w.seq,
    w.since,
  ];
  if (w.prefers !== undefined) packed.push(w.told ?? 0, w.pinned ?? 0, w.holds ?? 0, w.prefers);
  else if (w.holds !== undefined) packed.push(w.told ?? 0, w.pinned ?? 0, w.holds);
  else if (w.pinned !== undefined) packed.push(w.told ?? 0, w.pinned);
  else if (w.told !== undefined) packed.push(w.told);
  return packed;
}

export function unpack(packed: PackedPoolState): PoolState {
  return {
    ...packed,
    // A run of an earlier version carried none.
    clock: packed.clock ?? newClock(0),
    refusals: packed.refusals ?? [],
    queue: packed.queue.flatMap((waiter) => unpackWaiter(packed, waiter) ?? []),
  };
}

function unpackWaiter({ pools }: PackedPoolState, packed: PackedWaiter): Waiter | undefined {
  const [
    shortened,
    runId,
    requestId,
    instanceId,
    activityId,
    poolKey,
    priority,
    seq,
    since,
    told,
    pinned,
    holds,
    prefers,
  ] = packed;
  const family = pools[poolKey]?.query.family;
  if (family === undefined) return undefined;
  const workflowId = longId(shortened);
  return {
    workflowId,
    family,
    runId,
    requestId,
    instanceId: instanceId === 0 ? workflowId.slice(workflowId.lastIndexOf('/') + 1) : instanceId,
    activityId,
    poolKey,
    priority,
    seq,
    since,
    ...(told ? { told } : {}),
    ...(pinned ? { pinned } : {}),
    ...(holds ? { holds } : {}),
    ...(prefers === undefined ? {} : { prefers }),
  };
}
