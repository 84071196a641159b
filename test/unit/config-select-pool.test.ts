import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { NodeSelector, NodeSelectorOperator, PoolConfig } from '../../config/config.ts';
import { parseLabelSelector } from '../../config/label-selector.ts';
import { matchesSelector, selectPool } from '../../config/select-pool.ts';

function pool(name: string, nodeSelector: NodeSelector): PoolConfig {
  return {
    name,
    provider: 'aws',
    region: 'eu-west-1',
    nodeSelector,
    queries: [{ family: 'ipv4', filter: 'Name=tag:a,Values=b', orderBy: '' }],
    require: 'all',
    hash: name,
    priority: 0,
    retries: { attempts: 60, intervalMs: 60_000 },
    taintPolicy: 'assigned',
    taintWaitMs: 0,
    pins: 'operator',
    nodeIdentity: { name: 'auto' },
    release: { onNodeDelete: true, gracePeriodMs: 30_000, onDeselect: 'keep' },
  };
}

const one = (key: string, operator: NodeSelectorOperator, ...values: string[]): NodeSelector => ({
  matchExpressions: [{ key, operator, ...(values.length > 0 ? { values } : {}) }],
});

describe('matchesSelector', () => {
  test.each([
    ['In', ['x', 'y'], { a: 'y' }, true],
    ['In', ['x'], { a: 'y' }, false],
    ['In', ['x'], {}, false],
    ['In', [''], { a: '' }, true],
    ['NotIn', ['x'], { a: 'y' }, true],
    ['NotIn', ['x'], { a: 'x' }, false],
    ['NotIn', ['x'], {}, true],
    ['Exists', [], { a: '' }, true],
    ['Exists', [], {}, false],
    ['DoesNotExist', [], {}, true],
    ['DoesNotExist', [], { a: '' }, false],
    ['Gt', ['4'], { a: '5' }, true],
    ['Gt', ['4'], { a: '4' }, false],
    ['Gt', ['9'], { a: '10' }, true],
    ['Gt', ['4'], {}, false],
    ['Gt', ['4'], { a: 'five' }, false],
    ['Gt', ['4'], { a: '5.5' }, false],
    ['Gt', ['9007199254740992'], { a: '9007199254740993' }, true],
    ['Gt', ['0'], { a: '9223372036854775808' }, false],
    ['Lt', ['4'], { a: '3' }, true],
    ['Lt', ['-4'], { a: '3' }, false],
    ['Lt', ['4'], {}, false],
  ] as const)('%s %j of labels %j is %j', (operator, values, labels, expected) => {
    expect(matchesSelector(one('a', operator, ...values), labels)).toBe(expected);
  });

  test('matches every node when it is empty', () => {
    expect(matchesSelector({}, {})).toBe(true);
    expect(matchesSelector({ matchLabels: {}, matchExpressions: [] }, { a: 'b' })).toBe(true);
  });

  test('wants both its labels and its expressions to match', () => {
    const selector = { matchLabels: { a: 'x' }, ...one('b', 'Exists') };
    expect(matchesSelector(selector, { a: 'x', b: '' })).toBe(true);
    expect(matchesSelector(selector, { a: 'x' })).toBe(false);
    expect(matchesSelector(selector, { b: '' })).toBe(false);
  });

  test('does not take an object’s inherited properties for labels', () => {
    expect(matchesSelector(one('constructor', 'Exists'), {})).toBe(false);
  });
});

const keys = fc.constantFrom('a', 'b', 'example.com/c');
const words = fc.constantFrom('', 'x', 'y', '1', '2', '10');
const labels = fc.dictionary(keys, words);
const requirement = fc.oneof(
  fc.record({
    key: keys,
    operator: fc.constantFrom('In' as const, 'NotIn' as const),
    values: fc.array(words, { minLength: 1 }),
  }),
  fc.record({ key: keys, operator: fc.constantFrom('Exists' as const, 'DoesNotExist' as const) }),
  fc.record({
    key: keys,
    operator: fc.constantFrom('Gt' as const, 'Lt' as const),
    values: fc.tuple(fc.integer().map(String)),
  }),
);
const selector: fc.Arbitrary<NodeSelector> = fc.record(
  { matchLabels: labels, matchExpressions: fc.array(requirement, { maxLength: 3 }) },
  { requiredKeys: [] },
);

