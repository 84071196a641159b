import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { messageAnnotation, phaseLabel, poolLabel, publicIpv4Annotation } from '../../kubernetes/keys.ts';
import { addressOf } from './assigned-address.ts';
import { type Harness, openHarness } from './harness.ts';
import { expectSound } from './soundness.ts';
import type { TestNode } from './test-nodes.ts';
import { waitFor } from './wait-for.ts';

const shared = { filter: 'Name=tag:kubeip,Values=ranked' };
let harness: Harness;
beforeAll(async () => {
  harness = await openHarness({
    pools: [
      { name: 'empty' },
      { name: 'ranked', ...shared },
      { name: 'ranked-high', priority: 10, ...shared },
      { name: 'foreign' },
      { name: 'adopted' },
      { name: 'from' },
      { name: 'to', release: { gracePeriod: '0', onDeselect: 'release' } },
    ],
  });
}, 900_000);
afterEach(() => expectSound(harness));
afterAll(() => harness?.close());

describe('a pool that is empty', () => {
  test('makes a node wait, visibly, until an address is added', async () => {
    const node = await harness.addNode('empty-1', { pool: 'empty' });
    const waiting = await harness.waitForStatus(node, 'told', ({ lastError }) => lastError !== undefined);
    expect(waiting.phase).toBe('waiting');
    expect(waiting.message).toBe(
      'Pool empty has no free IPv4 address: nothing matches its filter (Name=tag:kubeip,Values=empty). ' +
        'It is served when one is freed or added.',
    );
    const [event] = await waitFor(
      'Event',
      () => harness.nodes.events(node),
      (events) => events.length > 0,
    );
    expect(event).toBe(`Warning WaitingForAddress: ${waiting.message}`);
    const { metadata } = await harness.nodes.read(node);
    expect(metadata?.labels).toMatchObject({ [phaseLabel]: 'waiting', [poolLabel]: 'empty' });
    expect(metadata?.annotations).toMatchObject({ [messageAnnotation]: waiting.message });
    expect((await harness.mutexStatus()).waiting).toMatchObject([
      { position: 1, workflowId: harness.workflowId(node), pool: 'empty' },
    ]);

    harness.reserve('empty');
    await harness.waitUntilAssigned(node);
    await waitFor(
      'no message on the Node',
      () => harness.nodes.read(node),
      (seen) => seen.metadata?.annotations?.[messageAnnotation] === undefined,
    );
  });

  test('serves a node that waits once another gives its address back', async () => {
    harness.reserve('empty');
    const holder = await harness.addNode('empty-2', { pool: 'empty' });
    const { address } = await harness.waitUntilAssigned(holder);
    const heir = await harness.addNode('empty-3', { pool: 'empty' });
    const waiting = await harness.waitForStatus(heir, 'told', ({ lastError }) => lastError !== undefined);
    expect(waiting.message).toContain('2 of 2 are in use');

    await harness.release(holder);
    expect((await harness.waitUntilAssigned(heir)).address).toEqual(address);
  });
});

test('priority goes before the order of arrival, which decides among equals', async () => {
  harness.reserve('ranked');
  const first = await harness.addNode('ranked-0', { pool: 'ranked' });
  await harness.waitUntilAssigned(first);
  const queue: TestNode[] = [];
  for (const [name, pool] of [
    ['ranked-1', 'ranked'],
    ['ranked-2', 'ranked'],
    ['ranked-3', 'ranked-high'],
  ] as const) {
    const node = await harness.addNode(name, { pool });
    const isQueued = ({ waiting }: { waiting: readonly { workflowId: string }[] }) =>
      waiting.some(({ workflowId }) => workflowId === harness.workflowId(node));
    await waitFor(`${name} in the queue`, () => harness.mutexStatus(), isQueued);
    queue.push(node);
  }

  let holder = first;
  const served: string[] = [];
  for (let turn = 0; turn < queue.length; turn++) {
    await harness.release(holder);
    const instanceId = await waitFor(
      'the next holder',
      () => queue.find((node) => harness.elasticIpOf(node.instanceId) !== undefined)?.instanceId,
      (found) => found !== undefined,
    );
    holder = queue.find((node) => node.instanceId === instanceId) ?? first;
    served.push(holder.name);
    await harness.waitUntilAssigned(holder);
  }
  expect(served).toEqual(['ranked-3', 'ranked-1', 'ranked-2']);
});

