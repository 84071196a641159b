/** What may be amiss in Temporal itself, provoked on a real server: `kubeip doctor` names it, and the worker's metric shows it. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { healthChecks, temporalChecks } from '../../cli/commands/doctor-temporal.ts';
import type { Check } from '../../cli/commands/doctor-checks.ts';
import type { Session } from '../../cli/session.ts';
import type { Scope } from '../../model/scope.ts';
import { createLogger } from '../../program/logger.ts';
import type { HealthCheck } from '../../program/temporal-health.ts';
import { searchAttributeNumbers } from '../../program/search-attributes.ts';
import { deploymentOf } from '../../program/worker-deployments.ts';
import { startWorld, type World } from '../../sandbox/world.ts';
import { addHealthMetrics } from '../../worker/health-metrics.ts';
import { ensureAuditSchedule, removeForgottenSchedules } from '../../worker/audit-schedule.ts';
import { addressPoolStart } from '../../workflows/address-pool-start.ts';
import { auditId, clusterTaskQueue, scopeTaskQueue } from '../../workflows/messages.ts';
import { clusterStart } from '../../workflows/cluster-start.ts';
import { writeWorkflowBundle } from '../workflow-bundle.ts';
import { sampleOf } from './prometheus-text.ts';
import { waitFor } from './wait-for.ts';

const cluster = 'test';
const scope: Scope = { provider: 'aws', account: '123456789012', region: 'eu-west-1' };
const audit = {
  enabled: true,
  intervalMs: 600_000,
  policy: { drift: 'report', orphans: 'report' },
} as const;

let world: World;
let connection: Connection;
let client: Client;
let native: NativeConnection;
let bundle: Promise<string>;

beforeAll(async () => {
  world = await startWorld({ temporal: true });
  const { address } = world.temporal;
  connection = await Connection.connect({ address });
  client = new Client({ connection });
  native = await NativeConnection.connect({ address });
  bundle = writeWorkflowBundle(join(world.dir, 'workflows.js'));
}, 900_000);

afterAll(async () => {
  await native?.close();
  await connection?.close();
  await world?.stop();
});

beforeEach(async () => {
  await ensureAuditSchedule(client, { cluster, scope, audit });
});

async function doctor(what: string): Promise<Check[]> {
  const { address, namespace } = world.temporal;
  const parts = { client, connection, address, namespace, cluster, signal: new AbortController().signal };
  const session = parts as unknown as Session;
  const checks = [...(await temporalChecks(session)), ...(await healthChecks(session, [scope]))];
  return checks.filter((check) => check.what.startsWith(what));
}

/** What a worker that has just started shows at its first scrape. */
async function shown(check: HealthCheck): Promise<number | undefined> {
  const registry = new Registry();
  const logger = createLogger({ name: 'worker', level: 'fatal', format: 'json' });
  addHealthMetrics({ registry, client, cluster, audited: [scope], logger });
  // On a busy machine a scrape may be answered before the server has.
  return waitFor(
    'the metric',
    async () => sampleOf(await registry.metrics(), 'kubeip_temporal_problems', { check }),
    (count) => count !== undefined,
  );
}

/** Polls a task queue with nothing to do there. */
async function polling<T>(taskQueue: string, version: string, work: () => Promise<T>): Promise<T> {
  const worker = await Worker.create({
    connection: native,
    taskQueue,
    activities: { nothing: async () => {} },
    workflowBundle: { codePath: await bundle },
    workerDeploymentOptions: {
      version: { deploymentName: deploymentOf(taskQueue), buildId: version },
      useWorkerVersioning: true,
      defaultVersioningBehavior: 'AUTO_UPGRADE',
    },
  });
  return worker.runUntil(work);
}

