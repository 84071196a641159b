/** Workers of a new version take over under load, with a workflow that was changed: guarded by `patched()`, and not. */
import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { deploymentOf } from '../../program/worker-deployments.ts';
import { clusterTaskQueue, scopeTaskQueue } from '../../workflows/messages.ts';
import { mutate, timerBeforeAssociation } from '../chaos/mutations.ts';
import { writeWorkflowBundle } from '../workflow-bundle.ts';
import { CrashWorld } from './crash-world.ts';
import { eventually } from './eventually.ts';
import type { Scene } from './scene.ts';

const CASE_MS = 400_000;
const root = join(import.meta.dirname, '../..');
const run = promisify(execFile);

let crash: CrashWorld;
const bundles = { guarded: '', unguarded: '' };
beforeAll(async () => {
  crash = await CrashWorld.start();
  bundles.guarded = await bundleWith('guarded', "patched('upgrade')");
  bundles.unguarded = await bundleWith('unguarded', "patched.name !== ''");
}, 900_000);
afterAll(() => crash.stop());

/** The workflows with one more command before the association. */
async function bundleWith(name: string, condition: string): Promise<string> {
  const folder = mutate(root, { what: condition, replacements: timerBeforeAssociation(condition) });
  const bundle = await writeWorkflowBundle(join(crash.world.dir, `${name}.js`), folder);
  rmSync(folder, { recursive: true });
  return bundle;
}

async function startVersion(scene: Scene, buildId: string, bundle?: string) {
  const worker = await scene.start('worker', {
    TEMPORAL_WORKER_BUILD_ID: buildId,
    ...(bundle === undefined ? {} : { KUBEIP_WORKFLOW_BUNDLE: bundle }),
  });
  await makeCurrent(scene, buildId);
  return worker;
}

/** As an operator does it. */
async function makeCurrent(scene: Scene, buildId: string): Promise<void> {
  const { cli, address } = crash.world.temporal;
  for (const taskQueue of [clusterTaskQueue(scene.cluster), scopeTaskQueue(scene.scope)]) {
    const deployment = deploymentOf(taskQueue);
    // The server hears of a version when its workers poll.
    await eventually(`${buildId} is current in ${deployment}`, async () => {
      const options = ['--address', address, '--deployment-name', deployment, '--build-id', buildId];
      await run(cli, ['worker', 'deployment', 'set-current-version', '--yes', ...options]);
      return true;
    });
  }
}

interface Story {
  readonly failures: string[];
  /** Build ids of the workers that carried out its workflow tasks, each once, in order. */
  readonly buildIds: string[];
}

async function storyOf(scene: Scene, node: string): Promise<Story> {
  const { events = [] } = await scene.workflow(node).fetchHistory();
  const buildIds = (events ?? []).flatMap((event) => {
    return event.workflowTaskCompletedEventAttributes?.deploymentVersion?.buildId ?? [];
  });
  return {
    failures: (events ?? []).flatMap(
      (event) => event.workflowTaskFailedEventAttributes?.failure?.message ?? [],
    ),
    buildIds: buildIds.filter((id, index) => id !== buildIds[index - 1]),
  };
}

test(
  'a change that is guarded goes on where the old version was; one that is not is stopped, and going back mends it',
  () =>
    crash.play('upgrade', async (scene) => {
      scene.addAddresses(8);
      const first = await startVersion(scene, 'a');
      await scene.start('watcher');
      const settled = [await scene.addNode('settled-1'), await scene.addNode('settled-2')];
      await scene.assigned(...settled);
      const associate = scene.ec2.hold('AssociateAddress', 'request');
      const onItsWay = await scene.addNode('on-its-way');
      await associate.reached();

      await startVersion(scene, 'b', bundles.guarded);
      const late = await scene.addNode('late');
      associate.letGo();
      await first.stop(25_000);
      await scene.assigned(onItsWay, late);
      const [goes = '', stays = ''] = settled;
      await scene.deleteNode(goes);
      await scene.released(goes);
      expect(await storyOf(scene, goes)).toEqual({ failures: [], buildIds: ['a', 'b'] });
      // The old version may have carried it to its end, as long as it was there.
      const inFlight = await storyOf(scene, onItsWay);
      expect(inFlight.failures).toEqual([]);
      expect(inFlight.buildIds[0]).toBe('a');
      expect(await storyOf(scene, late)).toEqual({ failures: [], buildIds: ['b'] });

      // Without the guard the history of whoever was associated does not fit the code.
      const wrong = await startVersion(scene, 'c', bundles.unguarded);
      await scene.deleteNode(stays);
      await eventually('the wrong version is stopped by a history', async () => {
        return (await storyOf(scene, stays)).failures.some((message) => /nondeterminism/i.test(message));
      });
      expect(scene.addressOf(onItsWay)).toBeDefined();
      await makeCurrent(scene, 'b');
      await wrong.stop(25_000);
      await scene.released(stays);
      await scene.assigned(onItsWay, late);
    }),
  CASE_MS,
);
