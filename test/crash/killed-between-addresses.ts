/**
 * Where the ephemeral address must go before the static one can come, the worker dies at each step between the two, and another one
 * takes over: the node ends with its static address, or with an ephemeral one where somebody else took the static one meanwhile; never
 * with none.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { CrashWorld } from './crash-world.ts';
import { type EphemeralCase, EphemeralCluster, type EphemeralScene, type Step } from './ephemeral-scene.ts';

export interface KilledSteps {
  /** Names the cluster. */
  readonly name: string;
  readonly openCloud: Parameters<typeof EphemeralCluster.open>[2];
  readonly steps: readonly Step[];
  /** From here on the address is on its way: nobody else can take it. */
  readonly lastSteps: readonly Step[];
}

/** Defines the tests of one cloud: one scene for each step, all played before the first test. */
export function testKilledBetweenAddresses({ name, openCloud, steps, lastSteps }: KilledSteps): void {
  const undisturbed = [...steps, ...lastSteps].map((step): EphemeralCase => ({ ...step, isTaken: false }));
  const taken = steps.map((step): EphemeralCase => ({ ...step, isTaken: true }));
  const cases = [...undisturbed, ...taken];

  let crash: CrashWorld;
  let cluster: EphemeralCluster;
  let scenes: Map<EphemeralCase, EphemeralScene>;
  beforeAll(async () => {
    crash = await CrashWorld.start();
    cluster = await EphemeralCluster.open(name, crash, openCloud, cases);
    scenes = await cluster.play(
      cases,
      async (scene) => expect(scene.external()?.isStatic).toBe(false),
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
}
