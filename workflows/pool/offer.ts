/** What one pool has to offer in one look, and what each waiter is answered. Pure. */
import type { ListedPool } from '../../activities/contract.ts';
import type { AddressRef } from '../../model/address.ts';
import type { Grant, Holding } from '../messages.ts';
import { addClaim, CLAIM_MS, claimOn } from './claims.ts';
import { available, take } from './pacing.ts';
import { remove, type Told, type Waiter } from './queue.ts';
import type { PlannedPool } from './look.ts';
import { isRefused, type Refused } from './refusals.ts';
import type { PoolState } from './state.ts';

/** Why a waiter stays in the queue after a look. `later`: the look did not cover it. */
export type Waiting = 'paced' | 'empty' | 'later';

export class Offer {
  private readonly state: PoolState;
  private readonly found: ListedPool;
  private readonly free: AddressRef[];
  private readonly mayHaveMore: boolean;
  private readonly refused: Refused;
  /** What the look asked for and what it found, by the waiter's workflow. */
  private readonly askedHolds: Map<string, readonly string[]>;
  private readonly held: Map<string, AddressRef>;
  private readonly askedPins: Map<string, string>;
  private readonly pinned: Map<string, ListedPool['pinned'][number]>;

  constructor(state: PoolState, looked: PlannedPool, found: ListedPool, refused: Refused) {
    this.state = state;
    this.refused = refused;
    this.found = found;
    this.free = [...found.free];
    this.mayHaveMore = found.free.length >= looked.want;
    this.askedHolds = new Map(looked.holders.map(({ workflowId, ips }) => [workflowId, ips]));
    this.held = new Map(found.held.map(({ workflowId, address }) => [workflowId, address]));
    this.askedPins = new Map(looked.pinned.map(({ workflowId, wanted }) => [workflowId, wanted]));
    this.pinned = new Map(found.pinned.map((it) => [it.workflowId, it]));
  }

  /**
   * Which address is for this waiter and others that are pinned to it alone. Of a pin that came after the look began it is
   * not known yet whether it names an address of the pool: it is taken at its word until the next look.
   *
   * @returns its id, or an IP; undefined if none is
   */
  reservedFor({ workflowId, pinned }: Waiter): string | undefined {
    if (this.askedPins.get(workflowId) !== pinned) return pinned;
    return this.pinned.get(workflowId)?.address.id;
  }

  /** @param reserved ids and IPs of the addresses that are for pinned waiters, of whatever pool */
  answer(waiter: Waiter, reserved: ReadonlySet<string>, now: number): Grant | Waiting {
    const { state, found } = this;
    if (found.error !== undefined) {
      remove(state.queue, waiter);
      const type = found.denied === true ? ({ type: 'Denied' } as const) : {};
      return { kind: 'refused', requestId: waiter.requestId, error: found.error, ...type };
    }
    const kept = waiter.holds && this.keep(waiter, waiter.holds, now);
    if (kept !== undefined) return kept;
    if (waiter.pinned !== undefined) return this.givePinned(waiter, waiter.pinned, now);
    const preferred = this.preferredBy(waiter, reserved);
    if (preferred !== undefined) return this.give(waiter, preferred, now);
    this.skipUnavailable(reserved);
    const index = this.firstFor(waiter, reserved);
    const address = this.free[index];
    if (address === undefined) return this.mayHaveMore ? 'paced' : this.tellEmpty(waiter);
    const granted = this.give(waiter, address, now);
    if (granted !== 'paced') this.free.splice(index, 1);
    return granted;
  }

  /** @returns where the first free address stands that it can have; -1: nowhere */
  private firstFor({ workflowId }: Waiter, reserved: ReadonlySet<string>): number {
    if (!this.refused.has(workflowId)) return 0;
    return this.free.findIndex(
      (it) => !isRefused(this.refused, workflowId, it) && !this.isUnavailable(it, reserved),
    );
  }

  /**
   * A waiter keeps what it holds if that is of the pool. If it is not, and nothing can be associated beside it, it is left
   * alone.
   *
   * @returns undefined if what it holds is in nobody's way: it is served like any other
   */
  private keep(waiter: Waiter, holds: Holding, now: number): Grant | Waiting | undefined {
    if (this.askedHolds.get(waiter.workflowId)?.join() !== holds.ips.join()) return 'later';
    const address = this.held.get(waiter.workflowId);
    const { claims } = this.state;
    if (address !== undefined) {
      const present = claimOn(claims, address.id);
      // Somebody else works on it and will find that it is taken; then it is this one's.
      if (present?.state === 'granted') return 'empty';
      return claim(this.state, waiter, address, now, true);
    }
    const [ip] = holds.ips;
    if (holds.exclusive && ip !== undefined) {
      remove(this.state.queue, waiter);
      return { kind: 'foreign', requestId: waiter.requestId, ip };
    }
    delete waiter.holds;
    return undefined;
  }

