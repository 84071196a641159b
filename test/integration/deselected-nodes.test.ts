/** Mistakes in the configuration, and labels that change: a node that no pool selects any more keeps its address. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { publicIpv4Annotation } from '../../kubernetes/keys.ts';
import type { AssignIpStatus } from '../../workflows/messages.ts';
import { addressOf } from './assigned-address.ts';
import { poolTag } from './cloud-facts.ts';
import type { HarnessOptions, PoolOptions } from './harness-config.ts';
import { type Harness, openHarness } from './harness.ts';
import { expectSound } from './soundness.ts';
import type { TestNode } from './test-nodes.ts';
import { waitFor } from './wait-for.ts';

const clouds = ['aws', 'gcp'] as const;
type Cloud = (typeof clouds)[number];

const selecting = (label: string) => ({ nodeSelector: { matchLabels: { pool: label } } });
/** A worker serves the scopes of its pools: these keep both clouds served whatever happens to the others. */
const anchors: PoolOptions[] = clouds.map((provider) => ({ provider, name: `${provider}-anchor` }));

let pools: PoolOptions[] = [];
const options = (): HarnessOptions => ({ pools: [...pools, ...anchors] });

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness({ pools: anchors });
}, 900_000);
afterEach(() => expectSound(harness));
afterAll(() => harness?.close());

/** A rollout, and the watcher's word to every node that the configuration is another one. */
async function rollOut(next: PoolOptions[], ...nodes: TestNode[]): Promise<void> {
  pools = next;
  await harness.restartWorkers(options());
  for (const node of nodes) await harness.nudge(node);
}

function reserve(cloud: Cloud, pool: string, count = 1): string[] {
  return cloud === 'aws' ? harness.reserve(pool, count) : harness.reserveOnGce(pool, 'ipv4', count);
}

async function relabel(node: TestNode, label: string): Promise<void> {
  await harness.nodes.patch(node, { metadata: { labels: { pool: label } } });
  // A node without a workflow that runs is none of the nodes here.
  await harness.nudge(node);
}

/** What clients did to addresses so far. */
const changes = () => harness.facts().flatMap(({ journal }) => journal.filter(({ by }) => by === 'api'));

const saying = (node: TestNode, words: RegExp): Promise<AssignIpStatus> =>
  harness.waitForStatus(
    node,
    String(words),
    ({ phase, message }) => phase === 'assigned' && words.test(message),
  );

async function told(node: TestNode, event: RegExp): Promise<void> {
  await waitFor(
    `an Event ${event}`,
    () => harness.nodes.events(node),
    (events) => events.some((one) => event.test(one)),
  );
}

/** A node of a pool with one address, which it has. */
async function holder(cloud: Cloud, pool: string): Promise<{ node: TestNode; id: string; ip: string }> {
  reserve(cloud, pool);
  const node = await harness.addNode(`${pool}-1`, { pool, cloud });
  const { address } = await harness.waitUntilAssigned(node);
  return { node, ...address };
}