test('a Schedule that is paused, failing or missing', async () => {
  const schedule = client.schedule.getHandle(auditId(cluster, scope));
  expect(await shown('schedule')).toBe(0);
  await schedule.pause('on holiday');
  expect(await shown('schedule')).toBe(1);
  const { workflowId, runId } = await client.workflow
    .signalWithStart('AddressPoolWorkflow', {
      ...addressPoolStart(scope, { burst: 1, perSecond: 1 }),
      signal: 'configure',
      signalArgs: [{}],
    })
    .then((handle) => ({ workflowId: handle.workflowId, runId: handle.signaledRunId }));
  const paused = await waitFor(
    'the list to have the mutex',
    () => doctor('audits'),
    (it) => it[0]?.verdict === 'problem',
  );
  expect(paused[0]?.detail).toContain('is paused ("on holiday")');
  await schedule.unpause();

  for (let audits = 0; audits < 2; audits++) {
    await schedule.trigger();
    const started = await waitFor(
      'an audit',
      () => schedule.describe(),
      ({ info }) => info.recentActions.length === audits + 1,
    );
    const latest = started.info.recentActions.at(-1)?.action.workflow;
    await client.workflow.getHandle(latest?.workflowId ?? '').terminate('by a test');
    await delay(1_000);
  }
  const failing = await waitFor(
    'both to be known',
    () => doctor('audits'),
    (it) => it[0]?.verdict === 'problem',
  );
  expect(failing[0]?.detail).toContain('The last 2 audits of aws/123456789012/eu-west-1 failed');
  expect(await shown('schedule')).toBe(1);

  await schedule.delete();
  const missing = await waitFor(
    'it to be gone',
    () => doctor('audits'),
    (it) => it[0]?.verdict === 'warning',
  );
  expect(missing[0]?.detail).toContain('There is no Schedule audit/test/aws/123456789012/eu-west-1');
  expect(await shown('schedule')).toBe(1);
  await client.workflow.getHandle(workflowId, runId).terminate('by a test');
});

test('the Schedule of a scope that left the configuration goes when a worker starts, and no other one', async () => {
  const left = { ...scope, region: 'eu-west-3' };
  await ensureAuditSchedule(client, { cluster, scope: left, audit });
  await ensureAuditSchedule(client, { cluster: 'test2', scope: left, audit });
  const own = client.schedule.getHandle(`audit/${cluster}/by/a/person`);
  const args = {
    spec: {},
    action: { type: 'startWorkflow', workflowType: 'Other', taskQueue: 'other' },
  } as const;
  await client.schedule.create({ scheduleId: own.scheduleId, ...args });
  const logger = createLogger({ name: 'worker', level: 'fatal', format: 'json' });
  const schedules = async (): Promise<string[]> => {
    const ids: string[] = [];
    for await (const { scheduleId } of client.schedule.list()) ids.push(scheduleId);
    return ids.toSorted();
  };
  const others = [auditId(cluster, scope), own.scheduleId, auditId('test2', left)];
  await waitFor('the list to have all', schedules, (ids) =>
    [...others, auditId(cluster, left)].every((id) => ids.includes(id)),
  );
  await removeForgottenSchedules(client, { cluster, scopes: [scope], logger });
  expect(await waitFor('it to be gone', schedules, (ids) => ids.length === others.length)).toEqual(others);
  for (const id of others.slice(1)) await client.schedule.getHandle(id).delete();
});

