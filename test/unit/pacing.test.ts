import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  available,
  configureBucket,
  newBucket,
  nextGroupAt,
  refill,
  slowDown,
  take,
} from '../../workflows/pool/pacing.ts';

const limits = fc.record({
  burst: fc.integer({ min: 1, max: 200 }),
  perSecond: fc.double({ min: 0.1, max: 100, noNaN: true }),
});

describe('pacing', () => {
  test('in any stretch of time no more calls are let through than burst plus rate', () => {
    fc.assert(
      fc.property(
        limits,
        fc.array(fc.integer({ min: 0, max: 5_000 }), { maxLength: 60 }),
        (limit, pauses) => {
          const bucket = newBucket(limit, 0);
          let now = 0;
          const calls: { at: number; count: number }[] = [];
          for (const pause of pauses) {
            now += pause;
            refill(bucket, now);
            const count = available(bucket);
            take(bucket, count);
            calls.push({ at: now, count });
          }
          for (let from = 0; from < calls.length; from++) {
            let sum = 0;
            for (let to = from; to < calls.length; to++) {
              sum += calls[to]!.count;
              const seconds = (calls[to]!.at - calls[from]!.at) / 1000;
              expect(sum).toBeLessThanOrEqual(limit.burst + limit.perSecond * seconds + 1e-6);
            }
          }
        },
      ),
    );
  });

  test('500 calls at 50 at once and 5 a second take 90 seconds, in groups of a second', () => {
    const bucket = newBucket({ burst: 50, perSecond: 5 }, 0);
    let now = 0;
    let left = 500;
    let groups = 0;
    while (left > 0) {
      now = Math.max(now, nextGroupAt(bucket, left));
      refill(bucket, now);
      const calls = Math.min(left, available(bucket));
      expect(calls).toBeGreaterThan(0);
      take(bucket, calls);
      left -= calls;
      groups += 1;
    }
    expect(now).toBeGreaterThanOrEqual(89_900);
    expect(now).toBeLessThanOrEqual(90_100);
    expect(groups).toBe(91);
  });

  test('the time of the next group is never so early that the group is not available', () => {
    fc.assert(
      fc.property(
        limits,
        fc.double({ min: -50, max: 200, noNaN: true }),
        fc.integer({ min: 1, max: 500 }),
        (limit, tokens, wanted) => {
          const bucket = newBucket(limit, 1_000);
          bucket.tokens = Math.min(tokens, limit.burst);
          refill(bucket, nextGroupAt(bucket, wanted));
          expect(available(bucket)).toBeGreaterThanOrEqual(1);
        },
      ),
    );
  });

  test('throttling stops calls for a while, lowers the rate once for a burst of errors, and wears off', () => {
    const bucket = newBucket({ burst: 50, perSecond: 5 }, 0);
    for (let error = 0; error < 20; error++) slowDown(bucket, error);
    expect(available(bucket)).toBe(0);
    expect(bucket.share).toBeCloseTo(0.7, 2);
    expect(nextGroupAt(bucket, 1)).toBeGreaterThan(1_000);
    refill(bucket, 120_000);
    expect(bucket.share).toBe(1);
    expect(available(bucket)).toBe(50);
  });

  test('a clock that goes back gives nothing and takes nothing', () => {
    const bucket = newBucket({ burst: 10, perSecond: 5 }, 10_000);
    take(bucket, 10);
    refill(bucket, 0);
    expect(bucket.tokens).toBe(0);
    refill(bucket, 10_000);
    expect(bucket.tokens).toBe(0);
    refill(bucket, 11_000);
    expect(bucket.tokens).toBe(5);
  });

  test('new limits keep what has been used', () => {
    const bucket = newBucket({ burst: 10, perSecond: 1 }, 0);
    take(bucket, 8);
    configureBucket(bucket, { burst: 50, perSecond: 5 }, 0);
    expect(bucket.tokens).toBe(42);
  });
});
