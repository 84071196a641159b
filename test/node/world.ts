/**
 * A small cluster, a cloud and a mutex in virtual time, around the state of one node. They do what the real ones may do: answer late, twice
 * or not at all, fail before a call or after it, and change under the node. Only the node's pure core is real.
 */
import type { Discovery, NodeRequest } from '../../activities/contract.ts';
import type { AddressRef, Association, Family, Instance } from '../../model/address.ts';
import type { PoolSpec } from '../../model/settings.ts';
import { apply, begin, change, type Event } from '../../workflows/assign-ip/apply.ts';
import { nodeCommands } from '../../workflows/assign-ip/commands/index.ts';
import {
  type Action,
  decide,
  type Failure,
  type Of,
  type Place,
  placeOf,
  type Result,
  type Results,
} from '../../workflows/assign-ip/decide.ts';
import {
  type End,
  mustHaveNone,
  newNodeState,
  type NodeState,
  type ToMutex,
} from '../../workflows/assign-ip/state.ts';
import { statusOf } from '../../workflows/assign-ip/status.ts';
import type { AssignIpInput, Grant, NodeRef, PublishedState } from '../../workflows/messages.ts';

export const scope = { provider: 'gcp', account: 'project', region: 'europe-west1' } as const;

export type PoolName = 'one' | 'two' | 'both';

const TAINT_WAIT_MS = 600_000;

function poolSpec(name: PoolName, families: readonly Family[]): PoolSpec {
  return {
    name,
    scope,
    queries: families.map((family) => ({ family, filter: `labels.pool=${name}`, orderBy: '' })),
    require: 'all',
    hash: name,
    priority: 100,
    retries: { attempts: 4, intervalMs: 10_000 },
    release: { onNodeDelete: true, gracePeriodMs: 60_000, onDeselect: 'keep' },
    taintKey: 'no-address',
    taintPolicy: 'assigned',
    taintWaitMs: TAINT_WAIT_MS,
  };
}

export const pools: Readonly<Record<PoolName, PoolSpec>> = {
  one: poolSpec('one', ['ipv4']),
  two: poolSpec('two', ['ipv4']),
  both: poolSpec('both', ['ipv4', 'ipv6']),
};

export interface CloudAddress extends AddressRef {
  readonly pool: PoolName;
  readonly family: Family;
  instance?: string | undefined;
  association: number;
}

interface KubernetesNode extends NodeRef {
  pool: PoolName | 'none';
  instance?: string;
  isTainted: boolean;
  /** What the cloud controller wrote into its status. */
  shows: readonly string[];
}

/** An action under way, and whether its call was made already: then only its answer is missing. */
interface UnderWay {
  readonly action: Action;
  applied?: Result;
  /** Of `select`: the mutex has heard of it. Of `liftTaint`: it has not found the address yet. */
  isAsked?: boolean;
}

/** `Refused`: the cloud does not give this address to this instance. */
export type Fault = 'none' | 'before' | 'after' | 'Denied' | 'InUse' | 'Throttled' | 'Refused';

export class NodeWorld {
  now = Date.UTC(2026, 0, 1);
  node: KubernetesNode | undefined = {
    name: 'node-a',
    uid: 'uid-1',
    pool: 'one',
    instance: 'i-1',
    isTainted: true,
    shows: [],
  };
  /** Addresses of which the node cannot know where they are: an audit looks after those that nobody has. */
  readonly uncertain = new Set<string>();
  readonly alive = new Set(['i-1']);
  readonly addresses: CloudAddress[] = [];
  /** Requests that wait, by id. */
  readonly queue = new Map<string, NodeRequest>();
  /** Claims that were granted and not settled, by token. Carried out: on which instance the address was read. */
  readonly claims = new Map<number, Granted>();
  /** Calls that took an address from an instance, and why that was right. */
  state: NodeState;
  end: End | undefined;
  readonly input: AssignIpInput;
  readonly underWay = new Map<Place, UnderWay>();
  wakeAt: number | undefined;
  #tokens = 0;
  #ids = 0;
  #started = 0;
  /** What was told that an operator or the cluster wants, to judge releases by. */
  readonly reasons = new Set<string>();