describe('an address that an instance holds already', () => {
  test('is left alone and reported if it is not of the pool; the node is served once it is detached', async () => {
    harness.reserve('foreign');
    const { allocationId, publicIp } = harness.ec2.allocateAddress({ tags: { owner: 'somebody' } });
    const { instanceId } = harness.ec2.runInstance({ publicIp: true });
    harness.ec2.associateByHand({ allocationId, instanceId });
    const node = await harness.addNode('foreign-1', { pool: 'foreign', instanceId });

    const waiting = await harness.waitForStatus(node, 'told', ({ lastError }) => lastError !== undefined);
    expect(waiting.phase).toBe('waiting');
    expect(waiting.message).toContain(`The instance holds ${publicIp}, which is not of pool foreign`);
    const [event] = await waitFor(
      'Event',
      () => harness.nodes.events(node),
      (events) => events.length > 0,
    );
    expect(event).toBe(`Warning ForeignAddress: ${waiting.message}`);
    expect(harness.elasticIpOf(instanceId)).toBe(publicIp);

    harness.ec2.disassociateByHand(allocationId);
    await harness.handle(node).signal('assign');
    await harness.waitUntilAssigned(node);
    expect(harness.elasticIpOf(instanceId)).not.toBe(publicIp);
  });

  test('is kept if it is of the pool, even if Temporal has forgotten everything', async () => {
    harness.reserve('adopted', 3);
    const nodes = await Promise.all(
      ['adopted-1', 'adopted-2', 'adopted-3'].map((name) => harness.addNode(name, { pool: 'adopted' })),
    );
    await Promise.all(nodes.map((node) => harness.waitUntilAssigned(node)));
    const before = harness.ec2.addresses();
    const associations = harness.associations();

    await Promise.all(nodes.map((node) => harness.handle(node).terminate('forgotten')));
    await harness.mutex.terminate('forgotten');
    await harness.startMutex();
    await Promise.all(nodes.map((node) => harness.tellChanged(node)));

    for (const node of nodes) {
      const { address } = await harness.waitUntilAssigned(node);
      expect(harness.elasticIpOf(node.instanceId)).toBe(address.ip);
    }
    expect(harness.ec2.addresses()).toEqual(before);
    expect(harness.associations()).toBe(associations);
    expect(harness.ec2.calls().counts['AssociateAddress']).toEqual({ ok: associations });
  });
});

describe('a Node whose label changes', () => {
  test('to another pool gives the old address back once it has one of the new pool', async () => {
    const [old] = harness.reserve('from');
    const [next] = harness.reserve('to');
    const node = await harness.addNode('moved-1', { pool: 'from' });
    expect((await harness.waitUntilAssigned(node)).address.id).toBe(old);

    harness.moved.add(node.instanceId);
    await harness.nodes.patch(node, { metadata: { labels: { pool: 'to' } } });
    await harness.tellChanged(node);
    const moved = await harness.waitForStatus(
      node,
      'moved',
      (s) => s.phase === 'assigned' && s.pool === 'to',
    );
    expect(addressOf(moved)?.id).toBe(next);
    expect(harness.ec2.addresses().find((a) => a.allocationId === old)?.instanceId).toBeUndefined();
  });

  test('to no pool gives the address back where its pool says so, and its workflow ends', async () => {
    harness.reserve('to');
    const node = await harness.addNode('moved-2', { pool: 'to' });
    await harness.waitUntilAssigned(node);

    await harness.nodes.patch(node, { metadata: { labels: { pool: 'none' } } });
    await harness.tellChanged(node);
    expect(await harness.waitForEnd(node)).toBe('COMPLETED');
    expect(harness.elasticIpOf(node.instanceId)).toBeUndefined();
    const { metadata } = await harness.nodes.read(node);
    expect(metadata?.annotations ?? {}).not.toHaveProperty([publicIpv4Annotation]);

    await harness.nodes.patch(node, { metadata: { labels: { pool: 'to' } } });
    await harness.tellChanged(node);
    await harness.waitUntilAssigned(node);
  });
});
