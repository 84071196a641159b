/** What two workers and a watcher show of a pool that is too small, held against the documents, the dashboard and the alerts. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import type { ManagedProcess } from '../../sandbox/processes/child-process.ts';
import { deleteNode } from '../../sandbox/nodes.ts';
import { logLevelSignal } from '../../program/log-level.ts';
import { dashboardFile, metricsOf, promtool, readRules, root, rulesFile } from '../alerts/rules.ts';
import { writeWorkflowBundle } from '../workflow-bundle.ts';
import { nodeStart } from '../../workflows/node-start.ts';
import { cluster, logLine, type NodeWorld, startNodeWorld, until } from './node-world.ts';
import { allSamples, familiesOf, type MetricFamily, sampleOf } from './prometheus-text.ts';

let here: NodeWorld;
let workers: ManagedProcess[];
let watcher: ManagedProcess;
const nodes = ['first', 'second', 'third'];

async function scrape(program: ManagedProcess): Promise<string> {
  const url = logLine(program, `${program.name} started`)?.['http'];
  return (await fetch(`${String(url)}/metrics`)).text();
}

beforeAll(async () => {
  here = await startNodeWorld('2s');
  here.world.ec2.allocateAddress({ tags: { kubeip: 'use' } });
  const env = { KUBEIP_WORKFLOW_BUNDLE: await writeWorkflowBundle(join(here.world.dir, 'workflows.js')) };
  [workers, watcher] = await Promise.all([
    Promise.all([here.start('worker', env), here.start('worker', env)]),
    here.start('watcher'),
  ]);
  for (const program of [...workers, watcher]) {
    await until(
      `${program.name} has started`,
      () => logLine(program, `${program.name} started`) !== undefined,
    );
  }
  for (const node of nodes) await here.addNode(node);
  await until('one is assigned and two wait', async () => {
    const phases = await Promise.all(nodes.map(async (node) => (await here.status(node)).phase));
    return phases.toSorted().join() === 'assigned,waiting,waiting';
  });
  await promtool(['--version']);
}, 900_000);

afterAll(() => here?.stop());

const pool = { pool: 'public', family: 'ipv4' };

test('one of two workers shows the pool: its addresses by state, who waits and for how long', async () => {
  /** Of all workers that show it. */
  const shown = async (name: string, labels: Record<string, string>): Promise<number[]> => {
    const texts = await Promise.all(workers.map(scrape));
    return texts.flatMap((text) => sampleOf(text, name, labels) ?? []);
  };
  const scope = { scope: `aws/${here.world.ec2.accountId}/${here.world.ec2.region}` };
  // A list may be half a minute old, and the state of a mutex a minute, as docs/metrics.md says.
  const isSettled = async (): Promise<boolean> =>
    (await shown('kubeip_pool_addresses', { ...pool, state: 'associated' })).join() === '1' &&
    (await shown('kubeip_pool_waiting_nodes', pool)).join() === '2';
  for (let tries = 0; tries < 2 && !(await isSettled()); tries++) await until('the list is new', isSettled);
  expect(await shown('kubeip_pool_addresses', { ...pool, state: 'free' })).toEqual([0]);
  expect(await shown('kubeip_pool_addresses', { ...pool, state: 'claimed' })).toEqual([0]);
  const [longest] = await shown('kubeip_pool_longest_wait_seconds', pool);
  expect(longest).toBeGreaterThan(0);
  expect(await shown('kubeip_mutex_queue_length', scope)).toEqual([2]);
  expect(await shown('kubeip_mutex_claim_overdue_seconds', scope)).toEqual([0]);
  // Whether it works, both tell: that takes no query.
  expect(await shown('kubeip_mutex_up', scope)).toEqual([1, 1]);
});

test('what was decided is counted by the worker that carried it out, and by no other', async () => {
  const texts = await Promise.all(workers.map(scrape));
  const sum = (name: string, labels: Record<string, string>): number =>
    texts.map((text) => sampleOf(text, name, labels) ?? Number.NaN).reduce((a, b) => a + b, 0);
  const granted = { pool: 'public', result: 'assigned', reason: 'granted' };
  expect(sum('kubeip_assignments_total', granted)).toBe(1);
  expect(sum('kubeip_node_first_address_seconds_count', { pool: 'public' })).toBe(1);
  expect(sum('kubeip_claim_hold_seconds_count', { pool: 'public', outcome: 'associated' })).toBe(1);
  // What has not happened is there all the same, as 0.
  expect(sum('kubeip_releases_total', { pool: 'public', result: 'released', reason: 'nodeDeleted' })).toBe(0);
  expect(sum('kubeip_drift_found_total', { pool: 'public' })).toBe(0);
});

