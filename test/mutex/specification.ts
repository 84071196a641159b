/**
 * What the mutex must do, said as simply as it can be: a map of who waits, a map of what is claimed, and a budget of calls.
 * It is told all that the mutex is told and all that the mutex says, and throws at the first word that is wrong.
 */
import type { AddressRef } from '../../model/address.ts';
import type { RateLimit } from '../../model/settings.ts';
import type { AddressRequest, Grant, Settlement, Withdrawal } from '../../workflows/messages.ts';
import { CLAIM_MS, LINGER_MS, LONGEST_CLAIM_MS } from '../../workflows/pool/claims.ts';
import type { Found, Look, Message } from '../../workflows/pool/look.ts';
import { REFUSED_MS } from '../../workflows/pool/refusals.ts';
import { type Freed, OVER_MS, type PoolState } from '../../workflows/pool/state.ts';
import { type ModelPool, poolOf } from './cloud.ts';

export interface Waiting {
  asked: AddressRequest;
  readonly pool: ModelPool;
  /** Its place: the first request of a workflow for a family counts, until it is answered. */
  readonly place: number;
  holds: AddressRequest['holds'];
  told: string | undefined;
}

export interface Claimed {
  readonly address: AddressRef;
  readonly token: number;
  asked: AddressRequest;
  /** The instance had it before it was granted. */
  readonly held: boolean;
  readonly since: number;
  state: 'granted' | 'lingering';
  until: number;
  /** An operator asked for its holder. */
  isAskedFor?: boolean;
}

type Answers = ReadonlyMap<Waiting, Grant>;

export class MutexSpecification {
  readonly #waiting = new Map<string, Waiting>();
  /** By address: there cannot be two claims of one. */
  readonly #claims = new Map<string, Claimed>();
  /** By node and address: what the cloud refused, for which instance and until when that counts. */
  readonly #refused = new Map<string, { readonly instance: string; readonly until: number }>();
  /** Requests that ended lately, and until when they are remembered. */
  readonly #over = new Map<string, number>();
  #lastToken = 0;
  #places = 0;
  #limit: RateLimit;
  #budget: number;
  #budgetAt = 0;
  /** Requests that the look under way was made for. */
  #covered = new Map<string, AddressRequest>();

  constructor(limit: RateLimit) {
    this.#limit = limit;
    this.#budget = limit.burst;
  }

  /** In the order in which they are to be served. */
  queue(): Waiting[] {
    return [...this.#waiting.values()].sort(
      (a, b) => b.asked.priority - a.asked.priority || a.place - b.place,
    );
  }

