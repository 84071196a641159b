/** Pods keep off the nodes that a pool selects: the rendered affinity against the programs' own choice of a pool. */
import type { V1PodSpec } from '@kubernetes/client-node';
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { NodeSelector } from '../../config/config.ts';
import { type Labels, matchesSelector } from '../../config/select-pool.ts';
import { deployment, render } from './helm.ts';

const keys = ['kubeip', 'nodegroup'];
const words = ['use', 'public', 'game'];

const expression = fc.oneof(
  fc.record({
    key: fc.constantFrom(...keys),
    operator: fc.constantFrom('In' as const, 'NotIn' as const),
    values: fc.uniqueArray(fc.constantFrom(...words), { minLength: 1, maxLength: 2 }),
  }),
  fc.record({
    key: fc.constantFrom(...keys),
    operator: fc.constantFrom('Exists' as const, 'DoesNotExist' as const),
  }),
  fc.record({
    key: fc.constant('cores'),
    operator: fc.constantFrom('Gt' as const, 'Lt' as const),
    values: fc.integer({ min: -1, max: 4 }).map((bound) => [String(bound)]),
  }),
);
const selector: fc.Arbitrary<NodeSelector> = fc
  .record({
    matchLabels: fc.dictionary(fc.constantFrom(...keys), fc.constantFrom(...words), { maxKeys: 2 }),
    matchExpressions: fc.array(expression, { maxLength: 2 }),
  })
  .filter(
    ({ matchLabels, matchExpressions }) => Object.keys(matchLabels).length + matchExpressions.length > 0,
  );

/** Every node that these labels can make. */
const nodes: Labels[] = [undefined, ...words].flatMap((kubeip) =>
  [undefined, ...words].flatMap((nodegroup) =>
    [undefined, '-2', '0', '3', '9'].map((cores) => ({
      ...(kubeip !== undefined && { kubeip }),
      ...(nodegroup !== undefined && { nodegroup }),
      ...(cores !== undefined && { cores }),
    })),
  ),
);

type Terms = readonly Pick<NodeSelector, 'matchExpressions'>[];

async function termsOf(selectors: readonly NodeSelector[], more: object = {}): Promise<Terms> {
  const pools = selectors.map((nodeSelector, index) => ({ name: `p${index}`, nodeSelector, filter: 'x' }));
  const image = { repository: 'registry.example.com/kubeip-temporal' };
  const values = { config: { cluster: 'a', pools }, image, temporal: { address: 'temporal:7233' } };
  const objects = await render([values, more], '--show-only', 'templates/worker.yaml');
  const affinity = deployment(objects, 'worker').spec?.template?.spec?.affinity?.nodeAffinity;
  return (affinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []) as Terms;
}

/** Terms are alternatives. */
const mayRun = (terms: Terms, labels: Labels): boolean => terms.some((term) => matchesSelector(term, labels));

describe('a pod may run on a node', () => {
  const cases = fc.sample(fc.array(selector, { minLength: 1, maxLength: 3 }), { seed: 23, numRuns: 20 });

  test.each(cases.map((selectors) => ({ selectors })))(
    'if no pool of $selectors selects it, and only then',
    async ({ selectors }) => {
      const terms = await termsOf(selectors);
      for (const labels of nodes) {
        const selected = selectors.some((one) => matchesSelector(one, labels));
        expect({ labels, mayRun: mayRun(terms, labels) }).toEqual({ labels, mayRun: !selected });
      }
    },
  );

  test('if the values’ own affinity allows it, too', async () => {
    const nodeAffinity = {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [
          { matchExpressions: [{ key: 'nodegroup', operator: 'In', values: ['public'] }] },
          { matchExpressions: [{ key: 'nodegroup', operator: 'In', values: ['game'] }] },
        ],
      },
    };
    const terms = await termsOf([{ matchLabels: { kubeip: 'use' } }], {
      worker: { affinity: { nodeAffinity } },
    });
    const allowed = nodes.filter((labels) => mayRun(terms, labels));
    expect(allowed).toEqual(
      nodes.filter(
        ({ kubeip, nodegroup }) => kubeip !== 'use' && (nodegroup === 'public' || nodegroup === 'game'),
      ),
    );
    expect(allowed.length).toBeGreaterThan(0);
  });

  test('also a pod of the hook or of `helm test`, with an affinity of its own or without', async () => {
    const config = {
      cluster: 'a',
      pools: [{ name: 'p', nodeSelector: { matchLabels: { kubeip: 'use' } }, filter: 'x' }],
    };
    const image = { repository: 'registry.example.com/kubeip-temporal' };
    const values = { config, image, temporal: { address: 'temporal:7233' } };
    const own = [{ matchExpressions: [{ key: 'tier', operator: 'Exists' }] }];
    const nodeAffinity = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: own } };
    for (const hook of [{}, { affinity: { nodeAffinity } }]) {
      const objects = await render([values, { hook }]);
      const podOf = (kind: string): V1PodSpec | undefined => {
        const spec = objects.find((object) => object.kind === kind)?.spec;
        return (spec?.template?.spec ?? spec) as V1PodSpec | undefined;
      };
      for (const spec of [podOf('Job'), podOf('Pod')]) {
        const required = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
        const terms = required?.nodeSelectorTerms as Terms;
        expect(mayRun(terms, { kubeip: 'use', tier: 'system' })).toBe(false);
        expect(mayRun(terms, { tier: 'system' })).toBe(true);
        expect(mayRun(terms, {})).toBe(!('affinity' in hook));
      }
    }
  });

  test('of any kind once avoidPoolNodes is false', async () => {
    expect(await termsOf([{}], { avoidPoolNodes: false })).toEqual([]);
  });

  test('and selectors that would make too many terms are refused, not cut short', async () => {
    const wide = Array.from({ length: 5 }, (_, pool) => ({
      matchLabels: Object.fromEntries(Array.from({ length: 3 }, (__, n) => [`k${pool}-${n}`, 'v'])),
    }));
    await expect(termsOf(wide)).rejects.toThrow(/more than 100 terms at pool "p4"/);
  });
});
