import { describe, expect, test } from '@jest/globals';
import { goneRuns, releasedMachines, weigh } from '../../model/release-brake.ts';

const brake = { percent: 20, minimum: 5, windowMs: 600_000 };

describe('the brake on releases', () => {
  test.each([
    ['one of three', { gone: 1, released: 0, nodes: 3 }, false],
    ['all of four: fewer than the least number', { gone: 4, released: 0, nodes: 4 }, false],
    ['all of five', { gone: 5, released: 0, nodes: 5 }, true],
    ['a fifth of a large cluster', { gone: 200, released: 0, nodes: 1000 }, false],
    ['more than a fifth', { gone: 201, released: 0, nodes: 1000 }, true],
    ['few now, and many a moment ago', { gone: 1, released: 9, nodes: 10 }, true],
    ['none', { gone: 0, released: 0, nodes: 0 }, false],
  ])('%s', (_, nodes, held) => {
    expect(weigh(nodes, brake).held).toBe(held);
  });

  test('is off with 100 %', () => {
    const nodes = { gone: 50, released: 0, nodes: 50 };
    expect(weigh(nodes, { ...brake, percent: 100 })).toEqual({ held: false, gone: 50, of: 50 });
  });

  test('a machine that registered under another name is not gone; one whose name was taken over is', () => {
    const nodes = [
      { name: 'renamed', instance: 'i-1' },
      { name: 'taken', instance: 'i-9' },
      { name: 'new', instance: undefined },
    ];
    const runs = [
      { node: 'a', instance: 'i-1' },
      { node: 'taken', instance: 'i-2' },
      { node: 'unknown', instance: undefined },
      { node: 'new', instance: undefined },
    ];
    expect(goneRuns(nodes, runs).map(({ node }) => node)).toEqual(['taken', 'unknown']);
  });

  test('a machine from which an address was released counts once, unless a Node stands for it, or it counts as gone', () => {
    const nodes = [{ name: 'renamed', instance: 'i-1' }];
    const gone = [{ node: 'b', instance: 'i-2' }];
    expect(releasedMachines(nodes, gone, ['i-1', 'i-2', 'i-3', 'i-3', 'i-4'])).toEqual(['i-3', 'i-4']);
  });
});
