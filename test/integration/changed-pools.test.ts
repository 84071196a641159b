import { CreateTagsCommand, EC2Client } from '@aws-sdk/client-ec2';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { ProviderName } from '../../model/scope.ts';
import { leastOnEc2 } from '../../sandbox/least-permissions.ts';
import { addressOf } from './assigned-address.ts';
import { poolTag } from './cloud-facts.ts';
import type { HarnessOptions } from './harness-config.ts';
import { type Harness, openHarness } from './harness.ts';
import { expectSound } from './soundness.ts';
import type { TestNode } from './test-nodes.ts';
import { waitFor } from './wait-for.ts';

const clouds = ['aws', 'gcp'] as const;

/** A pool on each cloud of the addresses with one of these tags; `pools` may say more. */
function withTags(...tags: string[]): HarnessOptions {
  const filter: Record<(typeof clouds)[number], (values: string[]) => string> = {
    aws: (values) => `Name=tag:${poolTag},Values=${values.join(',')}`,
    gcp: (values) => values.map((value) => `labels.${poolTag}=${value}`).join(' OR '),
  };
  return { pools: clouds.map((provider) => ({ provider, name: provider, filter: filter[provider](tags) })) };
}

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness(withTags('old'));
}, 900_000);
afterEach(() => expectSound(harness));
afterAll(() => harness?.close());

/** The hash of its pool's settings that visibility shows for the node's workflow. */
async function hashOf(node: TestNode): Promise<unknown> {
  const { searchAttributes } = await harness.handle(node).describe();
  return searchAttributes['KubeipPoolHash']?.[0];
}

describe('a filter that is changed, and the watcher’s nudge', () => {
  const nodes: Record<(typeof clouds)[number], TestNode[]> = { aws: [], gcp: [] };
  const all = () => clouds.flatMap((cloud) => nodes[cloud]);
  const reserve = (cloud: ProviderName, tag: string) =>
    cloud === 'aws' ? harness.reserve(tag) : harness.reserveOnGce(tag);
  /** What clients did to addresses so far. */
  const deeds = () => harness.facts().flatMap(({ journal }) => journal.filter(({ by }) => by === 'api'));

  async function changeTo(options: HarnessOptions): Promise<void> {
    const before = await Promise.all(all().map(hashOf));
    await harness.restartWorkers(options);
    await Promise.all(all().map((node) => harness.nudge(node)));
    await waitFor(
      'the new settings in every workflow',
      () => Promise.all(all().map(hashOf)),
      (hashes) => hashes.every((hash, index) => hash !== undefined && hash !== before[index]),
    );
  }

  test('reach running workflows: who waits gets an address that matches now, who has one that matches keeps it', async () => {
    for (const cloud of clouds) {
      const [id] = reserve(cloud, 'old');
      reserve(cloud, 'new');
      const holder = await harness.addNode(`${cloud}-1`, { pool: cloud, cloud });
      expect((await harness.waitUntilAssigned(holder)).address.id).toBe(id);
      const waiter = await harness.addNode(`${cloud}-2`, { pool: cloud, cloud });
      await harness.waitForStatus(waiter, 'told', ({ lastError }) => lastError !== undefined);
      nodes[cloud] = [holder, waiter];
    }
    const before = deeds();
    await changeTo(withTags('old', 'new'));
    for (const cloud of clouds) {
      for (const node of nodes[cloud]) await harness.waitUntilAssigned(node);
    }
    expect(deeds().length).toBe(before.length + clouds.length);
    expect(deeds().filter(({ cause }) => cause !== 'associated')).toEqual([]);
  });

  test('take no address from a node that has one which does not match any more; it is free when the Node goes', async () => {
    const before = deeds();
    await changeTo(withTags('new'));
    for (const [holder, other] of [nodes.aws, nodes.gcp]) {
      if (holder === undefined || other === undefined) throw new Error('the first test must run before');
      const status = await harness.waitForStatus(holder, 'told', ({ lastError }) => lastError !== undefined);
      expect(status.phase).toBe('assigned');
      expect(status.lastError).toContain(`${addressOf(status)?.ip} does not match the filter`);
      expect((await harness.status(other)).lastError).toBeUndefined();
    }
    expect(deeds()).toEqual(before);

    for (const [holder] of [nodes.aws, nodes.gcp]) {
      if (holder === undefined) continue;
      await harness.deleteNode(holder);
      expect(await harness.waitForEnd(holder)).toBe('COMPLETED');
    }
    const old = harness.facts().flatMap(({ addresses }) => addresses.filter(({ tag }) => tag === 'old'));
    expect(old.map(({ isFree }) => isFree)).toEqual([true, true]);
  });

  test('do not take an address for lost that matches neither filter, while its instance shows it', async () => {
    const [, node] = nodes.aws;
    if (node === undefined) throw new Error('the first test must run before');
    const address = addressOf(await harness.status(node));
    harness.ec2.configure({ allowed: [...leastOnEc2, 'CreateTags'] });
    const { url: endpoint, region } = harness.ec2;
    const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
    const ec2 = new EC2Client({ endpoint, region, credentials });
    const retired = { Resources: [address?.id ?? ''], Tags: [{ Key: poolTag, Value: 'retired' }] };
    await ec2.send(new CreateTagsCommand(retired));
    harness.ec2.configure({ allowed: [...leastOnEc2] });
    nodes.gcp = [];
    nodes.aws = [node];
    await changeTo(withTags('next'));
    const status = await harness.waitForStatus(node, 'told', ({ lastError }) => lastError !== undefined);
    expect(status).toMatchObject({ phase: 'assigned', lastError: expect.stringContaining('does not match') });
    expect(addressOf(status)).toEqual(address);
  });
});