describe('the words that a person reads', () => {
  test('the alert for the empty pool fires from what the programs show, and says what the status says', async () => {
    const waiting = await Promise.all(nodes.map((node) => here.status(node)));
    const { message = '' } = waiting.find(({ phase }) => phase === 'waiting') ?? {};
    const series = (await Promise.all(workers.map(scrape))).flatMap((text, index) =>
      allSamples(text)
        .filter(({ name }) => name.startsWith('kubeip_pool_'))
        .map(({ series: text2, value }) => ({
          series: text2.replace('}', `,instance="worker-${index}"}`),
          values: `${value}x15`,
        })),
    );
    // Addresses by state, who waits, and for how long: by the one worker that shows them.
    expect(series).toHaveLength(5);
    const description =
      'Pool public has no free IPv4 address: 1 of 1 are in use. 2 nodes wait and are served when one is freed or added.';
    const file = join(here.world.dir, 'alert-case.yaml');
    const alertRule = {
      eval_time: '10m',
      alertname: 'KubeipPoolExhausted',
      exp_alerts: [
        {
          exp_labels: { severity: 'warning', ...pool },
          exp_annotations: {
            summary: 'Pool public has no free address, and nodes wait',
            description,
            runbook_url: 'docs/runbook.md#kubeippoolexhausted',
          },
        },
      ],
    };
    writeFileSync(
      file,
      stringify({
        rule_files: [join(root, rulesFile)],
        evaluation_interval: '1m',
        tests: [{ interval: '1m', input_series: series, alert_rule_test: [alertRule] }],
      }),
    );
    const { code, output } = await promtool(['test', 'rules', file]);
    expect(output).toContain('SUCCESS');
    expect(code).toBe(0);
    const said = 'Pool public has no free IPv4 address: ';
    expect(message.startsWith(said)).toBe(true);
    expect(description.startsWith(said)).toBe(true);
    // The log too, word for word.
    const line = workers.map((worker) => logLine(worker, 'node waits')).find((it) => it !== undefined);
    expect(line).toMatchObject({ pool: 'public', family: 'ipv4', message, workflowId: expect.any(String) });
  });
});

describe('all metrics', () => {
  let families: MetricFamily[];
  beforeAll(async () => {
    // A series of the SDK's begins with the first workflow task that fails: of one that was started without its input.
    const start = nodeStart(cluster, { name: 'broken', uid: 'uid-1' });
    const broken = await here.client.workflow.start('AssignIpWorkflow', { ...start, args: [null] });
    const scrapeAll = () => Promise.all([...workers, watcher].map(scrape));
    await until('its task has failed', async () =>
      (await scrapeAll()).some((text) => text.includes('temporal_workflow_task_execution_failed_total{')),
    );
    families = (await scrapeAll()).flatMap(familiesOf);
    await broken.terminate('by a test');
  });

  test('are as Prometheus has them', async () => {
    for (const program of [...workers, watcher]) {
      expect(await promtool(['check', 'metrics'], await scrape(program))).toEqual({ code: 0, output: '' });
    }
  });

  test('of this project are in docs/metrics.md, with type and labels, and no others are there', () => {
    const doc = readFileSync(join(root, 'docs/metrics.md'), 'utf8');
    const rows = [...doc.matchAll(/^\| `(kubeip_\w+)` \| (\w+) \|(.*?)\| \S/gm)].map(
      ([, name, type, labels]) => ({
        name,
        type,
        labels: [...(labels ?? '').matchAll(/`(\w+)`/g)].map(([, label = '']) => label).toSorted(),
      }),
    );
    const own = families.filter(({ name }) => name.startsWith('kubeip_'));
    const named = (list: readonly { name?: string | undefined; type?: string | undefined }[]): string[] =>
      [...new Set(list.map(({ name, type }) => `${name} ${type}`))].toSorted();
    expect(named(own)).toEqual(named(rows));
    for (const { name, labels } of own) {
      if (labels === undefined) continue;
      expect([name, labels]).toEqual([name, rows.find((row) => row.name === name)?.labels]);
    }
  });

  test('have no label whose values have no bound', () => {
    const values = families.flatMap(({ samples }) => samples.flatMap(({ labels }) => Object.values(labels)));
    const { ec2 } = here.world;
    const unbounded = [...nodes, ...ec2.addresses().flatMap((it) => [it.publicIp, it.allocationId])];
    expect(values.filter((value) => unbounded.some((one) => value.includes(one)))).toEqual([]);
  });

  test('that the alerts and the dashboard use are there', () => {
    const rules = readRules();
    const recorded = rules.flatMap(({ record }) => record ?? []);
    const dashboard = JSON.parse(readFileSync(join(root, dashboardFile), 'utf8')) as {
      panels: { title: string; targets?: { expr: string }[] }[];
    };
    const expressions = [
      ...rules.map(({ expr }) => expr),
      ...dashboard.panels.flatMap(({ targets }) => (targets ?? []).map(({ expr }) => expr)),
    ];
    expect(expressions.length).toBeGreaterThan(60);
    const known = new Set([...families.map(({ name }) => name), ...recorded]);
    const unknown = expressions.flatMap(metricsOf).filter((name) => !known.has(name));
    expect([...new Set(unknown)]).toEqual([]);
  });
});

