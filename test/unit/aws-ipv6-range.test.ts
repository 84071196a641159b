import { BlockList } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  canonicalIpv6,
  contains,
  firstAddresses,
  formatIpv6,
  parseIpv6,
  parseIpv6Cidr,
  type Ipv6Range,
} from '../../clouds/aws/ipv6-range.ts';

const address = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n });
/** Small numbers, so that ranges touch, overlap and lie in each other. */
const smallRange = fc
  .tuple(fc.bigInt({ min: 0n, max: 60n }), fc.bigInt({ min: 0n, max: 12n }))
  .map(([first, length]): Ipv6Range => ({ first, last: first + length }));

describe('IPv6 addresses', () => {
  test('are read back as the number that was written', () => {
    fc.assert(fc.property(address, (value) => expect(parseIpv6(formatIpv6(value))).toBe(value)));
  });

  test('have one form, however they are written', () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const canonical = canonicalIpv6(text);
        expect(canonical).toMatch(/^[0-9a-f:]+$/);
        expect(canonicalIpv6(canonical ?? '')).toBe(canonical);
      }),
    );
  });

  test.each([
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['::ffff:192.0.2.1', '::ffff:c000:201'],
    ['::', '::'],
    ['1::', '1::'],
  ])('%s is written %s', (text, canonical) => {
    expect(canonicalIpv6(text)).toBe(canonical);
  });

  test.each(['', '192.0.2.1', '2001:db8::1%eth0', '2001:db8::/64', '2001:db8:::1', 'eipalloc-1', '1:2:3'])(
    '%j is none',
    (text) => {
      expect(parseIpv6(text)).toBeUndefined();
    },
  );
});

describe('CIDR blocks', () => {
  test.each(['2001:db8::1', '2001:db8::/129', '10.0.0.0/8', '2001:db8::/-1', '/64', ''])(
    '%j is none',
    (text) => {
      expect(parseIpv6Cidr(text)).toBeUndefined();
    },
  );

  test('hold the addresses that Node.js counts to them, and no other', () => {
    const block = fc.tuple(address, fc.integer({ min: 0, max: 128 }));
    fc.assert(
      fc.property(block, address, fc.bigInt({ min: -2n, max: 2n }), ([base, length], other, step) => {
        const range = parseIpv6Cidr(`${formatIpv6(base)}/${length}`)!;
        const list = new BlockList();
        list.addSubnet(formatIpv6(base), length, 'ipv6');
        const near = [range.first + step, range.last + step].filter((it) => it >= 0n && it < 2n ** 128n);
        for (const candidate of [base, other, ...near]) {
          expect(contains(range, candidate)).toBe(list.check(formatIpv6(candidate), 'ipv6'));
        }
      }),
    );
  });
});

describe('firstAddresses', () => {
  test('are those in a range and in no excluded one, ascending, each once', () => {
    const limit = fc.nat(30);
    fc.assert(
      fc.property(fc.array(smallRange), fc.array(smallRange), limit, (ranges, excluded, limit) => {
        const among = (list: readonly Ipv6Range[], value: bigint) =>
          list.some((range) => contains(range, value));
        const all = Array.from({ length: 80 }, (_, index) => BigInt(index));
        const wanted = all.filter((value) => among(ranges, value) && !among(excluded, value));
        expect(firstAddresses(ranges, excluded, limit)).toEqual(wanted.slice(0, limit));
      }),
    );
  });

  test('of a range of 2^64 are found past an excluded part of 2^48', () => {
    const found = firstAddresses([parseIpv6Cidr('2001:db8::/64')!], [parseIpv6Cidr('2001:db8::/80')!], 2);
    expect(found.map(formatIpv6)).toEqual(['2001:db8:0:0:1::', '2001:db8::1:0:0:1']);
  });
});
