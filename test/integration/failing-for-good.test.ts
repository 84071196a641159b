/** What is left of a node that failed for good: nothing claimed, nothing asked for, and a reason where people look. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { messageAnnotation, phaseLabel, poolLabel } from '../../kubernetes/keys.ts';
import { dualStackPool } from './harness-config.ts';
import { type Harness, openHarness } from './harness.ts';
import { expectSound } from './soundness.ts';
import type { TestNode } from './test-nodes.ts';
import { waitFor } from './wait-for.ts';

const taintKey = 'example.com/no-address';
const taints = [{ key: taintKey, effect: 'NoSchedule' }];
const tainted = { taintKey, taintPolicy: 'assignedOrGaveUp' };
const few = { attempts: 2, interval: '1s' };

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness({
    pools: [
      { name: 'discover' },
      { name: 'select' },
      { name: 'verify' },
      { name: 'signalled' },
      { name: 'tainted', ...tainted },
      { name: 'kept', taintKey },
      dualStackPool('aws', 'all', tainted),
      dualStackPool('aws', 'any', { ...tainted, require: 'any' }),
      { name: 'cut-off', provider: 'gcp', retries: few },
    ],
  });
}, 900_000);
afterEach(async () => {
  harness.ec2.clearFaults();
  harness.gce.clearFaults();
  harness.ec2.configure({ denied: [], latencyMs: 0, staleListsMs: 0 });
  await expectSound(harness);
});
afterAll(() => harness?.close());

async function failureOf(node: TestNode): Promise<{ type: string; message: string }> {
  try {
    await harness.handle(node).result();
  } catch (error) {
    if (!(error instanceof WorkflowFailedError) || !(error.cause instanceof ApplicationFailure)) throw error;
    return { type: error.cause.type ?? '', message: error.cause.message };
  }
  throw new Error(`${node.name} did not fail`);
}

/** Everywhere a person looks, and in the mutex nothing. */
async function expectFailed(node: TestNode, type: string, reason: string): Promise<void> {
  const failure = await failureOf(node);
  expect(failure).toEqual({ type, message: expect.stringContaining(reason) });
  expect(failure.message).toContain('To try now: kubectl annotate node');
  expect((await harness.status(node)).phase).toBe('failed');

  const { metadata } = await harness.nodes.read(node);
  expect(metadata?.labels).toMatchObject({ [phaseLabel]: 'failed', [poolLabel]: node.pool });
  expect(metadata?.annotations?.[messageAnnotation]).toContain(reason);
  const warning = expect.stringMatching(/^Warning (AssignmentFailed|Denied): /);
  expect(await harness.nodes.events(node)).toContainEqual(warning);

  const query = `KubeipNode = '${node.name}' AND KubeipPhase = 'failed' AND KubeipPool = '${node.pool}'`;
  await waitFor(
    'visibility to show it',
    () => harness.client.workflow.count(`${query} AND ExecutionStatus = 'Failed'`),
    ({ count }) => count === 1,
  );
  const workflowId = harness.workflowId(node);
  const { waiting, claims } = await harness.mutexStatus();
  expect(waiting.filter((it) => it.workflowId === workflowId)).toEqual([]);
  expect(claims.filter((it) => it.workflowId === workflowId && it.state === 'granted')).toEqual([]);
}

async function isTainted(node: TestNode): Promise<boolean> {
  const { spec } = await harness.nodes.read(node);
  return (spec?.taints ?? []).some(({ key }) => key === taintKey);
}

/** The call is under way, and decided on when the fault's time is over. */
async function untilCalled(): Promise<void> {
  await waitFor(
    'the call',
    () => harness.ec2.faults().length,
    (left) => left === 0,
  );
}

