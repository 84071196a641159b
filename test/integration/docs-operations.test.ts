/** docs/operations.md is read at three in the morning: every `temporal` command of it must work as it stands there. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ensureAuditSchedule } from '../../worker/audit-schedule.ts';
import type { AssignIpStatus } from '../../workflows/messages.ts';
import { type Harness, openHarness } from './harness.ts';
import type { TestNode } from './test-nodes.ts';
import { waitFor } from './wait-for.ts';

const cluster = 'prod';
const page = readFileSync(fileURLToPath(new URL('../../docs/operations.md', import.meta.url)), 'utf8');
const commands = page
  .split('\n')
  .filter((line) => line.startsWith('temporal '))
  .map((line) => line.replace(/\s+#.*$/, ''));

/** What a workflow answers to an Update that comes too late or too early: the command was right. */
const refusals = [
  'the address is released by hand already',
  'the node has 198.18.0.',
  'workflow failed', // `result` of a failed workflow ends with an error
];

/** A namespace runs one batch at a time. */
const busy = 'Max concurrent batch operations is reached';

let harness: Harness;
let nodeA: TestNode;
let nodeB: TestNode;
let nodeC: TestNode;
beforeAll(async () => {
  harness = await openHarness({ clusters: [cluster], pools: [{ name: 'game' }] });
  harness.reserve('game', 2);
  const add = (name: string, region?: string) =>
    harness.addNode(name, { pool: 'game', cluster, ...(region === undefined ? {} : { region }) });
  nodeA = await add('node-a');
  nodeB = await add('node-b');
  for (const node of [nodeA, nodeB]) await harness.waitUntilAssigned(node);
  nodeC = await add('node-c');
  await harness.waitForPhase(nodeC, 'waiting');
  await harness.waitForEnd(await add('node-d', 'us-east-1'));
  await ensureAuditSchedule(harness.client, {
    cluster,
    scope: harness.scope,
    audit: { enabled: true, intervalMs: 600_000, policy: { drift: 'heal', orphans: 'report' } },
  });
  const isListed = () =>
    harness.client.workflow.count(`KubeipCluster = '${cluster}' AND KubeipPhase = 'assigned'`);
  await waitFor('visibility', isListed, ({ count }) => count === 2);
}, 900_000);
afterAll(() => harness?.close());

test('an address is moved as the page says, and nobody who waits gets it in between', async () => {
  const { address } = await harness.waitUntilAssigned(nodeA);
  await harness
    .handle(nodeB)
    .executeUpdate<AssignIpStatus, [object]>('pin', { args: [{ address: address.ip }] });
  await harness.release(nodeB);
  await harness.assign(nodeB);
  await harness.waitForStatus(nodeB, 'to wait for its pin', ({ message }) => message.includes('is pinned'));
  // What node-b gave up serves the one that waited. That one is content; another one that waits is not.
  await harness.waitUntilAssigned(nodeC);
  const other = await harness.addNode('node-e', { pool: 'game', cluster });
  await harness.waitForPhase(other, 'waiting');

  await harness.release(nodeA);
  await harness.assign(nodeA);
  expect((await harness.waitUntilAssigned(nodeB)).address).toEqual(address);
  await harness.waitForPhase(other, 'waiting');
});

test('there are commands on the page', () => {
  expect(commands.length).toBeGreaterThan(25);
});

test.each(commands.map((command, index) => [index + 1, command] as const))('%i: %s', async (_, command) => {
  const { cli } = harness.world.temporal;
  const script = command.replace(/^temporal/, '"$TEMPORAL_CLI"');
  const env = { ...process.env, ...harness.world.env, TEMPORAL_CLI: cli };
  const run = () =>
    promisify(execFile)('/bin/sh', ['-c', script], { env, timeout: 60_000 }).then(
      ({ stdout }) => stdout,
      (error: { stdout: string; stderr: string }) => `${error.stdout}${error.stderr} EXIT`,
    );
  const outcome = await waitFor('an earlier batch to end', run, (text) => !text.includes(busy));
  if (outcome.endsWith('EXIT') && !refusals.some((refusal) => outcome.includes(refusal))) {
    throw new Error(outcome);
  }
});
