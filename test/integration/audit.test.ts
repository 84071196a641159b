/** The audit on both clouds: what nobody told the workflows is found, and put right as the policy says. */
import { CreateTagsCommand, EC2Client } from '@aws-sdk/client-ec2';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { Scope } from '../../model/scope.ts';
import type { AuditPolicy } from '../../model/settings.ts';
import { leastOnEc2 } from '../../sandbox/least-permissions.ts';
import { ensureAuditSchedule } from '../../worker/audit-schedule.ts';
import { auditId, type AuditInput, type AuditReport, clusterTaskQueue } from '../../workflows/messages.ts';
import { addressOf } from './assigned-address.ts';
import { poolTag } from './cloud-facts.ts';
import { dualStackPool } from './harness-config.ts';
import { type Harness, openHarness } from './harness.ts';
import { expectSound } from './soundness.ts';
import type { TestNode } from './test-nodes.ts';
import { waitFor } from './wait-for.ts';

const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
const heal: AuditPolicy = { drift: 'heal', orphans: 'release' };
const report: AuditPolicy = { drift: 'report', orphans: 'report' };
/** Of two pools, of which only one takes a deleted Node's address back. */
const sharedFilter = `Name=tag:${poolTag},Values=shared`;

let harness: Harness;
let audits = 0;
beforeAll(async () => {
  harness = await openHarness({
    pools: [
      ...['drift', 'released', 'retagged', 'taken', 'gone', 'left', 'hand', 'dry'].map((name) => ({ name })),
      { name: 'keeping', filter: sharedFilter, release: { onNodeDelete: false } },
      { name: 'giving', filter: sharedFilter },
      dualStackPool('gcp', 'both'),
      { name: 'late', provider: 'gcp' },
    ],
  });
}, 900_000);
afterEach(() => expectSound(harness));
afterAll(() => harness?.close());

/** As the Schedule starts it. */
async function audit(policy: AuditPolicy, scope = harness.scope): Promise<AuditReport> {
  const { client } = harness;
  const input: AuditInput = { cluster: 'test', scope, policy, secondLookMs: 2_000 };
  return client.workflow.execute('AuditWorkflow', {
    workflowId: `${auditId('test', scope)}-by-hand-${++audits}`,
    taskQueue: clusterTaskQueue('test'),
    args: [input],
  });
}

function gceScope(): Scope {
  const { projectId, region } = harness.gce;
  return { provider: 'gcp', account: projectId, region };
}

/** Visibility lags: an audit that comes too early finds less. */
async function auditUntil(
  policy: AuditPolicy,
  isSo: (found: AuditReport) => boolean,
  scope?: Scope,
): Promise<AuditReport> {
  return waitFor('an audit that finds it', () => audit(policy, scope), isSo);
}

async function assigned(pool: string): Promise<{ node: TestNode; id: string; ip: string }> {
  const node = await harness.addNode(`${pool}-${++audits}`, { pool });
  const { address } = await harness.waitUntilAssigned(node);
  return { node, ...address };
}

/** As a person does, who may do what the worker may not. */
async function retag(id: string, value: string): Promise<void> {
  const ec2 = new EC2Client({ region: harness.scope.region, endpoint: harness.ec2.url, credentials });
  harness.ec2.configure({ allowed: [...leastOnEc2, 'CreateTags'] });
  try {
    await ec2.send(new CreateTagsCommand({ Resources: [id], Tags: [{ Key: poolTag, Value: value }] }));
  } finally {
    harness.ec2.configure({ allowed: [...leastOnEc2] });
    ec2.destroy();
  }
}

test('a node whose address somebody detached has the same one again', async () => {
  harness.reserve('drift', 3);
  const { node, id, ip } = await assigned('drift');
  harness.ec2.disassociateByHand(id);
  const found = await auditUntil(heal, ({ drifted }) => drifted.length > 0);
  expect(found.drifted).toEqual([{ node: node.name, ip, told: true }]);
  await waitFor(
    'the same address',
    () => harness.elasticIpOf(node.instanceId),
    (seen) => seen === ip,
  );
});

test('a node whose address somebody detached and released has another one', async () => {
  harness.reserve('released', 2);
  const { node, id, ip } = await assigned('released');
  harness.ec2.disassociateByHand(id);
  harness.ec2.releaseAddress(id);
  const found = await auditUntil(heal, ({ drifted }) => drifted.length > 0);
  expect(found.drifted).toEqual([{ node: node.name, ip, told: true }]);
  await waitFor(
    'another address',
    () => harness.elasticIpOf(node.instanceId),
    (seen) => seen !== undefined && seen !== ip,
  );
});

