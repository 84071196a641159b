import { expect, test } from '@jest/globals';
import type { Tried } from '../../workflows/messages.ts';
import { remember } from '../../workflows/assign-ip/tried.ts';

const at = (second: number): string => new Date(second * 1_000).toISOString();

test('what was tried is remembered in its order, ten things at most', () => {
  const tried: Tried[] = [];
  for (let n = 0; n < 15; n++) remember(tried, { at: at(n), what: `step ${n}`, outcome: 'done' });
  expect(tried.map(({ what }) => what)).toEqual(Array.from({ length: 10 }, (_, n) => `step ${n + 5}`));
});

test('the same that comes out of the same once more is one entry, with the last time', () => {
  const tried: Tried[] = [];
  const wait = { what: 'claim an IPv4 address', outcome: 'waiting', error: 'Pool a is empty' } as const;
  for (let n = 0; n < 5; n++) remember(tried, { at: at(n), ...wait });
  expect(tried).toEqual([{ at: at(4), ...wait }]);
  remember(tried, { at: at(5), ...wait, error: 'Pool b is empty' });
  expect(tried).toHaveLength(2);
});

test('an error as long as a page is cut', () => {
  const tried: Tried[] = [];
  remember(tried, { at: at(0), what: 'x', outcome: 'failed', error: 'e'.repeat(10_000) });
  expect(tried[0]?.error?.length).toBeLessThanOrEqual(300);
});
