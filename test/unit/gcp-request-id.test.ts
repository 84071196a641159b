import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { canonicalIp, sameIp } from '../../clouds/gcp/ip.ts';
import { familyOf } from '../../model/address.ts';
import { requestIdOf } from '../../clouds/gcp/request-id.ts';

const parts = fc.array(fc.string(), { minLength: 1 });

test('a request id is a name-based UUID, the same for the same words', () => {
  fc.assert(
    fc.property(parts, (words) => {
      const id = requestIdOf(...words);
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(requestIdOf(...words)).toBe(id);
    }),
  );
});

test('other words, or the same letters in other words, give another id', () => {
  expect(requestIdOf('a', 'bc')).not.toBe(requestIdOf('ab', 'c'));
  fc.assert(
    fc.property(parts, parts, (one, other) => {
      fc.pre(JSON.stringify(one) !== JSON.stringify(other));
      expect(requestIdOf(...one)).not.toBe(requestIdOf(...other));
    }),
  );
});

test.each([
  ['2600:1900:4000:1:0:0:0:0', '2600:1900:4000:1::', true],
  ['2600:1900:4000:0001:8000::', '2600:1900:4000:1:8000:0:0:0', true],
  ['2600:1900:4000:1::', '2600:1900:4000:2::', false],
  ['203.0.113.1', '203.0.113.1', true],
  ['203.0.113.1', '203.0.113.10', false],
  ['', '', false],
])('%s and %s are the same address: %s', (a, b, same) => {
  expect(sameIp(a, b)).toBe(same);
});

test('an address in any way of writing has one family and one canonical form', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV6(), fc.ipV4()), (ip) => {
      expect(canonicalIp(canonicalIp(ip))).toBe(canonicalIp(ip));
      expect(familyOf(canonicalIp(ip))).toBe(familyOf(ip));
    }),
  );
});
