import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { shrink } from '../chaos/shrink.ts';

test('what it takes to fail is left, and nothing else', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.nat(60), { minLength: 1, maxLength: 40 }),
      fc.array(fc.nat(39), { minLength: 1, maxLength: 3 }),
      async (steps, places) => {
        const needed = [...new Set(places.map((place) => steps[place % steps.length]))];
        const fails = (some: readonly number[]): Promise<boolean> =>
          Promise.resolve(needed.every((one) => some.some((step) => step === one)));
        const left = await shrink(steps, { fails, mostTries: 1_000 });
        expect(new Set(left)).toEqual(new Set(needed));
        expect(left).toHaveLength(needed.length);
      },
    ),
  );
});

test('the order stays, and so many tries are made at most', async () => {
  const tried: (readonly string[])[] = [];
  const fails = (some: readonly string[]): Promise<boolean> => {
    tried.push(some);
    return Promise.resolve(some.includes('b') && some.includes('g'));
  };
  const shorter: (readonly string[])[] = [];
  const left = await shrink(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'], {
    fails,
    mostTries: 5,
    onShorter: (s) => shorter.push(s),
  });
  expect(tried).toHaveLength(5);
  expect(left).toEqual(left.toSorted());
  expect(left).toEqual(shorter.at(-1));
  expect(left.length).toBeLessThan(8);
});

test('a failure that does not come again leaves all steps', async () => {
  expect(await shrink([1, 2, 3], { fails: () => Promise.resolve(false), mostTries: 100 })).toEqual([1, 2, 3]);
});
