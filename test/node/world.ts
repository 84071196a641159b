/**
 * A small cluster, a cloud and a mutex in virtual time, around the state of one node. They do what the real ones may do: answer late, twice
 * or not at all, fail before a call or after it, and change under the node. Only the node's pure core is real.
 */
import type { Discovery, NodeRequest } from '../../activities/contract.ts';
import type { AddressQuery, AddressRef, Association, Family, Instance } from '../../model/address.ts';
import { phaseTraits } from '../../model/phase.ts';
import { formatScope } from '../../model/scope.ts';
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
  type ShownAttributes,
  type ToMutex,
} from '../../workflows/assign-ip/state.ts';
import { attributesOf, statusOf } from '../../workflows/assign-ip/status.ts';
import type { Selection } from '../../model/selection.ts';
import type {
  AssignIpInput,
  Assignment,
  Grant,
  NodeRef,
  Notice,
  PublishedState,
} from '../../workflows/messages.ts';

export const scope = { provider: 'gcp', account: 'project', region: 'europe-west1' } as const;

export type PoolName = 'one' | 'two' | 'both';

export const TAINT_WAIT_MS = 600_000;
const GRACE_MS = 60_000;

/** Of a pool, as the configuration has it. `source`: whose addresses its filter matches. */
export interface PoolSettings {
  readonly families: readonly Family[];
  readonly source: PoolName;
  readonly require: PoolSpec['require'];
  readonly taintPolicy: NonNullable<PoolSpec['taintPolicy']>;
  readonly onDeselect: PoolSpec['release']['onDeselect'];
}

function poolSpec(
  name: PoolName,
  { families, source, require, taintPolicy, onDeselect }: PoolSettings,
): PoolSpec {
  return {
    name,
    scope,
    queries: families.map((family) => ({ family, filter: `labels.pool=${source}`, orderBy: '' })),
    require,
    hash: [name, source, require, taintPolicy, onDeselect, ...families].join(' '),
    priority: 100,
    retries: { attempts: 4, intervalMs: 10_000 },
    release: { onNodeDelete: true, gracePeriodMs: GRACE_MS, onDeselect },
    taintKey: 'no-address',
    taintPolicy,
    taintWaitMs: TAINT_WAIT_MS,
  };
}

const asFirst = { require: 'all', taintPolicy: 'assigned', onDeselect: 'keep' } as const;
const firstPools: Readonly<Record<PoolName, PoolSettings>> = {
  one: { ...asFirst, families: ['ipv4'], source: 'one' },
  two: { ...asFirst, families: ['ipv4'], source: 'two' },
  both: { ...asFirst, families: ['ipv4', 'ipv6'], source: 'both' },
};

function sourceOf({ filter }: AddressQuery): string {
  return filter.replace('labels.pool=', '');
}

/** What is written on a Node. */
export interface Marks {
  readonly phase: string;
  readonly pool: string | undefined;
  readonly ips: readonly string[];
  readonly message: string | undefined;
}

export interface CloudAddress extends AddressRef {
  readonly pool: PoolName;
  readonly family: Family;
  instance?: string | undefined;
  association: number;
  /** A person attached it. */
  byHand?: boolean;
}

interface KubernetesNode extends NodeRef {
  pool: PoolName | 'none';
  instance?: string;
  isTainted: boolean;
  marks?: Marks;
  /** Its label pins it to this address, by IP. */
  pinned?: string | undefined;
  /** It has an annotation that pins it, which is not heeded. */
  hasIgnoredPin?: boolean;
  /** Its instance is another Node's. */
  isRefused?: boolean;
  /** What the cloud controller wrote into its status. */
  shows: readonly string[];
}

/** An Update that was accepted and is not answered. */
interface Asking {
  readonly name: string;
  readonly input: unknown;
  readonly applied: { readonly moves: number };
}

/** An action under way, and whether its call was made already: then only its answer is missing. */
interface UnderWay {
  readonly action: Action;
  /** Of `look`: what it was asked with. */
  readonly asked?: Asked;
  /** Of `publish`: what is said. */
  readonly said?: Said;
  applied?: Result;
  /** Of `select`: the mutex has heard of it. Of `liftTaint`: it has not found the address yet. */
  isAsked?: boolean;
}

