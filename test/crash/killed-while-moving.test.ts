/**
 * A node is moved to another address of its pool, and the worker dies on the way. The one that takes over ends the move; where
 * somebody else took the other address meanwhile, the node ends with the one that it had. Never with none.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { addressOf } from '../integration/assigned-address.ts';
import { CrashWorld } from './crash-world.ts';
import { eventually } from './eventually.ts';
import { type GceCase, GceCluster, type GceScene, type Step } from './gce-scene.ts';

const CASE_MS = 300_000;

let crash: CrashWorld;
beforeAll(async () => {
  crash = await CrashWorld.start();
}, 900_000);
afterAll(() => crash.stop());

/** @param isTaken somebody takes the other address before the next worker starts */
function onEc2({ name, action, at, fate }: Step, isTaken: boolean): void {
  test.concurrent(
    `on EC2, killed at ${name}${isTaken ? ', and the other address is taken' : ''}`,
    () =>
      crash.play(`move-${name}${isTaken ? '-taken' : ''}`, async (scene) => {
        const before = scene.addAddresses(1);
        const node = await scene.addNode('a');
        const worker = await scene.start('worker');
        await scene.startWorkflow(node);
        await scene.assigned(node);
        const after = scene.addAddresses(1);

        const call = scene.ec2.hold(action, at);
        await scene.move(node, after);
        await call.reached();
        worker.kill('SIGKILL');
        await worker.exited;
        call[fate]();
        // It is not without an address while nobody looks after it.
        expect(scene.addressOf(node)).toBeDefined();
        if (isTaken) scene.takeByHand(after);

        await scene.start('worker');
        const wanted = isTaken ? before : after;
        await eventually(`${node} has ${wanted}, and nothing more is tried`, async () => {
          const status = await scene.status(node);
          const isOver = status.tried.some(({ what }) => what.startsWith('move '));
          return isOver && addressOf(status)?.ip === wanted && scene.addressOf(node) === wanted;
        });
        await scene.assigned(node);
      }),
    CASE_MS,
  );
}

onEc2({ name: 'claimed', action: 'DescribeAddresses', at: 'answer', fate: 'discard' }, false);
onEc2({ name: 'unsent', action: 'AssociateAddress', at: 'request', fate: 'discard' }, false);
onEc2({ name: 'late', action: 'AssociateAddress', at: 'request', fate: 'letGo' }, false);
onEc2({ name: 'unanswered', action: 'AssociateAddress', at: 'answer', fate: 'discard' }, false);
onEc2({ name: 'unsent', action: 'AssociateAddress', at: 'request', fate: 'discard' }, true);

const gceSteps: readonly Step[] = [
  { name: 'del-unsent', action: 'deleteAccessConfig', at: 'request', fate: 'discard' },
  { name: 'del-unanswered', action: 'deleteAccessConfig', at: 'answer', fate: 'discard' },
  { name: 'add-unsent', action: 'addAccessConfig', at: 'request', fate: 'discard' },
  { name: 'add-unanswered', action: 'addAccessConfig', at: 'answer', fate: 'discard' },
];
const gceCases: readonly GceCase[] = [
  ...gceSteps.map((step) => ({ ...step, isTaken: false })),
  ...gceSteps
    .filter(({ name }) => name === 'del-unanswered' || name === 'add-unsent')
    .map((step) => ({ ...step, isTaken: true })),
];

describe('on GCE', () => {
  let cluster: GceCluster;
  let scenes: Map<GceCase, GceScene>;
  const others = new Map<GceScene, string>();
  beforeAll(async () => {
    cluster = await GceCluster.open('gce-moving', crash, gceCases);
    scenes = await cluster.play(
      gceCases,
      async (scene) => {
        await scene.startNode();
        await scene.assigned();
        others.set(scene, scene.reserveAnother());
      },
      (scene) => scene.move(),
    );
  }, CASE_MS);
  afterAll(() => cluster?.close());

  test.each(
    gceCases.map((it) => [it.name, it.isTaken ? ', and the other address is taken' : '', it] as const),
  )(
    'killed at %s%s',
    async (_, _taken, it) => {
      const scene = scenes.get(it);
      await scene?.assigned(it.isTaken ? scene.staticIp : others.get(scene));
    },
    CASE_MS,
  );
});
