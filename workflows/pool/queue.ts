/**
 * Who waits for an address: by priority, then first come, first served; one entry for each workflow and family.
 * Pure bookkeeping.
 */
import type { Family } from '../../model/address.ts';
import type { Holding } from '../messages.ts';

/** Whose request it is: a node's workflow may wait for one address of each family. */
export interface WaiterId {
  readonly workflowId: string;
  readonly family: Family;
}

export interface Waiter extends WaiterId {
  runId: string;
  readonly requestId: string;
  /** The instance that waits, by its id. */
  readonly instanceId: string;
  /** The node's activity that an answer completes. */
  activityId: string;
  /** Key of the pool in the state's pools. */
  readonly poolKey: string;
  readonly priority: number;
  /** Place among those of the same priority. */
  readonly seq: number;
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** What the instance was seen to hold, until a list shows that none of it is of the pool. */
  holds?: Holding;
  /** The one address that it waits for, by its IP or id. */
  readonly pinned?: string;
  /** The address that it would rather have, by its id. */
  readonly prefers?: string;
  /** What the node was told last about its waiting: said once, not at every look. */
  told?: Told;
}

/** `empty`: no address is free; `refused`: none but such as the cloud refused for its instance. The others are about the address that the node is pinned to. */
export type Told = 'empty' | 'refused' | 'notInPool' | 'inUse';

export function isOf(id: WaiterId): (other: WaiterId) => boolean {
  return (other) => other.workflowId === id.workflowId && other.family === id.family;
}

/** True if `a` is served before `b`. */
export function isBefore(a: Waiter, b: Waiter): boolean {
  return a.priority !== b.priority ? a.priority > b.priority : a.seq < b.seq;
}

/**
 * Who is in a queue, by its id. Derived from the queue and kept by {@link insert} and {@link remove}, which alone change
 * it: thousands of requests may come at once, and each asks for the last one of its workflow.
 */
const indexes = new WeakMap<Waiter[], Map<string, Waiter>>();

function indexOf(queue: Waiter[]): Map<string, Waiter> {
  let index = indexes.get(queue);
  if (index === undefined) {
    index = new Map(queue.map((waiter) => [keyOf(waiter), waiter]));
    indexes.set(queue, index);
  }
  return index;
}

function keyOf({ workflowId, family }: WaiterId): string {
  return `${family} ${workflowId}`;
}

export function find(queue: Waiter[], id: WaiterId): Waiter | undefined {
  return indexOf(queue).get(keyOf(id));
}

/** Puts a waiter at its place. The queue stays sorted; equal entries cannot be, since `seq` is unique. */
export function insert(queue: Waiter[], waiter: Waiter): void {
  indexOf(queue).set(keyOf(waiter), waiter);
  queue.splice(placeOf(queue, waiter), 0, waiter);
}

/** @returns the waiter that was removed, if there was one */
export function remove(queue: Waiter[], id: WaiterId): Waiter | undefined {
  const waiter = find(queue, id);
  if (waiter === undefined) return undefined;
  indexOf(queue).delete(keyOf(id));
  queue.splice(placeOf(queue, waiter), 1);
  return waiter;
}

/** How many are served before it. */
function placeOf(queue: readonly Waiter[], waiter: Waiter): number {
  let low = 0;
  let high = queue.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = queue[middle];
    if (other !== undefined && isBefore(other, waiter)) low = middle + 1;
    else high = middle;
  }
  return low;
}
