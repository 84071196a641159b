/**
 * On Compute Engine the ephemeral address must go before the static one can come. The worker dies at each step between the
 * two, and another one takes over: the node ends with its static address, or with an ephemeral one where somebody else took
 * the static one meanwhile; never with none.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type GceEmulator, startGceEmulator } from '../../sandbox/gce/emulator.ts';
import type { HeldAt } from './cloud-gate.ts';
import { CrashWorld } from './crash-world.ts';
import { GceScene } from './gce-scene.ts';

const CASE_MS = 300_000;
const regions = [
  'europe-west1',
  'europe-west2',
  'europe-west3',
  'europe-west4',
  'europe-west6',
  'europe-north1',
  'us-central1',
  'us-east1',
  'us-east4',
  'us-west1',
  'us-west2',
  'asia-east1',
  'asia-northeast1',
  'asia-south1',
  'asia-southeast1',
  'australia-southeast1',
];

let crash: CrashWorld;
let gce: GceEmulator;
beforeAll(async () => {
  // Operations take a while, so that a worker can die while it waits for one.
  gce = await startGceEmulator({ operationMs: 300 });
  crash = await CrashWorld.start();
}, 900_000);
afterAll(async () => {
  await crash.stop();
  await gce.close();
});

/** Where the worker is killed, and whether what it had sent arrives all the same. */
interface Step {
  readonly name: string;
  readonly action: string;
  readonly at: HeldAt;
  /** Of several calls of the action, which one. @default 1 */
  readonly nth?: number;
  readonly fate: 'letGo' | 'discard';
}

const steps: readonly Step[] = [
  { name: 'del-unsent', action: 'deleteAccessConfig', at: 'request', fate: 'discard' },
  { name: 'del-late', action: 'deleteAccessConfig', at: 'request', fate: 'letGo' },
  { name: 'del-unanswered', action: 'deleteAccessConfig', at: 'answer', fate: 'discard' },
  { name: 'del-wait', action: 'wait', at: 'request', fate: 'discard' },
  { name: 'del-waited', action: 'wait', at: 'answer', fate: 'discard' },
  { name: 'add-unsent', action: 'addAccessConfig', at: 'request', fate: 'discard' },
];
/** From here on the address is on its way: nobody else can take it. */
const lastSteps: readonly Step[] = [
  { name: 'add-late', action: 'addAccessConfig', at: 'request', fate: 'letGo' },
  { name: 'add-unanswered', action: 'addAccessConfig', at: 'answer', fate: 'discard' },
  { name: 'add-wait', action: 'wait', at: 'request', nth: 2, fate: 'discard' },
  { name: 'add-waited', action: 'wait', at: 'answer', nth: 2, fate: 'discard' },
];

/** Plays until the worker is dead. */
async function killAt(step: Step, scene: GceScene): Promise<void> {
  const worker = await scene.startWorker();
  const before = Array.from({ length: (step.nth ?? 1) - 1 }, () => scene.gate.hold(step.action, step.at));
  const held = scene.gate.hold(step.action, step.at);
  await scene.startNode();
  expect(scene.externalIp()).not.toHaveProperty('address');
  for (const call of before) {
    await call.reached();
    call.letGo();
  }
  await held.reached();
  worker.kill('SIGKILL');
  await worker.exited;
  held[step.fate]();
}

function play(step: Step, what: string, story: (scene: GceScene) => Promise<void>): void {
  test.concurrent(
    `killed at ${step.name}: ${what}`,
    async () => {
      const region = regions.shift();
      if (region === undefined) throw new Error('More cases than regions: add a region.');
      const { world, client, bundleFile } = crash;
      const name = `${step.name}-${region}`;
      const scene = await GceScene.open({ world, gce, client, region, name, bundleFile });
      try {
        await killAt(step, scene);
        await story(scene);
      } finally {
        await scene.close();
      }
    },
    CASE_MS,
  );
}

for (const step of [...steps, ...lastSteps]) {
  play(step, 'the node ends with its static address', async (scene) => {
    await scene.startWorker();
    await scene.assigned();
  });
}

for (const step of steps) {
  play(
    step,
    'and the address is taken by somebody else: the node ends with an ephemeral one',
    async (scene) => {
      scene.takeAddress();
      await scene.startWorker();
      await scene.waitingWithEphemeral();
    },
  );
}
