/** Who may have the address of an instance, where more than one Node names it, or a Node that is another machine. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { AssignIpStatus } from '../../workflows/messages.ts';
import { poolTag } from './cloud-facts.ts';
import { type Harness, openHarness } from './harness.ts';
import { expectSound } from './soundness.ts';
import type { TestNode } from './test-nodes.ts';
import { waitFor } from './wait-for.ts';

const clouds = ['aws', 'gcp'] as const;
const uses = ['twin', 'renamed', 'back'] as const;

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness({
    pools: [
      ...clouds.flatMap((provider) => uses.map((use) => ({ provider, name: `${provider}-${use}` }))),
      { name: 'grace', release: { gracePeriod: '3s' } },
      { name: 'other' },
      { name: 'bastion' },
      { name: 'named', nodeIdentity: { name: 'required' } },
      { name: 'tagged', nodeIdentity: { clusterName: 'prod-eks' } },
      { name: 'gke', provider: 'gcp' },
    ],
  });
}, 900_000);
afterEach(() => expectSound(harness));
afterAll(() => harness?.close());

/** The address that an instance has now, by its id. */
function addressOn(instanceId: string): string | undefined {
  return harness
    .facts()
    .flatMap(({ addresses }) => addresses)
    .find(({ instance }) => instance?.endsWith(instanceId))?.id;
}

/** How often a program changed who has which address. */
function changes(): number {
  return harness.facts().flatMap(({ journal }) => journal.filter(({ by }) => by === 'api')).length;
}

function waitUntilRefused(node: TestNode, ...words: string[]): Promise<AssignIpStatus> {
  return harness.waitForStatus(
    node,
    `to be refused with ${words.join(', ')}`,
    ({ phase, message }) => phase === 'waiting' && words.every((word) => message.includes(word)),
  );
}

function waitForEvent(node: TestNode, beginning: string): Promise<string[]> {
  return waitFor(
    `the Event ${beginning}`,
    () => harness.nodes.events(node),
    (events) => events.some((event) => event.startsWith(beginning)),
  );
}

