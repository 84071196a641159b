/** The commands as real processes against real workflows, with access to Temporal and to nothing else. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import type { NodeView } from '../../cli/node-status.ts';
import { exitCodes } from '../../program/exit-codes.ts';
import { deleteNode } from '../../sandbox/nodes.ts';
import type { AuditReport } from '../../workflows/messages.ts';
import type { PlanReport, PoolNetworks } from '../../workflows/reports.ts';
import { addressOf } from '../integration/assigned-address.ts';
import { type Harness, openHarness } from '../integration/harness.ts';
import type { TestNode } from '../integration/test-nodes.ts';
import { waitFor } from '../integration/wait-for.ts';
import { hostileText, terminalAttack, terminalCharacters } from '../unit/hostile-text.ts';
import { type Ended, runKubeip, type Running, startAtTerminal, startKubeip } from './run-kubeip.ts';

/** Each test starts processes, on a machine that may have other things to do. */
/** The command's own. */
const esc = '\u001b';
const colours = new RegExp(`${esc}\\[(3[123]|39|1|22)m`, 'g');

let h: Harness;
beforeAll(async () => {
  h = await openHarness({
    pools: [
      { name: 'empty' },
      { name: 'steered' },
      { name: 'idle' },
      { name: 'planned' },
      { name: 'drifting' },
      { provider: 'gcp', name: 'gke' },
    ],
  });
}, 900_000);
afterAll(() => h?.close());

function environment(): NodeJS.ProcessEnv {
  const { TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE } = h.world.env;
  return { TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, KUBEIP_CLUSTER: 'test' };
}

function kubeip(...args: string[]): Promise<Ended> {
  return runKubeip(args, environment());
}

function untilItShows(running: Running, text: string): Promise<string> {
  return waitFor(
    text,
    () => running.output(),
    (output) => output.includes(text),
  );
}

/** @returns what the command answered as JSON */
async function json<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await kubeip(...args, '-o', 'json');
  if (code !== 0) throw new Error(`kubeip ${args.join(' ')} ended with ${code}: ${stderr}`);
  return JSON.parse(stdout) as T;
}

async function statusOf(name: string): Promise<NodeView | undefined> {
  const { nodes } = await json<{ nodes: NodeView[] }>('status');
  return nodes.find(({ node }) => node === name);
}

describe('of nodes that wait for an empty pool', () => {
  beforeAll(async () => {
    await h.addNode('waits-1', { pool: 'empty' });
    await waitFor(
      'its place',
      () => h.mutexStatus(),
      ({ waiting }) => waiting.length === 1,
    );
    await h.addNode('waits-2', { pool: 'empty' });
    await waitFor(
      'its place',
      () => h.mutexStatus(),
      ({ waiting }) => waiting.length === 2,
    );
  });

  test('status shows phase, pool and place in the queue', async () => {
    const seen = await waitFor(
      'both places',
      () => statusOf('waits-2'),
      (view) => view?.place === 2,
    );
    expect(seen).toMatchObject({ phase: 'waiting', pool: 'empty', addresses: [], attempts: 1 });
    const { stdout } = await kubeip('status', '--phase', 'waiting', '--pool', 'empty');
    const [head, ...rows] = stdout.trimEnd().split('\n');
    expect(head?.split(/\s{2,}/)).toEqual([
      'NODE',
      'PHASE',
      'ADDRESSES',
      'POOL',
      'SINCE',
      'ATTEMPTS',
      'LAST ERROR',
    ]);
    expect(rows.map((row) => row.split(/\s{2,}/).slice(0, 4))).toEqual([
      ['waits-1', 'waiting (1. in the queue)', '-', 'empty'],
      ['waits-2', 'waiting (2. in the queue)', '-', 'empty'],
    ]);
  });

  test('describe tells why, with the words of its workflow, and the place in the mutex', async () => {
    const node = { cluster: 'test', name: 'waits-2' } as TestNode;
    const { message } = await h.waitForStatus(node, 'told why', (it) => it.message.includes('no free IPv4'));
    const { code, stdout } = await kubeip('describe', 'waits-2');
    expect(code).toBe(exitCodes.ok);
    expect(stdout).toContain(message);
    expect(stdout).toMatch(/IPv4: place 2 of 2 in the queue of pool empty, priority 0, since /);
    expect(stdout).toContain('assign-ip/test/waits-2 (RUNNING)');
    expect(stdout).toMatch(/^Tried$/m);
  });

  test('lock show lists the queue, and plan says that they wait', async () => {
    const { stdout } = await kubeip('lock', 'show');
    expect(stdout).toMatch(/^2\s+assign-ip\/test\/waits-2\s+ipv4\s+empty\s+0\s/m);
    const { rows } = await json<PlanReport>('plan');
    expect(rows.find(({ node }) => node === 'waits-2')).toMatchObject({
      outcome: 'waits',
      why: 'no address of pool empty is free; 1 before it in the queue',
    });
  });

  test('pools has them as waiting, with the cost of what lies idle', async () => {
    h.reserve('idle', 2);
    const { pools } = await json<{ pools: Record<string, unknown>[] }>('pools', '--price', '0.01');
    expect(pools.find(({ name }) => name === 'empty')).toMatchObject({
      size: 0,
      free: 0,
      waiting: 2,
      claims: 0,
    });
    expect(pools.find(({ name }) => name === 'idle')).toMatchObject({
      family: 'ipv4',
      scope: `aws/${h.ec2.accountId}/${h.ec2.region}`,
      size: 2,
      used: 0,
      free: 2,
      waiting: 0,
      idleCostAMonth: 14.6,
    });
    const { stdout } = await kubeip('pools', '--scope', `gcp/${h.gce.projectId}/${h.gce.region}`);
    expect(stdout).toMatch(/^gke\s+ipv4\s/m);
    expect(stdout).not.toContain('idle');
  });
});

