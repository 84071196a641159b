import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { findMisreadValue } from '../../clouds/aws/filter-values.ts';
import {
  formatFilter,
  groupByDistinctNames,
  parseFilter,
  type AddressFilter,
} from '../../clouds/aws/filter.ts';
import { CloudError } from '../../clouds/provider.ts';

function errorOf(filter: string): CloudError {
  try {
    parseFilter(filter);
  } catch (error) {
    if (error instanceof CloudError) return error;
    throw error;
  }
  throw new Error(`"${filter}" was accepted`);
}

describe('filters that KubeIP accepts', () => {
  test('one filter with several values', () => {
    expect(parseFilter('Name=tag:env,Values=val1,val2,val3')).toEqual([
      { name: 'tag:env', values: ['val1', 'val2', 'val3'] },
    ]);
  });

  test('several filters joined by a semicolon keep their order', () => {
    expect(parseFilter('Name=tag:env,Values=dev;Name=tag:app,Values=streamer')).toEqual([
      { name: 'tag:env', values: ['dev'] },
      { name: 'tag:app', values: ['streamer'] },
    ]);
  });

  test('an empty value matches an empty tag', () => {
    expect(parseFilter('Name=tag:kubeip,Values=')).toEqual([{ name: 'tag:kubeip', values: [''] }]);
  });

  test("wildcards and EC2's own escapes go through as they are", () => {
    expect(parseFilter(String.raw`Name=tag:a,Values=x*,y?,\*z\?\\`)).toEqual([
      { name: 'tag:a', values: ['x*', 'y?', String.raw`\*z\?\\`] },
    ]);
  });
});

describe('filters that KubeIP refuses or gets wrong', () => {
  test('a value and a tag key may contain "="', () => {
    expect(parseFilter('Name=tag:a=b,Values=c=d,=')).toEqual([{ name: 'tag:a=b', values: ['c=d', '='] }]);
  });

  test('what only resembles syntax is a value', () => {
    expect(parseFilter('Name=tag:a,Values=a=b,[x,x],my Name,"')).toEqual([
      { name: 'tag:a', values: ['a=b', '[x', 'x]', 'my Name', '"'] },
    ]);
  });

  test('a repeated name keeps both filters', () => {
    expect(parseFilter('Name=tag:a,Values=x*;Name=tag:a,Values=*y')).toEqual([
      { name: 'tag:a', values: ['x*'] },
      { name: 'tag:a', values: ['*y'] },
    ]);
  });

  test('blanks, line ends and empty parts between filters do not matter', () => {
    expect(parseFilter(' Name = tag:a , Values = x , y z ;\n; Name=public-ip,Values=1.2.3.4; ')).toEqual([
      { name: 'tag:a', values: ['x', 'y z'] },
      { name: 'public-ip', values: ['1.2.3.4'] },
    ]);
  });

  test('an escaped comma, semicolon or blank belongs to the value', () => {
    expect(parseFilter(String.raw`Name=tag:a,Values=x\,y\;z,w\ `)).toEqual([
      { name: 'tag:a', values: ['x,y;z', String.raw`w\ `] },
    ]);
  });
});