test('a task queue in which tasks wait, and a scope and a cluster that are in no configuration', async () => {
  const pool = addressPoolStart({ ...scope, region: 'eu-west-2' }, { burst: 1, perSecond: 1 });
  await client.workflow.start('AddressPoolWorkflow', { ...pool, workflowIdConflictPolicy: 'FAIL' });
  const waiting = await waitFor(
    'the list to have it',
    () => doctor('task queues'),
    (it) => it[0]?.verdict === 'problem',
  );
  const queue = scopeTaskQueue({ ...scope, region: 'eu-west-2' });
  expect(waiting[0]?.what).toBe(`task queues: ${queue}`);
  expect(waiting[0]?.detail).toContain(`1 tasks wait in ${queue}, and no worker polls it`);
  expect(await shown('taskQueue')).toBe(1);
  await client.workflow.getHandle(pool.workflowId).terminate('by a test');

  // A workflow of a cluster that has nothing to do now, as after its worker has gone for good: its first task is far away.
  const start = clusterStart('gone', { clusterUid: 'uid', accepted: false });
  await client.workflow.start('ClusterWorkflow', { ...start, startDelay: '1 hour' });
  const left = await waitFor(
    'the list to have it',
    () => doctor('scopes and clusters'),
    (it) => it[0]?.verdict === 'warning',
  );
  expect(left[0]?.what).toBe(`scopes and clusters: ${clusterTaskQueue('gone')}`);
  expect(await shown('configuration')).toBe(1);
  await client.workflow.getHandle(start.workflowId).terminate('by a test');
  await waitFor(
    'the list to have lost it',
    () => shown('configuration'),
    (count) => count === 0,
  );
});

test('a version that is not current yet, and one that is and that no worker has', async () => {
  const start = clusterStart('versioned', { clusterUid: 'uid', accepted: false });
  const taskQueue = clusterTaskQueue('versioned');
  await client.workflow.start('ClusterWorkflow', { ...start, startDelay: '1 hour' });
  const makeCurrent = (buildId: string) =>
    connection.workflowService.setWorkerDeploymentCurrentVersion({
      namespace: 'default',
      deploymentName: deploymentOf(taskQueue),
      buildId,
      ignoreMissingTaskQueues: true,
      identity: 'a test',
    });
  await polling(taskQueue, 'one', async () => {
    const none = await waitFor(
      'the worker to be seen, which gets no tasks',
      () => doctor('worker deployment'),
      (it) => it[0]?.verdict === 'problem',
    );
    expect(none[0]?.detail).toContain('no version is current');
    expect(none[0]?.detail).toContain('--deployment-name kubeip/cluster/versioned --build-id one');
    expect(await shown('version')).toBe(1);
    await waitFor(
      'the version to be known',
      () => makeCurrent('one').catch(() => undefined),
      (it) => it !== undefined,
    );
    await waitFor(
      'all to be well',
      () => doctor('worker deployment'),
      (it) => it[0]?.verdict === 'ok',
    );
  });
  await polling(taskQueue, 'two', async () => {
    const found = await waitFor(
      'the old one to be gone',
      () => doctor('worker deployment'),
      (it) => it[0]?.verdict === 'problem',
      150_000,
    );
    expect(found[0]?.detail).toContain('is kubeip/cluster/versioned:one, and the workers that poll');
    expect(found[0]?.detail).toContain('have kubeip/cluster/versioned:two');
    expect(found[0]?.detail).toContain(
      'set-current-version --deployment-name kubeip/cluster/versioned --build-id two',
    );
    expect(await shown('version')).toBe(1);
  });
  await client.workflow.getHandle(start.workflowId).terminate('by a test');
});

test('a retention that is shorter than a day', async () => {
  expect((await doctor('retention'))[0]).toMatchObject({ verdict: 'ok' });
  await connection.workflowService.updateNamespace({
    namespace: 'default',
    config: { workflowExecutionRetentionTtl: { seconds: 7_200 as never } },
  });
  const found = await waitFor(
    'it to count',
    () => doctor('retention'),
    (it) => it[0]?.verdict === 'problem',
  );
  expect(found[0]?.detail).toContain('forgets workflows 2 hours after they end');
  expect(await shown('retention')).toBe(1);
});

test('search attributes that are missing', async () => {
  const [name = ''] = Object.keys(searchAttributeNumbers);
  await connection.operatorService.removeSearchAttributes({ namespace: 'default', searchAttributes: [name] });
  const found = await waitFor(
    'it to be gone',
    () => doctor(`search attribute ${name}`),
    (it) => it[0]?.verdict === 'problem',
  );
  expect(found[0]?.detail).toContain('missing: temporal operator search-attribute create');
  expect(await shown('searchAttributes')).toBe(1);
});
