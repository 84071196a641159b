/** A taint waits until the Node's status shows the address: what Pods see of it the cloud controller manager writes. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { CoreV1Api, PatchStrategy, setHeaderOptions } from '@kubernetes/client-node';
import type { CloudController } from '../../sandbox/cloud-controller.ts';
import { type Harness, openHarness } from './harness.ts';
import { dualStackPool } from './harness-config.ts';
import { expectSound } from './soundness.ts';
import type { TestNode, TestNodeOptions } from './test-nodes.ts';
import { waitFor } from './wait-for.ts';

const taintKey = 'example.com/no-address';
const taints = [{ key: taintKey, effect: 'NoSchedule' }];
let harness: Harness;
let controller: CloudController;
beforeAll(async () => {
  harness = await openHarness({
    pools: [
      { name: 'on-ec2', taintKey },
      { name: 'released', taintKey },
      { name: 'impatient', taintKey, taintWait: '4s' },
      { name: 'careless', taintKey, taintWait: '0s' },
      { name: 'on-gce', provider: 'gcp', taintKey },
      dualStackPool('gcp', 'dual', { taintKey }),
    ],
  });
  controller = harness.world.cloudController;
  controller.isOn = false;
}, 900_000);
afterEach(() => {
  controller.isOn = false;
});
afterEach(() => expectSound(harness));
afterAll(() => harness?.close());

/** A tainted Node whose status shows an address that the cloud controller wrote before: its ephemeral one, say. */
async function addNode(name: string, options: TestNodeOptions, shows = '192.0.2.9'): Promise<TestNode> {
  const node = await harness.nodes.make(name, { ...options, taints });
  await harness.world.kubernetes.kubeConfig
    .makeApiClient(CoreV1Api)
    .patchNodeStatus(
      { name, body: { status: { addresses: [{ type: 'ExternalIP', address: shows }] } } },
      setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
    );
  await harness.tellChanged(node);
  return node;
}

async function isTainted(node: TestNode): Promise<boolean> {
  const { spec } = await harness.nodes.read(node);
  return spec?.taints?.some(({ key }) => key === taintKey) === true;
}

function untilLifted(node: TestNode): Promise<boolean> {
  return waitFor(
    `the taint of ${node.name} is gone`,
    () => isTainted(node),
    (tainted) => !tainted,
  );
}

/** What the activity that waits failed with last, once it has. */
function untilWaiting(node: TestNode): Promise<string> {
  return waitFor(
    `${node.name} waits for its status`,
    async () => {
      const { raw } = await harness.handle(node).describe();
      const lift = raw.pendingActivities?.find(({ activityType }) => activityType?.name === 'liftTaint');
      return lift?.lastFailure?.message ?? '';
    },
    (message) => message !== '',
  );
}

async function activitiesOf(node: TestNode): Promise<string[]> {
  const { events } = await harness.handle(node).fetchHistory();
  return (events ?? []).flatMap(
    (event) => event.activityTaskScheduledEventAttributes?.activityType?.name ?? [],
  );
}

/** The address that the node was assigned, of its first family. */
async function assignedIp(node: TestNode): Promise<string> {
  const { address } = await harness.waitUntilAssigned(node);
  return address.ip;
}

