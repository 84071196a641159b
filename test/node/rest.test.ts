/** A node that was told all that there is to tell comes to rest by itself, as it should: one scene for each fault that was found. */
import { describe, expect, test } from '@jest/globals';
import { nodeCommands } from '../../workflows/assign-ip/commands/index.ts';
import { type Fault, NodeWorld, type PoolName, type PoolSettings, scope, TAINT_WAIT_MS } from './world.ts';

function newWorld(...reserved: readonly PoolName[]): NodeWorld {
  const world = new NodeWorld();
  for (const pool of reserved) world.reserve(pool, 'ipv4');
  return world;
}

/** Its configuration says something else of the pool, from the next look on. */
function configure(world: NodeWorld, pool: PoolName, settings: Partial<PoolSettings>): void {
  const before = world.pools[pool];
  if (before !== undefined) world.pools[pool] = { ...before, ...settings };
}

/** Everything comes off, and nobody tells it anything: for so long, or until there is nothing to wait for. */
function rest(world: NodeWorld, ms = 2 * 3_600_000): void {
  const until = world.now + ms;
  for (let rounds = 0; world.end === undefined && rounds < 2_000; rounds++) {
    const busy = world.busy();
    if (busy !== undefined) world.finish(busy);
    else {
      world.askLate();
      world.askAgain();
      world.look();
      if (!world.isIdle()) continue;
      if (world.wakeAt === undefined || world.wakeAt > until) return;
      world.now = world.wakeAt;
      world.take({ kind: 'time' });
    }
  }
}

/** Until an action of that kind is under way. */
function until(world: NodeWorld, kind: string, fault: Fault = 'none'): void {
  for (let rounds = 0; rounds < 100; rounds++) {
    if ([...world.underWay.values()].some(({ action }) => action.kind === kind)) return;
    const busy = world.busy();
    if (busy !== undefined) world.finish(busy, fault);
    else {
      world.look();
      if (!world.isIdle() || world.wakeAt === undefined) continue;
      world.now = world.wakeAt;
      world.take({ kind: 'time' });
    }
  }
  throw new Error(`no ${kind}`);
}

function relabel(world: NodeWorld, pool: PoolName | 'none'): void {
  if (world.node === undefined) return;
  world.node.pool = pool;
  world.reasons.add('relabelled');
  world.take({ kind: 'nodeChanged' });
}

function remove(world: NodeWorld): void {
  const uid = world.node?.uid ?? '';
  world.node = undefined;
  world.reasons.add('deleted');
  world.take({ kind: 'nodeDeleted', uid });
}

function register(world: NodeWorld, uid: string, instance: string): void {
  world.alive.add(instance);
  world.reasons.add('registered');
  world.node = { name: 'node-a', uid, pool: 'one', instance, isTainted: true, shows: [] };
  world.take({ kind: 'nodeChanged' });
}

function release(world: NodeWorld): void {
  world.reasons.add('by hand');
  world.command('release', {});
}

const held = (world: NodeWorld) =>
  world.addresses.filter(({ instance }) => instance === 'i-1').map(({ ip }) => ip);
const has = (world: NodeWorld) => world.state.families.flatMap((of) => of.has?.address.ip ?? []);

test('1. a Node that is deleted while its address is associated gives that back', () => {
  const world = newWorld('one');
  until(world, 'associate');
  remove(world);
  world.finish('look');
  world.finish('ipv4');
  rest(world);
  expect({ end: world.end?.kind, held: held(world) }).toEqual({ end: 'released', held: [] });
});

test('2. a Node that no pool selects any more, and that is deleted while its address is released, leaves no run', () => {
  const world = newWorld('one');
  configure(world, 'one', { onDeselect: 'release' });
  rest(world);
  relabel(world, 'none');
  until(world, 'release');
  remove(world);
  world.finish('look');
  rest(world);
  // What the watcher's reconcile does.
  world.take({ kind: 'nodeDeleted', uid: 'uid-1' });
  rest(world);
  expect(world.end).toEqual({ kind: 'released' });
});

describe('3. a release that came off, and of which the answer was lost', () => {
  test('by hand', () => {
    const world = newWorld('one');
    rest(world);
    release(world);
    world.finish('ipv4', 'after');
    rest(world);
    expect(held(world)).toEqual(has(world));
  });

  test('taken back meanwhile, with a look in between', () => {
    const world = newWorld('one');
    rest(world);
    release(world);
    world.command('assign', {});
    world.finish('look');
    world.finish('ipv4', 'after');
    rest(world);
    expect(held(world)).toEqual(has(world));
  });
});