describe('wrong filters', () => {
  test.each([
    ['', /filter is empty/],
    [' ; ', /filter is empty/],
    ['kubeip=reserved', /Filter 1 \(kubeip=reserved\), position 1: expected "Name="/],
    ['name=tag:a,Values=b', /position 1: expected "Name="/],
    ['Name=,Values=b', /position 6: the name is empty/],
    ['Name=tag:env', /position 13: expected ",Values="/],
    ['Name=tag:env,Kind=val1', /position 14: expected "Values="/],
    ['Name=tag:a,Values=b; Kind=tag', /Filter 2 \(Kind=tag\), position 22: expected "Name="/],
    ['Name=tag:,Values=b', /"tag:" needs a tag key/],
    ['Name=allocationId,Values=b', /did you mean "allocation-id"/],
    ['Name=Tag:env,Values=b', /did you mean "tag:env"/],
    ['Name=publicip,Values=b', /did you mean "public-ip"/],
    ['Name=colour,Values=b', /no filter of DescribeAddresses \(EC2 knows tag:<key>, allocation-id/],
    [`Name=tag:a,Values=b,${'x'.repeat(256)}`, /position 21: the value is longer than the 255/],
    [`Name=tag:a,Values=${Array(200).fill('v').join(',')}`, /has 200 values/],
    // Syntax that was taken as a value: every address with the tag kubeip=reserved would have been in the pool.
    [
      'Name=tag:kubeip,Values=reserved,Name=tag:environment,Values=demo',
      /position 33: "Name=tag:environment" would be a value.*semicolon/,
    ],
    ['Name=tag:a,Values=b Name=tag:c,Values=d', /"b Name=tag:c" would be a value/],
    ['Name=tag:a,Values=b|Name=tag:c,Values=d', /"b\|Name=tag:c" would be a value/],
    ['Name=tag:a,Values=b&Name=tag:c,Values=d', /"b&Name=tag:c" would be a value/],
    ['Name=tag:a,Values=Values=b', /"Values=b" would be a value/],
    ['Name=tag:a,Values=b,Values=c', /"Values=c" would be a value.*comma/],
    ['Name=tag:kubeip,Values=[reserved]', /brackets are no part.*Values=reserved/],
    ['Name=tag:kubeip,Values=[a, b]', /brackets are no part.*Values=a,b/],
    ['Name=tag:kubeip,Values="reserved"', /quotation marks are no part.*Values=reserved/],
    ["Name=tag:kubeip,Values='a','b'", /quotation marks are no part.*Values=a,b/],
    // What an association changes.
    ['Name=instance-id,Values=', /"instance-id" changes with every association/],
    ['Name=association-id,Values=*', /"association-id" changes with every association/],
    ['Name=network-interface-id,Values=eni-0a', /"network-interface-id" changes with every association/],
    ['Name=private-ip-address,Values=10.0.0.1', /"private-ip-address" changes with every association/],
  ])('%j is refused, saying where and why', (filter, message) => {
    const error = errorOf(filter);
    expect(error.kind).toBe('Invalid');
    expect(error.message).toMatch(message);
  });
});

const plain = fc.string({ unit: fc.constantFrom(...Array.from("aZ09=:/@+-_.,;*?é \t'")), maxLength: 12 });
const escaped = fc.constantFrom(String.raw`\*`, String.raw`\?`, '\\\\');
const value = fc.array(fc.oneof(plain, escaped), { maxLength: 4 }).map((pieces) => pieces.join('').trim());
const name = fc.oneof(
  fc.constantFrom('public-ip', 'tag-key', 'domain'),
  value.filter((key) => key !== '').map((key) => `tag:${key}`),
);
const anyValues = fc.array(value, { minLength: 1, maxLength: 5 });
const isMisread = (values: readonly string[]): boolean => findMisreadValue(values) !== undefined;
/** Values that stand in quotation marks are refused: the property below says so. */
const filters: fc.Arbitrary<AddressFilter[]> = fc.array(
  fc.record({ name, values: anyValues.filter((values) => !isMisread(values)) }),
  { minLength: 1, maxLength: 6 },
);
const misread: fc.Arbitrary<AddressFilter> = fc.record({
  name,
  values: anyValues.map((values) => [`'${values[0] ?? ''}`, ...values.slice(1), "b'"]).filter(isMisread),
});

describe('properties', () => {
  test('what is written is read back as it was', () => {
    fc.assert(fc.property(filters, (all) => expect(parseFilter(formatFilter(all))).toEqual(all)));
  });

  test('values in quotation marks are refused', () => {
    fc.assert(
      fc.property(misread, (filter) => {
        expect(errorOf(formatFilter([filter])).kind).toBe('Invalid');
      }),
    );
  });

  test('any text is either parsed or refused as Invalid', () => {
    const text = fc.string({
      unit: fc.constantFrom('Name', '=', 'Values', ',', ';', '\\', 'tag:', 'a', ' ', '*'),
    });
    fc.assert(
      fc.property(text, (text) => {
        try {
          expect(parseFilter(text).length).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toBeInstanceOf(CloudError);
          expect(error).toHaveProperty('kind', 'Invalid');
        }
      }),
    );
  });

  test('groups hold every filter, and no name twice', () => {
    fc.assert(
      fc.property(filters, (all) => {
        const groups = groupByDistinctNames(all);
        for (const group of groups) {
          expect(new Set(group.map((filter) => filter.name)).size).toBe(group.length);
        }
        expect(new Set(groups.flat())).toEqual(new Set(all));
      }),
    );
  });
});
