/**
 * Filters, orders and selectors come from configurations, and from whoever may write to the Temporal namespace. No text of any length keeps
 * a worker busy: it is refused by its length, and the parsers themselves go through a text once.
 *
 * What counts is the CPU time of this thread, not the time on the wall. A parser whose time grows with the square of the length needs
 * seconds for texts of this length, in place of milliseconds.
 */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formatFilter, parseFilter as parseAws, readFilter as readAws } from '../../clouds/aws/filter.ts';
import { parseOrder as parseAwsOrder } from '../../clouds/aws/order.ts';
import { parseFilter as parseGcp, readFilter as readGcp } from '../../clouds/gcp/filter.ts';
import { readStructure, withoutQuoted } from '../../clouds/gcp/filter-structure.ts';
import { parseOrder as parseGcpOrder } from '../../clouds/gcp/order.ts';
import { CloudError } from '../../clouds/provider.ts';
import { parseLabelSelector, readLabelSelector } from '../../config/label-selector.ts';
import { providerOfFilter, validateQuery } from '../../config/validate-query.ts';
import { MAX_FILTER_LENGTH, MAX_LABEL_SELECTOR_LENGTH, MAX_ORDER_LENGTH } from '../../model/limits.ts';
import { isRequest } from '../../workflows/signal-input.ts';

const seed = Number(process.env['KUBEIP_TEST_SEED'] ?? 7);

type Parse = (text: string) => unknown;

/** @returns `ok`, or the message of the error that stands for bad input; any other is thrown */
function outcomeOf(parse: Parse, text: string): string {
  try {
    parse(text);
    return 'ok';
  } catch (error) {
    if (error instanceof CloudError || error instanceof SyntaxError) return error.message;
    throw error;
  }
}

/** Milliseconds of this thread's CPU. */
function cpuMs(parse: Parse, text: string): number {
  const before = process.threadCpuUsage();
  outcomeOf(parse, text);
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}

/** The least of three, so that a pause of the garbage collector does not count. */
function leastCpuMs(parse: Parse, text: string): number {
  return Math.min(cpuMs(parse, text), cpuMs(parse, text), cpuMs(parse, text));
}

const parsers: [string, Parse][] = [
  ['AWS filters', (text) => readAws(text, 'ipv4')],
  ['GCP filters', readGcp],
  ['label selectors', readLabelSelector],
  ['the cloud of a filter', providerOfFilter],
];

/** What the parsers look for, and what makes regular expressions go back. */
const pieces = [
  '\\',
  '"',
  "'",
  ';',
  ',',
  '(',
  ')',
  '=',
  '!',
  '<',
  ' ',
  '\n',
  'a',
  '1',
  '.',
  '-',
  '_',
  'ab',
  'eq',
  ' in ',
  'Name=',
  'Values=',
  'tag:',
  ':',
  '[',
  '\u001b',
  '😀',
];
const piece = fc.constantFrom(...pieces);

describe.each(parsers)('the parser of %s', (_, parse) => {
  const shape = fc.record({
    begin: fc.array(piece, { maxLength: 3 }),
    unit: fc.array(piece, { minLength: 1, maxLength: 3 }),
    end: fc.array(piece, { maxLength: 2 }),
  });
  const fixed = pieces.map((unit) => ({ begin: ['x'], unit: [unit], end: ['x'] }));
  const known = [
    { begin: ['Name=tag:a,Values='], unit: ['\\'], end: ['x'] },
    { begin: ['key in ('], unit: [','], end: [] },
    { begin: ['a'], unit: [' '], end: ['b'] },
  ];

  test('takes a time that grows no faster than the text', () => {
    const text = ({ begin, unit, end }: (typeof known)[number], length: number): string => {
      const one = unit.join('');
      return `${begin.join('')}${one.repeat(Math.ceil(length / one.length))}${end.join('')}`;
    };
    const property = fc.property(shape, (one) => {
      // So little that it can be no square: 64,000 characters in milliseconds.
      if (cpuMs(parse, text(one, 64_000)) < 200) return;
      const growth = leastCpuMs(parse, text(one, 64_000)) / leastCpuMs(parse, text(one, 16_000));
      // 4 where it grows as the text does, 16 where it grows as the square.
      expect(growth).toBeLessThan(9);
    });
    fc.assert(property, { seed, numRuns: 60, examples: [...known, ...fixed].map((one) => [one]) });
  });

  test('answers, or says what is wrong, whatever the text', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (found) => {
        expect(outcomeOf(parse, found.join(''))).toMatch(/./);
      }),
      { seed, numRuns: 3_000 },
    );
  });
});

