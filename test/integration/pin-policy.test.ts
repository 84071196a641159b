/** Whose word pins a node to an address: an operator's, not a kubelet's. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { pinnedAnnotations, pinnedLabels } from '../../kubernetes/keys.ts';
import { type AssignIpStatus, nodeChangedSignal } from '../../workflows/messages.ts';
import { type Harness, openHarness } from './harness.ts';
import { pressUntilContinued } from './press-until-continued.ts';
import { expectSound } from './soundness.ts';
import type { TestNode } from './test-nodes.ts';
import { waitFor } from './wait-for.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness({
    pools: [
      { name: 'rolling' },
      { name: 'labelled' },
      { name: 'kept' },
      { name: 'failing', retries: { attempts: 1 } },
      { name: 'open', pins: 'annotation' },
    ],
  });
}, 900_000);
afterEach(() => expectSound(harness));
afterAll(() => harness?.close());

/** @returns the IPs of new addresses of the pool */
function reserve(pool: string, count: number): string[] {
  return harness.reserve(pool, count).map((id) => harness.ipOf(id));
}

function pin(node: TestNode, address: string) {
  return harness.handle(node).executeUpdate<AssignIpStatus, [object]>('pin', { args: [{ address }] });
}

describe('a kubelet that pins its Node by an annotation', () => {
  const annotatedWith = (ip: string) => ({ annotations: { [pinnedAnnotations.ipv4]: ip } });

  test('does not get an address that a node gives up in a rolling replacement: the operator’s pin does', async () => {
    const [prod = ''] = reserve('rolling', 1);
    const victim = await harness.addNode('rolling-old', { pool: 'rolling' });
    await harness.waitUntilAssigned(victim);
    // It waits first, and pins itself.
    const evil = await harness.addNode('rolling-evil', { pool: 'rolling', ...annotatedWith(prod) });
    await harness.waitForStatus(evil, 'told', ({ lastError }) => lastError !== undefined);
    const fresh = await harness.addNode('rolling-new', { pool: 'rolling' });
    await harness.waitForPhase(fresh, 'waiting');
    expect((await pin(fresh, prod)).pinned).toEqual({ ipv4: prod });
    const waiting = await harness.waitForStatus(fresh, 'told', ({ message }) => message.includes(prod));
    expect(waiting.message).toContain(`The node is pinned by an operator to ${prod}, which is in use`);

    await harness.deleteNode(victim);
    expect((await harness.waitUntilAssigned(fresh)).address.ip).toBe(prod);
    expect(await harness.status(evil)).toMatchObject({ phase: 'waiting' });
  });

  test('is told in its status and by an Event that it is ignored, and what to do', async () => {
    const [, wanted = ''] = reserve('labelled', 2);
    const node = await harness.addNode('labelled-evil', { pool: 'labelled', ...annotatedWith(wanted) });
    const { address, warning, pinned } = await harness.waitUntilAssigned(node);
    expect(address.ip).not.toBe(wanted);
    expect(pinned).toBeUndefined();
    expect(warning).toContain(`The annotation ${pinnedAnnotations.ipv4} is ignored`);
    expect(warning).toContain('kubeip pin labelled-evil --address');
    expect(warning).toContain('"pins: annotation" in pool labelled');
    await waitFor(
      'the Event',
      () => harness.nodes.events(node),
      (events) => events.includes(`Warning PinIgnored: ${warning}`),
    );
    // It is said for as long as it is so.
    await harness.nodes.patch(node, { metadata: { annotations: { [pinnedAnnotations.ipv4]: null } } });
    await harness.tellChanged(node);
    await harness.waitForStatus(node, 'without a warning', (status) => status.warning === undefined);
  });

  test('is heeded where the pool says so', async () => {
    const [, wanted = ''] = reserve('open', 2);
    const node = await harness.addNode('open-1', { pool: 'open', ...annotatedWith(wanted) });
    expect(await harness.waitUntilAssigned(node)).toMatchObject({
      address: { ip: wanted },
      pinned: { ipv4: wanted },
    });
    expect((await harness.status(node)).warning).toBeUndefined();
  });
});

test('a label that a kubelet may not set pins a Node, and goes before its annotation', async () => {
  const [first = '', second = ''] = reserve('labelled', 2);
  const node = await harness.addNode('labelled-1', {
    pool: 'labelled',
    labels: { [pinnedLabels.ipv4]: second },
    annotations: { [pinnedAnnotations.ipv4]: first },
  });
  expect(await harness.waitUntilAssigned(node)).toMatchObject({ address: { ip: second } });
});

test('a pin of an operator is kept when the workflow continues as new, and goes before what the Node says', async () => {
  const [labelled = '', taken = ''] = reserve('kept', 2);
  const holder = await harness.addNode('kept-holder', {
    pool: 'kept',
    labels: { [pinnedLabels.ipv4]: taken },
  });
  await harness.waitUntilAssigned(holder);
  const node = await harness.addNode('kept-1', { pool: 'kept', labels: { [pinnedLabels.ipv4]: labelled } });
  await harness.waitUntilAssigned(node);
  await pin(node, taken);
  const handle = harness.handle(node);
  await pressUntilContinued(handle, () => handle.signal(nodeChangedSignal, { uid: node.uid }));
  expect((await harness.status(node)).pinned).toEqual({ ipv4: taken });

  await harness.release(node);
  await harness.assign(node);
  await harness.waitForStatus(node, 'to wait for its pin', ({ message }) =>
    message.includes(`operator to ${taken}`),
  );
  await harness.deleteNode(holder);
  expect((await harness.waitUntilAssigned(node)).address.ip).toBe(taken);
  await harness.handle(node).executeUpdate<AssignIpStatus, [object]>('unpin', { args: [{}] });
  expect((await harness.status(node)).pinned).toEqual({ ipv4: labelled });
});

test('a pin of an operator is kept when the assignment fails for good, and counts once it does not any more', async () => {
  const [, wanted = ''] = reserve('failing', 2);
  harness.ec2.configure({ denied: ['AssociateAddress'] });
  const holder = await harness.addNode('failing-first', {
    pool: 'failing',
    labels: { [pinnedLabels.ipv4]: 'none' },
  });
  await harness.waitForStatus(holder, 'told', ({ lastError }) => lastError !== undefined);
  await pin(holder, wanted);
  const failed = await harness.waitForStatus(
    holder,
    'failed, to be tried again',
    ({ phase, retryAt }) => phase === 'failed' && retryAt !== undefined,
  );
  expect(failed).toMatchObject({ pinned: { ipv4: wanted } });
  harness.ec2.configure({ denied: [] });
  await harness.handle(holder).signal('assign');
  expect((await harness.waitUntilAssigned(holder)).address.ip).toBe(wanted);
});