test('4. a machine that registers anew while it waits: the taint of its new Node goes, too', () => {
  const world = newWorld();
  configure(world, 'one', { taintPolicy: 'assignedOrGaveUp' });
  rest(world);
  const written: string[] = [];
  register(world, 'uid-2', 'i-1');
  for (let rounds = 0; rounds < 20; rounds++) {
    const publish = world.underWay.get('publish');
    if (publish?.action.kind === 'publish') written.push(publish.action.shown);
    const busy = world.busy();
    if (busy !== undefined) world.finish(busy);
  }
  expect(written.map((text) => JSON.parse(text))).toMatchObject([
    { node: { uid: 'uid-2' }, phase: 'waiting', gaveUp: true },
  ]);
});

test('5. a node whose release was refused, on a cloud that gives no ephemeral address back, moves by its labels all the same', () => {
  const world = newWorld('one', 'two');
  rest(world);
  const [of] = world.state.families;
  if (of?.has === undefined) throw new Error('it has no address');
  of.hadEphemeral = { instance: of.has.instance, scope };
  release(world);
  world.finish('ipv4', 'Denied');
  rest(world);
  relabel(world, 'two');
  rest(world);
  expect(world.addresses.find(({ ip }) => ip === has(world)[0])?.pool).toBe('two');
});

test('6. a check that fails is made less and less often', () => {
  const world = newWorld('one');
  rest(world);
  // The filter of its pool is another one, and the cloud does not answer to that.
  configure(world, 'one', { source: 'two' });
  world.take({ kind: 'nodeChanged' });
  let checks = 0;
  const end = world.now + 24 * 3_600_000;
  for (let rounds = 0; rounds < 100_000 && world.now < end; rounds++) {
    const busy = world.busy();
    if (busy !== undefined) {
      const isCheck = world.underWay.get(busy)?.action.kind === 'check';
      if (isCheck) checks++;
      world.finish(busy, isCheck ? 'Denied' : 'none');
    } else if (world.wakeAt === undefined) break;
    else {
      world.now = world.wakeAt;
      world.take({ kind: 'time' });
    }
  }
  expect(checks).toBeLessThan(330);
});

test('7. a request that was replaced by one that never asked is taken back with that', () => {
  const world = newWorld();
  rest(world);
  expect(world.queue.size).toBe(1);
  // A person attaches an address of another pool: the same request, with what is new about it.
  world.reserve('two', 'ipv4');
  Object.assign(world.addresses[0] ?? {}, { instance: 'i-1', byHand: true });
  world.take({ kind: 'nodeChanged' });
  world.finish('look');
  expect([...world.underWay.keys()]).toContain('select ipv4');
  release(world);
  rest(world);
  expect(world.queue.size).toBe(0);
});

test('8. a Node that comes while the address of the last one is released is followed', () => {
  const world = newWorld('one');
  rest(world);
  remove(world);
  until(world, 'release');
  register(world, 'uid-2', 'i-2');
  world.finish('look');
  rest(world);
  expect(world.end).toEqual({ kind: 'continued', node: { name: 'node-a', uid: 'uid-2' } });
});

test('9a. a machine that registers again before its release begins keeps its address', () => {
  const world = newWorld('one');
  rest(world);
  remove(world);
  until(world, 'weigh');
  register(world, 'uid-2', 'i-1');
  // The brake’s answer comes before that of the look, which is under way.
  world.finish('giveBack');
  rest(world);
  expect({ has: has(world), tokens: world.state.families.map((of) => of.has?.token) }).toEqual({
    has: ['198.51.100.1'],
    tokens: [1],
  });
});

test('9b. the deletion of a later Node is not ignored, since a look under way may have seen that one', () => {
  const world = newWorld('one');
  rest(world);
  register(world, 'uid-2', 'i-1');
  world.makeCall('look');
  remove(world);
  world.finish('look');
  rest(world);
  expect({ end: world.end?.kind, held: held(world) }).toEqual({ end: 'released', held: [] });
});

test('10a. a taint policy that is changed while a node waits counts for it', () => {
  const world = newWorld();
  rest(world);
  configure(world, 'one', { taintPolicy: 'assignedOrGaveUp' });
  world.take({ kind: 'nodeChanged' });
  rest(world);
  expect(world.state.families[0]?.gaveUpTaint).toBe(true);
});

test('10b. a taint whose time is over during a release that is refused does not stay', () => {
  const world = newWorld('one');
  rest(world, 0);
  expect([...world.underWay.keys()]).toEqual(['taint']);
  release(world);
  world.now += 600_000;
  world.take({ kind: 'time' });
  world.finish('ipv4', 'Denied');
  rest(world);
  expect(world.node?.isTainted).toBe(false);
});

describe('11. an operator’s command', () => {
  test('`assign` of an address while another one is associated is refused, or obeyed', () => {
    const world = newWorld('one', 'one');
    until(world, 'associate');
    const wanted = world.addresses[1]?.ip;
    const assign = nodeCommands.find(({ name }) => name === 'assign');
    try {
      assign?.check(world.state, { address: wanted });
    } catch {
      return;
    }
    world.command('assign', { address: wanted });
    rest(world);
    expect(has(world)).toEqual([wanted]);
  });

  test('`move` is answered by what came of it, also where the node is released before that is read back', () => {
    const world = newWorld('one', 'one');
    rest(world);
    world.command('move', { address: world.addresses[1]?.ip });
    until(world, 'verify');
    release(world);
    rest(world);
    expect(world.state.lastMove?.outcome).toEqual({ moved: true });
  });
});

