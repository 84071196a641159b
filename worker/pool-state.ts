/** What the metrics of pools and mutexes are taken from. Pure. */
import type { Address, Family } from '../model/address.ts';
import type { AddressPoolStatus } from '../workflows/messages.ts';

/** Where a pool's addresses are: each is one of these. `claimed`: nobody has it yet, and it is granted to a node. */
export type AddressState = 'free' | 'claimed' | 'associated';
export const addressStates: readonly AddressState[] = ['free', 'claimed', 'associated'];

/**
 * @param addresses of a pool, as the cloud listed them
 * @param status of the mutex that gives them out
 */
export function countStates(
  addresses: readonly Pick<Address, 'id' | 'association'>[],
  { claims }: Pick<AddressPoolStatus, 'claims'>,
): Record<AddressState, number> {
  const claimed = new Set(claims.map(({ address }) => address.id));
  const count = { free: 0, claimed: 0, associated: 0 };
  for (const { id, association } of addresses) {
    count[association !== undefined ? 'associated' : claimed.has(id) ? 'claimed' : 'free'] += 1;
  }
  return count;
}

/** Those of one cluster who wait for an address of a pool and family. */
export interface Waiting {
  readonly nodes: number;
  /** Of the one that waits longest, in seconds; 0 if nobody waits. */
  readonly longestSeconds: number;
}

/**
 * @param status of the pool's mutex, which may serve other clusters as well
 * @param prefix with which the ids of the cluster's workflows begin
 * @param now Unix time in milliseconds
 */
export function waitingFor(
  { pool, family }: { readonly pool: string; readonly family: Family },
  status: Pick<AddressPoolStatus, 'waiting'>,
  prefix: string,
  now: number,
): Waiting {
  const waiting = status.waiting.filter(
    (it) => it.pool === pool && it.family === family && it.workflowId.startsWith(prefix),
  );
  const since = Math.min(now, ...waiting.map((it) => Date.parse(it.since)));
  return { nodes: waiting.length, longestSeconds: (now - since) / 1000 };
}

/** @returns for how long, in seconds, the oldest granted claim is past its deadline; 0 if none is, or nobody waits for what it is on */
export function overdueSeconds(
  { claims, queueLength }: Pick<AddressPoolStatus, 'claims' | 'queueLength'>,
  now: number,
): number {
  if (queueLength === 0) return 0;
  const deadlines = claims.filter(({ state }) => state === 'granted').map((it) => Date.parse(it.deadline));
  return (now - Math.min(now, ...deadlines)) / 1000;
}