describe.each(clouds)('on %s', (cloud) => {
  const reserve = (pool: string): void => {
    if (cloud === 'aws') harness.reserve(pool);
    else harness.reserveOnGce(pool);
  };

  test('a second Node of an instance is refused and named the first, which keeps its address whatever the second does', async () => {
    const pool = `${cloud}-twin`;
    reserve(pool);
    const victim = await harness.addNode(`${pool}-victim`, { pool, cloud });
    await harness.waitUntilAssigned(victim);
    const had = addressOn(victim.instanceId);
    const before = changes();

    const { instanceId } = victim;
    const evil = await harness.addNode(`${pool}-evil`, { pool, cloud, instanceId });
    await waitUntilRefused(evil, `belongs to Node ${victim.name}`, 'One instance serves one Node');
    await waitForEvent(
      evil,
      `Warning InstanceRefused: Instance ${instanceId} belongs to Node ${victim.name}`,
    );

    // It leaves the pool.
    await harness.nodes.patch(evil, { metadata: { labels: { pool: null } } });
    await harness.nudge(evil);
    expect(await harness.waitForEnd(evil)).toBe('COMPLETED');
    expect(addressOn(instanceId)).toBe(had);
    // It comes back, and is deleted.
    await harness.nodes.patch(evil, { metadata: { labels: { pool } } });
    await harness.tellChanged(evil);
    await waitUntilRefused(evil, victim.name);
    await harness.deleteNode(evil);
    expect(await harness.waitForEnd(evil)).toBe('COMPLETED');

    expect(addressOn(instanceId)).toBe(had);
    expect(changes()).toBe(before);
    expect((await harness.status(victim)).phase).toBe('assigned');
  });

  test('a machine that registers under a new name keeps its address when the old Node goes', async () => {
    const pool = `${cloud}-renamed`;
    reserve(pool);
    const old = await harness.addNode(`${pool}-old`, { pool, cloud });
    const { address } = await harness.waitUntilAssigned(old);
    const before = changes();
    const fresh = await harness.addNode(`${pool}-new`, { pool, cloud, instanceId: old.instanceId });
    await waitUntilRefused(fresh, `If ${old.name} is an old name of the same machine, delete it`);

    await harness.deleteNode(old);
    expect(await harness.waitForEnd(old)).toBe('COMPLETED');
    expect((await harness.waitUntilAssigned(fresh)).address).toEqual(address);
    expect(changes()).toBe(before);

    // It is the new Node's in full: it goes with that.
    await harness.deleteNode(fresh);
    expect(await harness.waitForEnd(fresh)).toBe('COMPLETED');
    expect(addressOn(old.instanceId)).toBeUndefined();
  });

  test('a Node that is registered again keeps its address, though another one that names its instance was first by then', async () => {
    const pool = `${cloud}-back`;
    reserve(pool);
    const victim = await harness.addNode(`${pool}-victim`, { pool, cloud });
    const { address } = await harness.waitUntilAssigned(victim);
    const before = changes();
    const { instanceId } = victim;
    const evil = await harness.addNode(`${pool}-evil`, { pool, cloud, instanceId });
    await waitUntilRefused(evil, victim.name);

    await harness.nodes.delete(victim);
    const again = await harness.addNode(victim.name, { pool, cloud, instanceId });
    const { uid } = again;
    await harness.waitForStatus(again, 'taken over', (status) => status.node.uid === uid);
    expect((await harness.waitUntilAssigned(again)).address).toEqual(address);
    await harness.tellChanged(evil);
    await waitUntilRefused(evil, `belongs to Node ${victim.name}, which has its address there`);
    await harness.deleteNode(evil);
    expect(await harness.waitForEnd(evil)).toBe('COMPLETED');
    expect(addressOn(instanceId)).toBe(address.id);
    expect(changes()).toBe(before);
  });
});

test('a machine that registers under a new name within the grace period of its old Node keeps its address', async () => {
  harness.reserve('grace');
  const old = await harness.addNode('grace-old', { pool: 'grace' });
  const { address } = await harness.waitUntilAssigned(old);
  const before = changes();
  await harness.deleteNode(old);
  const fresh = await harness.addNode('grace-new', { pool: 'grace', instanceId: old.instanceId });
  expect((await harness.waitUntilAssigned(fresh)).address).toEqual(address);
  expect(await harness.waitForEnd(old)).toBe('COMPLETED');
  expect((await harness.handle(old).result()) as AssignIpStatus).toMatchObject({
    message: expect.stringContaining('it passes to that Node') as unknown,
  });
  expect(changes()).toBe(before);
});

test('a Node in another pool that names the instance of a node is refused, and that keeps the address of its own pool', async () => {
  harness.reserve('grace', 2);
  harness.reserve('other');
  const victim = await harness.addNode('cross-victim', { pool: 'grace' });
  await harness.waitUntilAssigned(victim);
  const evil = await harness.addNode('cross-evil', { pool: 'other', instanceId: victim.instanceId });
  await waitUntilRefused(evil, victim.name);
  await harness.deleteNode(evil);
  expect(await harness.waitForEnd(evil)).toBe('COMPLETED');
  expect((await harness.status(victim)).phase).toBe('assigned');
});

