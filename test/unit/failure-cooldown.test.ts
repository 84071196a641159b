import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { retryAnnotation } from '../../kubernetes/keys.ts';
import { dueAt, memoryMs } from '../../watcher/failure-cooldown.ts';
import { failedForGood } from '../../workflows/assign-ip/words.ts';

const minute = 60_000;
const cooldown = { initialIntervalMs: minute, maximumIntervalMs: 60 * minute };
const closedAt = Date.parse('2026-01-01T00:00:00Z');

test.each([
  [1, 1],
  [2, 2],
  [3, 4],
  [6, 32],
  [7, 60],
  [1_000_000, 60],
])('after %d failures in a row the pause is of %d minutes', (failures, minutes) => {
  expect(dueAt({ failures, closedAt }, cooldown, closedAt)).toBe(closedAt + minutes * minute);
});

test('what a node that failed for good says of trying now is what the watcher listens to', () => {
  expect(failedForGood('node-a', 'Invalid', 'why').message).toContain(` node-a ${retryAnnotation}=`);
});

describe('a watcher whose clock is wrong', () => {
  const interval = 5 * minute;

  /**
   * A node that fails within a second whenever it is tried, seen by reconciles at an interval.
   *
   * @param skewMs how far the watcher's clock is ahead of the server's
   * @returns the pauses between its tries, in milliseconds
   */
  function pausesOf(skewMs: number, reconciles: number): number[] {
    let failed = { failures: 0, closedAt: Number.NEGATIVE_INFINITY };
    const tries: number[] = [];
    for (let i = 0; i < reconciles; i++) {
      const server = closedAt + i * interval;
      const now = server + skewMs;
      const isKnown = failed.closedAt > now - memoryMs(cooldown, interval);
      if (isKnown && dueAt(failed, cooldown, now) > now) continue;
      tries.push(server);
      failed = { failures: isKnown ? failed.failures + 1 : 1, closedAt: server + 1_000 };
    }
    return tries.slice(1).map((at, i) => at - (tries[i] ?? 0));
  }

  test('never starves a node, and tries it at most once in a reconcile', () => {
    const day = 24 * 60 * minute;
    fc.assert(
      fc.property(fc.integer({ min: -400 * day, max: 400 * day }), (skewMs) => {
        const pauses = pausesOf(skewMs, 200);
        expect(pauses.length).toBeGreaterThan(10);
        expect(Math.max(...pauses)).toBeLessThanOrEqual(cooldown.maximumIntervalMs + minute + interval);
        expect(Math.min(...pauses)).toBeGreaterThanOrEqual(interval);
      }),
    );
  });

  test('that is right remembers the count beyond the longest pause', () => {
    expect(pausesOf(0, 200).map((ms) => ms / minute)).toEqual([
      5,
      5,
      5,
      10,
      20,
      35,
      ...Array.from({ length: pausesOf(0, 200).length - 6 }, () => 65),
    ]);
  });
});
