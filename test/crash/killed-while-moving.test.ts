/**
 * A node is moved to another address of its pool, and the worker dies on the way. The one that takes over ends the move; where
 * somebody else took the other address meanwhile, the node ends with the one that it had. Never with none.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type GceEmulator, startGceEmulator } from '../../sandbox/gce/emulator.ts';
import { addressOf } from '../integration/assigned-address.ts';
import type { HeldAt } from './cloud-gate.ts';
import { CrashWorld } from './crash-world.ts';
import { eventually } from './eventually.ts';
import { GceScene } from './gce-scene.ts';

const CASE_MS = 300_000;
const gceRegions = ['europe-west1', 'europe-west2', 'europe-west3', 'europe-west4', 'us-east1', 'us-west1'];

let crash: CrashWorld;
let gce: GceEmulator;
beforeAll(async () => {
  gce = await startGceEmulator({ operationMs: 300 });
  crash = await CrashWorld.start();
}, 900_000);
afterAll(async () => {
  await crash.stop();
  await gce.close();
});

/** Where the worker is killed, and what becomes of the call. */
interface Step {
  readonly name: string;
  readonly action: string;
  readonly at: HeldAt;
  readonly fate: 'letGo' | 'discard';
}

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

function onGce({ name, action, at, fate }: Step, isTaken: boolean): void {
  test.concurrent(
    `on GCE, killed at ${name}${isTaken ? ', and the other address is taken' : ''}`,
    async () => {
      const region = gceRegions.shift();
      if (region === undefined) throw new Error('More cases than regions: add a region.');
      const { world, client, bundleFile } = crash;
      const scene = await GceScene.open({
        world,
        gce,
        client,
        region,
        name: `move-${name}-${region}`,
        bundleFile,
      });
      try {
        const worker = await scene.startWorker();
        await scene.startNode();
        await scene.assigned();
        const other = scene.reserveAnother();

        const call = scene.gate.hold(action, at);
        await scene.move(other.name);
        await call.reached();
        worker.kill('SIGKILL');
        await worker.exited;
        call[fate]();
        if (isTaken) scene.takeAddress(other.name);
        await scene.startWorker();
        await scene.assigned(isTaken ? scene.staticIp : other.ip);
      } finally {
        await scene.close();
      }
    },
    CASE_MS,
  );
}

onGce({ name: 'del-unsent', action: 'deleteAccessConfig', at: 'request', fate: 'discard' }, false);
onGce({ name: 'del-unanswered', action: 'deleteAccessConfig', at: 'answer', fate: 'discard' }, false);
onGce({ name: 'add-unsent', action: 'addAccessConfig', at: 'request', fate: 'discard' }, false);
onGce({ name: 'add-unanswered', action: 'addAccessConfig', at: 'answer', fate: 'discard' }, false);
onGce({ name: 'del-unanswered', action: 'deleteAccessConfig', at: 'answer', fate: 'discard' }, true);
onGce({ name: 'add-unsent', action: 'addAccessConfig', at: 'request', fate: 'discard' }, true);
