/** KubeIP's filter and order syntax for Google Cloud. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { beginsWithAddressField, parseFilter, toListFilter } from '../../clouds/gcp/filter.ts';
import { parseOrder } from '../../clouds/gcp/order.ts';

const problemOf = (act: () => unknown): unknown => {
  try {
    act();
    return 'accepted';
  } catch (error) {
    return error;
  }
};

describe('a filter', () => {
  test.each([
    ['labels.kubeip=reserved', ['labels.kubeip=reserved']],
    ['labels.env=dev;labels.app=streamer', ['labels.env=dev', 'labels.app=streamer']],
    [' labels.env = dev ; ; labels.app:* ;', ['labels.env = dev', 'labels.app:*']],
    ['labels.a="x;y";name=z', ['labels.a="x;y"', 'name=z']],
    [String.raw`labels.a="x\";y";name=z`, [String.raw`labels.a="x\";y"`, 'name=z']],
    ['(labels.a=b OR labels.a=c) NOT labels.d:*', ['(labels.a=b OR labels.a=c) NOT labels.d:*']],
    ['-labels.a=b', ['-labels.a=b']],
    ['creationTimestamp>"2026-01-01T00:00:00Z"', ['creationTimestamp>"2026-01-01T00:00:00Z"']],
    ['creationTimestamp>2026-01-01T00:00:00Z', ['creationTimestamp>2026-01-01T00:00:00Z']],
    ['network=https://example.com/a=b', ['network=https://example.com/a=b']],
    ['labels.a="x, y" AND name="a && b"', ['labels.a="x, y" AND name="a && b"']],
    ['labels.a="unclosed ( in quotes"', ['labels.a="unclosed ( in quotes"']],
  ])('%s is taken apart at its semicolons', (text, expressions) => {
    expect(parseFilter(text)).toEqual(expressions);
  });

  test.each([
    ['', /empty/],
    [' ; ', /empty/],
    ['Name=tag:kubeip,Values=a', /filter of AWS/],
    ['kubeip', /no comparison/],
    ['labels.a=b;kubeip', /^Filter 2 \(kubeip\)/],
    ['label.kubeip=a', /did you mean "labels.kubeip"/],
    ['labels=a', /needs a key/],
    ['status=RESERVED', /"status" changes with every association/],
    ['labels.a=b AND users:*', /"users" changes/],
    ['NOT (labels.a=b OR status=IN_USE)', /"status" changes/],
    ['(labels.a=b', /parenthesis is not closed/],
    ['labels.a=b)', /closed that was not opened/],
    ['labels.a="b', /quotation mark is not closed/],
    ['region=a OR colour=b', /"colour" is no field/],
    // Syntax that was taken as a value, or as a word to look for anywhere.
    ['labels.a=b,labels.c=d', /"," joins nothing.*AND/],
    ['labels.a=b,c', /"," joins nothing/],
    ['labels.a=b && labels.c=d', /"&&" joins nothing.*AND/],
    ['labels.a=b&labels.c=d', /"&" joins nothing/],
    ['labels.a=b || labels.c=d', /"\|\|" joins nothing.*OR/],
    ['labels.a=b|labels.c=d', /"\|" joins nothing.*OR/],
    ['labels.a=b and labels.c=d', /"and" is compared with nothing.*AND, OR and NOT/],
    ['labels.a=b or labels.c=d', /"or" is compared with nothing/],
    ['description=my address', /"address" is compared with nothing.*quotation marks/],
    ['labels.a=(b OR c)', /"b" is compared with nothing/],
    ['labels.a=[b]', /"\[" .*is no part/],
    // The older syntax, which Compute Engine refuses beside the conditions that go with every filter.
    ["name eq 'kubeip-.*'", /"eq" is of the older syntax.*name=/],
    ['(labels.a=b) (name ne x)', /"ne" is of the older syntax/],
  ])('%s is refused with what is wrong', (text, message) => {
    expect(problemOf(() => parseFilter(text))).toMatchObject({
      name: 'CloudError',
      kind: 'Invalid',
      message: expect.stringMatching(message),
    });
  });

  test.each([
    'labels.a=b',
    'address=192.0.2.1 OR name=b',
    ' (NOT labels.env:prod)',
    '-description="x"',
    'status=RESERVED',
  ])('%s looks like one of Compute Engine', (text) => {
    expect(beginsWithAddressField(text)).toBe(true);
  });

  test.each(['Name=tag:a,Values=b', 'tag:kubeip=reserved', 'addresses=a', ''])('%s does not', (text) => {
    expect(beginsWithAddressField(text)).toBe(false);
  });

  test("goes to Compute Engine with KubeIP's own conditions, each expression in parentheses", () => {
    expect(toListFilter('labels.a=b OR labels.a=c;name=d', 'ipv4')).toBe(
      '(addressType=EXTERNAL) (ipVersion!=IPV6) (labels.a=b OR labels.a=c) (name=d)',
    );
    expect(toListFilter('labels.a=b', 'ipv6')).toBe('(addressType=EXTERNAL) (ipVersion=IPV6) (labels.a=b)');
  });

  test('any text is either taken or refused as Invalid', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const problem = problemOf(() => parseFilter(text));
        expect(problem === 'accepted' || (problem as { kind?: string }).kind === 'Invalid').toBe(true);
      }),
    );
  });

  test('label filters joined by semicolons are found again', () => {
    const key = fc.stringMatching(/^[a-z][a-z0-9_-]{0,20}$/);
    const value = fc.stringMatching(/^[a-z0-9_-]{1,20}$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(key, value), { minLength: 1 }), (pairs) => {
        const filters = pairs.map(([name, text]) => `labels.${name}=${text}`);
        expect(parseFilter(filters.join(';'))).toEqual(filters);
      }),
    );
  });
});

describe('an order', () => {
  const address = (name: string, creationTimestamp: string) => ({ name, creationTimestamp });
  const addresses = [
    address('c', '2026-01-02T00:00:00.000-07:00'),
    address('a', '2026-01-02T06:00:00.000Z'),
    address('b', '2026-01-02T07:00:00.000Z'),
  ];

  test.each([
    ['', 'abc'],
    ['name', 'abc'],
    // "c" and "b" were made at the same instant, written in two zones: names decide.
    ['creationTimestamp desc', 'bca'],
    [' creationTimestamp   desc ', 'bca'],
  ])('%p sorts', (orderBy, names) => {
    const sorted = addresses.toSorted(parseOrder(orderBy)).map(({ name }) => name);
    expect(sorted.join('')).toBe(names);
  });

  test.each(['creationTimestamp', 'name desc', 'labels.rank', 'Tag:rank', 'constructor', 'address'])(
    '%s is refused, naming the two there are',
    (orderBy) => {
      expect(problemOf(() => parseOrder(orderBy))).toMatchObject({
        kind: 'Invalid',
        message: expect.stringMatching(/"name" or by "creationTimestamp desc"/),
      });
    },
  );
});
