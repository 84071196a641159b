/** Watchers that are killed, paused, doubled or away while Nodes come and go: the cluster's truth wins in the end. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { CrashWorld } from './crash-world.ts';
import { eventually } from './eventually.ts';

const CASE_MS = 300_000;

let crash: CrashWorld;
beforeAll(async () => {
  crash = await CrashWorld.start();
}, 900_000);
afterAll(() => crash.stop());

test.concurrent(
  'what was added, deleted and replaced while no watcher ran is served and released once one runs',
  () =>
    crash.play('away', async (scene) => {
      scene.addAddresses(3);
      const [stays, goes, replaced] = [
        await scene.addNode('stays'),
        await scene.addNode('goes'),
        await scene.addNode('replaced'),
      ];
      await scene.start('worker');
      const watcher = await scene.start('watcher');
      await scene.assigned(stays, goes, replaced);
      watcher.kill('SIGKILL');
      await watcher.exited;

      await scene.deleteNode(goes);
      await scene.deleteNode(replaced);
      await scene.addNode('replaced');
      const added = await scene.addNode('added');
      await scene.start('watcher');
      await scene.released(goes);
      await scene.assigned(stays, replaced, added);
      expect(scene.changes().toSorted()).toEqual(
        [
          ...[stays, goes, replaced, replaced, added].map((node) => `associated ${node}`),
          ...[goes, replaced].map((node) => `disassociated ${node}`),
        ].sort(),
      );
    }),
  CASE_MS,
);

test.concurrent(
  'killed right after Nodes came, and right after Nodes went, it forgets none of them',
  () =>
    crash.play('killed', async (scene) => {
      scene.addAddresses(4);
      await scene.start('worker');
      let watcher = await scene.start('watcher');
      const killAndRestart = async (): Promise<void> => {
        watcher.kill('SIGKILL');
        await watcher.exited;
        watcher = await scene.start('watcher');
      };
      const nodes = [await scene.addNode('a'), await scene.addNode('b')];
      await killAndRestart();
      nodes.push(await scene.addNode('c'), await scene.addNode('d'));
      await killAndRestart();
      await scene.assigned(...nodes);

      const gone = nodes.slice(1, 3);
      for (const node of gone) await scene.deleteNode(node);
      await killAndRestart();
      await scene.released(...gone);
      await scene.assigned(nodes[0] ?? '', nodes[3] ?? '');
      expect(scene.changes().toSorted()).toEqual(
        [...nodes.map((node) => `associated ${node}`), ...gone.map((node) => `disassociated ${node}`)].sort(),
      );
    }),
  CASE_MS,
);

test.concurrent(
  'two watchers do no more than one, and one that was paused does nothing by what it remembers',
  () =>
    crash.play('two', async (scene) => {
      scene.addAddresses(3);
      await scene.start('worker');
      const first = await scene.start('watcher');
      const second = await scene.start('watcher');
      const [a, b] = [await scene.addNode('a'), await scene.addNode('b')];
      await scene.assigned(a, b);

      first.kill('SIGSTOP');
      await scene.deleteNode(a);
      await scene.released(a);
      const again = await scene.addNode('a');
      await scene.assigned(again, b);
      first.kill('SIGCONT');
      second.kill('SIGKILL');
      await second.exited;
      // The first one, alone again, has caught up once it serves a Node that came after.
      const c = await scene.addNode('c');
      await scene.assigned(again, b, c);
      expect(scene.changes().toSorted()).toEqual(
        [a, b, again, c]
          .map((node) => `associated ${node}`)
          .concat(`disassociated ${a}`)
          .sort(),
      );
    }),
  CASE_MS,
);

test.concurrent(
  'both programs serve health, readiness and metrics, and end with 0 on SIGTERM',
  () =>
    crash.play('served', async (scene) => {
      scene.addAddresses(1);
      const worker = await scene.start('worker');
      const watcher = await scene.start('watcher');
      const get = async (program: typeof worker, path: string): Promise<Response> =>
        fetch(`${scene.httpOf(program)}${path}`);
      for (const program of [worker, watcher]) {
        expect((await get(program, '/healthz')).status).toBe(200);
        await eventually(`${program.name} ready`, async () => (await get(program, '/readyz')).status === 200);
        expect((await get(program, '/elsewhere')).status).toBe(404);
      }
      await scene.assigned(await scene.addNode('a'));
      const ofWorker = await (await get(worker, '/metrics')).text();
      expect(ofWorker).toMatch(/^kubeip_cloud_requests_total\{action="ec2:AssociateAddress",code="ok"\} 1$/m);
      expect(ofWorker).toMatch(/^temporal_/m);
      const ofWatcher = await (await get(watcher, '/metrics')).text();
      expect(ofWatcher).toMatch(/^kubeip_watcher_reconciles_total\{outcome="ok"\} [1-9]/m);

      // Kubernetes does not answer: alive, not ready, and it says why.
      scene.kubernetes.shut();
      await eventually(
        'the watcher is not ready',
        async () => (await get(watcher, '/readyz')).status === 503,
      );
      expect(await (await get(watcher, '/readyz')).text()).toMatch(/reconcile: failed/);
      expect((await get(watcher, '/healthz')).status).toBe(200);
      scene.kubernetes.open();
      await eventually('the watcher is ready', async () => (await get(watcher, '/readyz')).status === 200);

      watcher.kill('SIGTERM');
      expect(await watcher.exited).toEqual({ code: 0, signal: null });
      await scene.judge();
      worker.kill('SIGTERM');
      expect(await worker.exited).toEqual({ code: 0, signal: null });
      await scene.start('worker');
    }),
  CASE_MS,
);