describe.each([
  { cloud: 'aws', pool: 'on-ec2', reserve: () => harness.reserve('on-ec2') },
  { cloud: 'gcp', pool: 'on-gce', reserve: () => harness.reserveOnGce('on-gce') },
] as const)('on $cloud', ({ cloud, pool, reserve }) => {
  test('a Node whose status shows its former address keeps its taint until the new one is there', async () => {
    reserve();
    const node = await addNode(`${pool}-1`, { pool, cloud });
    const ip = await assignedIp(node);
    expect(await untilWaiting(node)).toBe(
      `The status of Node ${node.name} shows 192.0.2.9, and not yet ${ip}.`,
    );
    expect(await isTainted(node)).toBe(true);
    const { message } = await harness.status(node);
    expect(message).toContain(`Its taint ${taintKey} stays until the Node's status shows ${ip}, or `);

    controller.isOn = true;
    await untilLifted(node);
    const settled = await harness.waitForStatus(node, 'says no more', (it) => !it.message.includes('taint'));
    expect(settled.phase).toBe('assigned');
    expect(await harness.nodes.events(node)).toEqual([
      `Normal AddressAssigned: ${ip} of pool ${pool} is associated with ${node.instanceId}.`,
    ]);
    expect(await activitiesOf(node)).toEqual([
      'discover',
      'select',
      'associate',
      'verify',
      'publish',
      'liftTaint',
    ]);
  });
});

test('a Node whose status shows the address already costs no more than one without a taint', async () => {
  const [allocationId] = harness.reserve('on-ec2');
  const node = await addNode('on-ec2-2', { pool: 'on-ec2' }, harness.ipOf(allocationId));
  await harness.waitUntilAssigned(node);
  await untilLifted(node);
  expect(await activitiesOf(node)).toEqual(['discover', 'select', 'associate', 'verify', 'publish']);
});

test('an IPv6 address is not waited for, since no cloud controller writes it as ExternalIP', async () => {
  harness.reserveOnGce('dual', 'ipv4');
  harness.reserveOnGce('dual', 'ipv6');
  const node = await addNode('dual-1', { pool: 'dual', cloud: 'gcp', dualStack: true });
  const status = await harness.waitForPhase(node, 'assigned');
  const [ipv4, ipv6] = status.addresses.map(({ address }) => address?.ip ?? '');
  expect(await untilWaiting(node)).toBe(
    `The status of Node ${node.name} shows 192.0.2.9, and not yet ${ipv4}.`,
  );
  controller.isOn = true;
  await untilLifted(node);
  const { status: shown } = await harness.nodes.read(node);
  expect(shown?.addresses).toEqual(
    expect.arrayContaining([
      { type: 'ExternalIP', address: ipv4 },
      { type: 'InternalIP', address: ipv6 },
    ]),
  );
});

test('where no cloud controller writes it the taint is lifted after the time that the pool says, with a warning', async () => {
  harness.reserve('impatient');
  const node = await addNode('impatient-1', { pool: 'impatient' });
  const ip = await assignedIp(node);
  await untilLifted(node);
  const why =
    `The Node's status did not show ${ip} as ExternalIP within 4 s, so its taint ${taintKey} was removed without that. ` +
    'A cloud controller manager writes it: does one run?';
  const events = await waitFor(
    'the Event',
    () => harness.nodes.events(node),
    (all) => all.length > 1,
  );
  const assigned = `${ip} of pool impatient is associated with ${node.instanceId}.`;
  expect(events).toContain(`Warning AddressNotInStatus: ${assigned} ${why}`);
  expect((await harness.status(node)).message).toBe(`${assigned} ${why}`);
});

test('with taintWait 0s nothing is waited for', async () => {
  harness.reserve('careless');
  const node = await addNode('careless-1', { pool: 'careless' });
  await harness.waitUntilAssigned(node);
  await untilLifted(node);
  expect(await activitiesOf(node)).not.toContain('liftTaint');
});

test('a node that is released by hand meanwhile keeps its taint, and waits for nothing', async () => {
  harness.reserve('released');
  const node = await addNode('released-1', { pool: 'released' });
  await harness.waitUntilAssigned(node);
  await untilWaiting(node);
  await harness.release(node);
  await harness.waitForPhase(node, 'released');
  controller.isOn = true;
  await controller.pass();
  await waitFor(
    'nothing is under way',
    async () => (await harness.handle(node).describe()).raw.pendingActivities ?? [],
    (pending) => pending.length === 0,
  );
  expect(await isTainted(node)).toBe(true);
});
