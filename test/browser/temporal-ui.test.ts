/**
 * The Temporal UI is where an operator looks. Here somebody looks: a real browser at the real UI, of a pool that is too small for its nodes.
 * `npm run screenshots` keeps what it sees in docs/images; a usual run writes no file.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { auditId, addressPoolWorkflowId } from '../../workflows/messages.ts';
import { ensureAuditSchedule } from '../../worker/audit-schedule.ts';
import { type Harness, openHarness } from '../integration/harness.ts';
import type { TestNode } from '../integration/test-nodes.ts';
import { waitFor } from '../integration/wait-for.ts';
import { markupAttack, terminalAttack, terminalCharacters } from '../unit/hostile-text.ts';
import { TemporalUi } from './temporal-ui.ts';

const cluster = 'prod';
const imagesFolder = process.env['KUBEIP_SCREENSHOTS'];

let harness: Harness;
let ui: TemporalUi;
let game: Record<1 | 2 | 3 | 4 | 5, TestNode>;
let failed: TestNode;

beforeAll(async () => {
  harness = await openHarness({ clusters: [cluster], pools: [{ name: 'game' }, { name: 'edge' }] });
  harness.reserve('game', 3);
  const addGame = (name: string) => harness.addNode(name, { pool: 'game', cluster });
  const first = [await addGame('game-1'), await addGame('game-2'), await addGame('game-3')] as const;
  for (const node of first) await harness.waitUntilAssigned(node);
  await harness.release(first[2], { reason: 'its rack is being moved' });
  const fourth = await addGame('game-4');
  await harness.waitUntilAssigned(fourth);
  const fifth = await addGame('game-5');
  await harness.waitForPhase(fifth, 'waiting');
  game = { 1: first[0], 2: first[1], 3: first[2], 4: fourth, 5: fifth };
  failed = await harness.addNode('edge-1', { pool: 'edge', cluster, region: 'us-east-1' });
  await harness.waitForEnd(failed);
  ui = await TemporalUi.open(harness.world.temporal);
}, 900_000);
afterAll(async () => {
  await ui?.close();
  await harness?.close();
});

async function keep(name: string, height: number, top?: number): Promise<void> {
  if (imagesFolder === undefined) return;
  mkdirSync(imagesFolder, { recursive: true });
  await ui.keepScreenshot(join(imagesFolder, `temporal-ui-${name}.png`), height, top);
}

async function ipOf(node: TestNode): Promise<string> {
  return (await harness.waitUntilAssigned(node)).address.ip;
}

describe('the list of workflows', () => {
  const columns = ['Workflow ID', 'KubeipPhase', 'KubeipAddress', 'KubeipPool'] as const;

  /** Visibility lags, and the list does not reload by itself. */
  async function untilListed(query: string, expected: Record<string, string[]>): Promise<void> {
    await waitFor(
      `the list of ${query}`,
      async () => {
        await ui.openList(query);
        const rows = await ui.listedRows();
        return Object.fromEntries(
          rows.map((row) => [row['Workflow ID'], columns.slice(1).map((name) => row[name])]),
        );
      },
      (seen) => isDeepStrictEqual(seen, expected),
    );
  }

  test('shows at a glance where each node stands, with which address of which pool', async () => {
    await ui.openList(`KubeipCluster="${cluster}"`);
    await ui.configureColumns({
      remove: ['Run ID', 'Type', 'End'],
      add: ['KubeipPhase', 'KubeipAddress', 'KubeipPool'],
    });
    const addresses = await Promise.all([game[1], game[2], game[4]].map(ipOf));

    await untilListed(`KubeipCluster="${cluster}"`, {
      'assign-ip/prod/game-1': ['assigned', addresses[0] ?? '', 'game'],
      'assign-ip/prod/game-2': ['assigned', addresses[1] ?? '', 'game'],
      'assign-ip/prod/game-3': ['released', '', 'game'],
      'assign-ip/prod/game-4': ['assigned', addresses[2] ?? '', 'game'],
      'assign-ip/prod/game-5': ['waiting', '', 'game'],
      'assign-ip/prod/edge-1': ['failed', '', 'edge'],
    });
    await keep('list', 560);
  });

  test('finds the nodes of one phase by the search attributes that the documentation names', async () => {
    await untilListed(`KubeipCluster="${cluster}" AND KubeipPhase="waiting"`, {
      'assign-ip/prod/game-5': ['waiting', '', 'game'],
    });
    await untilListed(`KubeipCluster="${cluster}" AND KubeipPhase="failed"`, {
      'assign-ip/prod/edge-1': ['failed', '', 'edge'],
    });
  });
});