describe('a change of the configuration', () => {
  test.each(clouds)('on %s: a mistyped selector takes no address, and says what is wrong', async (cloud) => {
    const pool = `${cloud}-typo`;
    await rollOut([{ provider: cloud, name: pool }]);
    const { node, ip } = await holder(cloud, pool);
    const before = changes();

    await rollOut([{ provider: cloud, name: pool, ...selecting(`${pool}o`) }], node);
    const status = await saying(node, /^No pool selects node /);
    expect(status.message).toBe(
      `No pool selects node ${node.name} any more, since the configuration changed. It keeps ${ip}. Correct pool ${pool} or its ` +
        `nodeSelector, or release by hand: \`kubeip release ${node.name}\`.`,
    );
    expect(status.lastError).toBe(status.message);
    await told(node, /^Warning AddressKept: No pool selects node /);
    expect((await harness.nodes.read(node)).metadata?.annotations?.[publicIpv4Annotation]).toBe(ip);

    await rollOut([{ provider: cloud, name: pool }], node);
    expect((await saying(node, / is associated with /)).lastError).toBeUndefined();
    expect(changes()).toEqual(before);
  });

  test('a pool that is removed leaves the address; it is released when the Node is deleted', async () => {
    await rollOut([{ name: 'removed' }]);
    const { node, ip } = await holder('aws', 'removed');
    await rollOut([], node);
    await saying(node, /since the configuration changed\. It keeps/);
    expect(harness.elasticIpOf(node.instanceId)).toBe(ip);

    await harness.deleteNode(node);
    expect(await harness.waitForEnd(node)).toBe('COMPLETED');
    expect(harness.elasticIpOf(node.instanceId)).toBeUndefined();
  });

  test('a node that no pool selects can be released by hand', async () => {
    await rollOut([{ name: 'let-go' }]);
    const { node } = await holder('aws', 'let-go');
    await rollOut([], node);
    await saying(node, /since the configuration changed/);
    expect(await harness.release(node)).toMatchObject({ phase: 'released' });
    expect(harness.elasticIpOf(node.instanceId)).toBeUndefined();
    // A look changes nothing of that: the operator's word stands.
    await rollOut([{ name: 'let-go' }], node);
    expect(await harness.status(node)).toMatchObject({ releasedByHand: true });
  });

  test('a pool that is renamed keeps its nodes and their addresses', async () => {
    await rollOut([{ name: 'old-name' }]);
    const { node, ip } = await holder('aws', 'old-name');
    const before = changes();
    const filter = `Name=tag:${poolTag},Values=old-name`;
    await rollOut([{ name: 'new-name', ...selecting('old-name'), filter }], node);
    const status = await harness.waitForStatus(node, 'in the new pool', (seen) => seen.pool === 'new-name');
    expect(addressOf(status)?.ip).toBe(ip);
    expect(status.lastError).toBeUndefined();
    expect(changes()).toEqual(before);
  });

  test('a pool that is given another region takes no address from a node of the former one', async () => {
    await rollOut([{ name: 'region' }]);
    const { node, ip } = await holder('aws', 'region');
    const before = changes();
    await rollOut([{ name: 'region', region: 'eu-central-1' }], node);
    const status = await saying(node, /^No pool can serve node /);
    expect(status.message).toMatch(/pool region is of aws\/\d+\/eu-central-1, and the node of aws\/\d+\//);
    await told(node, /^Warning AddressKept: No pool can serve node /);
    expect(harness.elasticIpOf(node.instanceId)).toBe(ip);
    await rollOut([{ name: 'region' }], node);
    await saying(node, / is associated with /);
    expect(changes()).toEqual(before);
  });

  test('another pool that selects the node by the configuration leaves the address, until an operator moves it', async () => {
    await rollOut([{ name: 'first' }]);
    const { node, ip } = await holder('aws', 'first');
    const [other = ''] = harness.reserve('second');
    const before = changes();
    await rollOut([{ name: 'second', ...selecting('first') }, { name: 'first' }], node);
    const status = await saying(node, /does not match the filter of pool second/);
    expect(status.message).toContain(`${ip} does not match`);
    expect(status.message).toContain(`kubeip move ${node.name} --address`);
    await told(node, /^Warning AddressKept: .* does not match the filter of pool second/);
    // A second look says the same, and no more.
    await harness.nudge(node);
    await saying(node, /does not match the filter of pool second/);
    expect(changes()).toEqual(before);

    harness.moved.add(node.instanceId);
    const moved = await harness
      .handle(node)
      .executeUpdate<AssignIpStatus, [object]>('move', { args: [{ address: harness.ipOf(other) }] });
    expect(moved).toMatchObject({ phase: 'assigned', pool: 'second' });
    expect(harness.elasticIpOf(node.instanceId)).toBe(harness.ipOf(other));
    expect((await harness.status(node)).lastError).toBeUndefined();
  });
});

describe('labels of the Node that change', () => {
  test.each(clouds)(
    'on %s: to another pool: the node has its address until it has one of that pool',
    async (cloud) => {
      const [from, to] = [`${cloud}-from`, `${cloud}-to`];
      await rollOut([
        { provider: cloud, name: from },
        { provider: cloud, name: to },
      ]);
      const { node, id, ip } = await holder(cloud, from);
      const before = changes();
      await relabel(node, to);
      const status = await saying(node, /has no free/);
      expect(status.message).toContain(
        `select pool ${to} now. The node keeps ${ip} of pool ${from} until it has one: Pool ${to} has no free IPv4 address`,
      );
      await told(node, /^Warning AddressKept: The Node's labels select pool/);
      expect(changes()).toEqual(before);

      harness.moved.add(node.instanceId);
      const [next] = reserve(cloud, to);
      const isMoved = (seen: AssignIpStatus): boolean =>
        seen.phase === 'assigned' && seen.pool === to && addressOf(seen)?.id === next;
      // It has the address before it has told the mutex that the old one is free.
      await harness.waitForStatus(node, 'moved', (seen) => isMoved(seen) && seen.lastError === undefined);
      const known = harness.facts().flatMap(({ addresses }) => addresses);
      expect(known.find((address) => address.id === id)?.isFree).toBe(true);
      await told(node, /^Normal AddressMoved: .* since the Node's labels select another pool/);
    },
  );

  test('back again before there was an address: nothing is asked for any more', async () => {
    await rollOut([{ name: 'here' }, { name: 'there' }]);
    const { node, ip } = await holder('aws', 'here');
    const before = changes();
    await relabel(node, 'there');
    await saying(node, /Pool there has no free/);
    await relabel(node, 'here');
    await saying(node, / is associated with /);
    await waitFor(
      'no place in the queue',
      () => harness.mutexStatus(),
      ({ waiting }) => waiting.every(({ workflowId }) => workflowId !== harness.workflowId(node)),
    );
    expect(harness.elasticIpOf(node.instanceId)).toBe(ip);
    expect(changes()).toEqual(before);
  });

  test('to no pool: the node keeps its address by default', async () => {
    await rollOut([{ name: 'keeping' }]);
    const { node, ip } = await holder('aws', 'keeping');
    await relabel(node, 'none');
    const status = await saying(node, /since its labels changed/);
    expect(status.message).toContain(`It keeps ${ip}. Restore the labels of pool keeping`);
    expect(harness.elasticIpOf(node.instanceId)).toBe(ip);
    await relabel(node, 'keeping');
    await saying(node, / is associated with /);
  });

  test('to no pool with `release.onDeselect: release`: the address is released; a configuration does not do that', async () => {
    const release = { onDeselect: 'release', gracePeriod: '0' };
    await rollOut([{ name: 'giving', release }]);
    const { node, ip } = await holder('aws', 'giving');
    await rollOut([{ name: 'giving', release, ...selecting('givingo') }], node);
    await saying(node, /since the configuration changed/);
    expect(harness.elasticIpOf(node.instanceId)).toBe(ip);

    await rollOut([{ name: 'giving', release }], node);
    await saying(node, / is associated with /);
    await relabel(node, 'none');
    expect(await harness.waitForEnd(node)).toBe('COMPLETED');
    expect(harness.elasticIpOf(node.instanceId)).toBeUndefined();
  });
});
