import { readFileSync } from 'node:fs';
import { DescribeInstancesCommand, EC2Client } from '@aws-sdk/client-ec2';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import {
  addressIdAnnotation,
  messageAnnotation,
  phaseLabel,
  poolLabel,
  publicIpv4Annotation,
} from '../../kubernetes/keys.ts';
import { type Harness, openHarness } from './harness.ts';
import { expectSound } from './soundness.ts';
import { waitFor } from './wait-for.ts';

const taintKey = 'example.com/no-address';
let harness: Harness;
beforeAll(async () => {
  harness = await openHarness({
    pools: [
      { name: 'shown', taintKey },
      { name: 'counted' },
      { name: 'uninitialised' },
      { name: 'invisible' },
      { name: 'ordered', orderBy: 'Tag:seq' },
    ],
  });
}, 900_000);
afterEach(() => expectSound(harness));
afterAll(() => harness?.close());

describe('a node that gets an address', () => {
  test('shows it everywhere: status, search attributes, details in the UI, label, annotations, Event; and loses its taint', async () => {
    const [allocationId] = harness.reserve('shown');
    const node = await harness.addNode('shown-1', {
      pool: 'shown',
      taints: [
        { key: taintKey, effect: 'NoSchedule' },
        { key: 'example.com/other', effect: 'NoSchedule' },
      ],
    });

    const status = await harness.waitUntilAssigned(node);
    const ip = harness.elasticIpOf(node.instanceId);
    expect(status).toMatchObject({
      phase: 'assigned',
      pool: 'shown',
      instance: node.instanceId,
      addresses: [{ family: 'ipv4', phase: 'assigned', address: { id: allocationId, ip } }],
      releasedByHand: false,
    });
    expect(status.scope).toBe(`aws/${harness.ec2.accountId}/${harness.ec2.region}`);

    const query = [
      "KubeipCluster = 'test'",
      `KubeipNode = '${node.name}'`,
      "KubeipPool = 'shown'",
      `KubeipAddress = '${ip}'`,
      "KubeipPhase = 'assigned'",
    ].join(' AND ');
    await waitFor(
      'visibility',
      () => harness.client.workflow.count(query),
      ({ count }) => count === 1,
    );

    const metadata = await harness
      .handle(node)
      .query<{ currentDetails: string }>('__temporal_workflow_metadata');
    expect(metadata.currentDetails).toContain('**Assigned**');
    expect(metadata.currentDetails).toContain(`${ip} (${allocationId})`);

    const shown = await waitFor(
      'the Node',
      () => harness.nodes.read(node),
      (seen) => !seen.spec?.taints?.some((taint) => taint.key === taintKey),
    );
    expect(shown.metadata?.labels).toMatchObject({ [phaseLabel]: 'assigned', [poolLabel]: 'shown' });
    expect(shown.metadata?.annotations).toMatchObject({
      [publicIpv4Annotation]: ip,
      [addressIdAnnotation]: allocationId,
    });
    expect(shown.metadata?.annotations).not.toHaveProperty([messageAnnotation]);
    expect(shown.spec?.taints).toEqual([{ key: 'example.com/other', effect: 'NoSchedule' }]);
    expect(await harness.nodes.events(node)).toEqual([
      `Normal AddressAssigned: ${ip} of pool shown is associated with ${node.instanceId}.`,
    ]);
  });

  test('is told again and again that it changed, and nothing changes', async () => {
    const [allocationId] = harness.reserve('shown');
    const node = await harness.addNode('shown-2', { pool: 'shown' });
    await harness.waitUntilAssigned(node);
    const before = harness.associations();

    for (let i = 0; i < 5; i++) await harness.tellChanged(node);
    const metadata = () => harness.handle(node).describe();
    await waitFor('the last look', metadata, ({ raw }) => (raw.pendingActivities?.length ?? 0) === 0);
    expect(await harness.status(node)).toMatchObject({
      phase: 'assigned',
      addresses: [{ address: { id: allocationId } }],
    });
    expect(harness.associations()).toBe(before);
  });

  test('gets the first of its pool in the order that the pool asks for', async () => {
    for (const seq of ['3', '1', '2']) harness.ec2.allocateAddress({ tags: { kubeip: 'ordered', seq } });
    const node = await harness.addNode('ordered-1', { pool: 'ordered' });
    const { address } = await harness.waitUntilAssigned(node);
    const given = harness.ec2.addresses().find(({ allocationId }) => allocationId === address.id);
    expect(given?.tags['seq']).toBe('1');
  });
});

test('the history of an assignment has the documented steps, and no more events', async () => {
  harness.reserve('counted');
  const node = await harness.addNode('counted-1', { pool: 'counted' });
  await harness.waitUntilAssigned(node);
  const events = await waitFor(
    'publish',
    async () => (await harness.handle(node).fetchHistory()).events ?? [],
    (all) => all.at(-1)?.workflowTaskCompletedEventAttributes != null && namesIn(all).includes('publish'),
  );
  const documented = readFileSync('docs/performance.md', 'utf8');
  const steps = documented.slice(documented.indexOf('## Events of an assignment'));
  const [, tasks, total] = /In all: (\d+) workflow tasks, \*\*(\d+)\*\* events/.exec(steps) ?? [];
  expect(namesIn(events)).toEqual(['discover', 'select', 'associate', 'verify', 'publish']);
  for (const name of namesIn(events)) expect(steps).toContain(`\`${name}\``);
  expect(events.length).toBe(Number(total));
  expect(events.filter((event) => event.workflowTaskCompletedEventAttributes != null)).toHaveLength(
    Number(tasks),
  );
});

function namesIn(events: readonly { activityTaskScheduledEventAttributes?: unknown }[]): string[] {
  return (events as readonly Scheduled[]).flatMap(
    ({ activityTaskScheduledEventAttributes: scheduled }) => scheduled?.activityType?.name ?? [],
  );
}

interface Scheduled {
  readonly activityTaskScheduledEventAttributes?: {
    readonly activityType?: { readonly name?: string | null } | null;
  } | null;
}

describe('a node that is not ready', () => {
  test('without a providerID waits, says so, and is served once its cloud has initialised it', async () => {
    harness.reserve('uninitialised');
    const node = await harness.addNode('uninitialised-1', { pool: 'uninitialised', initialised: false });
    const waiting = await harness.waitForPhase(node, 'waiting');
    expect(waiting.message).toContain('no spec.providerID yet');

    await harness.nodes.initialise(node);
    await harness.tellChanged(node);
    await harness.waitUntilAssigned(node);
  });

  test('whose instance EC2 does not show yet waits, and is served without being told', async () => {
    harness.reserve('invisible');
    harness.ec2.configure({ staleListsMs: 600_000 });
    // From now on, and for so long, EC2's lists repeat what they showed before the launch.
    const client = new EC2Client({ region: harness.ec2.region, endpoint: harness.ec2.url });
    await client.send(new DescribeInstancesCommand({}));
    client.destroy();
    const node = await harness.addNode('invisible-1', { pool: 'invisible' });
    const waiting = await harness.waitForPhase(node, 'waiting');
    expect(waiting.message).toContain(`${node.instanceId} does not exist`);

    harness.ec2.configure({ staleListsMs: 0 });
    await harness.waitUntilAssigned(node);
  });
});
