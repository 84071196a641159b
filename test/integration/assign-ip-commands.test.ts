import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { phaseLabel, publicIpv4Annotation } from '../../kubernetes/keys.ts';
import { addressOf } from './assigned-address.ts';
import { type Harness, openHarness } from './harness.ts';
import { expectSound } from './soundness.ts';
import { waitFor } from './wait-for.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness({
    pools: [
      { name: 'signalled' },
      { name: 'updated' },
      { name: 'bad-input' },
      { name: 'cancelled' },
      { name: 'refused' },
      { name: 'unlucky', retries: { attempts: 1 } },
    ],
  });
}, 900_000);
afterEach(() => expectSound(harness));
afterAll(() => harness?.close());

/** @returns the reason for which an Update was refused or failed */
async function refusalOf(update: Promise<unknown>): Promise<string> {
  try {
    await update;
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError) return error.cause?.message ?? error.message;
    throw error;
  }
  throw new Error('The Update was accepted');
}

describe('an operator', () => {
  test('releases by signal, the watcher does not undo it, and assigns again by signal', async () => {
    harness.reserve('signalled');
    const node = await harness.addNode('signalled-1', { pool: 'signalled' });
    const { address } = await harness.waitUntilAssigned(node);

    await harness.handle(node).signal('release', { reason: 'maintenance' });
    const released = await harness.waitForPhase(node, 'released');
    expect(released).toMatchObject({ releasedByHand: true });
    expect(released.message).toContain(
      `${address.ip} was released. EC2 gives the instance another public IPv4 address only if`,
    );
    expect(harness.elasticIpOf(node.instanceId)).toBeUndefined();
    const shown = await waitFor(
      'the Node',
      () => harness.nodes.read(node),
      ({ metadata }) => metadata?.labels?.[phaseLabel] === 'released',
    );
    expect(shown.metadata?.annotations).not.toHaveProperty([publicIpv4Annotation]);
    await waitFor(
      'the Event',
      () => harness.nodes.events(node),
      (events) => events.includes(`Normal AddressReleased: ${released.message}`),
    );

    const before = harness.associations();
    await harness.tellChanged(node);
    // An answered Update shows that what came before it was taken up.
    expect(await refusalOf(harness.release(node))).toBe('the address is released by hand already');
    expect(await harness.status(node)).toMatchObject({ phase: 'released', releasedByHand: true });
    expect(harness.associations()).toBe(before);

    await harness.handle(node).signal('assign');
    const again = await harness.waitUntilAssigned(node);
    expect(again).toMatchObject({ releasedByHand: false, addresses: [{ address }] });
  });

  test('releases by Update and is answered when the address is free; assigns by Update', async () => {
    harness.reserve('updated');
    const node = await harness.addNode('updated-1', { pool: 'updated' });
    const { address } = await harness.waitUntilAssigned(node);

    expect(await refusalOf(harness.assign(node))).toBe(`the node has ${address.ip} already`);
    const answer = await harness.release(node, { reason: 'maintenance' });
    expect(harness.elasticIpOf(node.instanceId)).toBeUndefined();
    expect(answer).toMatchObject({ phase: 'released', releasedByHand: true });
    expect(addressOf(answer)).toBeUndefined();

    expect(await refusalOf(harness.release(node))).toBe('the address is released by hand already');
    const assigning = await harness.assign(node);
    expect(assigning).toMatchObject({ releasedByHand: false });
    expect(assigning.phase).not.toBe('released');
    expect(assigning.message).not.toContain('nothing is assigned');
    expect((await harness.waitUntilAssigned(node)).address).toEqual(address);
  });

  test('releases a node that waits, which gives up its place', async () => {
    const node = await harness.addNode('refused-1', { pool: 'refused' });
    await waitFor(
      'a place',
      () => harness.mutexStatus(),
      ({ waiting }) => waiting.length === 1,
    );

    const answer = await harness.release(node);
    expect(answer).toMatchObject({ phase: 'released' });
    await waitFor(
      'no place',
      () => harness.mutexStatus(),
      ({ waiting }) => waiting.length === 0,
    );
    harness.reserve('refused');
    await harness.handle(node).signal('assign');
    await harness.waitUntilAssigned(node);
  });

  test('hears that EC2 refuses the release, and the node keeps its address', async () => {
    harness.reserve('unlucky');
    const node = await harness.addNode('unlucky-1', { pool: 'unlucky' });
    const { address } = await harness.waitUntilAssigned(node);

    harness.ec2.configure({ denied: ['DisassociateAddress'] });
    const refusal = await refusalOf(harness.release(node));
    harness.ec2.configure({ denied: [] });
    expect(refusal).toContain('"ec2:DisassociateAddress" is missing');
    expect(await harness.waitForPhase(node, 'assigned')).toMatchObject({
      addresses: [{ address }],
      releasedByHand: false,
    });
    expect(harness.elasticIpOf(node.instanceId)).toBe(address.ip);
  });

  test('who cancels the workflow leaves the address where it is; a new start takes it over', async () => {
    harness.reserve('cancelled');
    const node = await harness.addNode('cancelled-1', { pool: 'cancelled' });
    const { address } = await harness.waitUntilAssigned(node);
    const before = harness.associations();

    await harness.handle(node).cancel();
    expect(await harness.waitForEnd(node)).toBe('CANCELLED');
    expect(harness.elasticIpOf(node.instanceId)).toBe(address.ip);

    await harness.tellChanged(node);
    expect((await harness.waitUntilAssigned(node)).address).toEqual(address);
    expect(harness.associations()).toBe(before);
  });

  test('who cancels a node that waits leaves no place behind', async () => {
    harness.reserve('cancelled', 0);
    const node = await harness.addNode('cancelled-2', { pool: 'cancelled' });
    await waitFor(
      'a place',
      () => harness.mutexStatus(),
      ({ waiting }) => waiting.length === 1,
    );

    await harness.handle(node).cancel();
    expect(await harness.waitForEnd(node)).toBe('CANCELLED');
    await waitFor(
      'no place',
      () => harness.mutexStatus(),
      ({ waiting }) => waiting.length === 0,
    );
  });
});

