/** A cloud that answers lists with 200 and nothing in them for a while: nothing is concluded from that. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { ProviderName, Scope } from '../../model/scope.ts';
import { type AuditInput, clusterTaskQueue } from '../../workflows/messages.ts';
import { addressOf } from './assigned-address.ts';
import { type EmptyingProxy, emptyEc2, emptyGce, startEmptyingProxy } from './emptying-proxy.ts';
import { type Harness, openHarness } from './harness.ts';
import { expectSound } from './soundness.ts';
import type { TestNode } from './test-nodes.ts';
import { waitFor } from './wait-for.ts';

const clouds = ['aws', 'gcp'] as const;

let harness: Harness;
const proxies = {} as Record<ProviderName, EmptyingProxy>;

beforeAll(async () => {
  const pool = (provider: ProviderName) => ({
    provider,
    name: provider,
    retries: { attempts: 1_000, interval: '1s' },
  });
  harness = await openHarness({ pools: clouds.map(pool) });
  proxies.aws = await startEmptyingProxy(harness.ec2.url, emptyEc2);
  proxies.gcp = await startEmptyingProxy(harness.gce.url, emptyGce);
  await harness.restartWorkers({
    pools: clouds.map((provider) => ({ ...pool(provider), endpoint: proxies[provider].url })),
  });
}, 900_000);
afterEach(() => expectSound(harness));
afterAll(async () => {
  await harness?.close();
  await Promise.all(Object.values(proxies).map((proxy) => proxy.close()));
});

const changes = () => harness.facts().flatMap(({ journal }) => journal.filter(({ by }) => by === 'api'));

/** An audit that heals and releases what it can. @returns how it ended */
async function audit(cloud: ProviderName): Promise<string> {
  const { ec2, gce } = harness;
  const scopes: Partial<Record<ProviderName, Scope>> = {
    aws: harness.scope,
    gcp: { provider: 'gcp', account: gce.projectId, region: gce.region },
  };
  expect(ec2.accountId).not.toBe('');
  const policy = { drift: 'heal', orphans: 'release' } as const;
  const input: AuditInput = {
    cluster: 'test',
    scope: scopes[cloud] ?? harness.scope,
    policy,
    secondLookMs: 1_000,
  };
  const handle = await harness.client.workflow.start('AuditWorkflow', {
    workflowId: `audit/test/${cloud}/by-hand`,
    taskQueue: clusterTaskQueue('test'),
    args: [input],
  });
  await handle.result().catch(() => undefined);
  return (await handle.describe()).status.name;
}

test.each(clouds)(
  'on %s: no address is taken, no workflow ends as released, and all goes on afterwards',
  async (cloud) => {
    const reserve = () =>
      cloud === 'aws' ? harness.reserve(cloud, 3) : harness.reserveOnGce(cloud, 'ipv4', 3);
    reserve();
    const nodes: TestNode[] = [];
    for (const name of ['looked-at', 'deselected', 'deleted']) {
      nodes.push(await harness.addNode(`${cloud}-${name}`, { pool: cloud, cloud }));
    }
    const [lookedAt, deselected, deleted] = nodes;
    if (!lookedAt || !deselected || !deleted) throw new Error('no nodes');
    const statuses = await Promise.all(nodes.map((node) => harness.waitUntilAssigned(node)));
    const before = changes();

    proxies[cloud].empty = true;
    await harness.nodes.patch(deselected, { metadata: { labels: { pool: 'none' } } });
    for (const node of [lookedAt, deselected]) await harness.nudge(node);
    await harness.deleteNode(deleted);
    await harness.waitForStatus(deselected, 'kept', ({ message }) => /No pool selects node/.test(message));
    if (cloud === 'aws') {
      const seen = await harness.waitForStatus(lookedAt, 'unseen', ({ message }) =>
        /cannot be seen/.test(message),
      );
      expect(seen.message).toBe(
        `The node cannot be seen now, and keeps ${statuses[0]?.address.ip}: ${seen.lastError}`,
      );
      expect(seen.lastError).toMatch(
        /instance i-\w+ cannot be seen: ec2:DescribeInstances answered with an empty list/,
      );
    }
    await audit(cloud);
    // Each has looked more than once by then.
    const sofar = proxies[cloud].emptied();
    await waitFor(
      'more looks',
      () => proxies[cloud].emptied(),
      (count) => count >= sofar + 10,
    );
    expect(changes()).toEqual(before);
    for (const node of nodes) {
      const { name } = (await harness.handle(node).describe()).status;
      expect([node.name, name]).toEqual([node.name, 'RUNNING']);
    }
    for (const [index, node] of [lookedAt, deselected].entries()) {
      const status = await harness.status(node);
      expect(status).toMatchObject({ phase: 'assigned' });
      expect(addressOf(status)).toEqual(statuses[index]?.address);
    }

    proxies[cloud].empty = false;
    expect(await harness.waitForEnd(deleted)).toBe('COMPLETED');
    expect(await harness.handle(deleted).result()).toMatchObject({ phase: 'released' });
    await harness.waitForStatus(lookedAt, 'seen again', ({ message }) =>
      / is associated with /.test(message),
    );
    const released = harness
      .facts()
      .flatMap(({ addresses }) => addresses)
      .find(({ id }) => id === statuses[2]?.address.id);
    expect(released?.isFree).toBe(true);
    expect(changes().length).toBeGreaterThan(before.length);
  },
);