test('kubeip plan before, the run after: the same pairs, on both clouds', async () => {
  // One that is kept, one that is pinned to, and two for three that come one after the other.
  h.reserve('planned', 2);
  const pinnedTo = h.ipOf(h.reserve('planned')[0]);
  const keeps = await h.nodes.make('plan-keeps', { pool: 'planned' });
  const [kept] = h.reserve('planned');
  h.ec2.associateByHand({ allocationId: kept ?? '', instanceId: keeps.instanceId });
  const labels = { 'node-restriction.kubernetes.io/kubeip-pinned-ipv4': pinnedTo };
  const nodes = [
    await h.nodes.make('plan-a', { pool: 'planned' }),
    await h.nodes.make('plan-b', { pool: 'planned' }),
    await h.nodes.make('plan-c', { pool: 'planned' }),
    keeps,
    await h.nodes.make('plan-pinned', { pool: 'planned', labels }),
    await h.nodes.make('plan-z-gke', { pool: 'gke', cloud: 'gcp' }),
  ];
  h.reserveOnGce('gke', 'ipv4', 2);

  const journal = JSON.stringify(h.facts().map((facts) => facts.journal));
  const { rows } = await json<PlanReport>('plan');
  const planned = rows.filter(({ node }) => node.startsWith('plan-'));
  expect(JSON.stringify(h.facts().map((facts) => facts.journal))).toBe(journal);
  expect(planned.map(({ node, outcome }) => `${node} ${outcome}`)).toEqual([
    'plan-a gets',
    'plan-b gets',
    'plan-c waits',
    'plan-keeps keeps',
    'plan-pinned gets',
    'plan-z-gke gets',
  ]);
  expect(planned.filter(({ assumed }) => assumed).map(({ node }) => node)).toEqual([
    'plan-a',
    'plan-b',
    'plan-c',
    'plan-pinned',
  ]);

  // The plan takes them to come at once, so that the pinned one is there before its address is given away.
  const pinnedFirst = nodes.toSorted(
    (a, b) => Number(b.name === 'plan-pinned') - Number(a.name === 'plan-pinned'),
  );
  for (const node of pinnedFirst) {
    await h.tellChanged(node);
    await h.waitForStatus(node, 'assigned or told that there is none', ({ phase, message }) => {
      return phase === 'assigned' || message.includes('no free IPv4');
    });
  }
  const run = await Promise.all(
    nodes.map(async (node) => `${node.name} ${addressOf(await h.status(node))?.ip ?? 'none'}`),
  );
  expect(planned.map(({ node, address }) => `${node} ${address?.ip ?? 'none'}`)).toEqual(run);

  const again = await json<PlanReport>('plan');
  const after = again.rows.filter(({ node, outcome }) => node.startsWith('plan-') && outcome !== 'waits');
  expect(after.map(({ node, outcome, address }) => `${node} ${outcome} ${address?.ip}`)).toEqual(
    run.filter((pair) => !pair.endsWith('none')).map((pair) => pair.replace(' ', ' keeps ')),
  );
});

