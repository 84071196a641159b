import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { NodeSelector, PoolConfig } from '../../config/config.ts';
import { selectPool } from '../../config/select-pool.ts';
import { selectedLabels, selectionChange } from '../../config/selection.ts';

function pool(name: string, nodeSelector: NodeSelector): PoolConfig {
  return {
    name,
    provider: 'aws',
    region: 'eu-west-1',
    nodeSelector,
    queries: [{ family: 'ipv4', filter: 'Name=tag:kubeip,Values=use', orderBy: '' }],
    require: 'all',
    hash: `hash-of-${name}`,
    priority: 0,
    retries: { attempts: 3, intervalMs: 1_000 },
    release: { onNodeDelete: true, gracePeriodMs: 0, onDeselect: 'keep' },
    taintPolicy: 'assigned',
    taintWaitMs: 0,
    pins: 'operator',
    nodeIdentity: { name: 'auto' },
  };
}
const group = (name: string, value = name) => pool(name, { matchLabels: { group: value } });

describe('why another pool, or none, selects a Node', () => {
  const pools = [group('game'), group('web')];
  const former = { pool: 'game', labels: selectedLabels(pools, { group: 'game', other: 'x' }) };

  test('what is remembered is what the selectors look at, and what is absent', () => {
    const some = [group('game'), pool('spot', { matchExpressions: [{ key: 'spot', operator: 'Exists' }] })];
    expect(selectedLabels(some, { group: 'game', other: 'x' })).toEqual({ group: 'game', spot: null });
  });

  test.each([
    ['nothing changed', pools, { group: 'game' }, undefined],
    ['the label was changed', pools, { group: 'web' }, 'labels'],
    ['the label was removed', pools, {}, 'labels'],
    ['a selector was mistyped', [group('game', 'gmae'), group('web')], { group: 'game' }, 'configuration'],
    ['the pool was removed', [group('web')], { group: 'game' }, 'configuration'],
    ['the pool was renamed', [group('games', 'game')], { group: 'game' }, 'configuration'],
    ['another pool was put before it', [pool('all', {}), ...pools], { group: 'game' }, 'configuration'],
    ['both: the pool is gone, and so is the label', [group('web')], { group: 'web' }, 'configuration'],
    [
      'a label that was there, and is looked at since the configuration changed',
      [pool('new', { matchLabels: { other: 'x' } }), ...pools],
      { group: 'game', other: 'x' },
      'configuration',
    ],
  ] as const)('%s', (_, now, labels, change) => {
    expect(selectionChange(now, labels, former)).toBe(change);
  });

  test('a configuration alone is never taken for a change of labels', () => {
    const value = fc.constantFrom('a', 'b', 'c');
    const labels = fc.dictionary(fc.constantFrom('group', 'spot', 'zone'), value);
    const selector = fc.record({ matchLabels: labels });
    const somePools = fc
      .array(selector, { minLength: 1, maxLength: 4 })
      .chain((all) => fc.constant(all.map((one, index) => pool(`p${index}`, one))));
    fc.assert(
      fc.property(somePools, somePools, labels, (before, after, ofNode) => {
        const selected = selectPool(before, ofNode);
        fc.pre(selected !== undefined);
        const was = { pool: selected?.name ?? '', labels: selectedLabels(before, ofNode) };
        expect(selectionChange(after, ofNode, was)).not.toBe('labels');
        expect(selectionChange(before, ofNode, was)).toBeUndefined();
      }),
    );
  });
});