test.each<[string, Parse, number]>([
  ['AWS filter', (text) => parseAws(text), MAX_FILTER_LENGTH],
  ['GCP filter', parseGcp, MAX_FILTER_LENGTH],
  ['AWS order', (text) => parseAwsOrder(text), MAX_ORDER_LENGTH],
  ['GCP order', parseGcpOrder, MAX_ORDER_LENGTH],
  ['label selector', parseLabelSelector, MAX_LABEL_SELECTOR_LENGTH],
])('a text of a million characters is no %s: it is refused before it is read', (_, parse, most) => {
  const message = outcomeOf(parse, 'x'.repeat(1_000_000));
  expect(message).toContain(`has 1000000 characters, at most ${most}.`);
  expect(message.length).toBeLessThan(300);
});

test('a filter that is too long is told by the configuration, and once', () => {
  const filter = `Name=tag:a,Values=${'x'.repeat(MAX_FILTER_LENGTH)}`;
  for (const provider of ['aws', 'gcp'] as const) {
    const problems = validateQuery(provider, { family: 'ipv4', filter, orderBy: '' });
    expect(problems).toEqual([{ key: 'filter', message: expect.stringContaining('at most 2048') }]);
  }
});

test('what a configuration takes, the mutex takes: a filter and an order as long as may be', () => {
  const key = 'k'.repeat(MAX_ORDER_LENGTH - 'Tag:'.length);
  const filter = formatFilter([{ name: 'tag:a', values: Array.from({ length: 8 }, () => 'v'.repeat(250)) }]);
  const query = { family: 'ipv4' as const, filter: filter.padEnd(MAX_FILTER_LENGTH), orderBy: `Tag:${key}` };
  expect(validateQuery('aws', query)).toEqual([]);
  const request = {
    workflowId: 'assign-ip/a/b',
    runId: 'r',
    requestId: 'q',
    activityId: '1',
    pool: 'p',
    priority: 0,
    query,
    instance: { provider: 'aws', id: 'i-1', zone: 'z' },
  };
  expect(isRequest(request)).toBe(true);
  expect(isRequest({ ...request, query: { ...query, filter: `${query.filter} ` } })).toBe(false);
  expect(isRequest({ ...request, query: { ...query, orderBy: `${query.orderBy}k` } })).toBe(false);
});

/** As the parsers were written first, by regular expressions that go back: what they find stands. */
describe('what was read before is read in the same way', () => {
  const quoted = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/gs;
  const comparison = /([A-Za-z_][\w.-]*(?:"")?)\s*(?:!=|<=|>=|[=<>:]|\s(?:eq|ne)\s)\s*[^\s()]*/g;
  const text = fc.array(fc.constantFrom(...pieces, 'a=b', 'labels.a', ' ne ', '>=', '"x"'), {
    maxLength: 12,
  });

  test('by Compute Engine’s filters', () => {
    fc.assert(
      fc.property(text, (found) => {
        const expression = found.join('');
        const before = expression.replaceAll(quoted, '""');
        const isClosed = !/["']/.test(before.replaceAll('""', ''));
        expect(withoutQuoted(expression)).toBe(isClosed ? before : undefined);
        const names = Array.from(before.matchAll(comparison), (match) => match[1]);
        if (isClosed) expect(readStructure(before).comparisons.map(({ field }) => field)).toEqual(names);
      }),
      { seed, numRuns: 20_000 },
    );
  });

  test('by label selectors', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...'ab,()!= '.split(''), ' in (', 'a,b', ')'), { maxLength: 10 }),
        (found) => {
          const selector = found.join('');
          if (selector.trim() === '') return;
          const parts = selector.split(/,(?![^()]*\))/).map((part) => part.trim());
          const wrong = parts.find((part) => outcomeOf(readLabelSelector, part) !== 'ok' || part === '');
          const outcome = outcomeOf(readLabelSelector, selector);
          if (wrong === undefined)
            expect(readLabelSelector(selector).matchExpressions).toHaveLength(parts.length);
          else expect(outcome).not.toBe('ok');
        },
      ),
      { seed, numRuns: 10_000 },
    );
  });
});