describe("a node's page", () => {
  /** What it says of the node now, every word of which can be seen. */
  async function currentDetails(node: TestNode): Promise<string> {
    const texts = await ui.userMetadata(harness.workflowId(node));
    expect(texts.map(({ hiddenPixels }) => hiddenPixels)).toEqual([0, 0, 0]);
    expect(texts[0]?.text).toBe(`Static public address for node ${node.name}`);
    return texts[2]?.text ?? '';
  }

  test('says of one that is assigned which address it has, and how to take that back', async () => {
    const details = await currentDetails(game[1]);
    expect(details).toContain(`${await ipOf(game[1])} (eipalloc-`);
    expect(details).toMatch(/^Assigned since 20/);
    expect(details).toContain('Pool: game in aws/');
    expect(details).toContain(
      'temporal workflow update execute --workflow-id assign-ip/prod/game-1 --name release',
    );
  });

  test('says of one that waits why, and what will end it', async () => {
    const details = await currentDetails(game[5]);
    expect(details).toMatch(/^Waiting since 20/);
    expect(details).toContain('Pool game has no free IPv4 address: 3 of 3 are in use');
    expect(details).toContain('It is served when one is freed or added.');
    await keep('waiting', 700);
  });

  test('says of one that was released by hand that it stays so, and how to end that', async () => {
    const details = await currentDetails(game[3]);
    expect(details).toMatch(/^Released since 20/);
    expect(details).toContain('Released by hand');
    expect(details).toContain(
      'temporal workflow update execute --workflow-id assign-ip/prod/game-3 --name assign',
    );
  });

  test('says of one that failed for good what is wrong, and when and how it is tried again', async () => {
    const details = await currentDetails(failed);
    expect(details).toMatch(/^Failed since 20/);
    expect(details).toContain('Node edge-1 is in region us-east-1, but its pool edge is in eu-west-1');
    expect(details).toContain('kubectl annotate node --overwrite edge-1 kubeip-temporal.io/retry=');
    await keep('failed', 700);
  });

  test('tells the story of an assignment by the summaries of its activities', async () => {
    await ui.openWorkflow(harness.workflowId(game[1]));
    const ip = await ipOf(game[1]);
    const summaries = [
      `discover • ${game[1].name}`,
      'select • an IPv4 address of pool game',
      `associate • ${ip} → ${game[1].instanceId}`,
      `verify • is ${ip} there?`,
      `publish • assigned ${ip}`,
    ];
    for (const summary of summaries) {
      await ui.page.getByText(summary).first().waitFor();
    }
    await keep('history', 420, await ui.topOfTimeline());
  });
});

describe('the pages of a hostile Node', () => {
  test('have the text and no markup of it: no image, no link, no HTML', async () => {
    const loaded: string[] = [];
    ui.page.on('request', (request) => loaded.push(request.url()));
    const node = await harness.nodes.make('hostile-1', { pool: 'edge', cluster, initialised: false });
    await harness.nodes.patch(node, { spec: { providerID: `aws:///${markupAttack}${terminalAttack}` } });
    await harness.tellChanged(node);
    await harness.waitForEnd(node);
    const texts = await ui.userMetadata(harness.workflowId(node));
    expect(texts.map(({ foreignElements }) => foreignElements)).toEqual([[], [], []]);
    const details = texts[2]?.text ?? '';
    expect(details).toContain('<img/src=x>![x](');
    expect(details).toContain('http://127.0.0.1:9/x.png');
    expect(details).not.toMatch(terminalCharacters);
    // The same, where it is shown as the story of the workflow.
    await ui.openWorkflow(harness.workflowId(node));
    await ui.topOfTimeline();
    // The text itself may stand in the UI's own calls: what counts is who was called.
    const hosts = new Set(loaded.filter((url) => /^https?:/.test(url)).map((url) => new URL(url).host));
    expect([...hosts].filter((host) => /^127\.0\.0\.1:9$|evil\.example$/.test(host))).toEqual([]);
  });
});

describe("the pool's page", () => {
  test('shows who waits, in order, and every claim', async () => {
    const id = addressPoolWorkflowId(harness.scope);
    // What was granted stays so for as long as EC2 does not answer.
    harness.ec2.addFaults({ kind: 'error', action: 'AssociateAddress', code: 'ServiceUnavailable' });
    const [reserved] = harness.reserve('edge', 1);
    const node = await harness.addNode('edge-2', { pool: 'edge', cluster });
    const claimed = harness.ipOf(reserved);
    await waitFor(
      'a claim',
      () => harness.mutexStatus(),
      ({ claims }) => claims.some(({ address }) => address.ip === claimed),
    );

    const texts = await ui.userMetadata(id);
    expect(texts.map(({ hiddenPixels }) => hiddenPixels)).toEqual([0, 0, 0]);
    const details = texts[2]?.text ?? '';
    expect(details).toMatch(/^1 waiting, \d+ claims?\./);
    expect(details).toMatch(/1\s+assign-ip\/prod\/game-5\s+ipv4\s+game\s+20/);
    expect(details).toMatch(new RegExp(`${claimed}\\s+assign-ip/prod/edge-2\\s+\\d+\\s+granted`));
    await keep('pool', 700);
    harness.ec2.clearFaults();
    await harness.waitUntilAssigned(node);
  });
});

describe('the page of the audit', () => {
  test('shows the Schedule, how often it runs, and what it may do', async () => {
    await ensureAuditSchedule(harness.client, {
      cluster,
      scope: harness.scope,
      audit: { enabled: true, intervalMs: 600_000, policy: { drift: 'heal', orphans: 'report' } },
    });
    await ui.openSchedule(auditId(cluster, harness.scope));
    await ui.page.getByText('Every 10 minute(s)').waitFor();
    const text = await ui.pageText();
    expect(text).toContain('AuditWorkflow');
    expect(text).toContain('"drift": "heal"');
    expect(text).toContain('Upcoming Runs');
  });
});

describe('an operator in the browser', () => {
  test('releases an address by "Send a Signal", and the node that waits gets it', async () => {
    const ip = await ipOf(game[2]);
    await ui.openWorkflow(harness.workflowId(game[2]));
    await ui.fillInSignal('release', '{"reason": "it is replaced tonight"}');
    await keep('signal', 760);
    await ui.submitSignal();

    const released = await harness.waitForPhase(game[2], 'released');
    expect(released).toMatchObject({ releasedByHand: true });
    expect((await harness.waitUntilAssigned(game[5])).address.ip).toBe(ip);
    const [, , details] = await ui.userMetadata(harness.workflowId(game[2]));
    expect(details?.text).toContain(
      `${ip} was released. EC2 gives the instance another public IPv4 address only if`,
    );
  });
});
