/** The worker as a process: what it serves, and how it ends. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { queryWorkflow } from '../../program/query-workflow.ts';
import type { ManagedProcess } from '../../sandbox/processes/child-process.ts';
import { startProgram } from '../../sandbox/processes/program.ts';
import { addressPoolWorkflowId, poolStatusQuery, scopeTaskQueue } from '../../workflows/messages.ts';
import { logLine, type NodeWorld, startNodeWorld, until } from './node-world.ts';

let here: NodeWorld;
let worker: ManagedProcess;
let url: string;

beforeAll(async () => {
  here = await startNodeWorld('5s');
  here.world.ec2.allocateAddress({ tags: { kubeip: 'use' } });
  worker = await here.start('worker');
  await until('the worker has started', () => logLine(worker, 'worker started') !== undefined);
  url = String(logLine(worker, 'worker started')?.['http']);
});

afterAll(async () => {
  await here?.stop();
});

test('starts the mutex of its scope and tells it the pacing', async () => {
  const scope = {
    provider: 'aws',
    account: here.world.ec2.accountId,
    region: here.world.ec2.region,
  } as const;
  const mutex = here.client.workflow.getHandle(addressPoolWorkflowId(scope));
  const { taskQueue, status } = await mutex.describe();
  expect({ taskQueue, status: status.name }).toEqual({ taskQueue: scopeTaskQueue(scope), status: 'RUNNING' });
  expect(await queryWorkflow(mutex, poolStatusQuery)).toMatchObject({
    pacing: { burst: 45, perSecond: 4.95 },
  });
});

test('is ready once it polls both task queues, and says which', async () => {
  await until('the worker is ready', async () => (await fetch(`${url}/readyz`)).status === 200);
  const detail = await (await fetch(`${url}/readyz`)).text();
  expect(detail).toContain('kubeip/cluster/test: RUNNING');
  expect(detail).toMatch(/kubeip\/scope\/aws\/\d{12}\/eu-west-1: RUNNING/);
});

test('counts its calls to the cloud, and passes on the metrics of the Temporal SDK', async () => {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  expect(metrics).toMatch(/kubeip_cloud_requests_total\{action="ec2:DescribeAddresses",code="ok"\} [1-9]/);
  expect(metrics).toContain('temporal_worker_start');
});

test('every line of its log is JSON, and none shows a credential', () => {
  const lines = worker.output().trim().split('\n');
  expect(lines.filter((line) => !line.startsWith('{'))).toEqual([]);
  expect(worker.output()).not.toContain('secretAccessKey');
});

test('serves pools on both clouds and of both families, each scope at the pace of its cloud', async () => {
  const { ec2, gce } = here.world;
  gce.reserveAddress({ labels: { kubeip: 'use' } });
  ec2.reserveIpv6({ tags: { kubeip: 'use' } });
  const config = parse(readFileSync(here.configFile, 'utf8')) as { pools: Record<string, unknown>[] };
  const onAws = {
    ...config.pools[0],
    filter: undefined,
    addresses: bothFamilies('Name=tag:kubeip,Values=use'),
  };
  const onGcp = {
    ...config.pools[0],
    name: 'gke',
    provider: 'gcp',
    region: gce.region,
    account: gce.projectId,
    endpoint: gce.url,
    filter: undefined,
    addresses: bothFamilies('labels.kubeip=use'),
    nodeSelector: { matchLabels: { cloud: 'gcp' } },
  };
  const configFile = join(here.world.dir, 'both-clouds.yaml');
  const changes = { cluster: 'both', pools: [onAws, onGcp], pacing: { gcp: { burst: 7 } } };
  writeFileSync(configFile, stringify({ ...config, ...changes }));
  const both = await startProgram({
    name: 'worker',
    script: 'worker/main.ts',
    args: ['--config', configFile],
    env: here.world.env,
    logFile: join(here.world.dir, 'both-clouds.log'),
  });
  await until('the worker of both clouds has started', () => logLine(both, 'worker started') !== undefined);

  const scope = { provider: 'gcp', account: gce.projectId, region: gce.region } as const;
  const mutex = here.client.workflow.getHandle(addressPoolWorkflowId(scope));
  expect(await queryWorkflow(mutex, poolStatusQuery)).toMatchObject({ pacing: { burst: 7, perSecond: 5.5 } });
  // Accounts and regions are asked at once.
  expect(new Set(poolLines(both))).toEqual(
    new Set([
      'pool found: public ipv4',
      'pool found: public ipv6',
      'pool found: gke ipv4',
      'no address matches the filter of the pool: gke ipv6',
    ]),
  );
  expect(await both.stop()).toMatchObject({ code: 0 });
});

function bothFamilies(filter: string): object {
  return { ipv4: { filter }, ipv6: { filter } };
}

/** What it said of each set of addresses at its start. */
function poolLines(program: ManagedProcess): string[] {
  const lines = program.output().trim().split('\n');
  return lines
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ family }) => family !== undefined)
    .map(({ msg, pool, family }) => [`${String(msg)}:`, pool, family].join(' '));
}

test('refuses one account and region at two endpoints, which would be two clouds with one mutex', async () => {
  const config = parse(readFileSync(here.configFile, 'utf8')) as { pools: Record<string, unknown>[] };
  const elsewhere = {
    ...config.pools[0],
    name: 'elsewhere',
    account: here.world.ec2.accountId,
    endpoint: 'http://127.0.0.1:1',
  };
  const configFile = join(here.world.dir, 'two-endpoints.yaml');
  writeFileSync(configFile, stringify({ ...config, pools: [...config.pools, elsewhere] }));
  const refused = await startProgram({
    name: 'worker',
    script: 'worker/main.ts',
    args: ['--config', configFile],
    env: here.world.env,
    logFile: join(here.world.dir, 'two-endpoints.log'),
  });
  expect(await refused.exited).toMatchObject({ code: 5 });
  expect(refused.output()).toContain('Give all pools of an account and region the same endpoint');
});

test('worker and watcher end with 0 when the settings of the Temporal connection change, to be started with the new ones', async () => {
  const profile = join(here.world.dir, 'temporal.toml');
  const write = (metadata: string) =>
    writeFileSync(profile, `[profile.default.grpc_meta]\nteam = "${metadata}"\n`);
  write('one');
  const env = { TEMPORAL_CONFIG_FILE: profile };
  const programs = [await here.start('worker', env), await here.start('watcher', env)];
  for (const program of programs) {
    await until('it has started', () => /"msg":"(worker|watcher) started"/.test(program.output()));
  }
  write('two');
  for (const program of programs) {
    expect(await program.exited).toMatchObject({ code: 0 });
    expect(program.output()).toContain('the certificates or the profile of the Temporal connection changed');
  }
});

test('ends by itself in whatever moment of its start it is told to stop', async () => {
  for (const afterMs of [300, 700, 1_100, 1_500, 2_000, 2_500, 3_000, 4_000]) {
    const early = await here.start('worker');
    await sleep(afterMs);
    early.kill('SIGTERM');
    const { code, signal } = await early.exited;
    // Until it has loaded its code, the signal ends it.
    expect({ afterMs, end: code ?? signal }).toEqual({ afterMs, end: code === null ? 'SIGTERM' : 0 });
  }
});

test('ends with 0 when it is told to stop', async () => {
  worker.kill('SIGTERM');
  expect(await worker.exited).toMatchObject({ code: 0 });
  expect(logLine(worker, 'worker stopped')).toBeDefined();
});
