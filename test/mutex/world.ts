/**
 * The mutex's core and its specification side by side, with a cloud, clocks and nodes around them. Every method is
 * something that may happen; both are told of it, and afterwards both must remember the same.
 */
import type { RateLimit } from '../../model/settings.ts';
import type { AddressRequest, ClaimOutcome, Grant, Withdrawal } from '../../workflows/messages.ts';
import { readClock } from '../../workflows/pool/clock.ts';
import {
  beginLook,
  decide,
  type Found,
  LOOK_GAP_MS,
  type Look,
  lookFailed,
  nextLookAt,
  repeatedGrants,
} from '../../workflows/pool/look.ts';
import { nextStep } from '../../workflows/pool/next-step.ts';
import { available, configureBucket } from '../../workflows/pool/pacing.ts';
import { pack, unpack } from '../../workflows/pool/packed-state.ts';
import { isDecided, releaseClaim } from '../../workflows/pool/release-claim.ts';
import * as core from '../../workflows/pool/state.ts';
import { list } from '../unit/address-pool-world.ts';
import { ModelCloud, type ModelPool, poolOf } from './cloud.ts';
import { isCalled, must, MutexSpecification } from './specification.ts';

type Granted = Extract<Grant, { kind: 'granted' }>;

/** A grant that reached its node, and what the node did with it. */
interface Delivered {
  readonly workflowId: string;
  readonly runId: string;
  readonly grant: Granted;
  associated: boolean;
  /** The node has said how it ended, and does nothing with it any more. */
  done: boolean;
}

export const firstLimit: RateLimit = { burst: 3, perSecond: 0.5 };
/** No pause before the next look is longer, whatever the rates and clocks of these tests. */
const LONGEST_PAUSE_MS = 15 * 60_000;
const MOST_ROUNDS = 2_000;

export class MutexWorld {
  #state = core.newPoolState(firstLimit, 0);
  readonly #spec = new MutexSpecification(firstLimit);
  readonly #cloud = new ModelCloud();
  /** Real time, which the cloud goes by; and Temporal's, which may leap, and stands still until it is where it was. */
  #real = 0;
  #temporal = 0;
  #shown = 0;
  readonly #delivered: Delivered[] = [];
  readonly #closedRuns = new Set<string>();
  #look: { readonly planned: Look; readonly begunAt: number } | undefined;
  /** The holders that are looked for now. */
  #search: readonly core.Holder[] | undefined;
  /** Addresses that may be granted although somebody has them: said to be free by mistake, or time leapt. */
  readonly #excused = new Set<string>();

  get isLooking(): boolean {
    return this.#look !== undefined;
  }

  get isSearching(): boolean {
    return this.#search !== undefined;
  }

  #now(least?: number): number {
    this.#shown = Math.max(this.#shown, this.#temporal);
    return readClock(this.#state.clock, this.#shown, least);
  }

  // ---- time ----

  wait(ms: number): void {
    this.#real += ms;
    this.#temporal += ms;
  }

  /** Temporal's clock is set, forward or back; the cloud's time is the same. */
  leap(ms: number): void {
    this.#now();
    this.#temporal = Math.max(0, this.#temporal + ms);
    if (ms <= 0) return;
    for (const { address, state } of this.#spec.claims()) {
      if (state === 'lingering') this.#excused.add(address.id);
    }
  }

  // ---- nodes ----

