/**
 * The pure core of a node's workflow in random histories: every event in every state, late, repeated, or after a continue-as-new.
 * `KUBEIP_TEST_SEED` and `KUBEIP_TEST_RUNS` choose other histories, or more; a failure prints its seed and the shortest history that fails.
 */
import { describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { formatScope } from '../../model/scope.ts';
import type { Place } from '../../workflows/assign-ip/decide.ts';
import { type Fault, NodeWorld, type PoolName, type PoolSettings, scope } from './world.ts';

const LEAST_STEPS = 100_000;
const seed = Number(process.env['KUBEIP_TEST_SEED'] ?? 20_261_129);
const numRuns = Number(process.env['KUBEIP_TEST_RUNS'] ?? 10_000);

const params = { seed, numRuns };

jest.setTimeout(Math.max(120_000, numRuns * 100));

const places = [
  'look',
  'tell',
  'publish',
  'taint',
  'giveBack',
  'ipv4',
  'ipv6',
  'select ipv4',
  'select ipv6',
] as const satisfies readonly Place[];
const faults = [
  'none',
  'none',
  'none',
  'before',
  'after',
  'Denied',
  'InUse',
  'Throttled',
  'Refused',
] as const satisfies readonly Fault[];
const poolNames = ['one', 'two', 'both', 'none'] as const;

type Op = (world: NodeWorld) => void;

const ops = {
  /** One of those that are under way. */
  finish:
    (n: number, fault: Fault): Op =>
    (world) => {
      const busy = [...world.underWay.keys()];
      const place = busy[n % Math.max(1, busy.length)];
      if (place !== undefined) world.finish(place, fault);
    },
  settle: (): Op => (world) => settle(world),
  call:
    (place: Place): Op =>
    (world) =>
      world.makeCall(place),
  wait:
    (ms: number): Op =>
    (world) => {
      world.now += ms;
      world.take({ kind: 'time' });
    },
  wake: (): Op => (world) => {
    world.now = Math.max(world.now, world.wakeAt ?? world.now);
    world.take({ kind: 'time' });
  },
  mutex: (): Op => (world) => world.look(),
  late: (): Op => (world) => world.askLate(),
  show: (): Op => (world) => world.showAddresses(),
  reserve:
    (pool: PoolName, family: 'ipv4' | 'ipv6'): Op =>
    (world) =>
      world.reserve(pool, family),
  changed: (): Op => (world) => world.take({ kind: 'nodeChanged' }),
  rumour: (): Op => (world) => world.take({ kind: 'nodeDeleted', uid: world.state.node.uid }),
  oldRumour: (): Op => (world) => world.take({ kind: 'nodeDeleted', uid: 'uid-0' }),
  delete: (): Op => (world) => {
    const uid = world.node?.uid ?? world.state.node.uid;
    world.node = undefined;
    if (world.state.deletion === undefined) world.deletedAt = world.now;
    world.reasons.add('deleted');
    world.take({ kind: 'nodeDeleted', uid });
  },
  register:
    (pool: PoolName, isSame: boolean, isReady = true): Op =>
    (world) => {
      const before = world.node;
      if (before !== undefined && world.state.deletion === undefined) world.deletedAt = world.now;
      const uid = `uid-${++world.registered}`;
      const instance = isSame ? 'i-1' : 'i-2';
      world.alive.add(instance);
      world.reasons.add('registered');
      world.node = { name: 'node-a', uid, pool, isTainted: true, shows: [], ...(isReady && { instance }) };
      if (before !== undefined) world.take({ kind: 'nodeDeleted', uid: before.uid });
      world.take({ kind: 'nodeChanged' });
    },
  /** The Node gets its providerID. */
  provide:
    (isSame: boolean): Op =>
    (world) => {
      if (world.node === undefined || world.node.instance !== undefined) return;
      world.node.instance = isSame ? 'i-1' : 'i-2';
      world.alive.add(world.node.instance);
      world.take({ kind: 'nodeChanged' });
    },
  refuse:
    (isRefused: boolean): Op =>
    (world) => {
      if (world.node !== undefined) world.node.isRefused = isRefused;
    },
  configure:
    (name: PoolName, settings: PoolSettings | undefined): Op =>
    (world) => {
      if (settings === undefined) delete world.pools[name];
      else world.pools[name] = settings;
      world.isReconfigured = true;
      world.reasons.add('reconfigured');
      world.take({ kind: 'nodeChanged' });
    },
  brake:
    (isBraked: boolean): Op =>
    (world) => {
      world.isBraked = isBraked;
    },
  confirm:
    (isUpdate: boolean): Op =>
    (world) =>
      world.command('confirmRelease', {}, isUpdate),
  attach:
    (n: number): Op =>
    (world) => {
      const it = world.addresses[n];
      if (it === undefined || it.instance !== undefined) return;
      if (world.addresses.some(({ family, instance }) => family === it.family && instance === 'i-1')) return;
      it.instance = 'i-1';
      it.byHand = true;
      world.uncertain.add(it.id);
      if (it.family === 'ipv4') world.ephemeral.delete('i-1');
    },
  detach: (): Op => (world) => {
    for (const it of world.addresses)
      if (it.byHand === true) Object.assign(it, { byHand: false, instance: undefined });
    // An audit compares it with what the node has.
    if (world.state.families.some(({ has }) => has !== undefined)) world.take({ kind: 'nodeChanged' });
  },
  label:
    (n: number): Op =>
    (world) => {
      if (world.node === undefined) return;
      world.node.pinned = world.addresses[n]?.ip.includes(':') === false ? world.addresses[n]?.ip : undefined;
      world.take({ kind: 'nodeChanged' });
    },
  annotate:
    (has: boolean): Op =>
    (world) => {
      if (world.node === undefined) return;
      world.node.hasIgnoredPin = has;
      world.take({ kind: 'nodeChanged' });
    },
  ephemeral: (): Op => (world) => {
    const isUntouched = (world.starts.get('associate') ?? 0) === 0 && world.claims.size === 0;
    if (
      isUntouched &&
      world.addresses.every(({ family, instance }) => family === 'ipv6' || instance !== 'i-1')
    )
      world.ephemeral.add('i-1');
  },
  restartMutex: (): Op => (world) => world.restartMutex(),
  continueAsNew: (): Op => (world) => world.continueAsNew(),
  relabel:
    (pool: (typeof poolNames)[number]): Op =>
    (world) => {
      if (world.node === undefined) return;
      world.node.pool = pool;
      world.reasons.add('relabelled');
      world.take({ kind: 'nodeChanged' });
    },
  terminate: (): Op => (world) => {
    world.alive.clear();
    world.ephemeral.clear();
    world.sawEphemeral.clear();
    for (const address of world.addresses) address.instance = undefined;
    world.take({ kind: 'nodeChanged' });
  },
  drift: (): Op => (world) => {
    for (const address of world.addresses) if (address.instance === 'i-1') address.instance = undefined;
    world.take({ kind: 'nodeChanged' });
  },
  steal: (): Op => (world) => {
    const [address] = world.addresses;
    if (address !== undefined && address.instance === undefined) address.instance = 'i-thief';
  },
  release:
    (isUpdate = false): Op =>
    (world) => {
      world.reasons.add('by hand');
      world.command('release', {}, isUpdate);
    },
  assign:
    (isUpdate = false): Op =>
    (world) =>
      world.command('assign', {}, isUpdate),
  assignOne:
    (n: number, isUpdate = false): Op =>
    (world) =>
      world.command('assign', { address: world.addresses[n]?.ip ?? '198.51.100.9' }, isUpdate),
  move:
    (n: number, isUpdate = false): Op =>
    (world) =>
      world.command('move', { address: world.addresses[n]?.ip ?? '198.51.100.9' }, isUpdate),
  pin:
    (n: number): Op =>
    (world) =>
      world.command('pin', { address: world.addresses[n]?.ip ?? '198.51.100.9' }),
  unpin: (): Op => (world) => world.command('unpin', {}),
  cancel: (): Op => (world) => world.take({ kind: 'cancelled' }),
  serialise: (): Op => (world) => world.serialise(),
};

const place = fc.constantFrom(...places);
const pool = fc.constantFrom<PoolName>('one', 'two', 'both');
const which = fc.nat(3);
const oftenTrue = fc.nat(4).map((n) => n > 0);
const settings = fc.option(
  fc.record<PoolSettings>({
    families: fc.constantFrom<PoolSettings['families'][]>(['ipv4'], ['ipv4', 'ipv6'], ['ipv6']),
    source: pool,
    require: fc.constantFrom('all', 'any'),
    taintPolicy: fc.constantFrom('assigned', 'assignedOrGaveUp'),
    onDeselect: fc.constantFrom('keep', 'release'),
  }),
  { nil: undefined, freq: 5 },
);
const call = (name: keyof typeof ops, ...args: readonly fc.Arbitrary<unknown>[]) =>
  fc.tuple(...args).map((values) => ({ name, values }));

const history = fc.array(
  fc.oneof(
    { weight: 30, arbitrary: call('finish', which, fc.constantFrom<Fault>(...faults)) },
    { weight: 6, arbitrary: call('call', place) },
    { weight: 8, arbitrary: call('mutex') },
    { weight: 6, arbitrary: call('wake') },
    { weight: 3, arbitrary: call('wait', fc.nat(400_000)) },
    { weight: 3, arbitrary: call('serialise') },
    { weight: 3, arbitrary: call('settle') },
    { weight: 3, arbitrary: call('show') },
    { weight: 3, arbitrary: call('changed') },
    { weight: 3, arbitrary: call('reserve', pool, fc.constantFrom('ipv4', 'ipv6')) },
    { weight: 1, arbitrary: call('rumour') },
    { weight: 1, arbitrary: call('oldRumour') },
    { weight: 1, arbitrary: call('delete') },
    { weight: 2, arbitrary: call('register', pool, fc.boolean(), oftenTrue) },
    { weight: 2, arbitrary: call('relabel', fc.constantFrom(...poolNames)) },
    { weight: 1, arbitrary: call('terminate') },
    { weight: 1, arbitrary: call('drift') },
    { weight: 1, arbitrary: call('steal') },
    { weight: 1, arbitrary: call('late') },
    { weight: 2, arbitrary: call('release', fc.boolean()) },
    { weight: 2, arbitrary: call('assign', fc.boolean()) },
    { weight: 1, arbitrary: call('assignOne', which, fc.boolean()) },
    { weight: 2, arbitrary: call('move', which, fc.boolean()) },
    { weight: 1, arbitrary: call('provide', fc.boolean()) },
    { weight: 1, arbitrary: call('refuse', fc.boolean()) },
    { weight: 2, arbitrary: call('configure', pool, settings) },
    { weight: 1, arbitrary: call('brake', fc.boolean()) },
    { weight: 1, arbitrary: call('confirm', fc.boolean()) },
    { weight: 1, arbitrary: call('attach', which) },
    { weight: 1, arbitrary: call('detach') },
    { weight: 1, arbitrary: call('label', which) },
    { weight: 1, arbitrary: call('annotate', fc.boolean()) },
    { weight: 1, arbitrary: call('restartMutex') },
    { weight: 2, arbitrary: call('continueAsNew') },
    { weight: 1, arbitrary: call('ephemeral') },
    { weight: 1, arbitrary: call('pin', which) },
    { weight: 1, arbitrary: call('unpin') },
  ),
  { minLength: 20, maxLength: 70 },
);

/** All pauses of now are over by then. */
const LONGEST_PAUSE_MS = 2 * 60 * 60_000;

let steps = 0;

function play(
  world: NodeWorld,
  { name, values }: { readonly name: string; readonly values: readonly unknown[] },
): void {
  steps++;
  const make = ops[name as keyof typeof ops] as (...args: unknown[]) => Op;
  make(...values)(world);
}

/** A world with one address, and all that happened in it. */
function played(calls: readonly Parameters<typeof play>[1][]): NodeWorld {
  const world = new NodeWorld();
  world.reserve('one', 'ipv4');
  for (const it of calls) play(world, it);
  return world;
}

/** Everything comes off, until there is nothing to do but to wait. */
function settle(world: NodeWorld): void {
  for (let rounds = 0; world.end === undefined && rounds < 60; rounds++) {
    const busy = world.busy();
    if (busy !== undefined) world.finish(busy);
    else {
      world.look();
      if (world.isIdle()) return;
    }
    steps++;
  }
}

/** No more faults, and time enough for all pauses. */
function rest(world: NodeWorld, isTold = true, isRich = true): void {
  for (const name of isRich ? (['one', 'two', 'both'] as const) : [])
    for (const family of ['ipv4', 'ipv6'] as const) world.reserve(name, family);
  if (isTold) world.take({ kind: 'nodeChanged' });
  const until = world.now + LONGEST_PAUSE_MS;
  for (let rounds = 0; world.end === undefined && rounds < 4_000; rounds++) {
    const busy = world.busy();
    if (busy !== undefined) world.finish(busy);
    else {
      world.askLate();
      world.askAgain();
      world.look();
      if (!world.isIdle()) continue;
      // It is looked at for ever.
      if (world.status().phase === 'held') break;
      if (world.wakeAt === undefined || world.now > until) break;
      ops.wake()(world);
    }
    steps++;
  }
}

function expectSound(world: NodeWorld): void {
  const { state, end, node } = world;
  const settled = world.isIdle() || end !== undefined;
  expect({ settled, outbox: state.outbox }).toEqual({ settled: true, outbox: [] });
  expect(end === undefined ? world.updates : []).toEqual([]);
  const has = state.families.flatMap((of) => of.has ?? []);
  // A node that no pool selects is not compared with its instance: its deletion will follow. Nor is one that is held.
  const isSeen =
    state.seen.kind === 'ready' ||
    (state.seen.kind === 'notReady' && !world.alive.has(node?.instance ?? 'i-1'));
  if (isSeen && state.deletion === undefined) {
    expect(world.openClaims()).toEqual([]);
    for (const { address, instance } of has)
      expect(world.addresses.find(({ id }) => id === address.id)?.instance).toBe(instance.id);
  }
  if (end?.kind === 'cancelled' || end?.kind === 'failed') return;
  // It is not worse off than before.
  for (const id of world.sawEphemeral) {
    if (
      !world.alive.has(id) ||
      world.uncertain.size > 0 ||
      world.addresses.some((it) => it.family === 'ipv4' && (it.byHand === true || it.instance === id))
    )
      continue;
    if (
      state.seen.kind === 'ready' &&
      state.deletion === undefined &&
      (end === undefined || end.kind === 'released') &&
      id === state.instance?.id
    )
      expect(world.ephemeral.has(id)).toBe(true);
  }
  // What is on an instance is known to the node's workflow.
  const known = new Set(has.map(({ address }) => address.id));
  // The next run finds what is on its own Node's instance, and keeps it.
  const kept = end?.kind === 'continued' ? node?.instance : undefined;
  const left = world.addresses.filter(
    ({ id, instance, byHand }) =>
      (instance === 'i-1' || instance === 'i-2') &&
      instance !== kept &&
      byHand !== true &&
      !known.has(id) &&
      !world.uncertain.has(id),
  );
  expect(left).toEqual([]);
  if (end !== undefined) return;
  // Nobody's is kept but what the brake holds.
  if (state.deletion?.hold === 'held') {
    expect(world.status().phase).toBe('held');
    return;
  }
  expect(node).toBeDefined();
  if (node === undefined) return;
  expect(state.node.uid).toBe(node.uid);
  const selected = world.selected(node.pool);
  if (selected === undefined && !state.releasedByHand) expect(has).not.toEqual([]);
  if (selected === undefined || !world.alive.has(node.instance ?? '') || node.isRefused === true) return;
  const isPinned = node.pinned !== undefined || Object.keys({ ...state.pins, ...state.wanted }).length > 0;
  // What it does not know to be its own is left alone, as an address that a person attached.
  const isForeign = world.addresses.some(
    ({ id, byHand, instance }) => byHand === true || (instance !== undefined && world.uncertain.has(id)),
  );
  if (state.releasedByHand) expect({ has, asked: world.queue.size }).toEqual({ has: [], asked: 0 });
  else if (!isPinned && !isForeign) {
    expect({ ...world.status(), isTainted: node.isTainted }).toMatchObject({
      phase: 'assigned',
      isTainted: false,
    });
    // By labels alone it is in another pool than before: then it gets an address of that one.
    const pools = has.map(({ address }) => world.addresses.find(({ id }) => id === address.id)?.pool);
    if (!world.isReconfigured) expect(new Set(pools)).toEqual(new Set([node.pool]));
  }
}

/** What an operator was promised by `assign` with an address: that one, or that the node waits for it. */
function expectKept(world: NodeWorld): void {
  if (
    world.end !== undefined ||
    world.node?.uid !== world.state.node.uid ||
    world.state.seen.kind !== 'ready'
  )
    return;
  for (const [family, ip] of world.promised) {
    const of = world.state.families.find((it) => it.family === family);
    if (of?.has !== undefined) expect(of.has.address.ip).toBe(ip);
    if (of?.progress.kind === 'asking') expect(of.progress.request.pinned).toBe(ip);
  }
}

test('what is promised is kept', () => {
  fc.assert(
    fc.property(history, (calls) => {
      const world = played(calls);
      rest(world, false);
      expectKept(world);
    }),
    params,
  );
});

/** What is shown, once nothing is under way, is what is so. */
function expectShown(world: NodeWorld): void {
  const { state, end, node } = world;
  if (end?.kind === 'cancelled' || end?.kind === 'continued') return;
  const status = world.status();
  const has = state.families.flatMap((of) => of.has ?? []);
  const ips = has.map(({ address: { ip } }) => ip);
  // Visibility.
  expect(world.attributes?.addresses ?? []).toEqual(ips);
  if (!state.families.some(({ progress }) => progress.kind === 'asking'))
    expect(world.attributes?.phase).toBe(status.phase);
  // The status.
  const isRemarked = state.families.some(({ remark }) => remark !== undefined);
  if (status.phase === 'assigned' && !isRemarked) for (const ip of ips) expect(status.message).toContain(ip);
  if (state.seen.kind === 'ready' && has.length === 0 && end === undefined)
    expect(status.message).not.toMatch(/is associated/);
  expect(status.message).not.toBe('');
  if (
    end === undefined &&
    state.deletion === undefined &&
    state.giveBack === undefined &&
    !status.releasedByHand
  )
    expect(status.phase).not.toMatch(/released|releasing/);
  if (end === undefined && state.deletion === undefined) {
    if (status.retryAt !== undefined && state.publishing.tries === 0)
      expect(Date.parse(status.retryAt)).toBeGreaterThanOrEqual(world.now);
    if (status.message.includes('Trying again')) expect(status.retryAt).toBeDefined();
  }
  const isUnhappy =
    status.phase !== 'assigned' ||
    state.seen.kind !== 'ready' ||
    state.families.some((of) => of.kept !== undefined || of.remark !== undefined || of.has === undefined);
  if (!isUnhappy) expect(status.lastError).toBeUndefined();
  // The taint.
  const pool = node === undefined ? undefined : world.selected(node.pool);
  const isAsking = state.families.some(
    ({ has: it, progress }) => it === undefined && progress.kind === 'asking',
  );
  if (
    node?.uid === state.node.uid &&
    state.deletion === undefined &&
    pool?.taintPolicy === 'assignedOrGaveUp' &&
    state.pool?.hash === pool.hash &&
    has.every((it) => it.pool.hash === pool.hash) &&
    (state.failed !== undefined || (state.seen.kind === 'ready' && isAsking)) &&
    state.publishing.tries === 0
  )
    expect(node?.isTainted).toBe(false);
  // The Node.
  const marks = node?.marks;
  if (node === undefined || node.uid !== state.node.uid || state.deletion !== undefined) return;
  if (state.publishing.tries > 0) return;
  expect(marks?.ips ?? []).toEqual(ips);
  if (
    marks !== undefined &&
    state.seen.kind === 'ready' &&
    end?.kind !== 'released' &&
    status.phase !== 'assigned'
  )
    expect(marks.message).toBeDefined();
}

test('a node does what it should, whatever happens in whatever order', () => {
  fc.assert(
    fc.property(history, (calls) => {
      const world = played(calls);
      rest(world);
      expectSound(world);
    }),
    params,
  );
  console.info(`seed ${seed}: ${steps} steps in ${numRuns} histories`);
  expect(steps).toBeGreaterThanOrEqual(Math.min(LEAST_STEPS, numRuns * 30));
});

test('a node needs no word but of what changed', () => {
  fc.assert(
    fc.property(history, (calls) => {
      const world = played(calls);
      rest(world, false);
      expectSound(world);
    }),
    params,
  );
});

test('what is shown of a node at rest is so', () => {
  fc.assert(
    fc.property(history, (calls) => {
      const world = played(calls);
      rest(world, false, false);
      expectShown(world);
    }),
    params,
  );
});

const kinds = [
  'look',
  'associate',
  'verify',
  'putBack',
  'check',
  'release',
  'restoreEphemeral',
  'weigh',
  'findHeirs',
  'publish',
  'liftTaint',
  'select',
] as const;

test.each(kinds)('%s that fails for a day is tried less and less often', (kind) => {
  fc.assert(
    fc.property(history, fc.constantFrom<Fault>('before', 'Denied', 'Throttled', 'InUse'), (calls, fault) => {
      // The mutex slows down for those.
      if (kind === 'associate' && fault === 'Throttled') return;
      const world = played(calls);
      for (const name of ['one', 'two', 'both'] as const)
        for (const family of ['ipv4', 'ipv6'] as const) world.reserve(name, family);
      const until = world.now + 24 * 3_600_000;
      const before = world.starts.get(kind) ?? 0;
      for (let rounds = 0; world.end === undefined && rounds < 20_000; rounds++) {
        if (world.status().phase === 'held' && kind !== 'look') return;
        const busy = world.busy();
        if (busy !== undefined)
          world.finish(busy, world.underWay.get(busy)?.action.kind === kind ? fault : 'none');
        else {
          world.look();
          if (!world.isIdle()) continue;
          if (world.wakeAt === undefined || world.now > until) break;
          ops.wake()(world);
        }
      }
      // Three tries in a row, each five minutes.
      if ((world.starts.get(kind) ?? 0) - before > 1_000)
        throw new Error(
          `${kind} ${fault}: ${(world.starts.get(kind) ?? 0) - before} in ${(world.now - until) / 3_600_000 + 24} h, ${JSON.stringify([...world.starts])}`,
        );
    }),
    { seed, numRuns: numRuns / 10 },
  );
});

test('a node that waits and knows why has nothing to do until the mutex answers', () => {
  const world = new NodeWorld();
  settle(world);
  expect(world.status().phase).toBe('waiting');
  expect([...world.underWay.keys()]).toEqual(['select ipv4']);
  expect(world.wakeAt).toBeUndefined();
});

test('a node that asks a mutex anew does not count as told before that one has answered', () => {
  const world = new NodeWorld();
  const isTold = (): boolean | undefined => {
    const action = world.underWay.get('select ipv4')?.action;
    return action?.kind === 'select' ? action.request.told : undefined;
  };
  settle(world);
  const before = world.status();
  expect({ phase: before.phase, isTold: isTold() }).toEqual({ phase: 'waiting', isTold: true });
  // Its worker may die before the new request is sent: with half a minute to answer it is sent again soon.
  world.take({ kind: 'mutexStarted', scope: formatScope(scope) });
  expect(isTold()).toBe(false);
  expect(world.status().phase).toBe('waiting');
  settle(world);
  expect({ status: world.status(), isTold: isTold() }).toEqual({ status: before, isTold: true });
});

test('a node that is released by hand while it waits says so, and no more that it waits', () => {
  const world = new NodeWorld();
  settle(world);
  world.command('release', {});
  const { phase, message, lastError, addresses } = world.status();
  expect({ phase, message, lastError }).toEqual({
    phase: 'released',
    message: expect.stringContaining('by hand'),
    lastError: undefined,
  });
  expect(addresses.map((one) => [one.phase, one.message, one.lastError])).toEqual([
    ['released', expect.not.stringContaining('has no free'), undefined],
  ]);
});

test('a node that is released by hand gets none, also if no pool selects it for a while', () => {
  const world = played([]);
  settle(world);
  world.reasons.add('by hand');
  world.command('release', {});
  settle(world);
  ops.relabel('none')(world);
  settle(world);
  ops.relabel('one')(world);
  settle(world);
  expect(world.end).toBeUndefined();
  expect(world.status().phase).toBe('released');
  expect(world.addresses.map(({ instance }) => instance)).not.toContain('i-1');
});

test('a node that is assigned again after a release by hand has the whole time of its taint before it', () => {
  const world = new NodeWorld();
  settle(world);
  const askedAt = world.state.families[0]?.askingSince;
  world.command('release', {});
  settle(world);
  world.now += 3_600_000;
  world.command('assign', {});
  settle(world);
  expect(world.status().phase).toBe('waiting');
  expect(world.state.families[0]?.askingSince).toBeGreaterThanOrEqual((askedAt ?? 0) + 3_600_000);
});

test('a node that no pool selects any more does not ask for an address once its ephemeral one is back', () => {
  const world = played([]);
  settle(world);
  const [of] = world.state.families;
  if (of?.has === undefined) throw new Error('it has no address');
  // As its address was released for that, on a cloud that gives an ephemeral one back.
  Object.assign(of, {
    hadEphemeral: { instance: of.has.instance, scope },
    lacksEphemeral: { notBefore: world.now, tries: 0 },
    has: undefined,
  });
  for (const address of world.addresses) address.instance = undefined;
  ops.relabel('none')(world);
  world.finish('look');
  settle(world);
  expect(world.queue.size).toBe(0);
  expect(world.end).toEqual({ kind: 'released' });
});

test('a node that no pool selects any more is looked at once its association is done', () => {
  const world = played([]);
  while (world.state.families[0]?.progress.kind !== 'claimed') {
    const busy = world.busy();
    if (busy === undefined) world.look();
    else world.finish(busy);
  }
  ops.relabel('none')(world);
  world.finish('look');
  world.finish('ipv4');
  world.finish('ipv4');
  expect(world.underWay.has('look')).toBe(true);
});

test.each(['relabelled', 'registered again with another label'])(
  'a node that is %s while its address is associated gets one of its new pool',
  (how) => {
    const world = played([]);
    world.reserve('two', 'ipv4');
    while (world.state.families[0]?.progress.kind !== 'claimed') {
      const busy = world.busy();
      if (busy === undefined) world.look();
      else world.finish(busy);
    }
    if (how === 'relabelled') ops.relabel('two')(world);
    else ops.register('two', true)(world);
    world.finish('look');
    settle(world);
    const [has] = world.state.families.flatMap((of) => of.has ?? []);
    expect(world.addresses.find(({ id }) => id === has?.address.id)?.pool).toBe('two');
    rest(world);
    expectSound(world);
  },
);

test('a change during a look is not lost where another call fails meanwhile', () => {
  const world = played([]);
  settle(world);
  ops.relabel('two')(world);
  world.finish('look');
  world.finish('publish');
  expect(world.underWay.has('ipv4')).toBe(true);
  ops.changed()(world);
  world.makeCall('look');
  world.finish('ipv4', 'before');
  ops.relabel('one')(world);
  world.finish('look');
  expect(world.underWay.has('look')).toBe(true);
});

test('a machine that registers again just as its address is to pass to another Node keeps it', () => {
  const world = played([]);
  settle(world);
  expect(world.status().phase).toBe('assigned');
  ops.delete()(world);
  for (let rounds = 0; rounds < 20 && !world.underWay.has('giveBack'); rounds++) {
    const busy = world.busy();
    if (busy === undefined) ops.wake()(world);
    else world.finish(busy);
  }
  // Asked for the other Nodes of the instance, it is told of its own new one, which it has not seen yet.
  ops.register('one', true)(world);
  ops.relabel('none')(world);
  world.finish('giveBack');
  settle(world);
  expect(world.end).toBeUndefined();
  expect(world.status()).toMatchObject({ phase: 'assigned', node: { uid: 'uid-2' } });
  expectSound(world);
});

// Chaos, seed 2303 on Oracle Cloud, episode 12.
test('a machine that registers again and is terminated leaves no claim', () => {
  const world = played([]);
  settle(world);
  expect(world.status().phase).toBe('assigned');
  ops.delete()(world);
  ops.register('one', true)(world);
  ops.terminate()(world);
  world.finish('look');
  rest(world);
  expectSound(world);
});

test('who cancels it in the middle leaves nothing claimed', () => {
  fc.assert(
    fc.property(history, (calls) => {
      const world = played(calls);
      world.take({ kind: 'cancelled' });
      rest(world);
      expect(world.end).toBeDefined();
      expect(world.openClaims()).toEqual([]);
    }),
    { seed, numRuns: numRuns / 5 },
  );
});

test('a release by hand is acted on at once, although the node cannot be looked at', () => {
  fc.assert(
    fc.property(history, (calls) => {
      const world = played(calls);
      if (world.end !== undefined || world.state.deletion !== undefined || world.state.giveBack !== undefined)
        return;
      world.reasons.add('by hand');
      world.command('release', {});
      for (
        let rounds = 0;
        rounds < 60 && world.end === undefined && !world.state.families.every((of) => of.has === undefined);
        rounds++
      ) {
        for (const busy of world.underWay.keys()) if (busy !== 'look') world.finish(busy);
        if (rounds % 5 === 4) ops.wake()(world);
      }
      expect(world.state.families.flatMap((of) => of.has ?? [])).toEqual([]);
    }),
    { seed, numRuns: numRuns / 5 },
  );
});

test('whatever fails is tried again after a pause only', () => {
  fc.assert(
    fc.property(history, (calls) => {
      const world = played(calls);
      let atOnce = 0;
      for (let rounds = 0; rounds < 200 && world.end === undefined; rounds++) {
        const busy = world.busy();
        if (busy !== undefined) {
          world.finish(busy, 'Denied');
          expect(++atOnce).toBeLessThan(40);
        } else if (world.wakeAt === undefined) break;
        else {
          atOnce = 0;
          ops.wake()(world);
        }
      }
    }),
    { seed, numRuns: numRuns / 5 },
  );
});

describe('the taint of a node that has its address', () => {
  test('stays until the Node’s status shows the address, without anything in between', () => {
    const world = played([]);
    settle(world);
    expect(world.status().phase).toBe('assigned');
    expect([...world.underWay.keys()]).toEqual(['taint']);
    expect(world.status().message).toContain("Its taint no-address stays until the Node's status shows");
    const { started } = world;
    world.finish('taint');
    expect(world.started).toBe(started);
    world.showAddresses();
    world.finish('taint');
    expect(world.node?.isTainted).toBe(false);
    expect([...world.underWay.keys()]).toEqual([]);
    expect(world.wakeAt).toBeUndefined();
    expect(world.status().message).not.toContain('taint');
  });

  test('is lifted at once where the status shows the address already', () => {
    const world = played([]);
    while (world.state.families[0]?.has === undefined) {
      const busy = world.busy();
      if (busy === undefined) world.look();
      else world.finish(busy);
    }
    world.showAddresses();
    settle(world);
    expect(world.node?.isTainted).toBe(false);
    expect(world.wakeAt).toBeUndefined();
  });

  test('is lifted after the time that its pool says, with a warning', () => {
    const world = played([]);
    settle(world);
    const { wakeAt = 0 } = world;
    expect(wakeAt - world.now).toBe(600_000);
    ops.wake()(world);
    expect([...world.underWay.keys()]).toEqual(['publish']);
    expect(world.state.publishing.notices).toMatchObject([{ type: 'Warning', reason: 'AddressNotInStatus' }]);
    settle(world);
    expect(world.node?.isTainted).toBe(false);
    expect(world.status().message).toContain('was removed without that');
  });

  test('waits no longer than that however often the node is looked at', () => {
    const world = played([]);
    settle(world);
    const { wakeAt } = world;
    world.now += 200_000;
    ops.changed()(world);
    settle(world);
    expect(world.wakeAt).toBe(wakeAt);
  });
});

describe('an address that the cloud refuses for the instance', () => {
  /** Until an address is being associated. */
  function toAssociate(world: NodeWorld): void {
    for (let rounds = 0; rounds < 20 && world.underWay.get('ipv4')?.action.kind !== 'associate'; rounds++) {
      const busy = world.busy();
      if (busy === undefined) world.look();
      else world.finish(busy);
    }
  }

  test('is told to the mutex with the instance, and another one is asked for at once', () => {
    const world = played([]);
    toAssociate(world);
    world.finish('ipv4', 'Refused');
    expect(world.state.outbox).toMatchObject([{ kind: 'settle', outcome: 'refused', instance: 'z/i-1' }]);
    expect(world.status().phase).not.toBe('failed');
    toAssociate(world);
    world.finish('ipv4');
    settle(world);
    expect(world.status().phase).toBe('assigned');
  });

  test('is the instance’s fault when it is the third in a row: the node fails, and is tried again later', () => {
    const world = played([]);
    for (let n = 0; n < 3; n++) {
      expect(world.status().phase).not.toBe('failed');
      toAssociate(world);
      world.finish('ipv4', 'Refused');
    }
    expect(world.status().phase).toBe('failed');
  });

  test('is no other one’s fault for a node that is to have this one and no other', () => {
    const world = played([]);
    world.command('pin', { address: world.addresses[0]?.ip });
    toAssociate(world);
    world.finish('ipv4', 'Refused');
    settle(world);
    expect(world.state.failed).toMatchObject({ type: 'Unavailable' });
  });
});

test('a node that is assigned again does not go on saying that nothing is assigned', () => {
  const world = played([]);
  settle(world);
  ops.release()(world);
  settle(world);
  expect(world.status().message).toContain('nothing is assigned until `assign`');
  ops.assign()(world);
  expect(world.status()).toMatchObject({ phase: 'discovering', releasedByHand: false });
  expect(world.status().message).not.toMatch(/released|until/);
  settle(world);
  expect(world.status().phase).toBe('assigned');
});
