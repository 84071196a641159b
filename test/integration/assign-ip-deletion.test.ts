import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { publicIpv4Annotation } from '../../kubernetes/keys.ts';
import { addressOf } from './assigned-address.ts';
import { type Harness, openHarness } from './harness.ts';
import { expectSound } from './soundness.ts';
import type { TestNode } from './test-nodes.ts';
import { waitFor } from './wait-for.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness({
    pools: [
      { name: 'short' },
      { name: 'dead' },
      { name: 'grace', release: { gracePeriod: '10m' } },
      { name: 'renamed' },
      { name: 'rumour', release: { gracePeriod: '1s' } },
      { name: 'keeping', release: { onNodeDelete: false } },
      { name: 'waiting' },
    ],
  });
}, 900_000);
afterEach(() => expectSound(harness));
afterAll(() => harness?.close());

/** A node with the pool's only address, and one that waits for it. */
async function holderAndHeir(pool: string): Promise<{ holder: TestNode; heir: TestNode; ip: string }> {
  harness.reserve(pool);
  const holder = await harness.addNode(`${pool}-holder`, { pool });
  const { address } = await harness.waitUntilAssigned(holder);
  const heir = await harness.addNode(`${pool}-heir`, { pool });
  await harness.waitForStatus(heir, 'told', ({ lastError }) => lastError !== undefined);
  return { holder, heir, ip: address.ip };
}

function disassociations(): number {
  return harness.ec2.calls().counts['DisassociateAddress']?.['ok'] ?? 0;
}

describe('a Node that is deleted', () => {
  test('gives its address to the next that waits, and its workflow ends', async () => {
    const { holder, heir, ip } = await holderAndHeir('short');
    await harness.deleteNode(holder);

    expect((await harness.waitUntilAssigned(heir)).address.ip).toBe(ip);
    expect(await harness.waitForEnd(holder)).toBe('COMPLETED');
    expect(harness.elasticIpOf(holder.instanceId)).toBeUndefined();
    expect(await harness.handle(holder).result()).toMatchObject({ phase: 'released' });
  });

  test('with its instance terminated leaves nothing to disassociate, and the next is served', async () => {
    const { holder, heir, ip } = await holderAndHeir('dead');
    const before = disassociations();
    harness.ec2.terminateInstance(holder.instanceId);
    await harness.deleteNode(holder);

    expect((await harness.waitUntilAssigned(heir)).address.ip).toBe(ip);
    expect(await harness.waitForEnd(holder)).toBe('COMPLETED');
    expect(disassociations()).toBe(before);
  });

  test('while it waits gives up its place', async () => {
    const node = await harness.addNode('waiting-1', { pool: 'waiting' });
    await waitFor(
      'a place',
      () => harness.mutexStatus(),
      ({ waiting }) => waiting.length > 0,
    );
    await harness.deleteNode(node);

    expect(await harness.waitForEnd(node)).toBe('COMPLETED');
    await waitFor(
      'no place',
      () => harness.mutexStatus(),
      ({ waiting }) => waiting.length === 0,
    );
  });

  test('leaves the address on the instance if its pool says so', async () => {
    const [allocationId = ''] = harness.reserve('keeping');
    harness.kept.add(allocationId);
    const node = await harness.addNode('keeping-1', { pool: 'keeping' });
    const { address } = await harness.waitUntilAssigned(node);

    await harness.deleteNode(node);
    expect(await harness.waitForEnd(node)).toBe('COMPLETED');
    expect(harness.elasticIpOf(node.instanceId)).toBe(address.ip);
  });

  test('only by rumour keeps its address', async () => {
    harness.reserve('rumour');
    const node = await harness.addNode('rumour-1', { pool: 'rumour' });
    const { address } = await harness.waitUntilAssigned(node);
    const before = disassociations();

    await harness.tellDeleted(node);
    // A query is answered when what was told before it is worked off.
    const looks = async () => (await harness.handle(node).fetchHistory()).events?.length ?? 0;
    const told = await looks();
    await harness.nudge(node);
    await waitFor('another look', looks, (events) => events > told);
    expect((await harness.waitUntilAssigned(node)).address).toEqual(address);
    expect(disassociations()).toBe(before);
  });
});

describe('a Node registered again under its name', () => {
  test('by the same instance within the grace period keeps its address', async () => {
    harness.reserve('grace');
    const node = await harness.addNode('grace-1', { pool: 'grace' });
    const { address } = await harness.waitUntilAssigned(node);
    const before = disassociations();
    await harness.deleteNode(node);
    await harness.waitForPhase(node, 'releasing');

    const again = await harness.addNode('grace-1', { pool: 'grace', instanceId: node.instanceId });
    const status = await harness.waitForStatus(again, 'kept', (seen) => seen.phase === 'assigned');
    expect(status).toMatchObject({ node: { uid: again.uid }, addresses: [{ address }] });
    expect(again.uid).not.toBe(node.uid);
    expect(disassociations()).toBe(before);
    const { memo } = await harness.handle(again).describe();
    expect(memo).toEqual({ uid: again.uid });
    const shown = await waitFor(
      'the new Node',
      () => harness.nodes.read(again),
      ({ metadata }) => metadata?.annotations?.[publicIpv4Annotation] !== undefined,
    );
    expect(shown.metadata?.annotations?.[publicIpv4Annotation]).toBe(address.ip);

    // What is said of the Node that was does not concern the Node that is.
    await harness.tellDeleted(node);
    await harness.tellChanged(again);
    expect(await harness.waitUntilAssigned(again)).toMatchObject({ address });
  });

  test('by another instance: the old one gives its address back, the new one gets its own', async () => {
    harness.reserve('renamed', 2);
    const node = await harness.addNode('renamed-1', { pool: 'renamed' });
    await harness.waitUntilAssigned(node);

    // The deletion was missed: all that is heard of is the new Node.
    await harness.nodes.delete(node);
    const next = await harness.addNode('renamed-1', { pool: 'renamed' });
    const status = await harness.waitForStatus(
      next,
      'assigned anew',
      (seen) => seen.phase === 'assigned' && seen.node.uid === next.uid,
    );
    expect(status.instance).toBe(next.instanceId);
    expect(harness.elasticIpOf(next.instanceId)).toBe(addressOf(status)?.ip);
    expect(harness.elasticIpOf(node.instanceId)).toBeUndefined();
  });

  test('after the workflow of the first has ended gets a workflow of its own', async () => {
    harness.reserve('renamed');
    const node = await harness.addNode('renamed-2', { pool: 'renamed' });
    await harness.waitUntilAssigned(node);
    await harness.deleteNode(node);
    expect(await harness.waitForEnd(node)).toBe('COMPLETED');

    const next = await harness.addNode('renamed-2', { pool: 'renamed' });
    expect(await harness.waitUntilAssigned(next)).toMatchObject({ node: { uid: next.uid } });
  });
});