  request(asked: AddressRequest): void {
    const now = this.#now();
    core.request(this.#state, asked, now);
    const token = this.#spec.requested(asked, now);
    const repeated = repeatedGrants(this.#state);
    const tokens = repeated.map(({ grant }) => grant.kind === 'granted' && grant.token);
    must(tokens.join() === (token ?? '').toString(), 'grants other claims once more', { tokens, token });
    must(
      repeated.every((it) => it.runId === asked.runId && it.activityId === asked.activityId),
      'answers another activity',
      repeated,
    );
    this.#compare();
  }

  /** A node takes a request back only while it has no answer to it. */
  withdraw(what: Withdrawal): void {
    const granted = this.#delivered.filter(
      ({ workflowId, grant }) => workflowId === what.workflowId && grant.requestId === what.requestId,
    );
    if (granted.some(({ associated, done }) => associated || done)) return;
    for (const it of granted) it.done = true;
    const now = this.#now();
    core.withdraw(this.#state, what, now);
    this.#spec.withdrawn(what, now);
    this.#compare();
  }

  /** A node associates what it was granted last but `nth`, if the grant still stands and its run lives. */
  associate(nth: number): void {
    const it = this.#delivered[nth];
    const isGranted = it !== undefined && this.#spec.claimOf(it.grant.token)?.state === 'granted';
    if (!isGranted || it.done || it.grant.held || this.#closedRuns.has(it.runId)) return;
    const instance = instanceOf(it.workflowId);
    it.associated ||= this.#cloud.associate(it.grant.address.id, 'claim', instance, this.#real);
  }

  /** A node says how it ended; the truth, but possibly again, or late, or with something in it forged. */
  settle(nth: number, said: ClaimOutcome, forged?: 'token' | 'address' | 'workflow'): void {
    const it = this.#delivered[nth];
    if (it === undefined) return;
    const { grant, workflowId, associated } = it;
    let outcome = said;
    if (associated && ['throttled', 'abandoned', 'refused'].includes(said)) outcome = 'associated';
    if (!associated && said === 'associated' && !grant.held) outcome = 'unknown';
    const settlement = {
      workflowId: forged === 'workflow' ? `${workflowId}-other` : workflowId,
      addressId: forged === 'address' ? `${grant.address.id}-other` : grant.address.id,
      token: forged === 'token' ? grant.token - 1 : grant.token,
      outcome,
      // As `asked` names it, of the instance that the node is on first.
      ...(outcome === 'refused' && { instance: `eu-west-1a/i-${workflowId.split('/').at(-1)}` }),
    };
    const now = this.#now();
    core.settle(this.#state, settlement, now);
    this.#spec.settled(settlement, now);
    if (forged === undefined) it.done = true;
    this.#compare();
  }

  /** A node's run ends without a word. */
  die(runId: string): void {
    this.#closedRuns.add(runId);
  }

  /** A grant did not reach anybody: its workflow runs no more. */
  lose(nth: number): void {
    const it = this.#delivered[nth];
    if (it !== undefined) this.withdraw({ workflowId: it.workflowId, requestId: it.grant.requestId });
  }

  // ---- the cloud ----

  attachByHand(addressId: string): void {
    this.#cloud.associate(addressId, 'hand', 'somebody', this.#real);
  }

  detachByHand(addressId: string): void {
    this.#cloud.disassociate(addressId, this.#real);
  }

  /**
   * @param isSo false: it is said to be free, and nobody gave it back
   * @param isByHolder it is said by the node that has the claim on it
   */
  free(addressId: string, isSo: boolean, isByHolder: boolean): void {
    if (isSo) this.#cloud.disassociate(addressId, this.#real);
    else this.#excused.add(addressId);
    const now = this.#now();
    const claim = this.#spec.claims().find(({ address }) => address.id === addressId);
    const token = isByHolder && claim !== undefined ? { token: claim.token } : {};
    const freed = { addressId, disassociated: isSo, ...token };
    core.freed(this.#state, freed, now);
    this.#spec.freed(freed, now);
    this.#compare();
  }

  // ---- the mutex ----

  configure(limit: RateLimit): void {
    const now = this.#now();
    configureBucket(this.#state.bucket, limit, now);
    this.#spec.configured(limit, now);
  }

  beginLook(): void {
    const now = this.#now();
    this.#look = { planned: beginLook(this.#state, now), begunAt: this.#real };
    this.#spec.lookBegan(now);
    this.#compare();
  }

  /**
   * The list comes, which may be as old as the cloud's lists can be when the look began.
   *
   * @param unlisted pools that could not be listed
   */
  decide(staleMs: number, unlisted: readonly ModelPool[] = []): void {
    if (this.#look === undefined) return;
    const { planned, begunAt } = this.#look;
    this.#look = undefined;
    const holders = this.#cloud.listed(begunAt, staleMs);
    for (const id of this.#excused) {
      if (holders.get(id) === this.#cloud.association(id)?.holder) this.#excused.delete(id);
    }
    const found = without(
      list(planned, (query) => poolOf(query).addresses, holders),
      planned,
      unlisted,
    );
    const now = this.#now();
    const messages = decide(this.#state, planned, found, now);
    const calls = available(this.#state.bucket);
    const isPaced = this.#spec.lookDecided(planned, found, messages, now, calls);
    if (isPaced) this.#mustLookSoon(now);
    for (const { workflowId, runId, grant } of messages) {
      if (grant.kind !== 'granted') continue;
      this.#delivered.unshift({ workflowId, runId, grant, associated: false, done: false });
      if (!grant.held) this.#mustBeFree(workflowId, grant);
    }
    this.#compare();
  }

  /** Whoever waits for pacing alone waits for no more than a second's calls. */
  #mustLookSoon(now: number): void {
    const { tokens, perSecond, share } = this.#state.bucket;
    const latest = now + LOOK_GAP_MS + (1_000 * (1 + perSecond - tokens)) / (perSecond * share);
    const at = nextLookAt(this.#state) ?? Infinity;
    must(at <= latest, 'waits for longer than pacing demands', { at, latest });
  }

  /** Lists are stale for as long as claims linger: so what one node got by a claim, no other is granted. */
  #mustBeFree(workflowId: string, { address }: Granted): void {
    const association = this.#cloud.association(address.id);
    const isSo =
      association?.by !== 'claim' ||
      association.holder === instanceOf(workflowId) ||
      this.#excused.has(address.id);
    must(isSo, 'granted although a node has it', { address, association });
  }

  failLook(): void {
    if (this.#look === undefined) return;
    lookFailed(this.#state, this.#look.planned, 'it failed', this.#now());
    this.#look = undefined;
  }

  beginSearch(): void {
    const now = this.#now();
    const holders = core.overdueHolders(this.#state, now);
    const runs = holders.map(({ runId }) => runId);
    const expected = this.#spec.silentHolders(now);
    must(runs.sort().join() === expected.sort().join(), 'looks for other holders', { runs, expected });
    this.#search = holders;
  }

  /** @param isAnswered false: nobody can say which runs are closed */
  endSearch(isAnswered = true): void {
    const holders = this.#search ?? [];
    this.#search = undefined;
    const now = this.#now();
    const runs = holders.map(({ runId }) => runId);
    const closed = isAnswered ? runs.filter((runId) => this.#closedRuns.has(runId)) : [];
    core.checkedHolders(this.#state, holders, closed, now);
    this.#spec.holdersChecked(runs, closed, now);
    this.#compare();
  }

  /** An operator wants the claim ended that was granted last but `nth`, or one that never was. */
  releaseClaim(nth: number): void {
    const token = this.#delivered[nth]?.grant.token ?? 0;
    const now = this.#now();
    const claim = releaseClaim(this.#state, token, now);
    const expected = this.#spec.releaseAsked(token, now);
    must(claim?.token === expected?.token, 'another claim', { claim, expected });
    must(isDecided(this.#state, token, now) === (expected?.state !== 'granted'), 'decided by a word', claim);
    this.#compare();
  }

  /** A new run, which has nothing but what JSON carries, and the server's clock as it is now. */
  continueAsNew(): void {
    const before = this.#state;
    this.#state = unpack(JSON.parse(JSON.stringify(pack(before))));
    const awaited = new Set([...before.queue, ...before.claims].map(({ poolKey }) => poolKey));
    // Of the others it may remember what it saw; here are too few of them to be forgotten.
    const isKept = ([key, { looked }]: [string, core.KnownPool]): boolean =>
      awaited.has(key) || looked !== undefined;
    const pools = Object.fromEntries(Object.entries(before.pools).filter(isKept));
    must(sorted(this.#state) === sorted({ ...before, pools }), 'forgets', { before, after: this.#state });
    this.#shown = this.#temporal;
    this.#compare();
  }

  /** What AddressPoolWorkflow does when nothing is said to it: what is due, or else it sleeps until something is. */
  wake(): void {
    const now = this.#now();
    const step = nextStep(this.#state, now);
    must(step.kind !== 'deliver', 'grants once more what nobody asked for', step);
    if (step.kind === 'look') {
      this.beginLook();
      return this.decide(0);
    }
    if (step.kind === 'findHolders') {
      this.beginSearch();
      return this.endSearch();
    }
    const at = step.until;
    must(at !== undefined || this.#state.queue.length === 0, 'sleeps although somebody waits', this.#state);
    if (at === undefined) return;
    must(at - now <= LONGEST_PAUSE_MS, 'sleeps too long', { ms: at - now });
    this.wait(Math.max(1, at - now));
    this.#now(at);
  }

  /** Nothing happens any more, but what the mutex and living nodes do. Whoever waits then could not have been served. */
  rest(): void {
    if (this.isLooking) this.decide(0);
    if (this.isSearching) this.endSearch();
    for (let quiet = 0, rounds = 0; quiet < 12; rounds++) {
      must(rounds < MOST_ROUNDS, 'does not come to rest', this.#state);
      const grants = this.#delivered.length;
      this.wake();
      this.#delivered.forEach((it, nth) => {
        if (it.done || this.#closedRuns.has(it.runId)) return;
        this.associate(nth);
        // That it came off it need not say.
        if (it.associated) it.done = true;
        else this.settle(nth, it.grant.held ? 'associated' : 'inUse');
      });
      const isAwaited = this.#spec.queue().length > 0;
      const isBusy = isAwaited && this.#spec.claims().some(({ state }) => state === 'granted');
      quiet = isBusy || this.#delivered.length > grants ? 0 : quiet + 1;
    }
    for (const waiting of this.#spec.queue()) {
      must(waiting.holds === undefined, 'waits with what it holds', waiting);
      const { asked, pool } = waiting;
      const isReserved = (it: { id: string; ip: string }): boolean =>
        this.#spec
          .queue()
          .some((other) => isCalled(it, other.asked.pinned) && other.pool.addresses.some((a) => a === it));
      const possible = pool.addresses.filter((it) => {
        const isFree = this.#cloud.association(it.id) === undefined && !this.#isClaimed(it.id);
        const isFit = !isReserved(it) && !this.#spec.isRefused(asked, it);
        return isFree && (asked.pinned === undefined ? isFit : isCalled(it, asked.pinned));
      });
      must(possible.length === 0, 'waits for ever beside a free address', { asked, possible });
    }
  }

  #isClaimed(addressId: string): boolean {
    return this.#spec.claims().some(({ address }) => address.id === addressId);
  }

  #compare(): void {
    this.#spec.compare(this.#state);
  }
}

/** What is found where these pools could not be listed. */
function without(found: Found, { pools }: Look, unlisted: readonly ModelPool[]): Found {
  const left = pools.filter(({ query }) => unlisted.includes(poolOf(query))).map(({ key }) => key);
  const listed = pools
    .filter(({ key }) => !left.includes(key))
    .flatMap(({ query }) => poolOf(query).addresses);
  return {
    pools: found.pools.filter(({ key }) => !left.includes(key)),
    claims: found.claims.filter(({ addressId }) => listed.some(({ id }) => id === addressId)),
    unlisted: left.map((key) => ({ key, error: 'it cannot be listed' })),
  };
}

/** As `asked` of the unit tests has it. */
function instanceOf(workflowId: string): string {
  return workflowId.replace('assign-ip/test/', 'i-');
}

/** JSON with its keys in order. */
function sorted(value: unknown): string {
  return JSON.stringify(value, (_, it: unknown) =>
    typeof it === 'object' && it !== null && !Array.isArray(it)
      ? Object.fromEntries(Object.entries(it).sort(([a], [b]) => (a < b ? -1 : 1)))
      : it,
  );
}