test('a node whose address leaves its pool in use keeps it, and has lost nothing', async () => {
  harness.reserve('retagged', 1);
  const { node, id, ip } = await assigned('retagged');
  await retag(id, 'another-team');
  await auditUntil(report, ({ nodes }) => nodes > 0);
  expect((await audit(heal)).drifted).toEqual([]);
  expect(harness.elasticIpOf(node.instanceId)).toBe(ip);
});

test('a node whose address somebody gave to another instance has another one', async () => {
  harness.reserve('taken', 2);
  const { node, id, ip } = await assigned('taken');
  const other = harness.ec2.runInstance();
  harness.kept.add(id);
  harness.ec2.associateByHand({ allocationId: id, instanceId: other.instanceId });
  await auditUntil(heal, ({ drifted }) => drifted.length > 0);
  const status = await waitFor(
    'another address',
    () => harness.status(node),
    (s) => {
      const has = addressOf(s);
      return s.phase === 'assigned' && has !== undefined && has.ip !== ip;
    },
  );
  expect(harness.elasticIpOf(node.instanceId)).toBe(addressOf(status)?.ip);
});

test('what an instance had that is gone serves another node, though its Node is there still', async () => {
  harness.reserve('gone', 1);
  const { node, ip } = await assigned('gone');
  const next = await harness.addNode('gone-next', { pool: 'gone' });
  await harness.waitForPhase(next, 'waiting');
  harness.ec2.terminateInstance(node.instanceId);
  await auditUntil(heal, ({ drifted }) => drifted.length > 0);
  await harness.waitUntilAssigned(next);
  expect(harness.elasticIpOf(next.instanceId)).toBe(ip);
  // The mutex's own list may show the free address before the node has looked.
  const { message, addresses } = await harness.waitForPhase(node, 'waiting');
  expect(addresses.map(({ address }) => address)).toEqual([undefined]);
  expect(message).toContain('is shutting down or terminated');
});

/** As a call does that a killed worker had made, and that is carried out when its node is long gone. */
async function leaveBehind(pool: string): Promise<{ node: TestNode; id: string; ip: string }> {
  const left = await assigned(pool);
  await harness.deleteNode(left.node);
  expect(await harness.waitForEnd(left.node)).toBe('COMPLETED');
  harness.ec2.associateByHand({ allocationId: left.id, instanceId: left.node.instanceId });
  return left;
}

test('what a workflow left behind is given back, once two looks have shown it', async () => {
  harness.reserve('left', 1);
  const { node, ip } = await leaveBehind('left');
  const found = await auditUntil(heal, ({ orphans }) =>
    orphans.some((one) => one.what.includes('gives it back')),
  );
  expect(found.orphans).toContainEqual(
    expect.objectContaining({ ip, pool: 'left', instance: node.instanceId }),
  );
  await waitFor(
    'a free address',
    () => harness.elasticIpOf(node.instanceId),
    (held) => held === undefined,
  );
  expect(await harness.waitForEnd(node)).toBe('COMPLETED');
});

test('of a node whose workflow was terminated both families are given back, by one audit', async () => {
  harness.reserveOnGce('both', 'ipv4');
  harness.reserveOnGce('both', 'ipv6');
  const node = await harness.addNode('both-1', { pool: 'both', cloud: 'gcp', dualStack: true });
  const { addresses } = await harness.waitForPhase(node, 'assigned');
  const next = await harness.addNode('both-2', { pool: 'both', cloud: 'gcp', dualStack: true });
  await harness.waitForStatus(next, 'told', ({ lastError }) => lastError !== undefined);
  await harness.handle(node).terminate('by an operator');
  await harness.nodes.delete(node);
  const found = await auditUntil(
    heal,
    ({ orphans }) => orphans.some(({ what }) => what.includes(node.name)),
    gceScope(),
  );
  expect(found.orphans.map(({ ip }) => ip)).toEqual(addresses.map(({ address }) => address?.ip));
  for (const { what } of found.orphans) expect(what).toContain('gives it back');
  expect(await harness.waitForEnd(node)).toBe('COMPLETED');
  expect(harness.nodes.externalOf(node.instanceId)).toEqual({ ipv4: 'ephemeral', ipv6: 'ephemeral' });
  await harness.waitForPhase(next, 'assigned');
});

