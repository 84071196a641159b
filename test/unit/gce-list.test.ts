import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { addressFields, compileFilter } from '../../sandbox/gce/list-filter.ts';
import { cutPage } from '../../sandbox/gce/list-pages.ts';

const matches = (filter: string, resource: object) => compileFilter(filter, addressFields)({ ...resource });

/** A comparison with one of these values, or something made of comparisons; and what it means. */
interface Made {
  readonly text: string;
  readonly holds: (resource: Readonly<Record<string, string>>) => boolean;
}

const values = ['RESERVED', 'IN_USE', 'a', 'b'] as const;
const fields = ['status', 'name'] as const;

const comparison: fc.Arbitrary<Made> = fc
  .record({
    field: fc.constantFrom(...fields),
    operator: fc.constantFrom('=', '!='),
    value: fc.constantFrom(...values),
    quote: fc.constantFrom('', '"', "'"),
    space: fc.constantFrom('', ' '),
  })
  .map(({ field, operator, value, quote, space }) => ({
    text: `${field}${space}${operator}${space}${quote}${value}${quote}`,
    holds: (resource) => (resource[field] === value) === (operator === '='),
  }));

const { made } = fc.letrec<{ made: Made }>((tie) => {
  const parts = fc.array(tie('made'), { minLength: 2, maxLength: 3 });
  const group = (word: string, all: boolean) =>
    parts.map((inner) => ({
      text: inner.map(({ text }) => `(${text})`).join(word),
      holds: (resource: Readonly<Record<string, string>>) =>
        all ? inner.every(({ holds }) => holds(resource)) : inner.some(({ holds }) => holds(resource)),
    }));
  const not = fc.tuple(tie('made'), fc.constantFrom('NOT ', '-')).map(([inner, word]) => ({
    text: `${word}(${inner.text})`,
    holds: (resource: Readonly<Record<string, string>>) => !inner.holds(resource),
  }));
  return {
    made: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      comparison,
      group(' AND ', true),
      group(' ', true),
      group(' OR ', false),
      not,
    ),
  };
});

describe('a list filter', () => {
  test('means what it is made of', () => {
    const resource = fc.record({ status: fc.constantFrom(...values), name: fc.constantFrom(...values) });
    fc.assert(
      fc.property(made, resource, ({ text, holds }, one) => {
        expect(matches(text, one)).toBe(holds(one));
      }),
    );
  });

  test('binds OR closer than AND, as AIP-160 has it', () => {
    expect(matches('name=a AND status=x OR status=y', { name: 'b', status: 'y' })).toBe(false);
    expect(matches('name=a AND status=x OR status=y', { name: 'a', status: 'y' })).toBe(true);
    expect(matches('name=a status=x OR status=y', { name: 'b', status: 'y' })).toBe(false);
  });

  test('takes any text as a quoted value, and stars as themselves there', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (value, other) => {
        const quoted = `"${value.replaceAll(/["\\]/g, '\\$&')}"`;
        expect(matches(`name=${quoted}`, { name: value })).toBe(true);
        expect(matches(`name=${quoted}`, { name: other })).toBe(value === other);
      }),
    );
  });

  test.each([
    ['name=node-*', { name: 'node-1' }, true],
    ['name="node-*"', { name: 'node-1' }, false],
    ['name:ode', { name: 'node-1' }, true],
    ['labels.owner:*', { labels: { owner: '' } }, true],
    ['labels.owner:*', { labels: {} }, false],
    ['labels.owner:*', {}, false],
    ['-labels.owner:*', {}, true],
    ['labels.owner!=x', {}, true],
    ['ipVersion=IPV6', {}, false],
    ['ipVersion!=IPV6', {}, true],
    ['prefixLength>64', { prefixLength: 96 }, true],
    ['prefixLength>100', { prefixLength: 96 }, false],
    ['creationTimestamp<"2026-01-02"', { creationTimestamp: '2026-01-01T00:00:00Z' }, true],
    ['status eq RES.*', { status: 'RESERVED' }, true],
    ['status eq RES', { status: 'RESERVED' }, false],
    ['(status ne IN_USE) (name eq a|b)', { status: 'RESERVED', name: 'b' }, true],
    ['   ', { name: 'anything' }, true],
  ])('%s of %j is %s', (filter, resource, expected) => {
    expect(matches(filter, resource)).toBe(expected);
  });

  test.each([
    'name',
    'name=',
    '=a',
    'name=a AND',
    'OR name=a',
    'name=a)',
    '(name=a',
    'name="a',
    'name=a b',
    'Name=a',
    'labels=a',
    'labels.=a',
    'name.first=a',
    'status eq RESERVED AND name eq a',
    '(status=RESERVED) (name eq a)',
    'name eq (a',
    'name=AND',
  ])('%j is refused', (filter) => {
    expect(() => compileFilter(filter, addressFields)).toThrow(
      `Invalid value for field 'filter': '${filter}'. Invalid list filter expression.`,
    );
  });
});

describe('the pages of a list', () => {
  const list = fc
    .uniqueArray(fc.stringMatching(/^[a-z]{1,4}$/), { maxLength: 40 })
    .map((names) => names.map((name, index) => ({ name, sequence: index + 1 })));

  test('are together the whole list, in its order, each thing once', () => {
    fc.assert(
      fc.property(
        list,
        fc.integer({ min: 1, max: 10 }),
        fc.constantFrom('', 'name', 'creationTimestamp desc'),
        (items, max, orderBy) => {
          const seen: string[] = [];
          let pageToken: string | undefined;
          do {
            const page = cutPage(items, { maxResults: String(max), orderBy, pageToken });
            expect(page.items.length).toBeLessThanOrEqual(max);
            seen.push(...page.items.map(({ name }) => name));
            pageToken = page.nextPageToken;
          } while (pageToken !== undefined);
          const names = items.map(({ name }) => name);
          expect(seen).toEqual(orderBy === 'creationTimestamp desc' ? names.reverse() : names.sort());
        },
      ),
    );
  });

  test('show what stays once, whatever comes and goes between two of them', () => {
    // The same name is the same thing here: one that is made anew under its old name would have another sequence number.
    const sequenceOf = (name: string): number =>
      Array.from(name).reduce((sum, letter) => sum * 27 + letter.charCodeAt(0) - 96, 0);
    const lasting = list.map((items) => items.map(({ name }) => ({ name, sequence: sequenceOf(name) })));
    fc.assert(
      fc.property(lasting, lasting, fc.integer({ min: 1, max: 5 }), (before, after, max) => {
        const first = cutPage(before, { maxResults: String(max) });
        if (first.nextPageToken === undefined) return;
        const rest = cutPage(after, { pageToken: first.nextPageToken });
        const seen = [...first.items, ...rest.items].map(({ name }) => name);
        expect(new Set(seen).size).toBe(seen.length);
        const stayed = before.filter(({ name }) => after.some((one) => one.name === name));
        for (const { name } of stayed) expect(seen).toContain(name);
      }),
    );
  });
});
