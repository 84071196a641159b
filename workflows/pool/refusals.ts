/** Pairs of a node's instance and an address that the cloud refused: granted again, they would be refused again. Pure. */
import type { AddressRef, InstanceRef } from '../../model/address.ts';

/** @returns what tells an instance from the others of a scope. Whatever a request says of its cloud does not matter */
export function instanceText({ id, zone }: Pick<InstanceRef, 'id' | 'zone'>): string {
  return `${zone}/${id}`;
}

export interface Refusal {
  readonly workflowId: string;
  /** The node's instance at that time, as {@link instanceText} names it: for another one it says nothing. */
  readonly instance: string;
  readonly addressId: string;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

/** After this long a pair is tried again: what was in its way may be gone. */
export const REFUSED_MS = 60 * 60_000;
/** They are part of the state that each run hands to the next. Of more the newest are kept. */
export const MAX_REFUSALS = 300;

export function rememberRefusal(refusals: Refusal[], refusal: Omit<Refusal, 'until'>, now: number): void {
  forget(refusals, ({ workflowId, addressId }) => {
    return workflowId === refusal.workflowId && addressId === refusal.addressId;
  });
  refusals.push({ ...refusal, until: now + REFUSED_MS });
  refusals.splice(0, refusals.length - MAX_REFUSALS);
}

/** What was refused to another instance of the node is no reason any more. */
export function forgetOtherInstances(refusals: Refusal[], node: string, instance: string): void {
  forget(refusals, (it) => it.workflowId === node && it.instance !== instance);
}

export function forgetOld(refusals: Refusal[], now: number): void {
  forget(refusals, ({ until }) => until <= now);
}

function forget(refusals: Refusal[], isOver: (refusal: Refusal) => boolean): void {
  for (let index = refusals.length - 1; index >= 0; index--) {
    const refusal = refusals[index];
    if (refusal !== undefined && isOver(refusal)) refusals.splice(index, 1);
  }
}

/** The ids of the addresses that are not for a node, by its workflow. */
export type Refused = ReadonlyMap<string, ReadonlySet<string>>;

export function refusedByNode(refusals: readonly Refusal[]): Refused {
  const byNode = Map.groupBy(refusals, ({ workflowId }) => workflowId);
  return new Map([...byNode].map(([node, its]) => [node, new Set(its.map(({ addressId }) => addressId))]));
}

export function isRefused(refused: Refused, workflowId: string, { id }: AddressRef): boolean {
  return refused.get(workflowId)?.has(id) === true;
}