  constructor() {
    this.input = {
      cluster: 'test',
      node: { name: 'node-a', uid: 'uid-1' },
      retries: { attempts: 3, intervalMs: 1_000 },
    };
    this.state = newNodeState(this.input, 'run-1', this.now);
    this.step();
  }

  reserve(pool: PoolName, family: Family): void {
    const n = ++this.#ids;
    const ip = family === 'ipv4' ? `198.51.100.${n % 250}` : `2001:db8::${n.toString(16)}`;
    this.addresses.push({ id: `address-${n}`, ip, pool, family, association: 0 });
  }

  // ---- the loop of workflow.ts, in virtual time ----

  take(event: Event): void {
    if (this.end !== undefined) return;
    apply(this.state, event, this.now);
    this.step();
  }

  command(name: string, input: unknown): void {
    const command = nodeCommands.find((it) => it.name === name);
    if (command === undefined || this.end !== undefined) return;
    try {
      command.checkSignal(this.state, input);
    } catch {
      return;
    }
    change(this.state, this.now, (step) => command.apply(step, input));
    this.step();
  }

  /** Decides and begins. What is begun is under way until {@link finish}. */
  step(): void {
    for (let rounds = 0; this.end === undefined; rounds++) {
      if (rounds > 50) throw new Error('it begins one thing after the other without a pause');
      apply(this.state, { kind: 'time' }, this.now);
      const running = new Map([...this.underWay].map(([place, { action }]) => [place, action]));
      const { start, cancel, wakeAt, end } = decide(this.state, this.input, running, this.now);
      this.wakeAt = wakeAt;
      this.end = end;
      for (const place of cancel) this.#cancel(place);
      for (const action of start) {
        this.#judge(action);
        begin(this.state, action, this.now);
        this.underWay.set(placeOf(action), { action });
        this.#started++;
      }
      if (cancel.length === 0) return;
    }
  }

  get started(): number {
    return this.#started;
  }

  /** As continue-as-new and a worker that takes over: only what is JSON is left. */
  serialise(): void {
    this.state = JSON.parse(JSON.stringify(this.state)) as NodeState;
  }

  status() {
    return statusOf(this.state, this.input);
  }

  // ---- results ----

