/** Unversioned workers are replaced one after the other, by SIGTERM as Kubernetes sends it, while nodes come and go. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ManagedProcess } from '../../sandbox/processes/child-process.ts';
import { CrashWorld } from './crash-world.ts';
import { eventually } from './eventually.ts';
import type { Scene } from './scene.ts';

const CASE_MS = 300_000;

let crash: CrashWorld;
beforeAll(async () => {
  crash = await CrashWorld.start();
}, 900_000);
afterAll(() => crash.stop());

/** Sends SIGTERM, and waits until the worker says that it stops; it may be at that for the whole shutdownGraceTime. */
async function terminate(worker: ManagedProcess): Promise<void> {
  worker.kill('SIGTERM');
  await eventually('the worker stops', () => worker.output().includes('stopping: no new tasks'));
}

/** @returns of two workers the one of this identity, and the other */
function byWhoIsAtIt(workers: readonly ManagedProcess[], identity: string): [ManagedProcess, ManagedProcess] {
  const busy = workers.find(({ pid }) => identity.includes(`:${pid}`));
  const idle = workers.find((worker) => worker !== busy);
  if (busy === undefined || idle === undefined) throw new Error(`no worker is ${identity}`);
  return [busy, idle];
}

interface Story {
  /** Messages of failed workflow tasks. */
  readonly failures: string[];
  /** The attempt by which each association succeeded. */
  readonly attempts: number[];
}

async function storyOf(scene: Scene, node: string): Promise<Story> {
  const { events } = await scene.workflow(node).fetchHistory();
  const all = events ?? [];
  const associations = all
    .filter((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'associate')
    .map((event) => String(event.eventId));
  return {
    failures: all.flatMap((event) => event.workflowTaskFailedEventAttributes?.failure?.message ?? []),
    attempts: all.flatMap(({ activityTaskStartedEventAttributes: started }) => {
      return associations.includes(String(started?.scheduledEventId)) ? (started?.attempt ?? []) : [];
    }),
  };
}

test(
  'a worker that is told to stop ends what is under way, the next takes over, and no node notices',
  () =>
    crash.play('rolling', async (scene) => {
      scene.addAddresses(5);
      const workers = [await scene.start('worker')];
      await scene.start('watcher');
      const settled = await scene.addNode('settled');
      await scene.assigned(settled);
      workers.push(await scene.start('worker'));

      const associate = scene.ec2.hold('AssociateAddress', 'answer');
      const onItsWay = await scene.addNode('on-its-way');
      await associate.reached();
      // From here until it is let go, nothing may take long: a call without an answer is given up after ten seconds.
      const identity = await scene.activityUnderWay(onItsWay, 'associate');
      const [first, second] = byWhoIsAtIt(workers, identity);
      const during = [await scene.addNode('during-1'), await scene.addNode('during-2')];
      await terminate(first);
      expect(first.running()).toBe(true);
      associate.letGo();
      await first.exited;
      await scene.assigned(onItsWay, ...during);
      expect(first.output()).toContain('"worker stopped"');

      await scene.start('worker');
      await scene.deleteNode(settled);
      await terminate(second);
      const after = await scene.addNode('after');
      await scene.released(settled);
      await scene.assigned(after);
      await second.exited;
      expect(second.output()).toContain('"worker stopped"');

      // Ended by the worker that began it: not given up, and not done again.
      expect(await storyOf(scene, onItsWay)).toEqual({ failures: [], attempts: [1] });
      for (const node of [settled, ...during, after]) {
        expect((await storyOf(scene, node)).failures).toEqual([]);
      }
    }),
  CASE_MS,
);