test('a release is counted with its reason, and logged with node, pool, address, workflow and run', async () => {
  const phases = await Promise.all(
    nodes.map(async (node) => [node, (await here.status(node)).phase] as const),
  );
  const [leaving = ''] = phases.find(([, phase]) => phase === 'assigned') ?? [];
  await deleteNode(here.world.kubernetes, leaving);
  const labels = { pool: 'public', result: 'released', reason: 'nodeDeleted' };
  await until('the release is counted', async () => {
    const texts = await Promise.all(workers.map(scrape));
    return texts.some((text) => sampleOf(text, 'kubeip_releases_total', labels) === 1);
  });
  const lines = workers.map((worker) => logLine(worker, 'address released'));
  expect(lines.find((line) => line !== undefined)).toMatchObject({
    node: leaving,
    pool: 'public',
    address: expect.any(String),
    outcome: 'released',
    workflowId: `assign-ip/test/${leaving}`,
    runId: expect.any(String),
  });
});

test('an address that somebody takes away is counted as drift, and its healing', async () => {
  const { ec2 } = here.world;
  // Enough for all: whoever waits would be served first.
  ec2.allocateAddress({ tags: { kubeip: 'use' } });
  const left: string[] = [];
  await until('the others are served', async () => {
    left.length = 0;
    for (const node of nodes) if ((await here.status(node)).phase === 'assigned') left.push(node);
    return left.length === 2;
  });
  const [node = ''] = left;
  const { addresses } = await here.status(node);
  const taken = ec2.addresses().find((it) => it.publicIp === addresses[0]?.address?.ip);
  ec2.disassociateByHand(taken?.allocationId ?? '');
  const { uid } = (await here.status(node)).node;
  await here.client.workflow.getHandle(`assign-ip/test/${node}`).signal('nodeChanged', { uid });
  for (const name of ['kubeip_drift_found_total', 'kubeip_drift_healed_total']) {
    await until(name, async () => {
      const texts = await Promise.all(workers.map(scrape));
      return texts.some((text) => sampleOf(text, name, { pool: 'public' }) === 1);
    });
  }
});

test('the log level of a running program is raised by a signal, and lowered by the next', async () => {
  // A scrape asks the cloud, which refuses: of the workers, only the one that reads the mutex says so.
  here.world.ec2.configure({ denied: ['DescribeAddresses'] });
  for (const programs of [[watcher], workers]) {
    const debugLines = (): number =>
      programs.reduce((lines, program) => lines + program.output().split('"level":"debug"').length - 1, 0);
    const setTo = async (level: string): Promise<void> => {
      for (const program of programs) program.kill(logLevelSignal);
      await until(`${level} is on`, () =>
        programs.every((it) => logLine(it, `the log level is ${level} now (SIGUSR2)`) !== undefined),
      );
    };
    expect(debugLines()).toBe(0);
    await setTo('debug');
    await until('there are such lines', async () => {
      await Promise.all(programs.map((program) => scrape(program)));
      return debugLines() > 0;
    });
    await setTo('info');
    const before = debugLines();
    await delay(3_000);
    expect(debugLines()).toBe(before);
  }
  here.world.ec2.configure({ denied: [] });
});

test('a mutex that does not answer, and a cloud that does not list, cost no scrape', async () => {
  const [worker] = workers;
  if (worker === undefined) throw new Error('no worker');
  here.world.ec2.configure({ denied: ['DescribeAddresses'] });
  here.world.temporal.process.kill('SIGKILL');
  await here.world.temporal.process.exited;
  const begun = performance.now();
  const text = await scrape(worker);
  expect((performance.now() - begun) / 1000).toBeLessThan(10);
  expect(sampleOf(text, 'kubeip_build_info', { program: 'worker' })).toBe(1);
});