  claims(): Claimed[] {
    return [...this.#claims.values()];
  }

  claimOf(token: number): Claimed | undefined {
    return this.claims().find((claim) => claim.token === token);
  }

  // ---- what the mutex is told ----

  /** @returns the token of the claim that is to be granted once more, if one is */
  requested(asked: AddressRequest, now: number): number | undefined {
    const { workflowId, requestId, runId, activityId } = asked;
    if ((this.#over.get(`${workflowId} ${requestId}`) ?? 0) > now) return undefined;
    for (const [pair, { instance }] of this.#refused) {
      if (pair.startsWith(`${workflowId} `) && instance !== `${asked.instance.zone}/${asked.instance.id}`)
        this.#refused.delete(pair);
    }
    const key = keyOf(asked);
    const granted = this.claims().find((c) => c.state === 'granted' && keyOf(c.asked) === key);
    if (granted?.asked.requestId === requestId) {
      granted.asked = { ...granted.asked, runId, activityId };
      return granted.token;
    }
    if (granted !== undefined) lingerFrom(granted, now);
    const before = this.#waiting.get(key);
    if (before?.asked.requestId === requestId) {
      before.asked = { ...before.asked, runId, activityId };
      if (asked.told !== true) before.told = undefined;
      return undefined;
    }
    const place = before?.place ?? ++this.#places;
    const waiting = { asked, pool: poolOf(asked.query), place, holds: asked.holds, told: undefined };
    this.#waiting.set(key, waiting);
    return undefined;
  }

  /** What was granted to a request that is taken back has not reached its node. */
  withdrawn({ workflowId, requestId, replaced }: Withdrawal, now: number): void {
    for (const [key, { asked }] of this.#waiting) {
      const isMeant = requestId === undefined || asked.requestId === requestId;
      if (asked.workflowId === workflowId && isMeant && replaced !== true) this.#waiting.delete(key);
    }
    if (requestId === undefined) return;
    this.#over.set(`${workflowId} ${requestId}`, now + OVER_MS);
    for (const { asked, address } of this.claims()) {
      if (asked.workflowId === workflowId && asked.requestId === requestId) this.#claims.delete(address.id);
    }
  }

  /** A granted claim ends by its holder's word, and so does a lingering one if nothing was done. */
  settled({ workflowId, addressId, token, outcome, instance }: Settlement, now: number): void {
    const claim = this.#claims.get(addressId);
    if (claim?.token !== token || claim.asked.workflowId !== workflowId) return;
    const isNothingDone = outcome === 'abandoned' || outcome === 'refused';
    this.#over.set(`${workflowId} ${claim.asked.requestId}`, now + OVER_MS);
    const pair = `${workflowId} ${addressId}`;
    if (outcome === 'refused' && instance !== undefined)
      this.#refused.set(pair, { instance, until: now + REFUSED_MS });
    const isUndone = isNothingDone || (outcome === 'throttled' && claim.state === 'granted');
    if (isUndone) this.#claims.delete(addressId);
    else if (claim.state === 'granted') lingerFrom(claim, now);
  }

  freed({ addressId, disassociated, token }: Freed, now: number): void {
    const claim = this.#claims.get(addressId);
    if (claim?.state === 'lingering') this.#claims.delete(addressId);
    else if (claim !== undefined && claim.token === token) this.#ended(claim, now);
    if (disassociated) this.#spend(now);
  }

  configured(limit: RateLimit, now: number): void {
    this.#accrue(now);
    this.#budget += limit.burst - this.#limit.burst;
    this.#limit = limit;
    this.#budget = Math.max(this.#lowest(), this.#budget);
  }

  /** An operator's word ends no claim: it only makes its holder be looked for now. @returns the claim that is meant */
  releaseAsked(token: number, now: number): Claimed | undefined {
    const claim = this.claimOf(token);
    if (claim?.state === 'granted') {
      claim.until = Math.min(claim.until, now);
      claim.isAskedFor = true;
    }
    return claim;
  }

  /** @returns run ids of the holders that are to be looked for: while nobody waits, those that an operator asked for */
  silentHolders(now: number): string[] {
    const isAwaited = this.#waiting.size > 0;
    const meant = this.#overdue(now).filter(({ isAskedFor }) => isAwaited || isAskedFor === true);
    return meant.map(({ asked }) => asked.runId);
  }

  /** A holder that is closed ends its claim; one that is not has half an hour. Of those that were not looked for nothing is known. */
  holdersChecked(searched: readonly string[], closed: readonly string[], now: number): void {
    for (const claim of this.#overdue(now)) {
      if (!searched.includes(claim.asked.runId)) continue;
      claim.isAskedFor = false;
      const isTooOld = now - claim.since >= LONGEST_CLAIM_MS;
      if (closed.includes(claim.asked.runId) || isTooOld) lingerFrom(claim, now);
      else claim.until = now + CLAIM_MS;
    }
  }

  /** Its request does not come back by an activity that is late. */
  #ended({ asked, address }: Claimed, now: number): void {
    this.#over.set(`${asked.workflowId} ${asked.requestId}`, now + OVER_MS);
    this.#claims.delete(address.id);
  }

  #overdue(now: number): Claimed[] {
    return this.claims().filter(({ state, until }) => state === 'granted' && until <= now);
  }

  // ---- looks ----

  lookBegan(now: number): void {
    for (const { address, state, until } of this.claims()) {
      if (state === 'lingering' && until <= now) this.#claims.delete(address.id);
    }
    for (const [pair, { until }] of this.#refused) if (until <= now) this.#refused.delete(pair);
    this.#covered = new Map(
      [...this.#waiting].map(([key, { asked, holds }]) => [key, withHolds(asked, holds)]),
    );
  }

  /**
   * @param callsLeft what the mutex says that pacing would still let through
   * @returns whether somebody waits for pacing alone
   * @throws Error at an answer that is wrong, or that is not there
   */
  lookDecided(
    look: Look,
    found: Found,
    messages: readonly Message[],
    now: number,
    callsLeft: number,
  ): boolean {
    for (const { addressId, instanceId } of found.claims) {
      const claim = this.#claims.get(addressId);
      if (instanceId === null || claim === undefined) continue;
      if (claim.state === 'lingering') this.#claims.delete(addressId);
      // Its holder has it, and need not say so.
      else if (claim.asked.instance.id !== instanceId) continue;
      else if (claim.held) this.#claims.delete(addressId);
      else this.#ended(claim, now);
    }
    const answers = this.#readAnswers(messages);
    const reserved = this.#reserved(look, found);
    let paced = false;
    for (const waiting of this.queue()) {
      const answer = answers.get(waiting);
      const due = this.#due(waiting, look, found, reserved);
      if (due.kind === 'address' && answer === undefined) {
        must(callsLeft < 1, 'left waiting with a free address and calls to spare', waiting);
        paced = true;
      } else if (due.kind === 'address') {
        must(!paced, 'served although one before it was not', waiting);
        this.#granted(waiting, answer, due.address, false, now);
      } else this.#answered(waiting, answer, due, now);
    }
    return paced;
  }

  /** Whether the cloud refused the address for the node's instance, not long ago. */
  isRefused({ workflowId }: AddressRequest, { id }: AddressRef): boolean {
    return this.#refused.has(`${workflowId} ${id}`);
  }

  #readAnswers(messages: readonly Message[]): Answers {
    const answers = new Map<Waiting, Grant>();
    for (const { workflowId, grant } of messages) {
      const waiting = [...this.#waiting.values()].find(
        ({ asked }) => asked.workflowId === workflowId && asked.requestId === grant.requestId,
      );
      must(waiting !== undefined, 'an answer to nobody', grant);
      must(!answers.has(waiting), 'two answers to one request', grant);
      answers.set(waiting, grant);
    }
    return answers;
  }

  /** Addresses that pinned ones wait for, by how these call them; a pin of no address of its pool reserves nothing. */
  #reserved(look: Look, found: Found): (address: AddressRef) => boolean {
    const pinned = [...this.#waiting.values()].filter(({ asked, pool }) => {
      if (asked.pinned === undefined) return false;
      const isKnown = wishOf(this.#coveredBy(asked)) === asked.pinned && isListed(look, found, pool);
      return !isKnown || pool.addresses.some((address) => isCalled(address, asked.pinned));
    });
    return (address) => pinned.some(({ asked }) => isCalled(address, asked.pinned));
  }