interface Said {
  readonly event: Notice | undefined;
  readonly warning: Notice | undefined;
}

interface Asked {
  readonly uid: string;
  readonly has: Assignment | undefined;
  readonly selection: Selection | undefined;
  readonly isGraceOver: boolean;
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
  readonly pools: Partial<Record<PoolName, PoolSettings>> = { ...firstPools };
  isReconfigured = false;
  /** Too many Nodes are gone at once. */
  isBraked = false;
  deletedAt: number | undefined;
  /** Instances that have an ephemeral IPv4 address now, and those of which a look has seen that. */
  readonly ephemeral = new Set<string>();
  readonly sawEphemeral = new Set<string>();
  attributes: ShownAttributes | undefined;
  readonly updates: Asking[] = [];
  /** What operators were promised: an address by IP, of a family. */
  readonly promised = new Map<Family, string>();
  #isLong = false;
  registered = 1;
  hadLookFault = false;
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

  command(name: string, input: unknown, isUpdate = false): void {
    const command = nodeCommands.find((it) => it.name === name);
    if (command === undefined || this.end !== undefined) return;
    try {
      if (isUpdate) command.check(this.state, input);
      else command.checkSignal(this.state, input);
    } catch {
      return;
    }
    this.#promise(name, input);
    change(this.state, this.now, (step) => command.apply(step, input));
    if (isUpdate) this.updates.push({ name, input, applied: { moves: this.state.moves } });
    this.#answerUpdates();
    this.step();
  }

