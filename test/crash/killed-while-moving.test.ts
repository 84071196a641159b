/**
 * A node is moved to another address of its pool, and the worker dies on the way. The one that takes over ends the move; where
 * somebody else took the other address meanwhile, the node ends with the one that it had. Never with none.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { addressOf } from '../integration/assigned-address.ts';
import { CrashWorld } from './crash-world.ts';
import { eventually } from './eventually.ts';
import { openGceCloud, openOciCloud } from './ephemeral-clouds.ts';
import { type EphemeralCase, EphemeralCluster, type EphemeralScene, type Step } from './ephemeral-scene.ts';
import { type KilledAtCall, killedTogether } from './killed-together.ts';
import type { Scene } from './scene.ts';

const CASE_MS = 300_000;

let crash: CrashWorld;
beforeAll(async () => {
  crash = await CrashWorld.start();
}, 900_000);
afterAll(() => crash.stop());

/** Waits until the move is over, and the node has this address. */
async function movedTo(scene: Scene, node: string, wanted: string | undefined): Promise<void> {
  await eventually(`${node} has ${wanted}, and nothing more is tried`, async () => {
    const status = await scene.status(node);
    const isOver = status.tried.some(({ what }) => what.startsWith('move '));
    return isOver && addressOf(status)?.ip === wanted && scene.addressOf(node) === wanted;
  });
  await scene.assigned(node);
}

test(
  'on EC2, killed at claimed',
  () =>
    crash.play('move-claimed', async (scene) => {
      scene.addAddresses(1);
      const node = await scene.addNode('a');
      const worker = await scene.start('worker');
      await scene.startWorkflow(node);
      await scene.assigned(node);
      const after = scene.addAddresses(1);

      const list = scene.ec2.hold('DescribeAddresses', 'answer');
      await scene.move(node, after);
      await list.reached();
      worker.kill('SIGKILL');
      await worker.exited;
      list.discard();
      expect(scene.addressOf(node)).toBeDefined();
      await scene.start('worker');
      await movedTo(scene, node, after);
    }),
  CASE_MS,
);

/** @param isTaken somebody takes the other address before the next worker starts */
function onEc2(step: Pick<KilledAtCall, 'id' | 'at' | 'fate'>, isTaken = false): KilledAtCall {
  let before: string | undefined;
  let after = '';
  return {
    ...step,
    name: `killed at ${step.id}`,
    action: 'AssociateAddress',
    begin: async (scene, node) => {
      await scene.startWorkflow(node);
      await scene.assigned(node);
      before = scene.addressOf(node);
      after = scene.addAddresses(1, step.id);
    },
    go: (scene, node) => scene.move(node, after),
    afterwards: (scene, node) => {
      // It is not without an address while nobody looks after it.
      expect(scene.addressOf(node)).toBeDefined();
      if (isTaken) scene.takeByHand(after);
    },
    end: (scene, node) => movedTo(scene, node, isTaken ? before : after),
  };
}

killedTogether(
  'on EC2',
  'move-at-calls',
  () => crash,
  [
    onEc2({ id: 'move-unsent', at: 'request', fate: 'discard' }),
    onEc2({ id: 'move-late', at: 'request', fate: 'letGo' }),
    onEc2({ id: 'move-unanswered', at: 'answer', fate: 'discard' }),
    onEc2({ id: 'move-unsent-taken', at: 'request', fate: 'discard' }, true),
  ],
  CASE_MS,
);

const gceSteps: readonly Step[] = [
  { name: 'del-unsent', action: 'deleteAccessConfig', at: 'request', fate: 'discard' },
  { name: 'del-unanswered', action: 'deleteAccessConfig', at: 'answer', fate: 'discard' },
  { name: 'add-unsent', action: 'addAccessConfig', at: 'request', fate: 'discard' },
  { name: 'add-unanswered', action: 'addAccessConfig', at: 'answer', fate: 'discard' },
];
const ociSteps: readonly Step[] = [
  { name: 'off-unsent', action: 'unassign', at: 'request', fate: 'discard' },
  { name: 'off-unanswered', action: 'unassign', at: 'answer', fate: 'discard' },
  { name: 'on-unsent', action: 'assign', at: 'request', fate: 'discard' },
  { name: 'on-unanswered', action: 'assign', at: 'answer', fate: 'discard' },
];

describe.each([
  { title: 'GCE', cluster: 'gce-moving', openCloud: openGceCloud, steps: gceSteps },
  { title: 'Oracle Cloud', cluster: 'oci-moving', openCloud: openOciCloud, steps: ociSteps },
])('on $title', ({ cluster: name, openCloud, steps }) => {
  const cases: readonly EphemeralCase[] = [
    ...steps.map((step) => ({ ...step, isTaken: false })),
    // Between the two changes the other address is still to be had.
    ...steps.slice(1, 3).map((step) => ({ ...step, isTaken: true })),
  ];
  let cluster: EphemeralCluster;
  let scenes: Map<EphemeralCase, EphemeralScene>;
  const others = new Map<EphemeralScene, string>();
  beforeAll(async () => {
    cluster = await EphemeralCluster.open(name, crash, openCloud, cases);
    scenes = await cluster.play(
      cases,
      async (scene) => {
        await scene.startNode();
        await scene.assigned();
        others.set(scene, scene.reserveAnother());
      },
      (scene) => scene.move(),
    );
  }, CASE_MS);
  afterAll(() => cluster?.close());

  test.each(cases.map((it) => [it.name, it.isTaken ? ', and the other address is taken' : '', it] as const))(
    'killed at %s%s',
    async (_, _taken, it) => {
      const scene = scenes.get(it);
      await scene?.assigned(it.isTaken ? scene.staticIp : others.get(scene));
    },
    CASE_MS,
  );
});
