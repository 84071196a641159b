/**
 * Versions of the workers side by side, as while a change of the workflows is rolled out: going back works at any time, because the change
 * waits for all workers. Without that wait it does not. The mutex moves to the current version, also from one that has no worker left.
 */
import { Client } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createLogger } from '../../program/logger.ts';
import { pollersOf } from '../../program/pollers.ts';
import { deploymentOf, versionName } from '../../program/worker-deployments.ts';
import { movePinned } from '../../worker/version-keeper.ts';
import { addressPoolWorkflowId, clusterTaskQueue, scopeTaskQueue } from '../../workflows/messages.ts';
import type { VersionedWorker } from '../chaos/programs.ts';
import { type Builds, changeId, makeBuilds } from '../chaos/versions/builds.ts';
import { CrashWorld } from './crash-world.ts';
import { eventually } from './eventually.ts';
import type { Scene } from './scene.ts';

const CASE_MS = 400_000;

let crash: CrashWorld;
let builds: Builds;
/** Its build b takes the change into use at once. */
let hasty: Builds;
beforeAll(async () => {
  crash = await CrashWorld.start();
  builds = await makeBuilds({ dir: crash.world.dir, waitsForAll: true });
  hasty = await makeBuilds({ dir: crash.world.dir, waitsForAll: false });
}, 900_000);
afterAll(async () => {
  builds?.remove();
  hasty?.remove();
  await crash?.stop();
});

async function startVersion(scene: Scene, buildId: string, build: Omit<VersionedWorker, 'buildId'>) {
  const worker = await scene.start(
    'worker',
    { TEMPORAL_WORKER_BUILD_ID: buildId, KUBEIP_WORKFLOW_BUNDLE: build.bundle },
    build.sourceRoot,
  );
  await makeCurrent(scene, buildId);
  return worker;
}

async function makeCurrent(scene: Scene, buildId: string): Promise<void> {
  const { workflowService } = crash.client;
  const { namespace } = crash.client.options;
  for (const taskQueue of [clusterTaskQueue(scene.cluster), scopeTaskQueue(scene.scope)]) {
    const deploymentName = deploymentOf(taskQueue);
    // The server hears of a version when its workers poll.
    await eventually(`${buildId} is current in ${deploymentName}`, async () => {
      await workflowService.setWorkerDeploymentCurrentVersion({
        namespace,
        deploymentName,
        buildId,
        identity: 'test',
      });
      return true;
    });
  }
}

/** What its workflow tasks failed with, which builds carried them out, and whether the change has left its marker. */
async function storyOf(scene: Scene, node: string) {
  const { events = [] } = await scene.workflow(node).fetchHistory();
  const all = events ?? [];
  const buildIds = all.flatMap(
    (event) => event.workflowTaskCompletedEventAttributes?.deploymentVersion?.buildId ?? [],
  );
  return {
    failures: all.flatMap((event) => event.workflowTaskFailedEventAttributes?.failure?.message ?? []),
    buildIds: buildIds.filter((id, index) => id !== buildIds[index - 1]),
    isChanged: all.some(({ markerRecordedEventAttributes: marker }) => marker?.markerName === 'core_patch'),
  };
}

/** The version that the mutex's run is pinned to. */
async function mutexVersion(scene: Scene): Promise<string> {
  const { raw } = await crash.client.workflow.getHandle(addressPoolWorkflowId(scene.scope)).describe();
  const { behavior, deploymentVersion: of } = raw.workflowExecutionInfo?.versioningInfo ?? {};
  return `${Number(behavior) === 1 ? 'pinned to' : 'moves on from'} ${of?.buildId}`;
}

test(
  'while the version before still runs, a change of the workflows waits, and going back works under way',
  () =>
    crash.play('rollback', async (scene) => {
      scene.addAddresses(4);
      await startVersion(scene, 'a', builds.workers.a);
      await scene.start('watcher');
      await scene.assigned(await scene.addNode('before'));
      await startVersion(scene, 'b', builds.workers.b);
      const during = await scene.addNode('during');
      await scene.assigned(during);
      expect(await storyOf(scene, during)).toEqual({ failures: [], buildIds: ['b'], isChanged: false });
      await makeCurrent(scene, 'a');
      await scene.deleteNode(during);
      await scene.released(during);
      expect(await storyOf(scene, during)).toEqual({
        failures: [],
        buildIds: ['b', 'a'],
        isChanged: false,
      });
      await scene.assigned(await scene.addNode('after'));
    }),
  CASE_MS,
);

test(
  'if it did not wait, the version before would stand still at what the new one wrote',
  () =>
    crash.play('hasty', async (scene) => {
      scene.addAddresses(2);
      await startVersion(scene, 'a', hasty.workers.a);
      await scene.start('watcher');
      await startVersion(scene, 'b', hasty.workers.b);
      const during = await scene.addNode('during');
      await scene.assigned(during);
      expect(await storyOf(scene, during)).toEqual({ failures: [], buildIds: ['b'], isChanged: true });
      await makeCurrent(scene, 'a');
      await scene.deleteNode(during);
      await eventually('the version before is stopped by the marker', async () => {
        const { failures } = await storyOf(scene, during);
        return failures.some((message) => message.includes(changeId) || /nondeterminism/i.test(message));
      });
      await makeCurrent(scene, 'b');
      await scene.released(during);
    }),
  CASE_MS,
);

test(
  'an idle mutex moves to the current version, and one whose version has no worker any more goes on with it',
  () =>
    crash.play('mutex-moves', async (scene) => {
      scene.addAddresses(3);
      const first = await startVersion(scene, '1', builds.workers.a);
      await scene.start('watcher');
      await scene.assigned(await scene.addNode('one'));
      expect(await mutexVersion(scene)).toBe('pinned to 1');
      const second = await startVersion(scene, '2', builds.workers.a);
      // Nothing is asked of it: the workers tell it.
      await eventually(
        'the mutex is on version 2',
        async () => (await mutexVersion(scene)) === 'pinned to 2',
      );
      await first.stop(25_000);

      second.kill('SIGKILL');
      await second.exited;
      await startVersion(scene, '3', builds.workers.a);
      expect(await mutexVersion(scene)).toBe('pinned to 2');
      const { client } = crash;
      const taskQueue = scopeTaskQueue(scene.scope);
      const version = versionName(deploymentOf(taskQueue), '3');
      const server = { connection: client.connection, namespace: client.options.namespace };
      const pollers = await pollersOf(server, taskQueue, 'workflow');
      const seenAt = Math.max(...pollers.filter((one) => one.version === version).map((one) => one.seenAt));
      expect(pollers.filter((one) => one.version !== version && one.seenAt >= seenAt)).toEqual([]);
      // As the workers do it a minute and a half after the last one of version 2 has polled.
      const logger = createLogger({ name: 'test', level: 'fatal', format: 'json' });
      await movePinned(
        {
          client: new Client({ connection: client.connection }),
          taskQueues: [taskQueue],
          pools: [],
          logger,
          pollsWithinMs: Date.now() - seenAt + 100,
        },
        taskQueue,
      );
      await scene.assigned(await scene.addNode('two'));
      await scene.assigned(await scene.addNode('three'));
    }),
  CASE_MS,
);