  /** What a waiting node must be answered. */
  #due(waiting: Waiting, look: Look, found: Found, isReserved: (address: AddressRef) => boolean): Due {
    const { asked, pool, holds } = waiting;
    const planned = look.pools.find(({ query }) => poolOf(query) === pool);
    const offer = found.pools.find(({ key }) => key === planned?.key);
    if (planned === undefined || offer === undefined) return { kind: 'nothing' };
    const covered = this.#coveredBy(asked);
    if (holds !== undefined) {
      if (covered?.holds?.ips.join() !== holds.ips.join()) return { kind: 'nothing' };
      const own = offer.held.find(({ workflowId }) => workflowId === asked.workflowId);
      if (own !== undefined) {
        const isWorkedOn = this.#claims.get(own.address.id)?.state === 'granted';
        return isWorkedOn ? { kind: 'nothing' } : { kind: 'keeps', address: own.address };
      }
      if (holds.exclusive) return { kind: 'foreign' };
      waiting.holds = undefined;
    }
    const isClaimed = ({ id }: AddressRef): boolean => this.#claims.has(id);
    const target = offer.pinned.find(({ workflowId }) => workflowId === asked.workflowId);
    const isFree = target?.free === true && !isClaimed(target.address);
    const isWishKnown = wishOf(covered) === wishOf(asked);
    if (asked.pinned !== undefined) {
      if (!isWishKnown) return { kind: 'nothing' };
      return isFree
        ? { kind: 'address', address: target.address }
        : { kind: 'told', what: target === undefined ? 'notInPool' : 'inUse' };
    }
    const isUnfit = (address: AddressRef): boolean => isReserved(address) || this.isRefused(asked, address);
    if (asked.prefers !== undefined && isWishKnown && target?.free === true && !isUnfit(target.address)) {
      // Its own claim of before, which lingers, is in nobody's way.
      const claim = this.#claims.get(target.address.id);
      const isOwn = claim?.state === 'lingering' && claim.asked.workflowId === asked.workflowId;
      if (claim === undefined || isOwn) return { kind: 'address', address: target.address };
    }
    const address = offer.free.find((it) => !isClaimed(it) && !isUnfit(it));
    if (address !== undefined) return { kind: 'address', address };
    // The list was cut: there may be more.
    if (offer.free.length >= planned.want) return { kind: 'nothing' };
    const isRefused = offer.free.some((it) => !isClaimed(it) && this.isRefused(asked, it));
    return { kind: 'told', what: isRefused ? 'refused' : 'empty' };
  }

  #answered(waiting: Waiting, answer: Grant | undefined, due: Due, now: number): void {
    switch (due.kind) {
      case 'keeps':
        return this.#granted(waiting, answer, due.address, true, now);
      case 'foreign':
        must(answer?.kind === 'foreign', 'must hear that it holds what is not of the pool', answer);
        this.#waiting.delete(keyOf(waiting.asked));
        return;
      case 'told': {
        const isOfRefused = answer?.kind === 'empty' && answer.refused !== undefined;
        const said = isOfRefused ? 'refused' : answer?.kind === 'pinned' ? answer.reason : answer?.kind;
        const isNew = waiting.told !== due.what;
        must(said === (isNew ? due.what : undefined), `must hear ${due.what} once`, { waiting, answer });
        waiting.told = due.what;
        return;
      }
      default:
        must(answer === undefined, 'answered although nothing is known', answer);
    }
  }

  #granted(
    waiting: Waiting,
    grant: Grant | undefined,
    address: AddressRef,
    held: boolean,
    now: number,
  ): void {
    must(grant?.kind === 'granted', 'must be granted an address', { waiting, grant });
    must(grant.address.id === address.id, `must be granted ${address.id}`, grant);
    must(grant.held === held, 'must know whether it is held', grant);
    must(grant.token > this.#lastToken, 'tokens must grow', grant);
    this.#lastToken = grant.token;
    if (!held) this.#spend(now);
    must(held || this.#budget > -1e-6, 'more calls than pacing allows', grant);
    const { asked } = waiting;
    this.#waiting.delete(keyOf(asked));
    const { token } = grant;
    const until = now + CLAIM_MS;
    const claim: Claimed = { address, token, asked, held, since: now, state: 'granted', until };
    this.#claims.set(address.id, claim);
  }

  #coveredBy(asked: AddressRequest): AddressRequest | undefined {
    const covered = this.#covered.get(keyOf(asked));
    return covered !== undefined && poolOf(covered.query) === poolOf(asked.query) ? covered : undefined;
  }

  // ---- pacing ----

  #accrue(now: number): void {
    const seconds = Math.max(0, now - this.#budgetAt) / 1000;
    this.#budget = Math.min(this.#limit.burst, this.#budget + seconds * this.#limit.perSecond);
    this.#budgetAt = Math.max(now, this.#budgetAt);
  }

  #spend(now: number): void {
    this.#accrue(now);
    this.#budget = Math.max(this.#lowest(), this.#budget - 1);
  }

  #lowest(): number {
    return -Math.max(this.#limit.burst, this.#limit.perSecond);
  }

  // ---- what the mutex remembers ----

  /** @throws Error unless the mutex remembers the same queue, in the same order, the same claims and refusals */
  compare({ queue, claims, refusals }: PoolState): void {
    const refused = [...this.#refused].map(([pair, { instance, until }]) => `${pair} ${instance} ${until}`);
    const knows = refusals.map((r) => `${r.workflowId} ${r.addressId} ${r.instance} ${r.until}`);
    must(knows.sort().join() === refused.sort().join(), 'other refusals', { does: knows, must: refused });
    const waits = this.queue().map(({ asked }) => `${keyOf(asked)} ${asked.requestId} ${asked.runId}`);
    const does = queue.map((w) => `${w.workflowId} ${w.family} ${w.requestId} ${w.runId}`);
    must(does.join() === waits.join(), 'another queue', { does, must: waits });
    const claimed = this.claims().map(({ asked, address, token, state, until }) =>
      [token, address.id, keyOf(asked), asked.runId, asked.requestId, state, until].join(' '),
    );
    const has = claims.map((c) =>
      [c.token, c.address.id, c.workflowId, c.family, c.runId, c.requestId, c.state, c.deadline].join(' '),
    );
    must(has.sort().join() === claimed.sort().join(), 'other claims', { does: has, must: claimed });
  }
}