  /** A pinned waiter gets the address that it is pinned to, or none. */
  private givePinned(waiter: Waiter, wanted: string, now: number): Grant | Waiting {
    if (this.askedPins.get(waiter.workflowId) !== wanted) return 'later';
    const target = this.pinned.get(waiter.workflowId);
    if (target === undefined) return this.tellPinned(waiter, wanted, 'notInPool');
    const isFree = target.free && !isClaimed(this.state, target.address.id);
    return isFree ? this.give(waiter, target.address, now) : this.tellPinned(waiter, wanted, 'inUse');
  }

  /** @returns the address that it would rather have, if it can be had */
  private preferredBy(waiter: Waiter, reserved: ReadonlySet<string>): AddressRef | undefined {
    const { workflowId, prefers } = waiter;
    if (prefers === undefined || this.askedPins.get(workflowId) !== prefers) return undefined;
    const target = this.pinned.get(workflowId);
    if (target === undefined || !target.free) return undefined;
    const { address } = target;
    if (isReserved(address, reserved) || isRefused(this.refused, workflowId, address)) return undefined;
    const present = claimOn(this.state.claims, address.id);
    // Its own claim may linger, since no list has shown yet that it had it: that it lost it says more.
    const isOwn = present?.state === 'lingering' && present.workflowId === workflowId;
    return present === undefined || isOwn ? address : undefined;
  }

  /** An address for one call, if the rate limit has one left. */
  private give(waiter: Waiter, address: AddressRef, now: number): Grant | 'paced' {
    if (available(this.state.bucket) < 1) return 'paced';
    take(this.state.bucket, 1);
    return claim(this.state, waiter, address, now, false);
  }

  /** Two pools may overlap: what the other one just gave away is not free here. */
  private isUnavailable(it: AddressRef, reserved: ReadonlySet<string>): boolean {
    return isReserved(it, reserved) || isClaimed(this.state, it.id);
  }

  private skipUnavailable(reserved: ReadonlySet<string>): void {
    while (this.free[0] !== undefined && this.isUnavailable(this.free[0], reserved)) this.free.shift();
  }

  private tellEmpty(waiter: Waiter): Grant | Waiting {
    const { workflowId, requestId } = waiter;
    const refused = this.found.free.filter(
      (it) => isRefused(this.refused, workflowId, it) && !isClaimed(this.state, it.id),
    ).length;
    if (markTold(waiter, refused === 0 ? 'empty' : 'refused')) return 'empty';
    return { kind: 'empty', requestId, size: this.found.size, ...(refused === 0 ? {} : { refused }) };
  }

  private tellPinned(waiter: Waiter, wanted: string, reason: 'notInPool' | 'inUse'): Grant | Waiting {
    if (markTold(waiter, reason)) return 'empty';
    return { kind: 'pinned', requestId: waiter.requestId, wanted, reason };
  }
}

/** @returns whether that was the last thing it was told; from now on it is */
function markTold(waiter: Waiter, what: Told): boolean {
  if (waiter.told === what) return true;
  waiter.told = what;
  return false;
}

function isReserved({ id, ip }: AddressRef, reserved: ReadonlySet<string>): boolean {
  return reserved.has(id) || reserved.has(ip);
}

function isClaimed(state: PoolState, addressId: string): boolean {
  return claimOn(state.claims, addressId) !== undefined;
}

function claim(state: PoolState, waiter: Waiter, address: AddressRef, now: number, held: boolean): Grant {
  remove(state.queue, waiter);
  const token = state.nextToken++;
  addClaim(state.claims, {
    address,
    token,
    workflowId: waiter.workflowId,
    family: waiter.family,
    runId: waiter.runId,
    poolKey: waiter.poolKey,
    instanceId: waiter.instanceId,
    requestId: waiter.requestId,
    activityId: waiter.activityId,
    held,
    since: now,
    state: 'granted',
    deadline: now + CLAIM_MS,
  });
  return { kind: 'granted', requestId: waiter.requestId, address, token, held };
}