describe('a step that no further try helps', () => {
  test('to discover: the instance may not be described', async () => {
    harness.ec2.configure({ denied: ['DescribeInstances'] });
    const node = await harness.addNode('discover-1', { pool: 'discover' });
    await expectFailed(node, 'Denied', '"ec2:DescribeInstances" is missing');
  });

  test('to select: the addresses may not be listed', async () => {
    harness.ec2.configure({ denied: ['DescribeAddresses'] });
    const node = await harness.addNode('select-1', { pool: 'select' });
    await expectFailed(node, 'Denied', '"ec2:DescribeAddresses" is missing');
  });

  test('to verify: the node has its address all the same, and what was tried says what is amiss', async () => {
    harness.reserve('verify');
    harness.ec2.addFaults({ kind: 'hang', action: 'AssociateAddress', ms: 3_000, times: 1 });
    const node = await harness.addNode('verify-1', { pool: 'verify' });
    await untilCalled();
    harness.ec2.configure({ denied: ['DescribeAddresses'] });
    const { address, tried } = await harness.waitUntilAssigned(node);
    expect(harness.elasticIpOf(node.instanceId)).toBe(address.ip);
    // Not its last error: that goes with the next look, as the instance shows the address.
    expect(tried).toContainEqual(
      expect.objectContaining({
        outcome: 'failed',
        error: expect.stringContaining('"ec2:DescribeAddresses" is missing'),
      }),
    );
  });
});

describe('a signal that comes while the run is about to fail', () => {
  async function aboutToFail(name: string): Promise<TestNode> {
    harness.reserve('signalled');
    harness.ec2.addFaults({ kind: 'hang', action: 'AssociateAddress', ms: 3_000, times: 1 });
    harness.ec2.configure({ denied: ['AssociateAddress'] });
    const node = await harness.addNode(name, { pool: 'signalled' });
    await untilCalled();
    return node;
  }

  test('is obeyed: released by hand, the node stays so', async () => {
    const node = await aboutToFail('signalled-1');
    await harness.handle(node).signal('release');
    await harness.waitForPhase(node, 'released');
    harness.ec2.configure({ denied: [] });
    await harness.tellChanged(node);
    expect(await harness.status(node)).toMatchObject({ phase: 'released', releasedByHand: true });
    await harness.deleteNode(node);
    expect(await harness.waitForEnd(node)).toBe('COMPLETED');
  });

  test('is obeyed: a change of the Node is another try of the same run', async () => {
    const node = await aboutToFail('signalled-2');
    const { runId } = await harness.handle(node).describe();
    await harness.tellChanged(node);
    harness.ec2.addFaults({ kind: 'hang', action: 'AssociateAddress', ms: 3_000, times: 1 });
    await untilCalled();
    harness.ec2.configure({ denied: [] });
    await harness.waitUntilAssigned(node);
    expect((await harness.handle(node).describe()).runId).toBe(runId);
  });
});

describe('on Compute Engine, an instance without any address', () => {
  const add = {
    kind: 'operationError',
    action: 'instances.addAccessConfig',
    code: 'QUOTA_EXCEEDED',
  } as const;

  async function cutOff(name: string): Promise<TestNode> {
    harness.reserveOnGce('cut-off');
    harness.gce.addFaults({ ...add, match: { type: 'ONE_TO_ONE_NAT' } });
    const node = await harness.addNode(name, { pool: 'cut-off', cloud: 'gcp' });
    await harness.waitForStatus(node, 'cut off', ({ addresses }) =>
      addresses.some(({ lastError = '' }) => lastError.includes('without any external IPv4 address')),
    );
    expect(harness.nodes.externalOf(node.instanceId)).toEqual({});
    return node;
  }

  test('whose Node is deleted gets an ephemeral one before its run ends', async () => {
    const node = await cutOff('cut-off-1');
    await harness.deleteNode(node);
    await waitFor(
      'the deletion to be seen',
      () => harness.status(node),
      ({ message }) => message.startsWith('Trying again'),
    );
    harness.gce.clearFaults();
    expect(await harness.waitForEnd(node)).toBe('COMPLETED');
    expect(harness.nodes.externalOf(node.instanceId)).toEqual({ ipv4: 'ephemeral' });
  });

  test('gets an ephemeral one although its Node cannot be looked at any more', async () => {
    const node = await cutOff('cut-off-2');
    // A region that is not the pool's: from now on every look fails for good.
    await harness.nodes.patch(node, {
      metadata: { labels: { 'topology.kubernetes.io/region': 'europe-west9' } },
    });
    await harness.tellDeleted(node);
    await harness.waitForStatus(node, 'told', ({ lastError = '' }) => lastError.includes('europe-west9'));
    harness.gce.clearFaults();
    await waitFor(
      'the ephemeral address',
      () => harness.nodes.externalOf(node.instanceId),
      ({ ipv4 }) => ipv4 === 'ephemeral',
    );
    await harness.deleteNode(node);
    expect(await harness.waitForEnd(node)).toBe('COMPLETED');
  });
});