describe('of a node with an address', () => {
  let node: TestNode;
  let first: string;
  beforeAll(async () => {
    h.reserve('steered', 2);
    node = await h.addNode('steered-1', { pool: 'steered' });
    first = (await h.waitUntilAssigned(node)).address.ip;
  });

  test('release without a terminal and without --yes does nothing, and says so', async () => {
    const { code, stdout, stderr } = await kubeip('release', 'steered-1');
    expect(code).toBe(exitCodes.notConfirmed);
    expect(stdout).toBe('');
    expect(stderr).toContain(`Release ${first} from node steered-1 of cluster test?`);
    expect(stderr).toContain('--yes');
    expect(h.elasticIpOf(node.instanceId)).toBe(first);
  });

  test('release at a terminal asks, and does what is answered', async () => {
    const question = `Release ${first} from node steered-1 of cluster test?`;
    for (const no of ['n\r', '\r', '\u0003']) {
      const refused = startAtTerminal(['release', 'steered-1'], environment());
      await untilItShows(refused, question);
      refused.type(no);
      expect(await refused.ended).toBe(exitCodes.notConfirmed);
      expect(refused.output()).toContain('Nothing was done.');
      expect(h.elasticIpOf(node.instanceId)).toBe(first);
    }
    const released = startAtTerminal(['release', 'steered-1'], environment());
    await untilItShows(released, question);
    released.type('y\r');
    expect(await released.ended).toBe(exitCodes.ok);
    expect(h.elasticIpOf(node.instanceId)).toBeUndefined();
    expect(await kubeip('assign', 'steered-1', '--address', first)).toMatchObject({ code: exitCodes.ok });
    await h.waitUntilAssigned(node);
  });

  test('status --watch shows what changes until it is interrupted', async () => {
    const row = (phase: string) => new RegExp(`^steered-1\\s+${phase}\\s`, 'gm');
    const watching = startKubeip(['status', '--watch', '--interval', '200ms'], environment());
    const seen = (phase: string, times: number) =>
      waitFor(
        `${phase}, ${times} times`,
        () => watching.output(),
        (output) => {
          return (output.match(row(phase)) ?? []).length >= times;
        },
      );
    await seen('assigned', 2);
    await kubeip('release', 'steered-1', '--yes');
    await seen('released', 1);
    watching.interrupt();
    expect(await watching.ended).toBe(exitCodes.ok);
    expect(await kubeip('assign', 'steered-1', '--address', first)).toMatchObject({ code: exitCodes.ok });
    await h.waitUntilAssigned(node);
  });

  test('assign is refused with the workflow’s reason, in one line', async () => {
    const { code, stderr } = await kubeip('assign', 'steered-1');
    expect(code).toBe(exitCodes.rejected);
    expect(stderr).toBe(`kubeip: assign-ip/test/steered-1 says no: the node has ${first} already\n`);
  });

  test('move gives it another one, and a wrong address leaves it with what it has', async () => {
    const other = h.ec2
      .addresses()
      .find(({ tags, publicIp }) => tags['kubeip'] === 'steered' && publicIp !== first);
    const wrong = await kubeip('move', 'steered-1', '--address', '203.0.113.250', '--yes');
    expect(wrong.code).toBe(exitCodes.rejected);
    expect(wrong.stderr).toContain('203.0.113.250');
    expect(h.elasticIpOf(node.instanceId)).toBe(first);
    const moved = await kubeip('move', 'steered-1', '--address', other?.publicIp ?? '', '--yes');
    expect(moved).toMatchObject({ code: exitCodes.ok, stderr: '' });
    expect(moved.stdout).toContain(`steered-1: assigned with ${other?.publicIp}`);
    expect(h.elasticIpOf(node.instanceId)).toBe(other?.publicIp);
  });

  test('pin and assign are refused for a family that the pool lacks, and for what names no address', async () => {
    for (const command of ['pin', 'assign']) {
      const lacking = await kubeip(command, 'steered-1', '--address', '2001:db8::7', '--family', 'ipv6');
      expect(lacking).toMatchObject({ code: exitCodes.rejected, stdout: '' });
      expect(lacking.stderr).toContain('pool steered of the node has no ipv6 addresses: it has ipv4');
    }
    for (const name of ['pin', 'move', 'assign']) {
      const sent = h.handle(node).executeUpdate(name, { args: [{ address: `a${terminalAttack}` }] });
      await expect(sent).rejects.toMatchObject({
        cause: {
          message: expect.stringContaining('names no address. An address is named by its IP or its id'),
        },
      });
    }
  });

  test('one Ctrl-C or SIGTERM ends a command that waits, with 130 and what may still be done', async () => {
    const accepted = async (): Promise<number> => {
      const { events } = await h.handle(node).fetchHistory();
      return (events ?? []).filter((event) => event.workflowExecutionUpdateAcceptedEventAttributes).length;
    };
    const args = ['release', 'steered-1', '--yes'];
    for (const end of ['SIGINT', 'SIGTERM', 'Ctrl-C'] as const) {
      h.ec2.addFaults({ kind: 'error', action: 'DisassociateAddress', code: 'ServiceUnavailable' });
      const before = await accepted();
      const isAtTerminal = end === 'Ctrl-C';
      const waiting = (isAtTerminal ? startAtTerminal : startKubeip)(args, environment());
      await waitFor('the release, under way', accepted, (count) => count > before);
      if (isAtTerminal) waiting.type('\u0003');
      else waiting.interrupt(end);
      expect(await waiting.ended).toBe(exitCodes.interrupted);
      const told = isAtTerminal ? waiting.output() : waiting.errors();
      expect(told).toContain(
        `kubeip: Interrupted by ${isAtTerminal ? 'SIGINT' : end}. "release" was sent to`,
      );
      expect(told).toContain('assign-ip/test/steered-1 and may still be done');
      h.ec2.clearFaults();
      await h.waitForPhase(node, 'released');
      expect(await kubeip('assign', 'steered-1', '--address', first)).toMatchObject({ code: exitCodes.ok });
      await h.waitUntilAssigned(node);
    }
  });

  test('pin and unpin are kept by the workflow, and the Node is not written to', async () => {
    const annotationOf = async () =>
      (await h.nodes.read(node)).metadata?.annotations?.['kubeip-temporal.io/pinned-ipv4'];
    expect(await kubeip('pin', 'steered-1', '--address', first)).toMatchObject({ code: exitCodes.ok });
    expect((await h.status(node)).pinned).toEqual({ ipv4: first });
    expect((await kubeip('describe', 'steered-1')).stdout).toMatch(new RegExp(`^Pinned to: +${first}$`, 'm'));
    expect(await annotationOf()).toBeUndefined();
    expect(await kubeip('unpin', 'steered-1')).toMatchObject({ code: exitCodes.ok });
    expect((await h.status(node)).pinned).toBeUndefined();
  });

  test('release with --yes takes the address, and assign with --address gives a certain one', async () => {
    const released = await kubeip('release', 'steered-1', '--yes', '--reason', 'a test', '-o', 'yaml');
    expect(parse(released.stdout)).toMatchObject({ phase: 'released', releasedByHand: true });
    expect(h.elasticIpOf(node.instanceId)).toBeUndefined();
    const { rows } = await json<PlanReport>('plan');
    expect(rows.find((row) => row.node === 'steered-1')).toMatchObject({ outcome: 'released' });
    expect(await kubeip('assign', 'steered-1', '--address', first)).toMatchObject({ code: exitCodes.ok });
    expect((await h.waitUntilAssigned(node)).address.ip).toBe(first);
  });
});