test('an instance has its ephemeral address again, however often a static one is left behind on it', async () => {
  const [address = ''] = harness.reserveOnGce('late');
  const node = await harness.addNode('late-1', { pool: 'late', cloud: 'gcp' });
  await harness.waitUntilAssigned(node);
  await harness.deleteNode(node);
  expect(await harness.waitForEnd(node)).toBe('COMPLETED');
  // As calls do that are carried out late. Of the second one an audit's own run is the latest.
  for (let times = 0; times < 2; times++) {
    harness.gce.attachByHand({ address, instance: node.instanceId, zone: `${gceScope().region}-b` });
    await auditUntil(
      heal,
      ({ orphans }) => orphans.some(({ what }) => what.includes('gives it back')),
      gceScope(),
    );
    expect(await harness.waitForEnd(node)).toBe('COMPLETED');
    expect(harness.nodes.externalOf(node.instanceId)).toEqual({ ipv4: 'ephemeral' });
  }
});

test('what the pool of a deleted Node leaves on its machine stays, though another pool would give it back', async () => {
  const [id = ''] = harness.reserve('shared', 1);
  harness.kept.add(id);
  const { node, ip } = await assigned('keeping');
  await harness.deleteNode(node);
  expect(await harness.waitForEnd(node)).toBe('COMPLETED');
  const found = await auditUntil(heal, ({ orphans }) => orphans.some((one) => one.ip === ip));
  expect(found.orphans).toContainEqual(
    expect.objectContaining({ ip, pool: 'keeping', what: expect.stringContaining('left alone') }),
  );
  expect(harness.elasticIpOf(node.instanceId)).toBe(ip);
});

test('what a person attached is reported, and stays', async () => {
  const [id = ''] = harness.reserve('hand', 1);
  const { instanceId } = harness.ec2.runInstance();
  harness.kept.add(id);
  harness.ec2.associateByHand({ allocationId: id, instanceId });
  const ip = harness.ipOf(id);
  const found = await auditUntil(heal, ({ orphans }) => orphans.some((one) => one.ip === ip));
  expect(found.orphans.find((one) => one.ip === ip)?.what).toContain('left alone');
  expect(harness.elasticIpOf(instanceId)).toBe(ip);
});

test('with the policy report nothing is changed, whatever is found; and each pool is listed once', async () => {
  harness.reserve('dry', 2);
  const left = await leaveBehind('dry');
  const drifted = await assigned('dry');
  harness.ec2.disassociateByHand(drifted.id);
  harness.kept.add(left.id);
  const { mutations } = harness.ec2.calls();
  const found = await auditUntil(report, ({ drifted: rows, orphans }) => {
    return rows.length > 0 && orphans.some(({ ip }) => ip === left.ip);
  });
  expect(found.drifted).toEqual([{ node: drifted.node.name, ip: drifted.ip, told: false }]);
  const lists = (): number => harness.ec2.calls().counts['DescribeAddresses']?.['ok'] ?? 0;
  const before = lists();
  await audit(report);
  expect(lists() - before).toBeLessThanOrEqual(harness.pools.length);
  expect(harness.ec2.calls().mutations).toHaveLength(mutations.length);
  expect(harness.elasticIpOf(left.node.instanceId)).toBe(left.ip);
  // So that all is in order at the end.
  await harness.nudge(drifted.node);
  await waitFor(
    'healed',
    () => harness.elasticIpOf(drifted.node.instanceId),
    (ip) => ip !== undefined,
  );
});

test('the Schedule is made once, follows the settings, fires, and goes', async () => {
  const { client, scope } = harness;
  const scheduleId = auditId('scheduled', scope);
  const handle = client.schedule.getHandle(scheduleId);
  const ensure = (settings: object): Promise<void> =>
    ensureAuditSchedule(client, {
      cluster: 'scheduled',
      scope,
      audit: { enabled: true, intervalMs: 60_000, policy: report, ...settings },
    });
  await Promise.all([ensure({}), ensure({})]);
  expect((await handle.describe()).spec.intervals).toMatchObject([{ every: 60_000 }]);
  await handle.pause('by an operator');
  await ensure({ intervalMs: 1_000, policy: heal });
  const changed = await handle.describe();
  expect(changed.spec.intervals).toMatchObject([{ every: 1_000 }]);
  expect(changed.action.args).toMatchObject([{ policy: heal, secondLookMs: 1_000 }]);
  expect(changed.state.paused).toBe(true);
  await handle.unpause();
  await waitFor(
    'an audit by the Schedule',
    () => handle.describe(),
    ({ info }) => info.numActionsTaken > 0,
  );
  await ensure({ enabled: false });
  await ensure({ enabled: false });
  await expect(handle.describe()).rejects.toMatchObject({ name: 'ScheduleNotFoundError' });
});