  /** @param fault what goes wrong: `before` the call is made, or `after`, so that its answer is lost */
  finish(place: Place, fault: Fault = 'none'): void {
    const it = this.underWay.get(place);
    if (it === undefined || this.end !== undefined) return;
    const { action } = it;
    if (action.kind === 'select') {
      if (fault === 'Denied') {
        this.underWay.delete(place);
        this.take(failed(action, { type: fault, message: 'It cannot ask.' }));
        return;
      }
      // The server tries it again. Only the mutex completes it.
      if (fault !== 'before') this.#ask(action.request);
      if (fault === 'none') it.isAsked = true;
      return;
    }
    if (action.kind === 'liftTaint' && fault !== 'Denied') {
      // The server tries it again.
      if (fault !== 'before' && this.#isShown(action.taint.awaits)) it.applied = this.#do(action);
      if (it.applied === undefined || fault === 'after') {
        it.isAsked = true;
        return;
      }
    }
    this.underWay.delete(place);
    if (fault === 'none' || action.kind === 'tell') return this.take(it.applied ?? this.#do(action));
    if (fault === 'after') it.applied ??= this.#do(action);
    // What was done is not denied: only its answer can be lost.
    const isLost = fault === 'before' || fault === 'after' || it.applied !== undefined;
    if (action.kind === 'verify' || (isLost && action.kind === 'associate'))
      this.uncertain.add(action.claim.address.id);
    const isRefused = fault === 'Refused' && !isLost;
    const type = isLost || isRefused ? 'Unavailable' : fault;
    const isOfPair = isRefused && action.kind === 'associate' ? ({ isOfPair: true } as const) : {};
    this.take(failed(action, { type, message: `${type}.`, ...isOfPair }));
  }

  /** The call is made, and its answer is on its way. */
  makeCall(place: Place): void {
    const it = this.underWay.get(place);
    if (it === undefined || it.applied !== undefined) return;
    if (it.action.kind === 'select') this.#ask(it.action.request);
    else it.applied = this.#do(it.action);
  }

  /** What is under way and may end by itself: not what waits for the mutex. */
  busy(): Place | undefined {
    return [...this.underWay].find(([, { isAsked }]) => isAsked !== true)?.[0];
  }

  isIdle(): boolean {
    return [...this.underWay.values()].every(({ isAsked }) => isAsked === true);
  }

  #cancel(place: Place): void {
    const it = this.underWay.get(place);
    if (it === undefined) return;
    this.underWay.delete(place);
    const { action } = it;
    if (action.kind === 'select') {
      // Its activity may be late, and ask all the same.
      if (it.isAsked !== true) this.#late.push(action.request);
      apply(
        this.state,
        failed(action, { type: 'Cancelled', message: 'cancelled', cancelled: true }),
        this.now,
      );
      return;
    }
    if (action.kind === 'liftTaint') {
      const failure = { type: 'Cancelled', message: 'cancelled', cancelled: true } as const;
      apply(this.state, failed(action, failure), this.now);
      return;
    }
    if (action.kind !== 'verify' && action.kind !== 'check')
      throw new Error(`${action.kind} is not to be cancelled`);
    // One that is cancelled may end with what it saw last, and an old list shows less than there is.
    if (action.kind === 'verify')
      apply(this.state, failed(action, { type: 'NotVisibleYet', message: 'It does not show.' }), this.now);
    else apply(this.state, { kind: 'done', action, result: 'lost' }, this.now);
  }

  #do(action: Action): Result {
    try {
      return { kind: 'done', action, result: this.#resultOf(action) } as Result;
    } catch (error) {
      if (error instanceof Refusal) return failed(action, error.failure);
      throw error;
    }
  }

  #resultOf(action: Action): Results[Action['kind']] {
    switch (action.kind) {
      case 'look':
        return this.#discover();
      case 'select':
        throw new Error('the mutex completes it');
      case 'tell':
        for (const message of action.messages) this.#hear(message);
        return undefined;
      case 'associate':
        return this.#associate(action.family, action.claim.address, action.claim.instance.id);
      case 'verify': {
        const address = this.#address(action.claim.address.id);
        if (address.instance !== action.claim.instance.id) throw new Refusal('InUse');
        // The mutex is not told: its next list shows it.
        const claim = this.claims.get(action.claim.token);
        if (claim !== undefined) claim.carriedOut = action.claim.instance.id;
        return { association: associationOf(address), settled: true };
      }
      case 'putBack':
        return this.#putBack(action);
      case 'check':
        return this.#check(action);
      case 'release':
        return this.#release(action.family);
      case 'restoreEphemeral':
        return undefined;
      case 'weigh':
        return { held: false, gone: 1, of: 10 };
      case 'findHeirs':
        return this.#heirs();
      case 'publish':
        return {
          notices: Math.min(1, this.state.publishing.notices.length),
          ...this.#publish(JSON.parse(action.shown) as PublishedState),
        };
      case 'liftTaint':
        if (this.node?.uid === action.taint.uid) this.node.isTainted = false;
        return undefined;
    }
  }

