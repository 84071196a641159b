/**
 * Who waits for an address: by priority, then first come, first served; one entry for each workflow.
 * Pure bookkeeping.
 */
import type { InstanceRef } from '../../model/address.ts';

export interface Waiter {
  readonly workflowId: string;
  readonly runId: string;
  readonly requestId: string;
  /** Key of the pool in the state's pools. */
  readonly poolKey: string;
  readonly priority: number;
  /** Place among those of the same priority. */
  readonly seq: number;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly instance: InstanceRef;
  /** The static address that the instance was seen to hold. */
  readonly holds?: string;
  /** The node was told that its pool is empty: said once, not at every look. */
  toldEmpty: boolean;
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
export function remove(queue: Waiter[], workflowId: string): Waiter | undefined {
  const index = queue.findIndex((waiter) => waiter.workflowId === workflowId);
  return index < 0 ? undefined : queue.splice(index, 1)[0];
}
