/** The mutex's invariants over random histories. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type AddressRef, familyOf } from '../../model/address.ts';
import type { AddressRequest, Grant } from '../../workflows/messages.ts';
import { beginLook, decide, type Message, nextLookAt } from '../../workflows/pool/look.ts';
import { pack, unpack } from '../../workflows/pool/packed-state.ts';
import type { Waiter, WaiterId } from '../../workflows/pool/queue.ts';
import {
  checkedHolders,
  freed,
  newPoolState,
  overdueHolders,
  type PoolState,
  request,
  settle,
  undelivered,
  withdraw,
} from '../../workflows/pool/state.ts';
import { addressesOf, type Asking, everything, pools, type Step, step } from './address-pool-steps.ts';
import { asked, type Holders, list, workflowOf } from './address-pool-world.ts';

type Granted = Extract<Grant, { kind: 'granted' }>;
const keyOf = ({ workflowId, family }: WaiterId): string => `${workflowId} ${family}`;
const requestId = (run: number, pool: number): string => `run-${run}-${pools[pool]?.query.family}`;

/** A mutex, its cloud and its nodes; every change is followed by a check of what must always hold. */
class World {
  state: PoolState = newPoolState({ burst: 5, perSecond: 2 }, 0);
  now = 0;
  private lastToken = 0;
  /** The cloud's truth, and its past, which a stale list shows. */
  private readonly past: Holders[] = [new Map()];
  /** Grants that were delivered, the last one first. */
  private readonly delivered: { readonly workflowId: string; readonly grant: Granted }[] = [];
  /** Who may leave the queue in this step. */
  private readonly mayLeave = new Set<string>();

  take(s: Step): void {
    this.now = Math.max(0, this.now + 7);
    this.mayLeave.clear();
    const before = this.state.queue.map(keyOf);
    this.act(s);
    this.check(before);
  }

  private act(s: Step): void {
    const { state, now } = this;
    switch (s.do) {
      case 'request':
        return this.ask(s);
      case 'withdraw':
        return this.withdraw(s);
      case 'die': {
        const overdue = overdueHolders(state, now).filter((h) => h.workflowId === workflowOf(`n${s.node}`));
        return checkedHolders(
          state,
          overdue.map((h) => h.runId),
          now,
        );
      }
      case 'undelivered': {
        const last = this.delivered[s.nth];
        return last && undelivered(state, last.grant.token);
      }
      case 'settle':
        return this.settle(s);
      case 'freed': {
        const { id } = everything[s.address]!;
        const holders = new Map(this.holders);
        holders.delete(id);
        this.past.push(holders);
        return freed(state, id, true, now);
      }
      case 'look':
        return this.look(this.past[Math.max(0, this.past.length - 1 - s.staleBy)]!, s.late);
      case 'pack': {
        const packed = unpack(JSON.parse(JSON.stringify(pack(state))));
        expect({ ...packed, pools: {} }).toEqual({ ...state, pools: {} });
        this.state = packed;
        return;
      }
      case 'wait':
        this.now = Math.max(0, now + s.ms);
    }
  }

  private get holders(): Holders {
    return this.past.at(-1)!;
  }

  private ask({ node, run, priority, pool: nth, pinned, holds }: Asking): void {
    const pool = pools[nth]!;
    // By its id or by its IP, as people do.
    const wanted = pinned === undefined ? undefined : everything[pinned]![run === 0 ? 'id' : 'ip'];
    const more: Partial<AddressRequest> = {
      runId: `run-${run}`,
      requestId: requestId(run, nth),
      priority,
      pool: pool.name,
      query: pool.query,
      ...(wanted === undefined ? {} : { pinned: wanted }),
      ...(holds && { holds: { ips: holds.at.map((n) => everything[n]!.ip), exclusive: holds.exclusive } }),
    };
    request(this.state, asked(`n${node}`, more), this.now);
  }

  private withdraw({ node, run }: { node: number; run: number | undefined }): void {
    const workflowId = workflowOf(`n${node}`);
    const id = run === undefined ? undefined : requestId(run, 0);
    for (const waiter of this.state.queue) {
      const isMeant = waiter.workflowId === workflowId && (id === undefined || waiter.requestId === id);
      if (isMeant) this.mayLeave.add(keyOf(waiter));
    }
    withdraw(this.state, workflowId, id);
    for (const key of this.mayLeave) expect(this.state.queue.map(keyOf)).not.toContain(key);
  }

  private settle(s: Extract<Step, { do: 'settle' }>): void {
    const { state, now } = this;
    const last = this.delivered[s.nth];
    if (last === undefined) return;
    const { workflowId, grant } = last;
    const before = structuredClone(state.claims);
    if (s.outcome === 'associated' && !this.holders.has(grant.address.id) && !s.stale) {
      this.past.push(new Map(this.holders).set(grant.address.id, workflowId));
    }
    const token = s.stale ? grant.token - 1 : grant.token;
    settle(state, { workflowId, addressId: grant.address.id, token, outcome: s.outcome }, now);
    if (s.stale) expect(state.claims).toEqual(before);
  }

