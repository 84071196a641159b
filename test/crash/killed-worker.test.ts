/**
 * The worker dies at each point where its death could cost something, and another one takes over. Points are exact: a call
 * is held on its way to EC2 or back while the worker is killed.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { CrashWorld } from './crash-world.ts';
import { type KilledAtCall, killedTogether } from './killed-together.ts';
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

/** A case in which a node is assigned by the worker that takes over. */
function associating(
  name: string,
  step: Pick<KilledAtCall, 'id' | 'at' | 'fate'>,
  isAssociatedAtDeath: boolean,
): KilledAtCall {
  return {
    ...step,
    name,
    action: 'AssociateAddress',
    go: (scene, node) => scene.startWorkflow(node),
    afterwards: (scene, node) => {
      // What is on its way arrives when it likes.
      if (step.fate === 'discard') {
        expect(scene.changes(node)).toEqual(isAssociatedAtDeath ? [`associated ${node}`] : []);
      }
    },
    end: async (scene, node) => {
      await scene.assigned(node);
      expect(scene.changes(node)).toEqual([`associated ${node}`]);
    },
  };
}

/** A case in which a node has an address and goes, and the worker that takes over releases it. */
function releasing(name: string, step: Pick<KilledAtCall, 'id' | 'at' | 'fate'>): KilledAtCall {
  let heir = '';
  return {
    ...step,
    name,
    action: 'DisassociateAddress',
    begin: async (scene, node) => {
      await scene.startWorkflow(node);
      await scene.assigned(node);
    },
    go: (scene, node) => scene.deleteNodeAndTell(node),
    afterwards: async (scene) => {
      heir = await scene.addNode(`${step.id}-heir`, step.id);
      await scene.startWorkflow(heir);
    },
    end: async (scene, node) => {
      await scene.released(node);
      await scene.assigned(heir);
      expect(scene.changes(node, heir)).toEqual([
        `associated ${node}`,
        `disassociated ${node}`,
        `associated ${heir}`,
      ]);
    },
  };
}

killedTogether(
  'killed at a call',
  'at-calls',
  () => crash,
  [
    associating(
      'before its AssociateAddress reached EC2',
      { id: 'unsent', at: 'request', fate: 'discard' },
      false,
    ),
    associating(
      'while its AssociateAddress was on its way',
      { id: 'late', at: 'request', fate: 'letGo' },
      false,
    ),
    associating(
      'when EC2 had associated, before the answer',
      { id: 'unanswered', at: 'answer', fate: 'discard' },
      true,
    ),
    releasing('before its DisassociateAddress reached EC2', {
      id: 'unsent-release',
      at: 'request',
      fate: 'discard',
    }),
    releasing('while its DisassociateAddress was on its way', {
      id: 'late-release',
      at: 'request',
      fate: 'letGo',
    }),
    releasing('when EC2 had disassociated, before the answer', {
      id: 'unanswered-release',
      at: 'answer',
      fate: 'discard',
    }),
  ],
  CASE_MS,
);
