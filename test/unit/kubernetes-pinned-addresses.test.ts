import { expect, test } from '@jest/globals';
import { pinnedAddresses } from '../../kubernetes/pinned-addresses.ts';

const ipv4 = 'kubeip-temporal.io/pinned-ipv4';
const ipv6 = 'kubeip-temporal.io/pinned-ipv6';
const ipv4Label = 'node-restriction.kubernetes.io/kubeip-pinned-ipv4';
const ipv6Label = 'node-restriction.kubernetes.io/kubeip-pinned-ipv6';

test.each<[string, Record<string, string>, object]>([
  ['without annotations there is none', { other: '203.0.113.7' }, { pinned: {}, pinnedBy: {}, ignored: [] }],
  [
    'each family has its own, by IP or by id, without the spaces around it',
    { [ipv4]: ' eipalloc-1\n', [ipv6]: '2001:db8::7' },
    {
      pinned: { ipv4: 'eipalloc-1', ipv6: '2001:db8::7' },
      pinnedBy: { ipv4: 'annotation', ipv6: 'annotation' },
      ignored: [],
    },
  ],
  ['an empty value pins nothing', { [ipv4]: '', [ipv6]: '  ' }, { pinned: {}, pinnedBy: {}, ignored: [] }],
  [
    'a value with spaces in it is ignored, and the other family’s is not',
    { [ipv4]: 'one two', [ipv6]: '2001:db8::7' },
    {
      pinned: { ipv6: '2001:db8::7' },
      pinnedBy: { ipv6: 'annotation' },
      ignored: [{ annotation: ipv4, why: 'malformed' }],
    },
  ],
  [
    'the longest value is 253 characters',
    { [ipv4]: 'x'.repeat(253) },
    { pinned: { ipv4: 'x'.repeat(253) }, pinnedBy: { ipv4: 'annotation' }, ignored: [] },
  ],
  [
    'a longer one is ignored',
    { [ipv6]: 'x'.repeat(254) },
    { pinned: {}, pinnedBy: {}, ignored: [{ annotation: ipv6, why: 'malformed' }] },
  ],
])('where annotations count, %s', (_, annotations, expected) => {
  expect(pinnedAddresses({ annotations, labels: {} }, 'annotation')).toEqual(expected);
});

test('where only operators pin, an annotation is ignored, whatever it says', () => {
  const annotations = { [ipv4]: '203.0.113.7', [ipv6]: 'one two' };
  expect(pinnedAddresses({ annotations, labels: {} }, 'operator')).toEqual({
    pinned: {},
    pinnedBy: {},
    ignored: [
      { annotation: ipv4, why: 'operatorOnly' },
      { annotation: ipv6, why: 'operatorOnly' },
    ],
  });
});

test.each(['operator', 'annotation'] as const)(
  'with pins: %s a label counts, and goes before an annotation',
  (policy) => {
    const labels = { [ipv4Label]: '203.0.113.7' };
    const annotations = { [ipv4]: '203.0.113.8' };
    expect(pinnedAddresses({ annotations, labels }, policy)).toEqual({
      pinned: { ipv4: '203.0.113.7' },
      pinnedBy: { ipv4: 'label' },
      ignored: [],
    });
  },
);

test.each([
  ['2001-db8--7', '2001:db8::7'],
  ['2001-db8-0-0-0-0-0-7', '2001:db8:0:0:0:0:0:7'],
  ['a-name-of-gce', 'a-name-of-gce'],
  ['static-1', 'static-1'],
])('the label for IPv6 %s means %s: a label’s value takes no colon', (value, meant) => {
  expect(pinnedAddresses({ annotations: {}, labels: { [ipv6Label]: value } }, 'operator').pinned).toEqual({
    ipv6: meant,
  });
});