describe('bad input', () => {
  const garbage = [undefined, null, 7, 'text', [], {}, { uid: 7 }, { reason: 7 }, { kind: 'granted' }];

  test('to the signals of a node is ignored', async () => {
    harness.reserve('bad-input');
    const node = await harness.addNode('bad-input-1', { pool: 'bad-input' });
    const { address } = await harness.waitUntilAssigned(node);
    const handle = harness.handle(node);

    for (const name of ['nodeDeleted', 'nodeChanged']) {
      for (const value of garbage) await handle.signal(name, value);
    }
    for (const name of ['release', 'assign']) {
      for (const value of [7, 'text', [], { reason: 7 }]) await handle.signal(name, value);
    }
    await handle.signal('noSuchSignal', {});
    expect(await refusalOf(handle.executeUpdate('release', { args: ['text'] }))).toBe(
      'release takes nothing, or {"reason": "text"}',
    );
    expect(await refusalOf(handle.executeUpdate('assign', { args: [7] }))).toBe(
      'assign takes nothing, or any of {"address": "an IP or id", "family": "ipv4", "reason": "text"}',
    );
    expect(await harness.waitForPhase(node, 'assigned')).toMatchObject({ addresses: [{ address }] });
  });

  test('to the signals of the mutex is ignored, and it serves on', async () => {
    for (const name of ['request', 'settle', 'withdraw', 'freed', 'configure', 'noSuchSignal']) {
      for (const value of garbage) await harness.mutex.signal(name, value);
    }
    await harness.mutex.signal('configure', { pacing: { burst: 0, perSecond: -1 } });
    // A settlement of a claim that is not its sender's.
    await harness.mutex.signal('settle', {
      workflowId: 'nobody',
      addressId: 'eipalloc-1',
      token: 1,
      outcome: 'abandoned',
    });
    harness.reserve('bad-input');
    const node = await harness.addNode('bad-input-2', { pool: 'bad-input' });
    await harness.waitUntilAssigned(node);
  });

  test('of a request for a workflow that does not exist keeps no address', async () => {
    const [free] = harness.reserve('bad-input');
    await harness.mutex.signal('request', {
      workflowId: 'assign-ip/test/nobody',
      runId: 'no such run',
      requestId: 'nobody-1',
      activityId: '1',
      pool: 'bad-input',
      query: { family: 'ipv4', filter: 'Name=tag:kubeip,Values=bad-input', orderBy: '' },
      priority: 100,
      instance: { provider: 'aws', id: 'i-00000000000000000', zone: 'eu-west-1a' },
    });
    const node = await harness.addNode('bad-input-3', { pool: 'bad-input' });
    expect((await harness.waitUntilAssigned(node)).address.id).toBe(free);
  });
});
