/** A worker that is paused, told to stop, or killed again and again, with nodes on their way. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { tokenOf } from '../integration/assigned-address.ts';
import { CrashWorld } from './crash-world.ts';
import { eventually } from './eventually.ts';

const CASE_MS = 300_000;

let crash: CrashWorld;
beforeAll(async () => {
  crash = await CrashWorld.start();
}, 900_000);
afterAll(() => crash.stop());

test.concurrent(
  'a worker that was paused in mid-associate and comes back after another took over changes nothing',
  () =>
    crash.play('paused', async (scene) => {
      scene.addAddresses(2);
      const node = await scene.addNode('a');
      const paused = await scene.start('worker');
      const associate = scene.ec2.hold('AssociateAddress', 'request');
      await scene.startWorkflow(node);
      await associate.reached();
      paused.kill('SIGSTOP');
      const pausedAt = Date.now();

      await scene.start('worker');
      await scene.assigned(node);
      // Longer than the heartbeat timeout and any deadline of its calls, as the machine counts it.
      await eventually('20 s in all', () => Date.now() - pausedAt > 20_000);
      const token = tokenOf(await scene.status(node));

      paused.kill('SIGCONT');
      associate.letGo();
      await eventually('its call came to EC2', () => scene.calls('AssociateAddress') === 2);
      await eventually('it answers again', async () => (await fetch(`${scene.httpOf(paused)}/healthz`)).ok);

      // It takes part again: the next node is served, whichever of the two does it.
      const next = await scene.addNode('b');
      await scene.startWorkflow(next);
      await scene.assigned(node, next);
      expect(tokenOf(await scene.status(node))).toBe(token);
      expect(scene.changes()).toEqual([`associated ${node}`, `associated ${next}`]);
    }),
  CASE_MS,
);

test.concurrent(
  'on SIGTERM what is under way ends, nothing is begun anew by the next worker, and the exit code is 0',
  () =>
    crash.play('graceful', async (scene) => {
      scene.addAddresses(1);
      const node = await scene.addNode('a');
      const worker = await scene.start('worker');
      const associate = scene.ec2.hold('AssociateAddress', 'request');
      await scene.startWorkflow(node);
      await associate.reached();

      const toldAt = Date.now();
      worker.kill('SIGTERM');
      await eventually('it says that it stops', () => worker.output().includes('"stopping: '));
      associate.letGo();
      expect(await worker.exited).toEqual({ code: 0, signal: null });
      // The configured grace time, and what closing connections takes.
      expect(Date.now() - toldAt).toBeLessThan(40_000);
      expect(worker.output()).toContain('"address associated"');
      expect(worker.output()).toContain('"worker stopped"');

      await scene.start('worker');
      await scene.assigned(node);
      expect(scene.calls('AssociateAddress')).toBe(1);
    }),
  CASE_MS,
);

test.concurrent(
  'on SIGTERM a call that does not end in time is given up, and the next worker makes it',
  () =>
    crash.play('out-of-grace', async (scene) => {
      scene.addAddresses(1);
      const node = await scene.addNode('a');
      const worker = await scene.start('worker');
      const associate = scene.ec2.hold('AssociateAddress', 'request');
      await scene.startWorkflow(node);
      await associate.reached();
      worker.kill('SIGTERM');
      const exit = await worker.exited;
      expect(exit).toEqual({ code: 0, signal: null });
      associate.letGo();

      await scene.start('worker');
      await scene.assigned(node);
      expect(scene.changes()).toEqual([`associated ${node}`]);
    }),
  CASE_MS,
);

test.concurrent(
  'with its worker killed three times on the way, each of ten nodes gets one address, and gives it back',
  () =>
    crash.play('thrice', async (scene) => {
      scene.addAddresses(10);
      const nodes: string[] = [];
      for (let index = 0; index < 10; index++) nodes.push(await scene.addNode(`n${index}`));
      let worker = await scene.start('worker');
      for (const node of nodes) await scene.startWorkflow(node);
      for (const associations of [2, 5]) {
        await eventually(`${associations} associations`, () => scene.changes().length >= associations);
        worker.kill('SIGKILL');
        await worker.exited;
        worker = await scene.start('worker');
      }
      await scene.assigned(...nodes);
      expect(scene.changes().sort()).toEqual(nodes.map((node) => `associated ${node}`));

      const gone = nodes.slice(0, 5);
      for (const node of gone) await scene.deleteNodeAndTell(node);
      await eventually('a release', () => scene.changes().length > nodes.length);
      worker.kill('SIGKILL');
      await worker.exited;
      await scene.start('worker');
      await scene.released(...gone);
      expect(scene.changes().slice(nodes.length).sort()).toEqual(gone.map((node) => `disassociated ${node}`));
    }),
  CASE_MS,
);
