import { expect, test } from '@jest/globals';
import { pinnedAddresses } from '../../kubernetes/pinned-addresses.ts';

const ipv4 = 'kubeip-temporal.io/pinned-ipv4';
const ipv6 = 'kubeip-temporal.io/pinned-ipv6';

test.each<[string, Record<string, string>, object]>([
  ['without annotations there is none', { other: '203.0.113.7' }, { pinned: {}, ignored: [] }],
  [
    'each family has its own, by IP or by id, without the spaces around it',
    { [ipv4]: ' eipalloc-1\n', [ipv6]: '2001:db8::7' },
    { pinned: { ipv4: 'eipalloc-1', ipv6: '2001:db8::7' }, ignored: [] },
  ],
  ['an empty value pins nothing', { [ipv4]: '', [ipv6]: '  ' }, { pinned: {}, ignored: [] }],
  [
    'a value with spaces in it is ignored, and the other family’s is not',
    { [ipv4]: 'one two', [ipv6]: '2001:db8::7' },
    { pinned: { ipv6: '2001:db8::7' }, ignored: [ipv4] },
  ],
  [
    'the longest value is 253 characters',
    { [ipv4]: 'x'.repeat(253) },
    { pinned: { ipv4: 'x'.repeat(253) }, ignored: [] },
  ],
  ['a longer one is ignored', { [ipv6]: 'x'.repeat(254) }, { pinned: {}, ignored: [ipv6] }],
])('%s', (_, annotations, expected) => {
  expect(pinnedAddresses(annotations)).toEqual(expected);
});
