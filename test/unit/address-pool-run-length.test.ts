/** When the mutex continues as new. */
import { expect, test } from '@jest/globals';
import { isRunOver } from '../../workflows/pool/run-length.ts';
import { newPoolState, request } from '../../workflows/pool/state.ts';
import { asked, fast } from './address-pool-world.ts';

const nobody = newPoolState(fast, 0);
const after = (historyLength: number) => ({
  historyLength,
  continueAsNewSuggested: false,
  targetWorkerDeploymentVersionChanged: false,
});

test('a run ends after 1,000 events, and later where it hands on much or signals come', () => {
  const crowd = newPoolState(fast, 0);
  for (let n = 0; n < 500; n++) request(crowd, asked(`n${n}`), 0);
  expect([1_000, 1_001].map((length) => isRunOver(after(length), nobody, false, true))).toEqual([
    false,
    true,
  ]);
  expect([2_000, 2_001].map((length) => isRunOver(after(length), crowd, false, true))).toEqual([false, true]);
  expect([4_000, 4_001].map((length) => isRunOver(after(length), nobody, true, true))).toEqual([false, true]);
});

test('a run ends for a new version of the workers once no signals come', () => {
  const isChanged = { ...after(10), targetWorkerDeploymentVersionChanged: true };
  expect([true, false].map((isBusy) => isRunOver(isChanged, nobody, isBusy, true))).toEqual([false, true]);
});

test('Updates are answered before a run ends, but do not keep it from its end for ever', () => {
  expect(isRunOver(after(4_001), nobody, true, false)).toBe(false);
  expect(isRunOver(after(8_000), nobody, false, false)).toBe(false);
  expect(isRunOver(after(8_001), nobody, true, false)).toBe(true);
});
