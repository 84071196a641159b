/** Temporal and Kubernetes die with everything under way, and come back with their data, under programs that go on running. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { CrashWorld } from './crash-world.ts';
import { eventually } from './eventually.ts';

const CASE_MS = 400_000;

let crash: CrashWorld;
beforeAll(async () => {
  crash = await CrashWorld.start({ restarts: true });
}, 900_000);
afterAll(() => crash.stop());

// One after the other: each takes a server away that all cases use.

test(
  'Temporal killed and restarted in mid-associate: the node has its address, once, and the programs carry on',
  () =>
    crash.play('temporal', async (scene) => {
      scene.addAddresses(3);
      const worker = await scene.start('worker');
      const watcher = await scene.start('watcher');
      const settled = await scene.addNode('settled');
      await scene.assigned(settled);

      const associate = scene.ec2.hold('AssociateAddress', 'request');
      const node = await scene.addNode('a');
      await associate.reached();
      await crash.servers.killTemporal();
      associate.letGo();
      // While nobody can be told of it, a Node goes and another one comes.
      await scene.deleteNode(settled);
      const late = await scene.addNode('late');
      await crash.servers.restartTemporal();

      await scene.released(settled);
      await scene.assigned(node, late);
      expect(scene.changes().toSorted()).toEqual(
        [...[settled, node, late].map((name) => `associated ${name}`), `disassociated ${settled}`].sort(),
      );
      expect([worker.running(), watcher.running()]).toEqual([true, true]);
    }),
  CASE_MS,
);

test(
  'Temporal comes back empty under programs that run: what nodes have stays, and whoever comes or goes is looked after',
  () =>
    crash.play('wiped', async (scene) => {
      scene.addAddresses(3);
      const worker = await scene.start('worker');
      const watcher = await scene.start('watcher');
      const [stays, goes] = [await scene.addNode('stays'), await scene.addNode('goes')];
      await scene.assigned(stays, goes);

      const associate = scene.ec2.hold('AssociateAddress', 'answer');
      const onItsWay = await scene.addNode('on-its-way');
      await associate.reached();
      await crash.servers.killTemporal();
      associate.letGo();
      const before = scene.changes();
      const calls = scene.calls('AssociateAddress');
      crash.servers.wipeTemporal();
      await crash.servers.restartTemporal();

      // Each by a new workflow, of which the reconcile and the node's request for a mutex take care.
      await scene.assigned(stays, goes, onItsWay);
      expect(scene.changes()).toEqual(before);
      expect(scene.calls('AssociateAddress')).toBe(calls);
      scene.addAddresses(1);
      const comes = await scene.addNode('comes');
      await scene.assigned(comes);
      await scene.deleteNode(goes);
      await scene.released(goes);
      expect(scene.changes()).toEqual([...before, `associated ${comes}`, `disassociated ${goes}`]);
      expect([worker.running(), watcher.running()]).toEqual([true, true]);
    }),
  CASE_MS,
);

test(
  'Temporal restored from an old backup: what nodes have got since stays, and what the backup says of others takes nothing away',
  () =>
    crash.play('restored', async (scene) => {
      scene.addAddresses(2);
      const programs = [await scene.start('worker'), await scene.start('watcher')];
      const [stays, goes] = [await scene.addNode('stays'), await scene.addNode('goes')];
      await scene.assigned(stays, goes);
      const waits = await scene.addNode('waits');
      await scene.showsThatItWaits(waits);
      await crash.servers.killTemporal();
      crash.servers.backUpTemporal();
      await crash.servers.restartTemporal();

      // Since the backup: the address of a Node that went is another's, and a node has come.
      await scene.deleteNode(goes);
      await scene.assigned(stays, waits);
      scene.addAddresses(1);
      const comes = await scene.addNode('comes');
      await scene.assigned(comes);
      // Stopped, as docs/backup.md says: a worker has in memory what the backup does not know.
      await Promise.all(programs.map((program) => program.stop(25_000)));
      await crash.servers.killTemporal();
      const since = scene.changes();
      crash.servers.restoreTemporal();
      await crash.servers.restartTemporal();
      await Promise.all([scene.start('worker'), scene.start('watcher')]);

      // The backup has a workflow of the Node that went, with the address that is another's now; and none of the one that came.
      await scene.assigned(stays, waits, comes);
      await scene.released(goes);
      expect(scene.changes()).toEqual(since);
    }),
  CASE_MS,
);

test(
  'kube-apiserver and etcd killed and restarted: nothing is released meanwhile, and Nodes are seen again',
  () =>
    crash.play('apiserver', async (scene) => {
      scene.addAddresses(3);
      const worker = await scene.start('worker');
      const watcher = await scene.start('watcher');
      const [stays, goes] = [await scene.addNode('stays'), await scene.addNode('goes')];
      await scene.assigned(stays, goes);
      const readyz = `${scene.httpOf(watcher)}/readyz`;
      await eventually('the watcher is ready', async () => (await fetch(readyz)).ok);

      await crash.servers.killKubernetes();
      // It has looked, and found nothing to look at.
      await eventually('the watcher is not ready', async () => (await fetch(readyz)).status === 503);
      const before = [stays, goes].map((node) => `associated ${node}`);
      expect(scene.changes().toSorted()).toEqual(before.toSorted());
      await crash.servers.restartKubernetes();

      await scene.deleteNode(goes);
      const comes = await scene.addNode('comes');
      await scene.released(goes);
      await scene.assigned(stays, comes);
      expect(scene.changes().toSorted()).toEqual(
        [...before, `associated ${comes}`, `disassociated ${goes}`].sort(),
      );
      expect([worker.running(), watcher.running()]).toEqual([true, true]);
    }),
  CASE_MS,
);
