import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { canonicalIp, sameIp } from '../../clouds/ip.ts';
import { familyOf } from '../../model/address.ts';

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

test.each(['fe80::1%eth0', 'eipalloc-1', 'node-address', '', '::1::'])('%s stays as it is', (text) => {
  expect(canonicalIp(text)).toBe(text);
});
