/**
 * Claims: the mutex's word that one address is for one node. At most one claim for each address.
 * Pure bookkeeping; the caller says what time it is.
 */
import type { AddressRef, Family } from '../../model/address.ts';

export interface Claim {
  readonly address: AddressRef;
  /** Grows with every claim: a settlement that carries an older one is of the past and changes nothing. */
  readonly token: number;
  readonly workflowId: string;
  readonly family: Family;
  /** Key of the pool that it was granted from. */
  readonly poolKey: string;
  /** The instance that the address is for, by its id. */
  readonly instanceId: string;
  /** When it was granted, in milliseconds since the epoch. */
  readonly since: number;
  /** The run that was asked for last: its holder may continue as new. */
  runId: string;
  readonly requestId: string;
  /** The node's activity that the grant completes. */
  activityId: string;
  /** The instance was seen to hold the address already. */
  readonly held: boolean;
  /** The node asks again for what was granted: the grant has not reached it, and is delivered once more. */
  isAskedAgain?: true;
  /** An operator wants its holder looked for, whether or not somebody waits. */
  isToCheck?: true;
  /**
   * `granted`: its holder works on it. `lingering`: its holder is done, but the provider's lists may not show yet what
   * it did, so the address is not offered again until a list shows who has it, or the deadline has passed.
   */
  state: 'granted' | 'lingering';
  /** Milliseconds since the epoch. Granted: when its holder is looked for, if somebody waits. Lingering: when it is dropped. */
  deadline: number;
}

/** After this long, a holder that said nothing is looked for: is its workflow still open? */
export const CLAIM_MS = 120_000;
/**
 * After this long, a holder that runs and has said nothing has its address, and somebody took it before a list showed that; or it takes
 * longer than any cloud. The claim lingers then.
 */
export const LONGEST_CLAIM_MS = 30 * 60_000;
/**
 * Longest time for which a provider's list is expected to be stale (EC2's eventual consistency is a matter of seconds).
 * An association never takes an address from a holder, so a claim that is dropped too early costs a retry, not an address.
 */
export const LINGER_MS = 60_000;

/** How long after its grant a claim is looked for in lists of a pool that nobody waits for: by then its holder is done, as a rule. */
const UNSEEN_MS = 10_000;

/** @returns whether its holder should have its address by now, and no list has shown it */
export function isUnseen({ state, deadline }: Claim, now: number): boolean {
  return state === 'granted' && deadline - CLAIM_MS + UNSEEN_MS <= now;
}

export function linger(claim: Claim, now: number): void {
  claim.state = 'lingering';
  claim.deadline = now + LINGER_MS;
}

/** Granted claims past their deadline: their holders are to be looked for. */
export function overdue(claims: readonly Claim[], now: number): Claim[] {
  return claims.filter((claim) => claim.state === 'granted' && claim.deadline <= now);
}

/** Removes lingering claims that are past their deadline. */
export function dropExpired(claims: Claim[], now: number): void {
  removeWhere(claims, (claim) => claim.state === 'lingering' && claim.deadline <= now);
}

/**
 * The claim on each address. Derived from the claims and kept by {@link addClaim} and {@link removeWhere}, which alone
 * change them: thousands may be decided on at once.
 */
const indexes = new WeakMap<Claim[], Map<string, Claim>>();

function indexOf(claims: Claim[]): Map<string, Claim> {
  let index = indexes.get(claims);
  if (index === undefined) {
    index = new Map(claims.map((claim) => [claim.address.id, claim]));
    indexes.set(claims, index);
  }
  return index;
}

export function claimOn(claims: Claim[], addressId: string): Claim | undefined {
  return indexOf(claims).get(addressId);
}

/** Adds a claim in place of one that lingers on its address. */
export function addClaim(claims: Claim[], claim: Claim): void {
  const before = claimOn(claims, claim.address.id);
  if (before !== undefined) removeWhere(claims, (it) => it === before);
  claims.push(claim);
  indexOf(claims).set(claim.address.id, claim);
}

export function removeWhere(claims: Claim[], predicate: (claim: Claim) => boolean): void {
  for (let index = claims.length - 1; index >= 0; index--) {
    const claim = claims[index];
    if (claim === undefined || !predicate(claim)) continue;
    claims.splice(index, 1);
    indexOf(claims).delete(claim.address.id);
  }
}