  /** @returns whether the taint is to stay */
  #publish({
    node,
    phase,
    addresses,
    taintKey: key,
    awaits = [],
  }: PublishedState): Pick<Results['publish'], 'pending'> {
    if (this.node === undefined || this.node.uid !== node.uid || !this.node.isTainted) return {};
    if (key === undefined || phase !== 'assigned') return {};
    const isShown = this.#isShown(awaits);
    if (!isShown) {
      for (const ip of awaits) this.#pendingSince.set(`${node.uid} ${ip}`, this.#sinceOf(node.uid, ip));
      return { pending: { uid: node.uid, key, awaits } };
    }
    for (const { has, family } of this.state.families) {
      if (has === undefined || family === 'ipv6' || this.#isShown([has.address.ip])) continue;
      // It has got another one meanwhile.
      if (!addresses.some(({ ip }) => ip === has.address.ip)) continue;
      if (this.now - this.#sinceOf(node.uid, has.address.ip) < TAINT_WAIT_MS)
        throw new Error(`the taint is lifted before the Node shows ${has.address.ip}`);
    }
    this.node.isTainted = false;
    return {};
  }

  readonly #pendingSince = new Map<string, number>();

  /** Since when the Node is to show the address. */
  #sinceOf(uid: string, ip: string): number {
    return this.#pendingSince.get(`${uid} ${ip}`) ?? this.now;
  }

  #isShown(ips: readonly string[]): boolean {
    return ips.every((ip) => this.node?.shows.includes(ip) === true);
  }

  /** The cloud controller writes the Node's addresses. */
  showAddresses(): void {
    const { node } = this;
    if (node === undefined) return;
    const held = this.addresses.filter(
      ({ instance }) => instance !== undefined && instance === node.instance,
    );
    node.shows = held.filter(({ family }) => family === 'ipv4').map(({ ip }) => ip);
    const waiting = this.underWay.get('taint');
    if (waiting !== undefined) waiting.isAsked = false;
  }

  #address(id: string): CloudAddress {
    const found = this.addresses.find((address) => address.id === id);
    if (found === undefined) throw new Error(`no address ${id}`);
    return found;
  }

  #discover(): Discovery {
    const { node } = this;
    const [has] = this.state.families.flatMap((of) => of.has ?? []);
    if (node === undefined) {
      if (has === undefined) return { kind: 'gone' };
      return this.alive.has(has.instance.id)
        ? { kind: 'gone', instance: this.#instance(has.instance.id) }
        : { kind: 'gone', instanceGone: true };
    }
    const { name, uid, pool, instance } = node;
    const ref = { name, uid };
    const { selection } = this.state;
    // Why it is another pool is asked only for a node that has an address.
    const isOther = has !== undefined && selection !== undefined && selection.pool !== pool;
    const change = isOther ? { change: 'labels' as const } : {};
    if (pool === 'none')
      return {
        kind: 'notSelected',
        node: ref,
        ...change,
        ...(instance && { instance: this.#instance(instance) }),
      };
    if (instance === undefined) return { kind: 'notReady', node: ref, reason: 'it has no providerID' };
    if (!this.alive.has(instance))
      return { kind: 'notReady', node: ref, reason: 'its instance is gone', instanceGone: true };
    return {
      kind: 'ready',
      node: ref,
      instance: this.#instance(instance),
      pool: pools[pool],
      pinned: {},
      selectedBy: { pool },
      ...change,
    };
  }

  /** The Node of this name is another one by now, on the same machine. */
  #heirs(): string[] {
    const [has] = this.state.families.flatMap((of) => of.has ?? []);
    const { node } = this;
    if (node === undefined || node.uid === this.state.node.uid) return [];
    return node.instance === has?.instance.id ? [node.name] : [];
  }

  #instance(id: string): Instance {
    const held = this.addresses.filter((address) => address.instance === id);
    return {
      provider: 'gcp',
      id,
      zone: 'z',
      account: 'project',
      region: scope.region,
      alive: this.alive.has(id),
      networkInterfaceId: `z/${id}/nic0`,
      privateIp: '10.0.0.1',
      subnet: 'default',
      publicIps: held.map(({ ip, family }) => ({ ip, family, kind: 'static' as const })),
    };
  }

  // ---- the cloud ----

  #associate(family: Family, { id }: AddressRef, instance: string): Association {
    const address = this.#address(id);
    if (address.instance !== undefined && address.instance !== instance) throw new Refusal('InUse');
    if (!this.alive.has(instance)) throw new Refusal('NotFound');
    for (const other of this.addresses) {
      if (other !== address && other.instance === instance && other.family === family)
        other.instance = undefined;
    }
    if (address.instance === undefined) address.association = ++this.#ids;
    address.instance = instance;
    return associationOf(address);
  }

  #putBack({ family }: Of<'putBack'>): Results['putBack'] {
    const has = this.state.families.find((of) => of.family === family)?.has;
    if (has === undefined) throw new Error('nothing to put back');
    return { has: 'before', association: this.#associate(family, has.address, has.instance.id) };
  }

  #check({ family, target }: Of<'check'>): Results['check'] {
    const has = this.state.families.find((of) => of.family === family)?.has;
    if (has === undefined) throw new Error('nothing to check');
    const address = this.#address(has.address.id);
    if (address.instance !== has.instance.id) return 'lost';
    const isOfPool = target === undefined || address.pool === target.pool.name;
    return isOfPool ? 'there' : 'notOfPool';
  }

  #release(family: Family): Results['release'] {
    const has = this.state.families.find((of) => of.family === family)?.has;
    if (has === undefined) throw new Error('nothing to release');
    const address = this.#address(has.address.id);
    if (address.instance === undefined) return 'alreadyFree';
    if (address.instance !== has.instance.id) return 'heldByOther';
    address.instance = undefined;
    return 'released';
  }

  // ---- the mutex ----

  #hear(message: ToMutex): void {
    switch (message.kind) {
      case 'withdraw':
        this.#over.add(message.requestId);
        if (message.replaced !== true) this.queue.delete(message.requestId);
        for (const [token, { requestId }] of this.claims)
          if (requestId === message.requestId) this.claims.delete(token);
        return;
      case 'settle':
        this.#settled(message.token);
        return;
      case 'freed':
        if (message.token !== undefined) this.#settled(message.token);
        return;
    }
  }

  #settled(token: number): void {
    const claim = this.claims.get(token);
    if (claim !== undefined) this.#over.add(claim.requestId);
    this.claims.delete(token);
  }

  /** The activity `select` tells the mutex: perhaps twice, perhaps late. */
  #ask(request: NodeRequest): void {
    const { requestId, query, told } = request;
    if (this.#over.has(requestId)) return;
    const claim = [...this.claims].find(([, it]) => it.requestId === requestId && it.isLingering !== true);
    if (claim !== undefined) {
      this.#complete({ kind: 'granted', requestId, address: claim[1], token: claim[0], held: false });
      return;
    }
    // Whoever asks again does not act on an earlier claim any more.
    for (const claim of this.claims.values()) if (claim.family === query.family) claim.isLingering = true;
    if (told !== true) this.told.delete(requestId);
    for (const [id, asked] of this.queue)
      if (id !== requestId && asked.query.family === query.family) this.queue.delete(id);
    this.queue.set(requestId, request);
  }

  /** Requests of activities that were cancelled before they had asked. */
  readonly #late: NodeRequest[] = [];
  readonly #over = new Set<string>();

  /** A cancelled activity asks after all. */
  askLate(): void {
    const request = this.#late.shift();
    if (request !== undefined) this.#ask(request);
  }

  /** The server runs an activity again that has waited for long: the mutex may have dropped its request for a late one. */
  askAgain(): void {
    for (const { action, isAsked } of this.underWay.values()) {
      if (action.kind === 'select' && isAsked === true && !this.queue.has(action.request.requestId))
        this.#ask(action.request);
    }
  }

  /** @returns false if no activity waits for the answer */
  #complete(grant: Grant): boolean {
    for (const [place, { action }] of this.underWay) {
      if (action.kind !== 'select' || action.request.requestId !== grant.requestId) continue;
      this.underWay.delete(place);
      this.take({ kind: 'done', action, result: grant });
      return true;
    }
    return false;
  }

  /** Requests that heard why they wait. */
  readonly told = new Set<string>();

  /**
   * Claims that nothing will end: no list, as the address is not on the instance that it was claimed for, and not the end of the
   * workflow, which the mutex asks for once the address may be there.
   */
  openClaims(): readonly number[] {
    const isClosed = this.end !== undefined && this.end.kind !== 'continued';
    return [...this.claims]
      .filter(([, { isLingering }]) => isLingering !== true)
      .filter(([, claim]) => !this.#isShownOn(claim) && !(isClosed && claim.carriedOut !== undefined))
      .map(([token]) => token);
  }

  #isShownOn({ id, carriedOut }: { readonly id: string; readonly carriedOut?: string }): boolean {
    return carriedOut !== undefined && this.addresses.find((it) => it.id === id)?.instance === carriedOut;
  }

  /** One look, if somebody waits: the first that waits is granted what is free, or hears that nothing is. */
  look(): void {
    if (this.queue.size === 0) return;
    for (const [token, claim] of this.claims) if (this.#isShownOn(claim)) this.#settled(token);
    for (const [requestId, asked] of this.queue) this.#answer(requestId, asked);
  }

  #answer(requestId: string, asked: NodeRequest): void {
    const claimed = new Set(
      [...this.claims.values()].flatMap(({ id, isLingering }) => (isLingering === true ? [] : [id])),
    );
    const own = this.addresses.filter(
      ({ pool, family }) => pool === asked.pool && family === asked.query.family,
    );
    const isWanted = ({ id, ip }: AddressRef): boolean =>
      asked.pinned === undefined || asked.pinned === id || asked.pinned === ip;
    const free = own.find(
      (it) =>
        isWanted(it) &&
        !claimed.has(it.id) &&
        (it.instance === undefined || asked.holds?.ips.includes(it.ip)),
    );
    let grant: Grant;
    if (free !== undefined) {
      this.queue.delete(requestId);
      const token = ++this.#tokens;
      const address = { id: free.id, ip: free.ip };
      this.claims.set(token, { ...address, requestId, family: asked.query.family });
      grant = { kind: 'granted', requestId, address, token, held: free.instance !== undefined };
    } else if (this.told.has(requestId)) return;
    else if (asked.pinned !== undefined) {
      grant = {
        kind: 'pinned',
        requestId,
        wanted: asked.pinned,
        reason: own.some(isWanted) ? 'inUse' : 'notInPool',
      };
    } else grant = { kind: 'empty', requestId, size: own.length };
    if (grant.kind !== 'granted') this.told.add(requestId);
    this.#complete(grant);
  }

  // ---- what must always be so ----

  #judge(action: Action): void {
    if (
      action.kind === 'associate' &&
      this.state.seen.kind === 'notReady' &&
      this.state.deletion === undefined
    ) {
      const isKnownGone = !this.state.families.some((of) => of.has !== undefined);
      if (isKnownGone) throw new Error('an address is claimed for an instance that is known to be gone');
    }
    if (action.kind !== 'release') return;
    const has = this.state.families.find((of) => of.family === action.family)?.has;
    if (has === undefined) throw new Error('a release of nothing');
    const { pool, instance } = this.state;
    const isAsked = pool?.queries.some(({ family }) => family === action.family) === true;
    if (!mustHaveNone(this.state) && isAsked && instance?.id === has.instance.id) {
      throw new Error(`${has.address.ip} is released before the node has another one`);
    }
    if (this.reasons.size === 0)
      throw new Error(`${has.address.ip} is released although nobody asked for it`);
  }
}

function associationOf({ id, instance, association }: CloudAddress): Association {
  return {
    id: `${id}/${association}`,
    ...(instance && { instanceId: instance, networkInterfaceId: `z/${instance}/nic0` }),
  };
}

function failed(action: Action, failure: Failure): Result {
  return { kind: 'failed', action, failure } as Result;
}

interface Granted extends AddressRef {
  readonly requestId: string;
  readonly family: Family;
  carriedOut?: string;
  /** Not acted on any more: a list, or the time, will end it. */
  isLingering?: true;
}

/** The cloud refuses a call. */
class Refusal extends Error {
  readonly failure: Failure;

  constructor(type: string) {
    super(type);
    this.failure = { type, message: `${type}.` };
  }
}
