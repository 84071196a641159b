/** Compute Engine demands that an ephemeral address goes before a static one comes: what becomes of both on a bad day. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import type { PublishInput } from '../../activities/contract.ts';
import { addressOf } from './assigned-address.ts';
import { ipsOn, ofFamily } from './family-addresses.ts';
import { dualStackPool } from './harness-config.ts';
import { type Harness, openHarness } from './harness.ts';
import { expectSound } from './soundness.ts';
import type { TestNode } from './test-nodes.ts';
import { waitFor } from './wait-for.ts';

const cloud = 'gcp';
const add = { kind: 'operationError', action: 'instances.addAccessConfig' } as const;
/** All static IPv4 addresses, and no ephemeral one. */
const staticIpv4 = { natIP: '198.18.*' };

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness({
    pools: [
      { name: 'cancelled', provider: cloud },
      { name: 'returned', provider: cloud },
      { name: 'stale', provider: cloud },
      { name: 'moved', provider: cloud },
      dualStackPool(cloud, 'adopted'),
      dualStackPool(cloud, 'refused-release'),
      dualStackPool(cloud, 'refused-deletion'),
    ],
  });
}, 900_000);
afterEach(async () => {
  harness.gce.clearFaults();
  harness.gce.configure({ operationMs: 0, staleListsMs: 0 });
  await expectSound(harness);
});
afterAll(() => harness?.close());

function callsOf(action: string): number {
  return harness.gce.calls().counts[action]?.['ok'] ?? 0;
}

/** The external IPv4 address that the instance has now, whatever its kind. */
function externalIpv4(node: TestNode): string | undefined {
  const instance = harness.gce.instances().find(({ name }) => name === node.instanceId);
  return instance?.externalIps.find(({ type }) => type === 'ONE_TO_ONE_NAT')?.ip;
}

/** What a run was to write on its Node, in order. */
function publishedBy({ events }: Awaited<ReturnType<WorkflowHandle['fetchHistory']>>): PublishInput[] {
  return (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: scheduled }) => {
    if (scheduled?.activityType?.name !== 'publish') return [];
    const input: unknown = decode(scheduled.input?.payloads?.[0]);
    return [input as PublishInput];
  });
}

function decode(payload: Payload | null | undefined): unknown {
  return payload === null || payload === undefined ? undefined : defaultPayloadConverter.fromPayload(payload);
}

async function waitForEphemeral(node: TestNode): Promise<void> {
  await waitFor(
    'an ephemeral address',
    () => harness.nodes.externalOf(node.instanceId),
    ({ ipv4 }) => ipv4 === 'ephemeral',
  );
}

test('who cancels the workflow while the ephemeral address is being removed leaves the instance with an address', async () => {
  // A second one for the new start: what became of the first is not certain for a while.
  harness.reserveOnGce('cancelled', 'ipv4', 2);
  harness.gce.configure({ operationMs: 3_000 });
  harness.gce.addFaults({ ...add, code: 'RESOURCE_NOT_READY', match: staticIpv4, times: 1 });
  const before = callsOf('instances.deleteAccessConfig');
  const node = await harness.addNode('cancelled-1', { pool: 'cancelled', cloud });
  const first = externalIpv4(node);
  expect(first).toBeDefined();
  await waitFor(
    'the removal to begin',
    () => callsOf('instances.deleteAccessConfig'),
    (calls) => calls > before,
  );
  expect(externalIpv4(node)).toBe(first);
  await harness.handle(node).cancel();

  expect(await harness.waitForEnd(node)).toBe('CANCELLED');
  await waitFor(
    'another address in the place of the first',
    () => externalIpv4(node),
    (ip) => ip !== undefined && ip !== first,
  );
  // Whoever starts it again finds everything in order.
  harness.gce.configure({ operationMs: 0 });
  await harness.tellChanged(node);
  await harness.waitUntilAssigned(node);
});

test('released by hand, the address is free for others although the ephemeral one cannot be put back at first', async () => {
  harness.reserveOnGce('returned');
  const holder = await harness.addNode('returned-1', { pool: 'returned', cloud });
  const { address } = await harness.waitUntilAssigned(holder);
  const heir = await harness.addNode('returned-2', { pool: 'returned', cloud });
  await harness.waitForStatus(heir, 'told', ({ lastError }) => lastError !== undefined);

  const match = { instance: holder.instanceId };
  harness.gce.addFaults({ ...add, code: 'QUOTA_EXCEEDED', match, times: 2 });
  await harness.handle(holder).signal('release', {});
  expect((await harness.waitUntilAssigned(heir)).address).toEqual(address);
  const released = await harness.waitForPhase(holder, 'released');
  expect(addressOf(released)).toBeUndefined();
  expect(released.releasedByHand).toBe(true);
  await waitForEphemeral(holder);
  expect(harness.gce.faults()).toEqual([]);
});

