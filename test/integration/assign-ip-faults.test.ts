import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { WorkflowFailedError } from '@temporalio/client';
import { pino } from 'pino';
import { phaseLabel } from '../../kubernetes/keys.ts';
import { keepAddressPools } from '../../worker/address-pool-starter.ts';
import { type Harness, openHarness } from './harness.ts';
import { expectSound } from './soundness.ts';
import type { TestNode } from './test-nodes.ts';
import { waitFor } from './wait-for.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness({
    pools: [
      { name: 'lost' },
      { name: 'denied' },
      { name: 'region' },
      { name: 'stolen' },
      { name: 'stubborn', retries: { attempts: 3, interval: '1s' } },
      { name: 'mutex' },
      { name: 'holder' },
      { name: 'release' },
    ],
  });
}, 900_000);
afterEach(async () => {
  harness.ec2.clearFaults();
  harness.ec2.configure({ denied: [], latencyMs: 0, staleListsMs: 0 });
  await expectSound(harness);
});
afterAll(() => harness?.close());

async function failureOf(node: TestNode): Promise<string> {
  try {
    await harness.handle(node).result();
  } catch (error) {
    if (error instanceof WorkflowFailedError) return error.cause?.message ?? error.message;
    throw error;
  }
  throw new Error(`${node.name} did not fail`);
}

describe('EC2', () => {
  test('associates, and its answer is lost: one association, known to the node and to the mutex', async () => {
    const [allocationId] = harness.reserve('lost');
    harness.ec2.addFaults({ kind: 'lostAnswer', action: 'AssociateAddress', times: 1 });
    const before = harness.associations();
    const node = await harness.addNode('lost-1', { pool: 'lost' });

    expect((await harness.waitUntilAssigned(node)).address.id).toBe(allocationId);
    expect(harness.associations()).toBe(before + 1);
    expect(harness.ec2.faults()).toEqual([]);
    await waitFor(
      'no claim that is open',
      () => harness.openClaims(),
      (claims) => claims.length === 0,
    );
  });

  test('disassociates, and its answer is lost: the address is free, and the next is served', async () => {
    harness.reserve('release');
    const node = await harness.addNode('release-1', { pool: 'release' });
    const { address } = await harness.waitUntilAssigned(node);
    const heir = await harness.addNode('release-2', { pool: 'release' });
    await harness.waitForStatus(heir, 'told', ({ lastError }) => lastError !== undefined);

    harness.ec2.addFaults({ kind: 'lostAnswer', action: 'DisassociateAddress', times: 1 });
    await harness.deleteNode(node);
    expect((await harness.waitUntilAssigned(heir)).address).toEqual(address);
    expect(await harness.waitForEnd(node)).toBe('COMPLETED');
  });

  test('denies AssociateAddress: the node fails with the name of the permission, and its claim is gone', async () => {
    harness.reserve('denied');
    harness.ec2.configure({ denied: ['AssociateAddress'] });
    const node = await harness.addNode('denied-1', { pool: 'denied' });
    expect(await harness.waitForEnd(node)).toBe('FAILED');

    expect(await failureOf(node)).toContain('the permission "ec2:AssociateAddress" is missing');
    const events = await harness.nodes.events(node);
    expect(events).toHaveLength(1);
    expect(events[0]).toMatch(
      /^Warning Denied: No address for node denied-1: .*"ec2:AssociateAddress" is missing/,
    );
    const { metadata } = await harness.nodes.read(node);
    expect(metadata?.labels).toMatchObject({ [phaseLabel]: 'failed' });

    harness.ec2.configure({ denied: [] });
    const next = await harness.addNode('denied-2', { pool: 'denied' });
    await harness.waitUntilAssigned(next);

    // The failed one is started again, as the watcher's reconcile does.
    harness.reserve('denied');
    await harness.tellChanged(node);
    await harness.waitUntilAssigned(node);
  });

  test('answers with errors of its own for a while: the node is served when that is over', async () => {
    harness.reserve('lost');
    harness.ec2.addFaults(
      { kind: 'error', action: 'AssociateAddress', code: 'InternalError', times: 2 },
      { kind: 'dropRequest', action: 'DescribeAddresses', times: 1 },
      { kind: 'error', action: 'DescribeInstances', code: 'ServiceUnavailable', times: 1 },
    );
    const node = await harness.addNode('lost-2', { pool: 'lost' });
    await harness.waitUntilAssigned(node);
    expect(harness.ec2.faults()).toEqual([]);
  });

  test('fails for good: the node fails after its attempts, and the address is not lost to others', async () => {
    const [allocationId] = harness.reserve('stubborn');
    harness.ec2.addFaults({ kind: 'error', action: 'AssociateAddress', code: 'InternalError' });
    const node = await harness.addNode('stubborn-1', { pool: 'stubborn' });
    expect(await harness.waitForEnd(node)).toBe('FAILED');
    expect(await failureOf(node)).toContain('InternalError');

    // Whether the last call was applied is not known: the address is not offered until that is certain.
    harness.ec2.clearFaults();
    const { claims } = await harness.mutexStatus();
    expect(claims.find(({ address }) => address.id === allocationId)?.state).toBe('lingering');
  });
});

