/** The main job on the oldest Temporal server that is supported. All other tests run on the newest one that is pinned. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { ensureAuditSchedule } from '../../worker/audit-schedule.ts';
import { auditId } from '../../workflows/messages.ts';
import { type Harness, openHarness } from './harness.ts';
import { expectSound } from './soundness.ts';
import type { TestNode } from './test-nodes.ts';
import { waitFor } from './wait-for.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness(
    { pools: ['update', 'signal', 'deleted', 'listed'].map((name) => ({ name })) },
    { tool: 'temporal-oldest' },
  );
}, 900_000);
afterEach(() => expectSound(harness));
afterAll(() => harness?.close());

/** A node with the pool's only address, and one that waits for it. */
async function holderAndHeir(pool: string): Promise<{ holder: TestNode; heir: TestNode; ip: string }> {
  harness.reserve(pool);
  const holder = await harness.addNode(`${pool}-holder`, { pool });
  const { address } = await harness.waitUntilAssigned(holder);
  const heir = await harness.addNode(`${pool}-heir`, { pool });
  await harness.waitForPhase(heir, 'waiting');
  return { holder, heir, ip: address.ip };
}

/** @returns the ids of the workflows that the query finds */
async function listWorkflows(query: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const { workflowId } of harness.client.workflow.list({ query })) ids.push(workflowId);
  return ids;
}

test('the server is the oldest one', async () => {
  const { serverVersion } = await harness.client.workflowService.getSystemInfo({});
  expect(serverVersion).toMatch(/^1\.29\./);
});

describe('on the oldest server', () => {
  test('an address that is released by Update goes to the node that waits, and `assign` gives it back', async () => {
    const { holder, heir, ip } = await holderAndHeir('update');
    expect(await harness.release(holder)).toMatchObject({ phase: 'released', releasedByHand: true });
    expect((await harness.waitUntilAssigned(heir)).address.ip).toBe(ip);
    expect(harness.elasticIpOf(holder.instanceId)).toBeUndefined();

    await harness.release(heir);
    await harness.assign(holder);
    expect((await harness.waitUntilAssigned(holder)).address.ip).toBe(ip);
    expect(harness.elasticIpOf(holder.instanceId)).toBe(ip);
  });

  test('an address that is released by signal goes to the node that waits', async () => {
    const { holder, heir, ip } = await holderAndHeir('signal');
    await harness.handle(holder).signal('release', {});
    expect((await harness.waitUntilAssigned(heir)).address.ip).toBe(ip);
    expect(await harness.waitForPhase(holder, 'released')).toMatchObject({ releasedByHand: true });
  });

  test('a Node that is deleted gives its address to the next, and its workflow ends', async () => {
    const { holder, heir, ip } = await holderAndHeir('deleted');
    await harness.deleteNode(holder);
    expect((await harness.waitUntilAssigned(heir)).address.ip).toBe(ip);
    expect(await harness.waitForEnd(holder)).toBe('COMPLETED');
    expect(harness.elasticIpOf(holder.instanceId)).toBeUndefined();
  });

  test('nodes are found by every search attribute', async () => {
    const { holder, heir, ip } = await holderAndHeir('listed');
    const common = `KubeipCluster = 'test' AND KubeipPool = 'listed' AND KubeipPoolHash != ''`;
    const found = async (query: string, node: TestNode): Promise<void> => {
      const workflows = await waitFor(
        query,
        () => listWorkflows(`${common} AND ${query}`),
        (seen) => seen.length > 0,
      );
      expect(workflows).toEqual([harness.workflowId(node)]);
    };
    await found(`KubeipPhase = 'waiting'`, heir);
    await found(`KubeipAddress = '${ip}'`, holder);
    await found(`KubeipInstance = '${holder.instanceId}'`, holder);
    await found(`KubeipNode = '${heir.name}' AND KubeipPhase = 'waiting'`, heir);
  });

  test('the Schedule of the audit is made, and fires', async () => {
    const { client, scope } = harness;
    const policy = { drift: 'heal', orphans: 'report' } as const;
    await ensureAuditSchedule(client, {
      cluster: 'test',
      scope,
      audit: { enabled: true, intervalMs: 600_000, policy },
    });
    const schedule = client.schedule.getHandle(auditId('test', scope));
    expect((await schedule.describe()).spec.intervals).toMatchObject([{ every: 600_000 }]);
    await schedule.trigger();
    const [action] = await waitFor(
      'an audit by the Schedule',
      async () => (await schedule.describe()).info.recentActions,
      (actions) => actions.length > 0,
    );
    const { workflow } = action?.action ?? {};
    expect(await client.workflow.getHandle(workflow?.workflowId ?? '').result()).toMatchObject({
      drifted: [],
    });
  });
});
