/**
 * The worker dies at each point where its death could cost something, and another one takes over. Points are exact: a call
 * is held on its way to EC2 or back while the worker is killed.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { CrashWorld } from './crash-world.ts';
import type { Scene } from './scene.ts';

/** Starting programs, noticing that one is dead (heartbeats: 8 s) and retrying, on a machine that does all at once. */
const CASE_MS = 300_000;

let crash: CrashWorld;
beforeAll(async () => {
  crash = await CrashWorld.start();
}, 900_000);
afterAll(() => crash.stop());

/** A case in which `a` is assigned by the worker that takes over. */
function assignment(
  name: string,
  cluster: string,
  story: (scene: Scene, node: string, kill: () => Promise<void>) => Promise<void>,
): void {
  test.concurrent(
    name,
    () =>
      crash.play(cluster, async (scene) => {
        scene.addAddresses(2);
        const node = await scene.addNode('a');
        const worker = await scene.start('worker');
        const kill = async (): Promise<void> => {
          worker.kill('SIGKILL');
          await worker.exited;
        };
        await story(scene, node, kill);
        await scene.start('worker');
        await scene.assigned(node);
        expect(scene.changes()).toEqual([`associated ${node}`]);
      }),
    CASE_MS,
  );
}

assignment('killed while the mutex looks for free addresses', 'select', async (scene, node, kill) => {
  const list = scene.ec2.hold('DescribeAddresses', 'answer');
  await scene.startWorkflow(node);
  await list.reached();
  await kill();
  list.discard();
  expect(scene.changes()).toEqual([]);
});

assignment('killed between grant and associate', 'grant', async (scene, node, kill) => {
  const list = scene.ec2.hold('DescribeAddresses', 'answer');
  await scene.startWorkflow(node);
  await list.reached();
  const instance = scene.ec2.hold('DescribeInstances', 'request');
  list.letGo();
  await instance.reached();
  expect((await scene.mutex()).claims).toMatchObject([{ state: 'granted' }]);
  expect(scene.calls('AssociateAddress')).toBe(0);
  await kill();
  instance.discard();
});

assignment('killed before its AssociateAddress reached EC2', 'unsent', async (scene, node, kill) => {
  const associate = scene.ec2.hold('AssociateAddress', 'request');
  await scene.startWorkflow(node);
  await associate.reached();
  await kill();
  associate.discard();
  expect(scene.changes()).toEqual([]);
});

assignment('killed while its AssociateAddress was on its way', 'late', async (scene, node, kill) => {
  const associate = scene.ec2.hold('AssociateAddress', 'request');
  await scene.startWorkflow(node);
  await associate.reached();
  await kill();
  associate.letGo();
});

assignment('killed when EC2 had associated, before the answer', 'unanswered', async (scene, node, kill) => {
  const associate = scene.ec2.hold('AssociateAddress', 'answer');
  await scene.startWorkflow(node);
  await associate.reached();
  expect(scene.changes()).toEqual([`associated ${node}`]);
  await kill();
  associate.discard();
});

assignment('killed between associate and verify', 'verify', async (scene, node, kill) => {
  const associate = scene.ec2.hold('AssociateAddress', 'answer');
  await scene.startWorkflow(node);
  await associate.reached();
  const readBack = scene.ec2.hold('DescribeAddresses', 'request');
  associate.letGo();
  await readBack.reached();
  await kill();
  readBack.discard();
});

assignment('killed while it writes to the Node', 'publish', async (scene, node, kill) => {
  const associate = scene.ec2.hold('AssociateAddress', 'answer');
  await scene.startWorkflow(node);
  await associate.reached();
  scene.kubernetes.shut();
  associate.letGo();
  await scene.activityUnderWay(node, 'publish');
  await kill();
  scene.kubernetes.open();
});

/** A case in which `a` has an address and goes, and the worker that takes over releases it. */
function release(name: string, cluster: string, at: 'request' | 'answer', late: boolean): void {
  test.concurrent(
    name,
    () =>
      crash.play(cluster, async (scene) => {
        scene.addAddresses(1);
        const node = await scene.addNode('a');
        const worker = await scene.start('worker');
        await scene.startWorkflow(node);
        await scene.assigned(node);

        const disassociate = scene.ec2.hold('DisassociateAddress', at);
        await scene.deleteNodeAndTell(node);
        await disassociate.reached();
        worker.kill('SIGKILL');
        await worker.exited;
        if (late) disassociate.letGo();
        else disassociate.discard();

        const heir = await scene.addNode('b');
        await scene.startWorkflow(heir);
        await scene.start('worker');
        await scene.released(node);
        await scene.assigned(heir);
        expect(scene.changes()).toEqual([
          `associated ${node}`,
          `disassociated ${node}`,
          `associated ${heir}`,
        ]);
      }),
    CASE_MS,
  );
}

release('killed before its DisassociateAddress reached EC2', 'unsent-release', 'request', false);
release('killed while its DisassociateAddress was on its way', 'late-release', 'request', true);
release('killed when EC2 had disassociated, before the answer', 'unanswered-release', 'answer', false);