test('a Node in another region than its pool fails with a message that says so', async () => {
  harness.reserve('region');
  const node = await harness.addNode('region-1', { pool: 'region', region: 'us-east-1' });
  expect(await harness.waitForEnd(node)).toBe('FAILED');
  const message = 'Node region-1 is in region us-east-1, but its pool region is in eu-west-1';
  expect(await failureOf(node)).toContain(message);
  expect(await harness.nodes.events(node)).toEqual([
    expect.stringContaining(`Warning AssignmentFailed: ${message}`),
  ]);
});

test('an address that somebody takes between grant and association is left to them, and another one is chosen', async () => {
  harness.reserve('stolen', 2);
  harness.ec2.addFaults({ kind: 'hang', action: 'AssociateAddress', ms: 3_000, times: 1 });
  const node = await harness.addNode('stolen-1', { pool: 'stolen' });
  const { claims } = await waitFor(
    'the grant',
    () => harness.mutexStatus(),
    (status) => status.claims.some(({ workflowId }) => workflowId === harness.workflowId(node)),
  );
  const granted = claims.find(({ workflowId }) => workflowId === harness.workflowId(node))?.address.id ?? '';
  const thief = harness.ec2.runInstance({});
  harness.ec2.associateByHand({ allocationId: granted, instanceId: thief.instanceId });

  expect((await harness.waitUntilAssigned(node)).address.id).not.toBe(granted);
  const taken = harness.ec2.addresses().find(({ allocationId }) => allocationId === granted);
  expect(taken?.instanceId).toBe(thief.instanceId);
});

describe('the mutex', () => {
  test('that was terminated while nodes wait is started by the first of them that asks', async () => {
    const nodes = await Promise.all(
      ['mutex-1', 'mutex-2'].map((name) => harness.addNode(name, { pool: 'mutex' })),
    );
    await waitFor(
      'places',
      () => harness.mutexStatus(),
      ({ waiting }) => waiting.length === 2,
    );
    await harness.mutex.terminate('an accident');
    harness.reserve('mutex', 2);

    for (const node of nodes) {
      await harness.handle(node).signal('assign');
      await harness.waitUntilAssigned(node);
    }
  });

  test('that was terminated is started again by a worker, and tells the nodes that wait', async () => {
    const node = await harness.addNode('mutex-3', { pool: 'mutex' });
    await harness.waitForPhase(node, 'waiting');
    await waitFor(
      'the node in lists, told why it waits',
      () => harness.client.workflow.count(`KubeipNode='mutex-3' AND KubeipPhase='waiting'`),
      ({ count }) => count === 1,
    );
    await harness.mutex.terminate('an accident');
    harness.reserve('mutex');
    const stop = new AbortController();
    const { scope } = harness;
    const pools = [{ scope, pacing: { burst: 1_000, perSecond: 1_000 } }];
    const options = { client: harness.client, pools, logger: pino({ level: 'silent' }), checkMs: 200 };
    const kept = keepAddressPools(options, stop.signal);
    await harness.waitUntilAssigned(node);
    stop.abort();
    await kept;
  });

  test('frees the claim of a holder that was terminated with its grant in hand', async () => {
    const [allocationId = ''] = harness.reserve('holder');
    await harness.restartMutexWithOverdueClaim(allocationId, 'granted');
    const claim = async () => {
      const { claims } = await harness.mutexStatus();
      return claims.find(({ address }) => address.id === allocationId);
    };
    // As long as nobody waits, an address that nobody needs stays claimed.
    const other = await harness.addNode('holder-0', { pool: 'holder' });
    await waitFor('the claim to linger', claim, (seen) => seen?.state === 'lingering');
    await harness.deleteNode(other);

    // It lingers for a minute, in case the call was made. That minute is over:
    await harness.restartMutexWithOverdueClaim(allocationId, 'lingering');
    const node = await harness.addNode('holder-1', { pool: 'holder' });
    expect((await harness.waitUntilAssigned(node)).address.id).toBe(allocationId);
  });
});

test('a node terminated in the middle of its association, started again, takes over what was done', async () => {
  const [allocationId] = harness.reserve('holder');
  harness.ec2.addFaults({ kind: 'hang', action: 'AssociateAddress', ms: 2_000, times: 1 });
  const node = await harness.addNode('holder-2', { pool: 'holder' });
  await waitFor(
    'the call',
    () => harness.ec2.faults().length,
    (left) => left === 0,
  );
  const before = harness.associations();
  await harness.handle(node).terminate('an accident');
  await waitFor(
    'the association',
    () => harness.associations(),
    (count) => count === before + 1,
  );

  await harness.tellChanged(node);
  expect((await harness.waitUntilAssigned(node)).address.id).toBe(allocationId);
  expect(harness.associations()).toBe(before + 1);
});
