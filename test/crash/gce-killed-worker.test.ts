/**
 * On Compute Engine the ephemeral address must go before the static one can come. The worker dies at each step between the
 * two, and another one takes over: the node ends with its static address, or with an ephemeral one where somebody else took
 * the static one meanwhile; never with none.
 */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { CrashWorld } from './crash-world.ts';
import { type GceCase, GceCluster, type GceScene, type Step } from './gce-scene.ts';

jest.setTimeout(300_000);

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
const undisturbed = [...steps, ...lastSteps].map((step): GceCase => ({ ...step, isTaken: false }));
const taken = steps.map((step): GceCase => ({ ...step, isTaken: true }));
const cases = [...undisturbed, ...taken];

let crash: CrashWorld;
let cluster: GceCluster;
let scenes: Map<GceCase, GceScene>;
beforeAll(async () => {
  crash = await CrashWorld.start();
  cluster = await GceCluster.open('gce-killed', crash, cases);
  scenes = await cluster.play(
    cases,
    async (scene) => expect(scene.externalIp()).not.toHaveProperty('address'),
    (scene) => scene.startNode(),
  );
}, 900_000);
afterAll(async () => {
  await cluster?.close();
  await crash.stop();
});

test.each(undisturbed)('killed at $name: the node ends with its static address', async (it) => {
  await scenes.get(it)?.assigned();
});

test.each(taken)(
  'killed at $name: and the address is taken by somebody else: the node ends with an ephemeral one',
  async (it) => {
    await scenes.get(it)?.waitingWithEphemeral();
  },
);
