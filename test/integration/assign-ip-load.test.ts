import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals';
import { configureSignal } from '../../workflows/messages.ts';
import { type Harness, openHarness } from './harness.ts';
import { expectSound } from './soundness.ts';
import { waitFor } from './wait-for.ts';

jest.setTimeout(300_000);

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness({ pools: [{ name: 'many' }, { name: 'carried' }] });
}, 900_000);
afterEach(() => expectSound(harness));
afterAll(() => harness?.close());

test('70 nodes at once under the limits that EC2 publishes, paced too fast: throttled, and every one is served', async () => {
  const count = 70;
  harness.reserve('many', count);
  harness.ec2.configure({ limits: 'published' });
  // Somebody has set a pace that EC2 does not allow.
  await harness.mutex.signal(configureSignal, { pacing: { burst: 60, perSecond: 10 } });
  const nodes = await Promise.all(
    Array.from({ length: count }, (_, index) => harness.addNode(`many-${index + 1}`, { pool: 'many' })),
  );

  await waitFor(
    `${count} associations`,
    () => harness.ec2.addresses().filter(({ instanceId }) => instanceId !== undefined).length,
    (held) => held === count,
  );
  await Promise.all(nodes.map((node) => harness.waitUntilAssigned(node)));
  const { AssociateAddress = {} } = harness.ec2.calls().counts;
  expect(AssociateAddress['ok']).toBe(count);
  expect(AssociateAddress['RequestLimitExceeded']).toBeGreaterThan(0);
  expect((await harness.mutexStatus()).pacing.perSecond).toBeLessThan(10);

  harness.ec2.configure({ limits: 'off' });
  await harness.mutex.signal(configureSignal, { pacing: { burst: 1_000, perSecond: 1_000 } });
});

test('the mutex continues as new under load, and nobody is lost', async () => {
  const { runId } = await harness.mutex.describe();
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
  let sent = 0;
  const isContinued = async (): Promise<boolean> => (await harness.mutex.describe()).runId !== runId;
  while (!(await isContinued())) {
    if (sent > 9_000) throw new Error('the mutex did not continue as new in 9,000 signals');
    if (sent % 1_000 === 0 && added.length < 4) {
      added.push(harness.addNode(`carried-${3 + added.length}`, { pool: 'carried' }));
    }
    await Promise.all(Array.from({ length: 100 }, () => harness.mutex.signal(configureSignal, { pacing })));
    sent += 100;
  }
  const nodes = [...waiting, ...(await Promise.all(added))];
  await waitFor(
    'all places',
    () => harness.mutexStatus(),
    (status) => status.waiting.length === nodes.length,
  );

  harness.reserve('carried', nodes.length);
  await harness.mutex.signal('freed', { addressId: 'eipalloc-of-somebody', disassociated: false });
  const tokens = await Promise.all(
    nodes.map(async (node) => (await harness.waitUntilAssigned(node)).token ?? 0),
  );
  expect(Math.min(...tokens)).toBeGreaterThanOrEqual(nextToken);
  expect(new Set(tokens).size).toBe(nodes.length);
});