  #promise(name: string, input: unknown): void {
    if (name === 'release') this.promised.clear();
    if (name === 'move') this.promised.clear();
    if (name !== 'assign') return;
    const { address } = (input ?? {}) as { address?: string };
    const isReleasing = this.state.families.some(({ progress }) => progress.kind === 'releasing');
    if (address === undefined || isReleasing) this.promised.clear();
    else this.promised.set(address.includes(':') ? 'ipv6' : 'ipv4', address);
  }

  readonly #answerUpdates = (): void => {
    const { updates, state } = this;
    for (const { family, has } of state.families)
      if (has !== undefined && this.promised.get(family) === has.address.ip) this.promised.delete(family);
    for (let n = 0; n < updates.length; n++) {
      const { name, input, applied } = updates[n] as Asking;
      const answer = nodeCommands.find((it) => it.name === name)?.answer(state, applied);
      if (answer === undefined) continue;
      updates.splice(n--, 1);
      this.#judgeAnswer(name, input, answer === 'done');
    }
  };

  #judgeAnswer(name: string, input: unknown, isDone: boolean): void {
    const has = this.state.families.flatMap((of) => of.has ?? []);
    const { address } = (input ?? {}) as { address?: string };
    if (name === 'release' && isDone && has.length > 0) throw new Error('`release` is answered too early');
    if (name === 'move' && isDone !== has.some(({ address: { ip } }) => ip === address))
      throw new Error(`\`move\` to ${address} is answered wrongly: ${isDone ? 'moved' : 'not moved'}`);
  }

  /** Decides and begins. What is begun is under way until {@link finish}. */
  step(): void {
    for (let rounds = 0; this.end === undefined; rounds++) {
      if (rounds > 50) throw new Error('it begins one thing after the other without a pause');
      apply(this.state, { kind: 'time' }, this.now);
      const running = new Map([...this.underWay].map(([place, { action }]) => [place, action]));
      const { start, cancel, wakeAt, end } = decide(this.state, this.input, running, this.now);
      this.#answerUpdates();
      this.#show();
      this.wakeAt = wakeAt;
      this.end = end;
      if (end?.kind === 'released') this.#judgeEnd();
      if (this.#isLong && end === undefined) {
        if (this.underWay.size === 0) {
          this.#isLong = false;
          this.updates.length = 0;
          this.serialise();
          continue;
        }
        for (const [place, { action }] of this.underWay)
          if (isWaiting(action) && !cancel.includes(place)) (cancel as Place[]).push(place);
      }
      for (const place of cancel) this.#cancel(place);
      for (const action of start) {
        if (this.#isLong && isWaiting(action)) continue;
        this.#judge(action);
        const asked = this.#askedWith(action);
        begin(this.state, action, this.now);
        const { notices, warning } = this.state.publishing;
        const said = action.kind === 'publish' ? { said: { event: notices[0], warning } } : {};
        this.underWay.set(placeOf(action), { action, ...(asked && { asked }), ...said });
        this.#started++;
        this.starts.set(action.kind, (this.starts.get(action.kind) ?? 0) + 1);
      }
      if (cancel.length === 0) return;
    }
  }

  readonly starts = new Map<string, number>();

  /** Its history is long: it continues as new as soon as nothing is under way but what the next run can begin anew. */
  continueAsNew(): void {
    if (this.end !== undefined) return;
    this.#isLong = true;
    this.step();
  }

  /** Nobody else starts a run for a Node that is there: it was told of this one. */
  #judgeEnd(): void {
    const { node, state } = this;
    if (node === undefined || this.selected(node.pool) === undefined) return;
    if (state.look.kind === 'done' && state.failed === undefined && !this.hadLookFault)
      throw new Error('the run ends although there is a Node');
  }

  #askedWith({ kind }: Action): Asked | undefined {
    if (kind !== 'look') return undefined;
    const { state, now } = this;
    const [has] = state.families.flatMap((of) => of.has ?? []);
    const selection = has && (state.selection ?? { pool: has.pool.name, labels: {} });
    const isGraceOver = state.deletion !== undefined && now >= state.deletion.graceUntil;
    return { uid: state.node.uid, has, selection, isGraceOver };
  }

  #show(): void {
    const shown = attributesOf(this.state, this.input);
    if (shown === undefined) return;
    this.state.attributes = shown;
    this.attributes = shown;
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
      if (fault !== 'before' && this.#isShown(action.taint.awaits)) it.applied = this.#do(it);
      if (it.applied === undefined || fault === 'after') {
        it.isAsked = true;
        return;
      }
    }
    if (action.kind === 'look' && fault !== 'none') this.hadLookFault = true;
    if (action.kind === 'publish') this.#noteAwaited(JSON.parse(action.shown) as PublishedState);
    this.underWay.delete(place);
    if (fault === 'none' || action.kind === 'tell') return this.take(it.applied ?? this.#do(it));
    if (fault === 'after') it.applied ??= this.#do(it);
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
    else it.applied = this.#do(it);
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

  #do({ action, asked, said }: UnderWay): Result {
    try {
      return { kind: 'done', action, result: this.#resultOf(action, asked, said) } as Result;
    } catch (error) {
      if (error instanceof Refusal) return failed(action, error.failure);
      throw error;
    }
  }

  #resultOf(
    action: Action,
    asked: Asked | undefined,
    { event, warning }: Said = { event: undefined, warning: undefined },
  ): Results[Action['kind']] {
    switch (action.kind) {
      case 'look':
        if (asked === undefined) throw new Error('a look of nothing');
        return this.#discover(asked);
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
        this.#restore(action.family);
        return undefined;
      case 'weigh':
        return { held: this.isBraked, gone: this.isBraked ? 9 : 1, of: 10 };
      case 'findHeirs':
        return this.#heirs();
      case 'publish': {
        return {
          notices: event === undefined ? 0 : 1,
          ...(warning && { warning: warning.message }),
          ...this.#publish(JSON.parse(action.shown) as PublishedState, event),
        };
      }
      case 'liftTaint':
        if (this.node?.uid === action.taint.uid) this.node.isTainted = false;
        return undefined;
    }
  }

  /** As activities/publish.ts. @returns whether the taint is to stay */
  #publish(
    {
      node,
      phase,
      pool,
      addresses,
      message: why,
      taintKey: key,
      taintPolicy,
      gaveUp = false,
      awaits = [],
    }: PublishedState,
    event: Notice | undefined,
  ): Pick<Results['publish'], 'pending'> {
    if (this.node === undefined || this.node.uid !== node.uid) return {};
    const message = phase === 'assigned' ? undefined : (event?.message ?? why);
    this.node.marks = { phase, pool, ips: addresses.map(({ ip }) => ip), message };
    const mayGiveUp = taintPolicy === 'assignedOrGaveUp';
    const isLifted = {
      always: true,
      ifGivenUp: mayGiveUp,
      ifToleratedLong: mayGiveUp && gaveUp,
      never: false,
    }[phaseTraits(phase).liftsTaint];
    if (!this.node.isTainted || key === undefined || !isLifted) return {};
    const isShown = this.#isShown(awaits);
    if (!isShown) return { pending: { uid: node.uid, key, awaits } };
    if (phase === 'assigned') {
      for (const { has, family } of this.state.families) {
        if (has === undefined || family === 'ipv6' || this.#isShown([has.address.ip])) continue;
        // It has got another one meanwhile.
        if (!addresses.some(({ ip }) => ip === has.address.ip)) continue;
        if (this.now - this.#sinceOf(node.uid, has.address.ip) < TAINT_WAIT_MS)
          throw new Error(`the taint is lifted before the Node shows ${has.address.ip}`);
      }
    }
    this.node.isTainted = false;
    return {};
  }

  readonly #pendingSince = new Map<string, number>();

  /** The cloud controller has its time from the first try to write, whatever becomes of that. */
  #noteAwaited({ node, awaits = [] }: PublishedState): void {
    for (const ip of awaits) this.#pendingSince.set(`${node.uid} ${ip}`, this.#sinceOf(node.uid, ip));
  }

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

  #discover({ uid: own, has, selection, isGraceOver }: Asked): Discovery {
    const { node } = this;
    if (node === undefined) {
      if (has === undefined) return { kind: 'gone' };
      const isAlive = this.alive.has(has.instance.id);
      const heirs = isGraceOver || !isAlive ? { heirs: this.#heirs(has, own) } : {};
      return isAlive
        ? { kind: 'gone', instance: this.#instance(has.instance.id), ...heirs }
        : { kind: 'gone', instanceGone: true, ...heirs };
    }
    const { name, uid, instance } = node;
    const ref = { name, uid };
    const selected = this.selected(node.pool);
    // Why it is another pool is asked only for a node that has an address.
    const isOther = selection !== undefined && selection.pool !== selected?.name;
    const before = selection?.labels['pool'] ?? node.pool;
    const wouldBe = this.selected(before as PoolName | 'none')?.name;
    const why = wouldBe === selection?.pool ? ('labels' as const) : ('configuration' as const);
    const change = isOther ? { change: why } : {};
    if (selected === undefined)
      return {
        kind: 'notSelected',
        node: ref,
        ...change,
        ...(instance && { instance: this.#instance(instance) }),
      };
    if (instance === undefined) return { kind: 'notReady', node: ref, reason: 'it has no providerID' };
    if (!this.alive.has(instance))
      return { kind: 'notReady', node: ref, reason: 'its instance is gone', instanceGone: true };
    const hasIt = has?.instance.id === instance && selection?.pool === selected.name;
    if (node.isRefused === true && !hasIt)
      return { kind: 'notReady', node: ref, reason: 'It is another machine.', refused: true };
    if (this.ephemeral.has(instance)) this.sawEphemeral.add(instance);
    return {
      kind: 'ready',
      node: ref,
      instance: this.#instance(instance),
      pool: selected,
      pinned: node.pinned === undefined ? {} : { ipv4: node.pinned },
      pinnedBy: node.pinned === undefined ? {} : { ipv4: 'label' },
      ...(node.hasIgnoredPin === true && { ignoredPins: [{ annotation: 'pin', why: 'malformed' }] }),
      selectedBy: { pool: node.pool },
      shown: node.marks?.ips ?? [],
      ...change,
    };
  }

  /** The pool that the configuration gives a Node with this label. */
  selected(label: PoolName | 'none'): PoolSpec | undefined {
    const settings = label === 'none' ? undefined : this.pools[label];
    return settings && poolSpec(label as PoolName, settings);
  }

  /** The Node of this name is another one by now, on the same machine. */
  #heirs(
    has: Assignment | undefined = this.state.families.flatMap((of) => of.has ?? [])[0],
    uid = this.state.node.uid,
  ): string[] {
    const { node } = this;
    if (node === undefined || node.uid === uid) return [];
    if (node.instance !== has?.instance.id) return [];
    // It passes to the new Node: where that gets none, nobody looks after it.
    for (const it of this.addresses) if (it.instance === node.instance) this.uncertain.add(it.id);
    return [node.name];
  }

  #instance(id: string): Instance {
    const held = this.addresses.filter((address) => address.instance === id);
    const statics = held.map(({ ip, family }) => ({
      ip,
      family,
      kind: 'static' as const,
      ...(family === 'ipv4' && this.sawEphemeral.has(id) && { inPlaceOfEphemeral: true }),
    }));
    const ephemeral = { ip: '203.0.113.99', family: 'ipv4', kind: 'ephemeral' } as const;
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
      publicIps: this.ephemeral.has(id) ? [...statics, ephemeral] : statics,
    };
  }

  // ---- the cloud ----

  #associate(family: Family, { id }: AddressRef, instance: string): Association {
    const address = this.#address(id);
    if (address.instance !== undefined && address.instance !== instance) throw new Refusal('InUse');
    if (!this.alive.has(instance)) throw new Refusal('NotFound');
    const replaces = this.state.families.find((of) => of.family === family)?.has?.address.id;
    const others = this.addresses.filter(
      (other) => other !== address && other.instance === instance && other.family === family,
    );
    if (others.some((other) => other.id !== replaces)) throw new Refusal('ForeignAddress');
    for (const other of others) other.instance = undefined;
    if (address.instance === undefined) address.association = ++this.#ids;
    address.instance = instance;
    if (family === 'ipv4') this.ephemeral.delete(instance);
    return associationOf(address);
  }

  #restore(family: Family): void {
    const id = this.state.families.find((of) => of.family === family)?.hadEphemeral?.instance.id;
    if (family !== 'ipv4' || id === undefined || !this.alive.has(id)) return;
    if (this.addresses.some((it) => it.instance === id && it.family === family)) return;
    this.ephemeral.add(id);
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
    const isOfPool = target === undefined || address.pool === sourceOf(target.query);
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

  /** The mutex was terminated, and another one started. */
  restartMutex(): void {
    this.queue.clear();
    this.claims.clear();
    this.told.clear();
    this.take({ kind: 'mutexStarted', scope: formatScope(scope) });
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
      ({ pool, family }) => pool === sourceOf(asked.query) && family === asked.query.family,
    );
    const isWanted = ({ id, ip }: AddressRef): boolean =>
      asked.pinned === undefined || asked.pinned === id || asked.pinned === ip;
    const offered = own.filter((it) => isWanted(it) && !claimed.has(it.id));
    const free =
      offered.find(({ ip }) => asked.holds?.ips.includes(ip)) ??
      offered.find(({ instance }) => instance === undefined);
    let grant: Grant;
    const foreign = asked.holds?.ips.find((ip) => !own.some((it) => it.ip === ip));
    if (foreign !== undefined && asked.holds?.exclusive === true) {
      this.queue.delete(requestId);
      this.#over.add(requestId);
      grant = { kind: 'foreign', requestId, ip: foreign };
    } else if (free !== undefined) {
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
    if (grant.kind === 'empty' || grant.kind === 'pinned') this.told.add(requestId);
    if (this.#complete(grant) || grant.kind !== 'granted') return;
    // No activity waits for it: kept only where the node asks again by the same request.
    const isAsking = this.state.families.some(
      ({ progress }) => progress.kind === 'asking' && progress.request.requestId === requestId,
    );
    if (!isAsking) this.claims.delete(grant.token);
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
    const { pool, instance, giveBack, deletion } = this.state;
    if (
      giveBack?.nodeDeleted === true &&
      deletion?.found?.kind !== 'instanceGone' &&
      deletion?.hold === 'held'
    )
      throw new Error('a release that is held is made');
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

function isWaiting({ kind }: Action): boolean {
  return kind === 'select' || kind === 'liftTaint';
}