describe('an address of the pool on a machine that is no node', () => {
  /** A machine with an address that a person attached. */
  function bastion(pool: string, tags: Record<string, string> = {}): string {
    const [allocationId = ''] = harness.reserve(pool);
    const { instanceId } = harness.ec2.runInstance({ publicIp: true, tags });
    harness.ec2.associateByHand({ allocationId, instanceId });
    return instanceId;
  }

  function privateNameOf(instanceId: string): string {
    const found = harness.ec2.instances().find((it) => it.instanceId === instanceId);
    return `ip-${found?.privateIp?.replaceAll('.', '-')}.eu-west-1.compute.internal`;
  }

  test('stays there, when a Node that is called as another machine says that it is that one', async () => {
    const instanceId = bastion('bastion');
    const { instanceId: own } = harness.ec2.runInstance({});
    const had = addressOn(instanceId);
    const before = changes();
    for (const name of [privateNameOf(own), own]) {
      const evil = await harness.addNode(name, { pool: 'bastion', instanceId });
      await waitUntilRefused(evil, `The cloud calls instance ${instanceId}`, 'nodeIdentity');
      await waitForEvent(evil, 'Warning InstanceRefused: The cloud calls instance');
      await harness.deleteNode(evil);
      expect(await harness.waitForEnd(evil)).toBe('COMPLETED');
    }
    expect(addressOn(instanceId)).toBe(had);
    expect(changes()).toBe(before);
    // A Node by the machine's own name is that machine.
    const node = await harness.addNode(privateNameOf(own), { pool: 'bastion', instanceId: own });
    harness.reserve('bastion');
    await harness.waitUntilAssigned(node);
  });

  test('stays there, when names are required and a Node is called otherwise', async () => {
    const instanceId = bastion('named');
    const before = changes();
    const evil = await harness.addNode('named-evil', { pool: 'named', instanceId });
    await waitUntilRefused(evil, `The cloud calls instance ${instanceId}`);
    const { instanceId: own } = harness.ec2.runInstance({});
    harness.reserve('named');
    const node = await harness.addNode(own, { pool: 'named', instanceId: own });
    await harness.waitUntilAssigned(node);
    expect(changes()).toBe(before + 1);
  });

  test('stays there, when it lacks the tag of the cluster, or has that of another', async () => {
    const plain = bastion('tagged');
    const foreign = bastion('tagged', { 'kubernetes.io/cluster/staging': 'owned' });
    const before = changes();
    await waitUntilRefused(
      await harness.addNode('tagged-plain', { pool: 'tagged', instanceId: plain }),
      'has not the tag kubernetes.io/cluster/prod-eks',
    );
    await waitUntilRefused(
      await harness.addNode('tagged-foreign', { pool: 'tagged', instanceId: foreign }),
      'It belongs to staging.',
    );
    expect(changes()).toBe(before);
    const tags = { 'kubernetes.io/cluster/prod-eks': 'owned' };
    const { instanceId } = harness.ec2.runInstance({ tags });
    harness.reserve('tagged');
    await harness.waitUntilAssigned(await harness.addNode('tagged-node', { pool: 'tagged', instanceId }));
  });

  test('of GKE is its Node’s alone, which has its name', async () => {
    const labels = { 'goog-k8s-cluster-name': 'prod' };
    harness.gce.insertInstance({ name: 'gke-machine', labels });
    harness.reserveOnGce('gke');
    const before = changes();
    const gke = { pool: 'gke', cloud: 'gcp', instanceId: 'gke-machine' } as const;
    await waitUntilRefused(await harness.addNode('gke-evil', gke), 'The cloud calls instance gke-machine');
    expect(changes()).toBe(before);
    await harness.waitUntilAssigned(await harness.addNode('gke-machine', gke));
  });
});

test('two Nodes of one instance that come at once get one address between them', async () => {
  harness.reserve('other', 2);
  const { instanceId } = harness.ec2.runInstance({ publicIp: true });
  const first = await harness.nodes.make('at-once-1', { pool: 'other', instanceId });
  const second = await harness.nodes.make('at-once-2', { pool: 'other', instanceId });
  await Promise.all([harness.tellChanged(second), harness.tellChanged(first)]);
  await harness.waitUntilAssigned(first);
  await waitUntilRefused(second, first.name);
  const held = harness.ec2.addresses().filter((it) => it.tags[poolTag] === 'other' && it.instanceId);
  expect(held.map((it) => it.instanceId)).toEqual([instanceId]);
});
