/** The mutex's state as continue-as-new carries it. */
import type { ProviderName } from '../../model/scope.ts';
import type { PoolState } from './state.ts';

type PackedWaiter = [
  string,
  string,
  string,
  string,
  number,
  number,
  number,
  ProviderName,
  string,
  string,
  string,
  0 | 1,
];

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
      w.requestId,
      w.poolKey,
      w.priority,
      w.seq,
      w.since,
      w.instance.provider,
      w.instance.id,
      w.instance.zone,
      w.holds ?? '',
      w.toldEmpty ? 1 : 0,
    ]),
  };
}

export function unpack(packed: PackedPoolState): PoolState {
  return {
    ...packed,
    queue: packed.queue.map(
      ([
        workflowId,
        runId,
        requestId,
        poolKey,
        priority,
        seq,
        since,
        provider,
        id,
        zone,
        holds,
        toldEmpty,
      ]) => ({
        workflowId,
        runId,
        requestId,
        poolKey,
        priority,
        seq,
        since,
        instance: { provider, id, zone },
        ...(holds === '' ? {} : { holds }),
        toldEmpty: toldEmpty === 1,
      }),
    ),
  };
}
