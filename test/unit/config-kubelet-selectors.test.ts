import { expect, test } from '@jest/globals';
import type { NodeSelector } from '../../config/config.ts';
import { kubeletSelectors } from '../../config/kubelet-selectors.ts';

const restricted = 'node-restriction.kubernetes.io/pool';

test.each<[string, NodeSelector, readonly string[] | undefined]>([
  ['of all nodes needs no label', {}, []],
  ['by a label of any name', { matchLabels: { nodegroup: 'game' } }, ['nodegroup']],
  ['by a restricted label', { matchLabels: { [restricted]: 'game' } }, undefined],
  ['by both', { matchLabels: { nodegroup: 'game', [restricted]: 'game' } }, undefined],
  ['by a requirement', { matchExpressions: [{ key: restricted, operator: 'Exists' }] }, undefined],
  [
    'by a restricted label that must not be there: that is no bar',
    {
      matchLabels: { nodegroup: 'game' },
      matchExpressions: [
        { key: restricted, operator: 'DoesNotExist' },
        { key: restricted, operator: 'NotIn', values: ['a'] },
      ],
    },
    ['nodegroup'],
  ],
  [
    'by a label that is named twice',
    { matchLabels: { a: 'b' }, matchExpressions: [{ key: 'a', operator: 'Exists' }] },
    ['a'],
  ],
])('a pool %s', (_, selector, expected) => {
  expect(kubeletSelectors(selector)).toEqual(expected);
});