  private look(seen: Holders, late: readonly Asking[]): void {
    const { state } = this;
    const planned = beginLook(state, this.now);
    const found = list(planned, addressesOf, seen);
    for (const one of late) this.ask(one);
    const queue = state.queue.map((waiter) => ({ ...waiter }));
    const working = state.claims.filter((c) => c.state === 'granted');
    const messages = decide(state, planned, found, this.now);
    expect(state.claims).toEqual(expect.arrayContaining(working));
    const got = new Map<string, Granted>();
    for (const message of messages) {
      const waiter = queue.find((w) => isAnswerTo(w, message));
      expect(waiter).toBeDefined();
      this.checkMessage(waiter!, queue, message.grant);
      if (message.grant.kind === 'granted') got.set(keyOf(waiter!), message.grant);
    }
    expect(messages.filter(({ grant }) => grant.kind === 'granted')).toHaveLength(got.size);
    this.checkOrder(queue, got);
  }

  private checkMessage(waiter: Waiter, queue: readonly Waiter[], grant: Grant): void {
    const pool = this.poolOf(waiter);
    const ips = waiter.holds?.ips ?? [];
    const own = pool.filter(({ ip }) => ips.includes(ip));
    switch (grant.kind) {
      case 'granted': {
        this.mayLeave.add(keyOf(waiter));
        this.delivered.unshift({ workflowId: waiter.workflowId, grant });
        expect(grant.token).toBeGreaterThan(this.lastToken);
        this.lastToken = grant.token;
        expect(pool).toContainEqual(grant.address);
        if (grant.held) return expect(own).toContainEqual(grant.address);
        expect(own).toEqual([]);
        const wanted = (w: Waiter): boolean => isCalled(grant.address, w.pinned);
        if (waiter.pinned !== undefined) return expect(wanted(waiter)).toBe(true);
        const reservedBy = queue.filter((w) => wanted(w) && this.poolOf(w).includes(grant.address));
        return expect(reservedBy).toEqual([]);
      }
      case 'foreign':
        this.mayLeave.add(keyOf(waiter));
        expect(waiter.holds?.exclusive).toBe(true);
        return expect(own).toEqual([]);
      case 'empty':
        expect(waiter.told).not.toBe('empty');
        return expect(waiter.pinned).toBeUndefined();
      case 'pinned':
        expect(waiter.told).not.toBe(grant.reason);
        expect(grant.wanted).toBe(waiter.pinned);
        return expect(pool.some((it) => isCalled(it, waiter.pinned))).toBe(grant.reason === 'inUse');
      case 'refused':
        throw new Error('nothing is refused here');
    }
  }

  /** Whoever was granted had nobody of its pool before it who was not: of those that are not pinned. */
  private checkOrder(queue: readonly Waiter[], got: ReadonlyMap<string, Granted>): void {
    const waiting = new Map(this.state.queue.map((w) => [keyOf(w), w]));
    for (const [index, waiter] of queue.entries()) {
      const grant = got.get(keyOf(waiter));
      if (grant === undefined || grant.held || waiter.pinned !== undefined) continue;
      const passedOver = queue.slice(0, index).filter((w) => {
        const left = waiting.get(keyOf(w));
        // One that holds something may wait for a list that shows it.
        return w.poolKey === waiter.poolKey && left !== undefined && !left.pinned && !left.holds;
      });
      expect(passedOver).toEqual([]);
    }
  }

  private check(before: readonly string[]): void {
    const { queue, claims } = this.state;
    expect(hasTwice(claims.map((c) => c.address.id))).toBe(false);
    expect(hasTwice(queue.map(keyOf))).toBe(false);
    expect(hasTwice(claims.filter((c) => c.state === 'granted').map(keyOf))).toBe(false);
    for (const { address, family } of claims) expect(familyOf(address.ip)).toBe(family);
    const waiting = new Set(queue.map(keyOf));
    const lost = before.filter((key) => !waiting.has(key) && !this.mayLeave.has(key));
    expect(lost).toEqual([]);
    // Somebody waits: there is a time at which the mutex looks again.
    if (queue.length > 0) expect(nextLookAt(this.state)).toBeDefined();
  }

  /** Nothing happens any more but looks: they come to an end, and whoever still waits could not have been served. */
  checkRest(): void {
    for (let n = 0; n < 30; n++) {
      this.now += 60_000;
      this.take({ do: 'look', staleBy: 0, late: [] });
    }
    const { state } = this;
    expect(state.lookSoon).toBe(false);
    const isFree = ({ id }: AddressRef): boolean =>
      !this.holders.has(id) && !state.claims.some((c) => c.address.id === id);
    for (const waiter of state.queue.filter(({ holds }) => holds === undefined)) {
      const free = this.poolOf(waiter).filter(isFree);
      const isReserved = (it: AddressRef): boolean =>
        state.queue.some((w) => isCalled(it, w.pinned) && this.poolOf(w).includes(it));
      const possible =
        waiter.pinned === undefined
          ? free.filter((it) => !isReserved(it))
          : free.filter((it) => isCalled(it, waiter.pinned));
      expect(possible).toEqual([]);
    }
  }

  private poolOf({ poolKey }: Waiter): AddressRef[] {
    const pool = this.state.pools[poolKey];
    return pool === undefined ? [] : addressesOf(pool.query);
  }
}

function isAnswerTo(waiter: Waiter, { workflowId, grant }: Message): boolean {
  return waiter.workflowId === workflowId && waiter.requestId === grant.requestId;
}

function isCalled({ id, ip }: AddressRef, name: string | undefined): boolean {
  return id === name || ip === name;
}

function hasTwice(values: readonly string[]): boolean {
  return new Set(values).size !== values.length;
}

describe('the mutex, over random histories', () => {
  test('one claim for each address, one place for each workflow and family, growing tokens, no pass-over, pins honoured, no lost request', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const world = new World();
        for (const s of steps) world.take(s);
        world.checkRest();
      }),
      { numRuns: 1_000 },
    );
  });
});
