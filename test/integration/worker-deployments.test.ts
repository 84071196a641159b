/** Worker Deployments on a real server: clusters are upgraded apart, and workers see which changes of the workflows the others have. */
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { queryWorkflow } from '../../program/query-workflow.ts';
import { createLogger } from '../../program/logger.ts';
import { toTemporalLogger } from '../../program/temporal-logger.ts';
import { describeQueue } from '../../program/pollers.ts';
import { deploymentOf } from '../../program/worker-deployments.ts';
import { startWorld, type World } from '../../sandbox/world.ts';
import { deploymentOptions, type WorkerVersion } from '../../worker/deployment-version.ts';
import { workerIdentity } from '../../worker/identity.ts';
import { movePinned } from '../../worker/version-keeper.ts';
import { PatchActivation } from '../../worker/patch-activation.ts';
import { clusterStart } from '../../workflows/cluster-start.ts';
import { addressPoolStart } from '../../workflows/address-pool-start.ts';
import { clusterTaskQueue, configureSignal, scopeTaskQueue } from '../../workflows/messages.ts';
import { writeWorkflowBundle } from '../workflow-bundle.ts';
import { waitFor } from './wait-for.ts';

const scope = { provider: 'aws', account: '123456789012', region: 'eu-west-1' } as const;

let world: World;
let connection: Connection;
let client: Client;
let bundle: string;
const natives: NativeConnection[] = [];
const running: { readonly worker: Worker; readonly ended: Promise<void> }[] = [];

const logger = createLogger({ name: 'test', level: 'fatal', format: 'json' });

beforeAll(async () => {
  Runtime.install({ logger: toTemporalLogger(logger), shutdownSignals: [] });
  world = await startWorld({ temporal: true });
  connection = await Connection.connect({ address: world.temporal.address });
  client = new Client({ connection });
  bundle = await writeWorkflowBundle(join(world.dir, 'workflows.js'));
}, 900_000);

afterAll(async () => {
  for (const { worker } of running) if (worker.getState() === 'RUNNING') worker.shutdown();
  await Promise.all(running.map(({ ended }) => ended));
  await Promise.all(natives.map((native) => native.close()));
  await connection?.close();
  await world?.stop();
  await Runtime.instance().shutdown();
});

interface Polling {
  readonly queues: readonly string[];
  readonly version?: WorkerVersion;
  readonly identity?: string;
}

/** Polls task queues, with nothing else to do there. @returns what ends it */
async function poll({ queues, version, identity }: Polling): Promise<() => Promise<void>> {
  // A connection polls a queue only once.
  const native = await NativeConnection.connect({ address: world.temporal.address });
  natives.push(native);
  const own: typeof running = [];
  for (const taskQueue of queues) {
    const worker = await Worker.create({
      connection: native,
      taskQueue,
      activities: { nothing: async () => {} },
      workflowBundle: { codePath: bundle },
      ...(identity === undefined ? {} : { identity }),
      ...(version === undefined ? {} : { workerDeploymentOptions: deploymentOptions(version, taskQueue) }),
    });
    own.push({ worker, ended: worker.run() });
  }
  running.push(...own);
  return async () => {
    for (const { worker } of own) worker.shutdown();
    await Promise.all(own.map(({ ended }) => ended));
  };
}

/** @returns the server's refusal, if it is one */
async function makeCurrent(deploymentName: string, buildId: string): Promise<string | undefined> {
  return waitFor(
    `${deploymentName}:${buildId} to be known`,
    async () => {
      try {
        await connection.workflowService.setWorkerDeploymentCurrentVersion({
          namespace: 'default',
          deploymentName,
          buildId,
          identity: 'test',
        });
        return { refusal: undefined };
      } catch (error) {
        const { details = '' } = error as { details?: string };
        // The version may be unknown yet, or the whole deployment.
        return /not found|no Worker Deployment found/.test(details) ? undefined : { refusal: details };
      }
    },
    (it) => it !== undefined,
  ).then((it) => it?.refusal);
}

/** Something to do in the cluster's queue, as there always is. */
async function giveWork(cluster: string): Promise<void> {
  const start = clusterStart(cluster, { clusterUid: 'uid', accepted: false });
  const handle = await client.workflow.start('ClusterWorkflow', start);
  await waitFor(
    'it to be taken up',
    () => handle.describe(),
    ({ historyLength }) => historyLength >= 4,
  );
  // The server goes by how many tasks came lately.
  for (let length = 0; length < 20; length += 1) {
    await handle.signal('nothing');
    await queryWorkflow(handle, 'status');
  }
}