describe('matchesSelector, for any selector and labels', () => {
  test('NotIn is the opposite of In, and DoesNotExist of Exists', () => {
    fc.assert(
      fc.property(keys, fc.array(words, { minLength: 1 }), labels, (key, values, node) => {
        expect(matchesSelector(one(key, 'NotIn', ...values), node)).toBe(
          !matchesSelector(one(key, 'In', ...values), node),
        );
        expect(matchesSelector(one(key, 'DoesNotExist'), node)).toBe(
          !matchesSelector(one(key, 'Exists'), node),
        );
      }),
    );
  });

  test('a further requirement never makes it match more', () => {
    fc.assert(
      fc.property(selector, requirement, labels, (base, further, node) => {
        const narrower = { ...base, matchExpressions: [...(base.matchExpressions ?? []), further] };
        if (matchesSelector(narrower, node)) expect(matchesSelector(base, node)).toBe(true);
      }),
    );
  });

  test('matchLabels means the same as In with one value', () => {
    fc.assert(
      fc.property(labels, labels, (wanted, node) => {
        const expressions = Object.entries(wanted).map(([key, value]) => ({
          key,
          operator: 'In' as const,
          values: [value],
        }));
        expect(matchesSelector({ matchExpressions: expressions }, node)).toBe(
          matchesSelector({ matchLabels: wanted }, node),
        );
      }),
    );
  });
});

describe('selectPool', () => {
  test('takes the first that matches, in the order of the file', () => {
    const pools = [pool('narrow', one('a', 'In', 'x')), pool('wide', one('a', 'Exists')), pool('rest', {})];
    expect(selectPool(pools, { a: 'x' })?.name).toBe('narrow');
    expect(selectPool(pools, { a: 'y' })?.name).toBe('wide');
    expect(selectPool(pools, {})?.name).toBe('rest');
    expect(selectPool(pools.slice(0, 2), {})).toBeUndefined();
  });

  test('takes a pool that matches and no earlier one does, or none', () => {
    fc.assert(
      fc.property(fc.array(selector, { maxLength: 4 }), labels, (selectors, node) => {
        const pools = selectors.map((nodeSelector, index) => pool(String(index), nodeSelector));
        const matching = pools.filter(({ nodeSelector }) => matchesSelector(nodeSelector, node));
        expect(selectPool(pools, node)).toBe(matching[0]);
      }),
    );
  });
});

describe('parseLabelSelector', () => {
  test.each([
    ['a=x', one('a', 'In', 'x')],
    ['a == x', one('a', 'In', 'x')],
    ['a=', one('a', 'In', '')],
    ['a!=x', one('a', 'NotIn', 'x')],
    ['a in (x, y)', one('a', 'In', 'x', 'y')],
    ['a notin (x)', one('a', 'NotIn', 'x')],
    ['example.com/a', one('example.com/a', 'Exists')],
    ['! a', one('a', 'DoesNotExist')],
    ['a>4', one('a', 'Gt', '4')],
    ['a < 4', one('a', 'Lt', '4')],
    ['', {}],
  ])('reads %j', (text, expected) => {
    expect(parseLabelSelector(text)).toEqual(expected);
  });

  test.each(['a=b=c', 'a b', ',', 'a=x,', 'a in x', 'a in (x', '-a', 'a=x y', 'a>x', '=x', '!'])(
    'refuses %j',
    (text) => {
      expect(() => parseLabelSelector(text)).toThrow(SyntaxError);
    },
  );
});