describe('the taint of a node that gave up', () => {
  test('goes, also where its pool was not even known by the first look', async () => {
    const node = await harness.addNode('tainted-1', { pool: 'tainted', region: 'us-east-1', taints });
    await expectFailed(node, 'Invalid', 'is in region us-east-1');
    expect(await isTainted(node)).toBe(false);
  });

  test('goes, and does not come back when the node is tried again, fails again, and is assigned', async () => {
    harness.ec2.configure({ denied: ['AssociateAddress'] });
    harness.reserve('tainted');
    const node = await harness.addNode('tainted-2', { pool: 'tainted', taints });
    await expectFailed(node, 'Denied', '"ec2:AssociateAddress" is missing');
    expect(await isTainted(node)).toBe(false);

    await harness.tellChanged(node);
    expect(await harness.waitForEnd(node)).toBe('FAILED');
    expect(await isTainted(node)).toBe(false);
    harness.ec2.configure({ denied: [] });
    await harness.tellChanged(node);
    await harness.waitUntilAssigned(node);
    expect(await isTainted(node)).toBe(false);
  });

  test('stays where the pool’s policy is the default', async () => {
    harness.ec2.configure({ denied: ['AssociateAddress'] });
    harness.reserve('kept');
    const node = await harness.addNode('kept-1', { pool: 'kept', taints });
    await expectFailed(node, 'Denied', '"ec2:AssociateAddress" is missing');
    expect(await isTainted(node)).toBe(true);
  });

  test('goes when one of two families failed that are both required, and stays while one that suffices may come', async () => {
    harness.ec2.configure({ denied: ['AssignIpv6Addresses'] });
    const nodes = await Promise.all(
      ['all', 'any'].map((pool) => {
        harness.ec2.reserveIpv6({ tags: { kubeip: pool }, prefixLength: 127 });
        return harness.addNode(`two-${pool}`, { pool, taints });
      }),
    );
    const [all, any] = nodes as [TestNode, TestNode];
    const seen = await Promise.all(
      nodes.map((node) =>
        harness.waitForStatus(node, 'with IPv6 failed, and IPv4 waiting', ({ addresses: [ipv4, ipv6] }) => {
          const isTold = ipv4?.phase === 'waiting' && ipv4.lastError !== undefined;
          return isTold && ipv6?.phase === 'failed';
        }),
      ),
    );
    expect(seen.map(({ phase }) => phase)).toEqual(['failed', 'waiting']);
    await waitFor(
      'the taint to go',
      () => isTainted(all),
      (is) => !is,
    );
    expect(await isTainted(any)).toBe(true);

    harness.reserve('any');
    await harness.waitForPhase(any, 'assigned');
    await waitFor(
      'the taint to go',
      () => isTainted(any),
      (is) => !is,
    );
    await Promise.all(nodes.map((node) => harness.deleteNode(node)));
    await Promise.all(nodes.map((node) => harness.waitForEnd(node)));
  });
});