test('two clusters that share an account and region are upgraded apart', async () => {
  const shared = scopeTaskQueue(scope);
  await poll({ queues: [clusterTaskQueue('one'), shared], version: { buildId: '1' } });
  for (const queue of [clusterTaskQueue('one'), shared])
    expect(await makeCurrent(deploymentOf(queue), '1')).toBeUndefined();
  await giveWork('one');
  await poll({ queues: [clusterTaskQueue('two'), shared], version: { buildId: '2' } });
  expect(await makeCurrent(deploymentOf(clusterTaskQueue('two')), '2')).toBeUndefined();
  await giveWork('two');
  expect(await makeCurrent(deploymentOf(shared), '2')).toBeUndefined();
  expect(await makeCurrent(deploymentOf(shared), '1')).toBeUndefined();
  // The others have not moved.
  const server = { connection, namespace: 'default' };
  const { currentVersion } = await describeQueue(server, clusterTaskQueue('one'), 'workflow');
  expect(currentVersion).toBe('kubeip/cluster/one:1');
});

test('in one deployment for all the second cluster is refused', async () => {
  const other = scopeTaskQueue({ ...scope, region: 'eu-west-2' });
  const deploymentName = 'kubeip';
  await poll({ queues: [clusterTaskQueue('three'), other], version: { deploymentName, buildId: '1' } });
  expect(await makeCurrent(deploymentName, '1')).toBeUndefined();
  await giveWork('three');
  await poll({ queues: [clusterTaskQueue('four'), other], version: { deploymentName, buildId: '2' } });
  expect(await makeCurrent(deploymentName, '2')).toContain('missing active task queues');
});

test('a patch takes effect when all that poll the task queue have it', async () => {
  const taskQueue = 'patched';
  const patches = new PatchActivation({
    connection,
    namespace: 'default',
    taskQueues: [taskQueue],
    patches: ['one'],
    rollbackWindowMs: 0,
    logger,
  });
  const isActive = async (): Promise<boolean> => {
    await patches.look(taskQueue);
    return patches.isActive(taskQueue, 'one');
  };
  expect(await isActive()).toBe(false);
  await poll({ queues: [taskQueue], identity: workerIdentity('test', ['one', 'two']) });
  await waitFor('it to be active', isActive, (it) => it);
  await poll({ queues: [taskQueue], identity: `${workerIdentity('test')} before` });
  await waitFor('it to wait for the other one', isActive, (it) => !it);
});

test('a mutex that is pinned moves to workers without a version when versioning is switched off', async () => {
  const own = { ...scope, region: 'eu-west-3' };
  const taskQueue = scopeTaskQueue(own);
  const pacing = { burst: 1, perSecond: 1 };
  const stopVersioned = await poll({ queues: [taskQueue], version: { buildId: '1' } });
  expect(await makeCurrent(deploymentOf(taskQueue), '1')).toBeUndefined();
  const mutex = await client.workflow.start('AddressPoolWorkflow', addressPoolStart(own, pacing));
  const tasks = async () =>
    (await mutex.fetchHistory()).events?.flatMap(
      (event) => event.workflowTaskCompletedEventAttributes ?? [],
    ) ?? [];
  await waitFor('it to be pinned', tasks, (them) => Number(them.at(-1)?.versioningBehavior) === 1);

  await stopVersioned();
  const stoppedAt = Date.now();
  expect(await makeCurrent(deploymentOf(taskQueue), '')).toBeUndefined();
  await poll({ queues: [taskQueue] });
  await mutex.signal(configureSignal, { pacing });
  const keeper = { client, taskQueues: [taskQueue], pools: [{ scope: own, pacing }], logger };
  await waitFor(
    'a worker without a version to carry it out',
    async () => {
      // As the workers do it a minute and a half after the last one of the version has polled.
      await movePinned({ ...keeper, pollsWithinMs: Date.now() - stoppedAt }, taskQueue);
      return tasks();
    },
    (them) => them.length > 1 && them.at(-1)?.deploymentVersion == null,
  );
});