test('released by hand while the lists still show it as free, an address does not stay on the instance', async () => {
  const [name] = harness.reserveOnGce('stale');
  // The first list of the test is of the time before the association, and serves all readers until after the release.
  harness.gce.configure({ staleListsMs: 15_000 });
  const node = await harness.addNode('stale-1', { pool: 'stale', cloud });
  await waitFor(
    'the association',
    () => harness.nodes.externalOf(node.instanceId),
    ({ ipv4 }) => ipv4 === name,
  );
  expect(await harness.release(node)).toMatchObject({ phase: 'released' });
  expect(ipsOn(harness, node)).toEqual({});
  await waitForEphemeral(node);
});

test('a node whose address somebody moved away has an ephemeral one while it waits for another', async () => {
  const [name = ''] = harness.reserveOnGce('moved');
  const node = await harness.addNode('moved-1', { pool: 'moved', cloud });
  await harness.waitUntilAssigned(node);
  const { zone } = harness.gce.insertInstance({ name: 'moved-elsewhere' });
  harness.kept.add(name);
  harness.gce.attachByHand({ address: name, instance: 'moved-elsewhere', zone });
  expect(externalIpv4(node)).toBeUndefined();

  await harness.tellChanged(node);
  await waitForEphemeral(node);
  await harness.waitForStatus(
    node,
    'waiting for an empty pool',
    ({ phase, lastError }) => phase === 'waiting' && /1 of 1 are in use/.test(lastError ?? ''),
  );
  // And gives way to the next static one.
  const [next] = harness.reserveOnGce('moved');
  expect((await harness.waitUntilAssigned(node)).address.id).toBe(next);
});

test('a run that knows nothing, as with an empty Temporal, takes over what its node has, and shows no less meanwhile', async () => {
  harness.reserveOnGce('adopted', 'ipv4');
  harness.reserveOnGce('adopted', 'ipv6');
  const node = await harness.addNode('adopted-1', { pool: 'adopted', cloud, dualStack: true });
  await harness.waitForPhase(node, 'assigned');
  const before = ipsOn(harness, node);
  const calls = harness.gce.calls().mutations.length;
  await harness.handle(node).terminate('as if its history was lost');

  await harness.tellChanged(node);
  await harness.waitForPhase(node, 'assigned');
  const written = await waitFor(
    'what it found to be written on the Node',
    async () => publishedBy(await harness.handle(node).fetchHistory()),
    (all) => all.length > 0,
  );
  const ips = [before.ipv4, before.ipv6];
  for (const { phase, addresses } of written) {
    expect({ phase, ips: addresses.map(({ ip }) => ip) }).toEqual({ phase: 'assigned', ips });
  }
  expect(ipsOn(harness, node)).toEqual(before);
  expect(harness.gce.calls().mutations).toHaveLength(calls);

  // That there was an ephemeral one of each family before, the cloud remembers.
  await harness.release(node);
  await waitFor(
    'ephemeral addresses of both families',
    () => harness.nodes.externalOf(node.instanceId),
    ({ ipv4, ipv6 }) => ipv4 === 'ephemeral' && ipv6 === 'ephemeral',
  );
});

describe('where every IPv4 address is refused for good, also an ephemeral one', () => {
  const refuseIpv4 = () =>
    harness.gce.addFaults({ ...add, code: 'QUOTA_EXCEEDED', match: { type: 'ONE_TO_ONE_NAT' } });
  const ephemerals = { ipv4: 'ephemeral', ipv6: 'ephemeral' };

  /** A node that has lost its IPv4 address, and has one of IPv6 from its pool. */
  async function nodeWithIpv6Only(pool: string): Promise<TestNode> {
    harness.reserveOnGce(pool);
    refuseIpv4();
    const node = await harness.addNode(`${pool}-1`, { pool, cloud, dualStack: true });
    await harness.waitForStatus(node, 'refused', (status) =>
      /QUOTA_EXCEEDED/.test(ofFamily(status, 'ipv4')?.lastError ?? ''),
    );
    harness.reserveOnGce(pool, 'ipv6');
    const status = await harness.waitForStatus(
      node,
      'with IPv6',
      (seen) => ofFamily(seen, 'ipv6')?.phase === 'assigned',
    );
    expect(ipsOn(harness, node)).toEqual({ ipv6: ofFamily(status, 'ipv6')?.address?.ip });
    return node;
  }

  test('the other family is assigned, and a release by hand is answered', async () => {
    const node = await nodeWithIpv6Only('refused-release');
    expect(await harness.release(node)).toMatchObject({ phase: 'released', releasedByHand: true });
    expect(ipsOn(harness, node)).toEqual({});

    harness.gce.clearFaults();
    await waitFor(
      'ephemeral addresses of both families',
      () => harness.nodes.externalOf(node.instanceId),
      ({ ipv4, ipv6 }) => ipv4 === 'ephemeral' && ipv6 === 'ephemeral',
    );
  });

  test('the other family is given back when the Node is deleted, without waiting for the end of it', async () => {
    const node = await nodeWithIpv6Only('refused-deletion');
    await harness.deleteNode(node);
    await waitFor(
      'its IPv6 address to be free',
      () => ipsOn(harness, node),
      ({ ipv6 }) => ipv6 === undefined,
    );

    harness.gce.clearFaults();
    expect(await harness.waitForEnd(node)).toBe('COMPLETED');
    expect(harness.nodes.externalOf(node.instanceId)).toEqual(ephemerals);
  });
});