type Due =
  | { readonly kind: 'address' | 'keeps'; readonly address: AddressRef }
  | { readonly kind: 'told'; readonly what: 'empty' | 'refused' | 'notInPool' | 'inUse' }
  | { readonly kind: 'foreign' | 'nothing' };

function lingerFrom(claim: Claimed, now: number): void {
  claim.state = 'lingering';
  claim.until = now + LINGER_MS;
}

function withHolds(asked: AddressRequest, holds: AddressRequest['holds']): AddressRequest {
  const { holds: _, ...rest } = asked;
  return holds === undefined ? rest : { ...rest, holds };
}

/** The address that it is pinned to, or would rather have: what a look asks after. */
function wishOf(asked: AddressRequest | undefined): string | undefined {
  return asked?.pinned ?? asked?.prefers;
}

function isListed(look: Look, found: Found, pool: ModelPool): boolean {
  const planned = look.pools.find(({ query }) => poolOf(query) === pool);
  return found.pools.some(({ key }) => key === planned?.key);
}

export function keyOf({ workflowId, query }: AddressRequest): string {
  return `${workflowId} ${query.family}`;
}

export function isCalled({ id, ip }: AddressRef, name: string | undefined): boolean {
  return id === name || ip === name;
}

export function must(isSo: boolean, what: string, about: unknown): asserts isSo {
  if (!isSo) throw new Error(`${what}: ${JSON.stringify(about)}`);
}
