/**
 * The mutex's core against its specification. `KUBEIP_TEST_SEED` and `KUBEIP_TEST_RUNS` choose other histories, or more;
 * a failure prints its seed and the shortest history that fails.
 */
import { expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { mutexCommands, stepsTaken } from './commands.ts';
import { MutexWorld } from './world.ts';

const LEAST_STEPS = 100_000;
const seed = Number(process.env['KUBEIP_TEST_SEED'] ?? 20_261_124);
const numRuns = Number(process.env['KUBEIP_TEST_RUNS'] ?? 4_000);

jest.setTimeout(Math.max(120_000, numRuns * 100));

test('the mutex does what its specification says, whatever happens to it in whatever order', () => {
  fc.assert(
    fc.property(mutexCommands, (commands) => {
      const world = new MutexWorld();
      fc.modelRun(() => ({ model: world, real: world }), commands);
      world.rest();
    }),
    { seed, numRuns },
  );
  console.info(`seed ${seed}: ${stepsTaken.count} steps in ${numRuns} histories`);
  expect(stepsTaken.count).toBeGreaterThanOrEqual(Math.min(LEAST_STEPS, numRuns * 50));
});
