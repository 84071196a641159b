import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { publicIpv4Annotation } from '../../kubernetes/keys.ts';
import { publishedLimits } from '../../sandbox/ec2/published-limits.ts';
import { configureSignal, freedSignal, nodeChangedSignal } from '../../workflows/messages.ts';
import { tokenOf } from './assigned-address.ts';
import { type Harness, openHarness } from './harness.ts';
import { pressUntilContinued } from './press-until-continued.ts';
import { expectSound } from './soundness.ts';
import { waitFor } from './wait-for.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness({
    pools: [{ name: 'many' }, { name: 'carried' }, { name: 'gone' }, { name: 'kept' }],
  });
}, 900_000);
afterEach(() => expectSound(harness));
afterAll(() => harness?.close());

/** What the mutex hears when somebody has released an address: it does not wait for its next look. */
async function lookNow(): Promise<void> {
  await harness.mutex.signal(freedSignal, { addressId: 'eipalloc-00000000000000000', disassociated: false });
}

test('70 nodes at once, while others use up the limits that EC2 publishes: throttled, and every one is served', async () => {
  const count = 70;
  const nodes = await Promise.all(
    Array.from({ length: count }, (_, index) => harness.addNode(`many-${index + 1}`, { pool: 'many' })),
  );
  await waitFor(
    'all in the queue',
    () => harness.mutexStatus(),
    ({ waiting }) => waiting.length === count,
  );
  // The burst is all but gone when the 70 come, and others take their share of what comes after: so little is left that
  // even a slow machine calls faster.
  const limits = publishedLimits.map((limit) =>
    limit.name === 'associations' ? { ...limit, burst: 4, perSecond: 2.5 } : limit,
  );
  harness.ec2.configure({ limits });
  harness.reserve('many', count);
  await lookNow();

  await waitFor(
    `${count} associations`,
    () => harness.ec2.addresses().filter(({ instanceId }) => instanceId !== undefined).length,
    (held) => held === count,
    // At this rate the calls alone take half a minute.
    200_000,
  );
  await Promise.all(nodes.map((node) => harness.waitUntilAssigned(node)));
  const { ok = 0, RequestLimitExceeded = 0 } = harness.ec2.calls().counts['AssociateAddress'] ?? {};
  expect(ok).toBe(count);
  expect(RequestLimitExceeded).toBeGreaterThan(0);
  // The mutex slows down at the first refusals: they do not go on and on.
  expect(RequestLimitExceeded).toBeLessThan(count);
  harness.ec2.configure({ limits: 'off' });
});

test('the mutex continues as new under load, and nobody is lost', async () => {
  const waiting = await Promise.all(
    ['carried-1', 'carried-2'].map((name) => harness.addNode(name, { pool: 'carried' })),
  );
  const told = waiting.map((node) =>
    harness.waitForStatus(node, 'told', ({ lastError }) => lastError !== undefined),
  );
  await Promise.all(told);
  const { nextToken } = await harness.mutexStatus();

  const pacing = { burst: 1_000, perSecond: 1_000 };
  const added: ReturnType<Harness['addNode']>[] = [];
  await pressUntilContinued(harness.mutex, () => harness.mutex.signal(configureSignal, { pacing }), {
    meanwhile: () => {
      if (added.length < 4) added.push(harness.addNode(`carried-${3 + added.length}`, { pool: 'carried' }));
    },
  });
  const nodes = [...waiting, ...(await Promise.all(added))];
  await waitFor(
    'all places',
    () => harness.mutexStatus(),
    (status) => status.waiting.length === nodes.length,
  );

  harness.reserve('carried', nodes.length);
  await lookNow();
  const tokens = await Promise.all(
    nodes.map(async (node) => tokenOf(await harness.waitUntilAssigned(node)) ?? 0),
  );
  expect(Math.min(...tokens)).toBeGreaterThanOrEqual(nextToken);
  expect(new Set(tokens).size).toBe(nodes.length);
});

test('a node that continued as new, and whose instance is gone, shows no address, and is not looked at without a pause', async () => {
  harness.reserve('gone');
  const node = await harness.addNode('gone-1', { pool: 'gone' });
  await harness.waitUntilAssigned(node);
  harness.ec2.terminateInstance(node.instanceId);
  const { uid } = node;
  await pressUntilContinued(harness.handle(node), () =>
    harness.handle(node).signal(nodeChangedSignal, { uid }),
  );

  // That it has lost its address gave way to the signals, and is written by the run that follows.
  await waitFor(
    'the Node to show no address',
    () => harness.nodes.read(node),
    ({ metadata }) => metadata?.annotations?.[publicIpv4Annotation] === undefined,
  );
  const read = async () => {
    const { runId, historyLength } = await harness.handle(node).describe();
    return { runId, historyLength };
  };
  const before = await read();
  await sleep(5_000);
  const after = await read();
  expect(after.runId).toBe(before.runId);
  expect(after.historyLength - before.historyLength).toBeLessThan(60);

  await harness.deleteNode(node);
  expect(await harness.waitForEnd(node)).toBe('COMPLETED');
});

test('a node that continued as new says that it has its address, also where the cloud does not let it look', async () => {
  harness.reserve('kept');
  const node = await harness.addNode('kept-1', { pool: 'kept' });
  const { addresses, since } = await harness.waitUntilAssigned(node);
  harness.ec2.addFaults({ kind: 'error', action: 'DescribeInstances', code: 'UnauthorizedOperation' });
  const { uid } = node;
  await pressUntilContinued(harness.handle(node), () =>
    harness.handle(node).signal(nodeChangedSignal, { uid }),
  );
  const refused = await harness.waitForStatus(node, 'refused', ({ message }) =>
    message.startsWith('Trying again in'),
  );
  expect(refused).toMatchObject({ phase: 'assigned', addresses, since });
  harness.ec2.clearFaults();
  await harness.waitForStatus(node, 'well again', ({ lastError }) => lastError === undefined);
});
