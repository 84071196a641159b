/** The mutex's state as continue-as-new carries it. */
import type { InstanceRef } from '../../model/address.ts';
import type { PoolState } from './state.ts';

type PackedWaiter = [string, string, string, number, number, number, InstanceRef, string, boolean];

/** Waiters are packed: 10,000 of them must fit one payload (2 MB). */
export interface PackedPoolState extends Omit<PoolState, 'queue'> {
  readonly queue: PackedWaiter[];
}

export function pack(state: PoolState): PackedPoolState {
  return {
    ...state,
    queue: state.queue.map((w) => [
      w.workflowId,
      w.runId,
      w.poolKey,
      w.priority,
      w.seq,
      w.since,
      w.instance,
      w.holds ?? '',
      w.toldEmpty,
    ]),
  };
}

export function unpack(packed: PackedPoolState): PoolState {
  return {
    ...packed,
    queue: packed.queue.map(
      ([workflowId, runId, poolKey, priority, seq, since, instance, holds, toldEmpty]) => ({
        workflowId,
        runId,
        poolKey,
        priority,
        seq,
        since,
        instance,
        ...(holds === '' ? {} : { holds }),
        toldEmpty,
      }),
    ),
  };
}