test('an unknown node is told with the workflow that was looked for, and names that are like it', async () => {
  const commands = [['describe'], ['release', '--yes'], ['assign'], ['unpin']];
  const ended = await Promise.all(commands.map(([name = '', ...more]) => kubeip(name, 'steerd-1', ...more)));
  for (const { code, stderr } of ended) {
    expect(code).toBe(exitCodes.notFound);
    expect(stderr).toContain('assign-ip/test/steerd-1');
    expect(stderr).toContain('Did you mean steered-1?');
  }
});

test('a claim that there is not is told, and nothing is done', async () => {
  const { code, stderr } = await kubeip('lock', 'release', '99999', '--yes');
  expect(code).toBe(exitCodes.notFound);
  expect(stderr).toContain('There is no claim 99999 in address-pool/aws/');
});

describe('allowlist', () => {
  test('has every address of a pool, free or not, in each format, and no other pool’s', async () => {
    h.reserve('idle');
    h.reserveOnGce('gke');
    const text = (await kubeip('allowlist', 'idle')).stdout.trimEnd().split('\n');
    const { pools } = await json<{ pools: PoolNetworks[] }>('allowlist', 'idle');
    expect(pools).toEqual([
      {
        pool: 'idle',
        family: 'ipv4',
        scope: expect.stringMatching(/^aws\//),
        networks: text.map((ip) => `${ip}/32`),
      },
    ]);
    const all = (await kubeip('allowlist', '-o', 'csv')).stdout;
    expect(all).toContain(`${text[0]}/32,ipv4,idle,`);
    expect(all).toContain(',gke,gcp/');
    expect((await kubeip('allowlist', 'idle', '-o', 'terraform')).stdout).toContain(`"${text[0]}/32",`);
    expect(await kubeip('allowlist', 'nothere')).toMatchObject({
      code: exitCodes.notFound,
      stdout: '',
      stderr: expect.stringContaining('Cluster test has no pool "nothere"'),
    });
    expect(await kubeip('allowlist', '--watch', '-o', 'csv')).toMatchObject({
      code: exitCodes.configuration,
    });
  });

  test('watched, it writes what is there and what comes', async () => {
    const [before = ''] = h.reserve('idle');
    const watching = startKubeip(['allowlist', 'idle', '--watch', '--interval', '1s'], environment());
    await untilItShows(watching, `+ ${h.ipOf(before)} idle\n`);
    const [after = ''] = h.reserve('idle');
    await untilItShows(watching, `+ ${h.ipOf(after)} idle\n`);
    watching.interrupt();
    await watching.ended;
  });
});

test('audit reports what drifted and what was left behind, and ends with 8; --fix heals and gives back', async () => {
  h.reserve('drifting', 2);
  // As a call does that a killed worker had made, and that is carried out when its node is long gone.
  const gone = await h.addNode('drifting-gone', { pool: 'drifting' });
  const left = (await h.waitUntilAssigned(gone)).address;
  await h.deleteNode(gone);
  expect(await h.waitForEnd(gone)).toBe('COMPLETED');
  h.ec2.associateByHand({ allocationId: left.id, instanceId: gone.instanceId });
  const node = await h.addNode('drifting-1', { pool: 'drifting' });
  const { address } = await h.waitUntilAssigned(node);
  const listed = (view: NodeView | undefined) => view?.addresses.includes(address.ip) === true;
  await waitFor('visibility', () => statusOf('drifting-1'), listed);
  h.ec2.disassociateByHand(address.id);

  const seen = await waitFor(
    'the drift',
    () => kubeip('audit', '-o', 'json'),
    ({ stderr }) => stderr.includes('1 drifted, 1 unclaimed'),
  );
  expect(seen.code).toBe(exitCodes.problemsFound);
  const { reports } = JSON.parse(seen.stdout) as { reports: AuditReport[] };
  expect(reports.flatMap(({ drifted }) => drifted)).toEqual([
    { node: 'drifting-1', ip: address.ip, told: false },
  ]);
  expect(reports.flatMap(({ orphans }) => orphans)).toEqual([
    expect.objectContaining({ ip: left.ip, pool: 'drifting', instance: gone.instanceId }),
  ]);
  expect(h.elasticIpOf(gone.instanceId)).toBe(left.ip);

  expect(await kubeip('audit', '--fix')).toMatchObject({ code: exitCodes.notConfirmed, stdout: '' });
  const fixed = await kubeip('audit', '--fix', '--yes');
  expect(fixed.stdout).toMatch(
    new RegExp(`^drifting-1\\s+${address.ip.replaceAll('.', '\\.')}\\s+told$`, 'm'),
  );
  await waitFor(
    'the address again',
    () => h.elasticIpOf(node.instanceId),
    (ip) => ip === address.ip,
  );
  await waitFor(
    'what was left behind, free',
    () => h.elasticIpOf(gone.instanceId),
    (ip) => ip === undefined,
  );
});

test('no command hands a terminal what a hostile Node, or a hostile cloud, says', async () => {
  // All of it may be written by a kubelet, on its own Node; the last one by who stands between a worker and its cloud.
  const annotations = { 'kubeip-temporal.io/pinned-ipv4': hostileText };
  const node = await h.nodes.make('hostile-1', { pool: 'empty', initialised: false, annotations });
  await h.nodes.patch(node, { spec: { providerID: `aws:///${hostileText}` } });
  await h.tellChanged(node);
  expect(await h.waitForEnd(node)).toBe('FAILED');
  await h.handle(node).fetchHistory();
  const waits = await h.nodes.make('hostile-2', { pool: 'empty', annotations });
  h.ec2.addFaults({
    kind: 'error',
    action: 'DescribeInstances',
    code: 'InternalError',
    message: hostileText,
  });
  await h.tellChanged(waits);
  await h.waitForStatus(waits, 'told', ({ tried, lastError }) =>
    JSON.stringify([tried, lastError]).includes('PWNED'),
  );
  await waitFor(
    'visibility',
    () => statusOf('hostile-1'),
    (view) => view?.phase === 'failed',
  );
  try {
    for (const [args, shows] of [
      [['status'], true],
      [['status', '-o', 'wide'], true],
      [['status', '-o', 'json'], true],
      [['status', '-o', 'yaml'], true],
      [['describe', 'hostile-1'], true],
      [['describe', 'hostile-2', '-o', 'json'], true],
      [['plan'], true],
      [['doctor'], false],
      [['lock', 'show'], false],
      [['pools'], false],
      [['assign', 'hostile-1'], false],
    ] as const) {
      const running = startAtTerminal(args, environment());
      await running.ended;
      const shown = running.output().replaceAll('\r\n', '\n').replaceAll(colours, '');
      expect([args, terminalCharacters.exec(shown)]).toEqual([args, null]);
      if (shows) expect(shown).toContain('PWNED');
    }
  } finally {
    h.ec2.clearFaults();
  }
  const events = await h.nodes.events(node);
  expect(events.join()).toContain('PWNED');
  const { metadata } = await h.nodes.read(node);
  for (const text of [...events, metadata?.annotations?.['kubeip-temporal.io/message'] ?? '']) {
    expect(text).not.toMatch(terminalCharacters);
  }
});

test('a node that failed and is gone is not listed by status, and as gone with --all', async () => {
  const node = await h.nodes.make('ghost-1', { pool: 'empty', initialised: false });
  await h.nodes.patch(node, { spec: { providerID: 'aws:///none' } });
  await h.tellChanged(node);
  expect(await h.waitForEnd(node)).toBe('FAILED');
  await waitFor(
    'the failure',
    () => statusOf('ghost-1'),
    (view) => view?.phase === 'failed',
  );
  await deleteNode(h.world.kubernetes, node.name);
  await h.closeFailed(node);
  expect(await h.waitForEnd(node)).toBe('COMPLETED');
  await waitFor(
    'visibility',
    () => kubeip('status', '--all'),
    ({ stdout }) => /^ghost-1\s+gone\s/m.test(stdout),
  );
  expect(await statusOf('ghost-1')).toBeUndefined();
});

test('without a worker, status shows what Temporal lists and says so; what needs one ends with 10', async () => {
  await h.stopWorkers();
  try {
    const { code, stdout, stderr } = await kubeip('status', '--pool', 'steered');
    expect(code).toBe(exitCodes.ok);
    expect(stdout).toMatch(/^steered-1\s+assigned\s+\d+\.\d+\.\d+\.\d+\s+steered\s+-\s/m);
    expect(stderr).toContain('No worker answers');
    const watching = startKubeip(['status', '--watch', '--interval', '200ms'], environment());
    await waitFor(
      'two tables',
      () => watching.output().match(/^NODE\s/gm) ?? [],
      (tables) => tables.length >= 2,
    );
    watching.interrupt();
    await watching.ended;
    expect(watching.errors().match(/No worker answers/g)).toHaveLength(1);
    const ended = await Promise.all([
      kubeip('describe', 'steered-1'),
      kubeip('assign', 'steered-1', '--timeout', '2s'),
      kubeip('plan', '--timeout', '2s'),
      kubeip('lock', 'show'),
    ]);
    expect(ended.map((one) => one.code)).toEqual([10, 10, 10, 10]);
    for (const one of ended) expect(one.stdout).toBe('');
  } finally {
    await h.startWorkers();
  }
});