describe('12. what is not told is looked for', () => {
  test('a node that no pool selects any more, and that could not be associated, leaves no run', () => {
    const world = newWorld('one');
    until(world, 'associate');
    relabel(world, 'none');
    world.finish('look');
    world.finish('ipv4', 'Throttled');
    rest(world);
    expect(world.end).toEqual({ kind: 'released' });
  });

  test('an address that was read back before its instance was terminated is not shown as there', () => {
    const world = newWorld('one');
    until(world, 'verify');
    world.makeCall('ipv4');
    world.alive.clear();
    for (const address of world.addresses) address.instance = undefined;
    world.take({ kind: 'nodeChanged' });
    world.finish('look');
    world.finish('ipv4');
    rest(world);
    expect(has(world)).toEqual([]);
  });

  test('an address that could not be read back is looked at again, and why is not shown for ever', () => {
    const world = newWorld('one');
    until(world, 'verify');
    world.finish('ipv4', 'Denied');
    rest(world);
    expect(world.status()).toMatchObject({ phase: 'assigned' });
    expect(world.status().lastError).toBeUndefined();
  });
});

function update(world: NodeWorld, name: string, input: unknown): void {
  world.command(name, input, true);
}

test('13. a release by hand that is refused is answered, also where the node has one of two addresses', () => {
  const world = new NodeWorld();
  if (world.node !== undefined) world.node.pool = 'both';
  world.reserve('both', 'ipv4');
  rest(world);
  expect(has(world).length).toBe(1);
  world.reasons.add('by hand');
  update(world, 'release', {});
  const starts = world.starts.get('release') ?? 0;
  for (let rounds = 0; rounds < 400; rounds++) {
    const busy = world.busy();
    if (busy !== undefined)
      world.finish(busy, world.underWay.get(busy)?.action.kind === 'release' ? 'Denied' : 'none');
    else if (world.wakeAt === undefined) break;
    else {
      world.now = world.wakeAt;
      world.take({ kind: 'time' });
    }
  }
  expect({ open: world.updates.length, tries: (world.starts.get('release') ?? 0) - starts }).toEqual({
    open: 0,
    tries: 0,
  });
});

test('14. an address that an operator wants is not forgotten with a run that failed', () => {
  const world = newWorld('one', 'one');
  rest(world);
  release(world);
  rest(world);
  world.command('assign', { address: world.addresses[1]?.ip });
  until(world, 'associate');
  world.finish('ipv4', 'Denied');
  for (let rounds = 0; rounds < 20; rounds++) {
    const busy = world.busy();
    if (busy !== undefined) world.finish(busy);
  }
  expect(world.end).toBeUndefined();
});

test('15. why a node was not moved is shown until something new is told', () => {
  const world = newWorld('one');
  rest(world);
  world.command('move', { address: '198.51.100.9' });
  rest(world);
  expect(world.status().message).toContain('was not moved to 198.51.100.9');
  world.take({ kind: 'nodeChanged' });
  rest(world);
  expect(world.status().message).not.toContain('was not moved');
});

test('16. a release that is held is looked at less and less often', () => {
  const world = newWorld('one');
  rest(world);
  world.isBraked = true;
  remove(world);
  until(world, 'weigh');
  rest(world, 0);
  const before = world.starts.get('look') ?? 0;
  rest(world, 24 * 3_600_000);
  expect(world.status().phase).toBe('held');
  expect((world.starts.get('look') ?? 0) - before).toBeLessThan(400);
});

test('17. why Kubernetes could not be asked is not shown once it was', () => {
  const world = newWorld('one');
  rest(world);
  world.isBraked = true;
  remove(world);
  until(world, 'weigh');
  world.finish('giveBack', 'Denied');
  rest(world, 0);
  until(world, 'weigh');
  world.finish('giveBack');
  expect(world.status().phase).toBe('held');
  expect(world.status().lastError).toBeUndefined();
});

test('18. a taint waits no longer than its pool says, also where the Event or a tag cannot be written', () => {
  const world = newWorld('one');
  until(world, 'publish');
  const end = world.now + TAINT_WAIT_MS + 3_600_000;
  while (world.now < end) {
    const busy = world.busy();
    // What is written before stands.
    if (busy !== undefined) world.finish(busy, busy === 'publish' ? 'after' : 'none');
    else if (world.wakeAt === undefined) break;
    else {
      world.now = world.wakeAt;
      world.take({ kind: 'time' });
    }
  }
  expect(world.status()).toMatchObject({ phase: 'assigned', lastError: 'Unavailable.' });
  expect(world.node?.isTainted).toBe(false);
});
