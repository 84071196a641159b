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
  readonly runId: string;
  readonly requestId: string;
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
  /** What the node was told last about its waiting: said once, not at every look. */
  told?: Told;
}

/** `empty`: no address is free. The others are about the address that the node is pinned to. */
export type Told = 'empty' | 'notInPool' | 'inUse';

export function isOf(id: WaiterId): (other: WaiterId) => boolean {
  return (other) => other.workflowId === id.workflowId && other.family === id.family;
}

/** True if `a` is served before `b`. */
export function isBefore(a: Waiter, b: Waiter): boolean {
  return a.priority !== b.priority ? a.priority > b.priority : a.seq < b.seq;
}

/** Puts a waiter at its place. The queue stays sorted; equal entries cannot be, since `seq` is unique. */
export function insert(queue: Waiter[], waiter: Waiter): void {
  let low = 0;
  let high = queue.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = queue[middle];
    if (other !== undefined && isBefore(other, waiter)) low = middle + 1;
    else high = middle;
  }
  queue.splice(low, 0, waiter);
}

/** @returns the waiter that was removed, if there was one */
export function remove(queue: Waiter[], id: WaiterId): Waiter | undefined {
  const index = queue.findIndex(isOf(id));
  return index < 0 ? undefined : queue.splice(index, 1)[0];
}
