/**
 * Some random histories, as `npm run replay:random` plays thousands: docs/reliability.md has that run. `KUBEIP_TEST_SEED` and
 * `KUBEIP_TEST_RUNS` choose others, or more.
 */
import type { WorkflowBundleOption } from '@temporalio/worker';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { Runtime } from '@temporalio/worker';
import { bundleWith, bundleWithout, playRandomHistories, projectRoot } from './random/run.ts';

const seed = Number(process.env['KUBEIP_TEST_SEED'] ?? 20_261_130);
const histories = Number(process.env['KUBEIP_TEST_RUNS'] ?? 60);

jest.setTimeout(Math.max(240_000, histories * 3_000));

let present: WorkflowBundleOption;
let next: WorkflowBundleOption;
beforeAll(async () => {
  present = await bundleWithout(projectRoot);
  next = await bundleWith(projectRoot, "patched('random-histories')");
});
afterAll(() => Runtime.instance().shutdown());

test('every history is replayed, whatever happened in it and whichever build carried out its tasks', async () => {
  const { nonDeterminism, failedTasks, examples, ...played } = await playRandomHistories({
    seed,
    histories,
    bundles: [present, next],
  });
  console.info(JSON.stringify(played));
  expect({ nonDeterminism, failedTasks, examples }).toEqual({
    nonDeterminism: 0,
    failedTasks: 0,
    examples: [],
  });
  expect(played.replays).toBe(2 * played.runs);
  // All of it has happened.
  for (const what of [
    'a task timed out',
    'a task failed',
    'a task a worker was lost',
    'a task something came while it ended',
    'continued as new',
    'queries between tasks',
    'Updates',
    'went on in memory',
    'replayed from the start',
  ]) {
    expect([what, played.counts[what] ?? 0]).toEqual([what, expect.any(Number)]);
    expect(played.counts[what] ?? 0).toBeGreaterThan(0);
  }
});

test('a change that is not guarded is found', async () => {
  const unguarded = await bundleWith(projectRoot, "patched.name !== ''");
  const { nonDeterminism, examples } = await playRandomHistories({
    seed,
    histories: 20,
    bundles: [present, unguarded],
  });
  expect(nonDeterminism).toBeGreaterThan(0);
  expect(examples.join('\n')).toMatch(/nondeterminism|determinism/i);
});

test('a query that changes a workflow between two tasks is found: without the guard of decision 19', async () => {
  const unguarded = await bundleWithout(projectRoot, 'query-guard');
  const { nonDeterminism } = await playRandomHistories({ seed, histories: 40, bundles: [unguarded] });
  expect(nonDeterminism).toBeGreaterThan(0);
});
