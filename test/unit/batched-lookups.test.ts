/** Lookups that share calls. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { batchLookups } from '../../clouds/batch.ts';

test('calls that are to be spaced are no more than the time allows, and each lookup is answered', async () => {
  const spacingMs = 100;
  let calls = 0;
  const lookup = batchLookups<number, number>({
    windowMs: 1,
    spacingMs,
    maxKeys: 1_000,
    keyOf: String,
    read: async (keys) => {
      calls += 1;
      return new Map(keys.map((key) => [String(key), key]));
    },
  });
  const begun = performance.now();
  const keys = Array.from({ length: 40 }, (_, key) => key);
  const asked: Promise<number | undefined>[] = [];
  for (const key of keys) {
    asked.push(lookup(key));
    await sleep(5);
  }
  expect(await Promise.all(asked)).toEqual(keys);
  expect(calls).toBeGreaterThan(1);
  // Three follow each other at once.
  expect(calls).toBeLessThanOrEqual((performance.now() - begun) / spacingMs + 3);
});
