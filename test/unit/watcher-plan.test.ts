import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { PoolConfig } from '../../config/config.ts';
import { messageAnnotation, phaseLabel, poolLabel, retryAnnotation } from '../../kubernetes/keys.ts';
import type { NodeView } from '../../kubernetes/nodes.ts';
import { mergeNews, type NodeNews } from '../../watcher/node-events.ts';
import type { FailedRun } from '../../watcher/failure-cooldown.ts';
import { interestOf, isOfInterest } from '../../watcher/node-interest.ts';
import { type Failures, type OpenRun, planReconcile } from '../../watcher/plan-reconcile.ts';

const pool: PoolConfig = {
  name: 'public',
  provider: 'aws',
  region: 'eu-west-1',
  nodeSelector: { matchLabels: { kubeip: 'use' } },
  queries: [{ family: 'ipv4', filter: 'Name=tag:kubeip,Values=use', orderBy: '' }],
  require: 'all',
  hash: 'hash-of-public',
  priority: 0,
  retries: { attempts: 3, intervalMs: 1_000 },
  release: { onNodeDelete: true, gracePeriodMs: 0, onDeselect: 'keep' },
  taintKey: 'kubeip.example/no-address',
  taintPolicy: 'assigned',
  taintWaitMs: 0,
  pins: 'operator',
  nodeIdentity: { name: 'auto' },
};
const pools = [pool];
const now = Date.parse('2026-01-01T00:00:00Z');
const minute = 60_000;
const cooldown = { initialIntervalMs: minute, maximumIntervalMs: 60 * minute };
const noFailures: Failures = { runs: [], cooldown, now };

function node(name: string, over: Partial<NodeView> = {}): NodeView {
  return {
    name,
    uid: `uid-${name}`,
    labels: { kubeip: 'use' },
    annotations: {},
    taints: [],
    resourceVersion: '1',
    providerID: 'aws:///eu-west-1a/i-1',
    ...over,
  };
}

describe('the plan of a reconcile', () => {
  test('what failed for a Node that is gone is to be closed; what runs, or failed for one that is there, is not', () => {
    const failed = (name: string): FailedRun => ({
      node: name,
      uid: `uid-${name}`,
      poolHash: pool.hash,
      failures: 1,
      closedAt: now,
    });
    const plan = planReconcile([node('there')], [{ node: 'runs', uid: 'uid-runs' }], pools, {
      ...noFailures,
      runs: [failed('there'), failed('runs'), failed('gone'), { ...failed('by-hand'), uid: undefined }],
    });
    expect(plan.close.map((run) => run.node)).toEqual(['gone', 'by-hand']);
  });

  test('a selected Node without a workflow gets one, a Node of no pool does not', () => {
    const plan = planReconcile([node('a'), node('b', { labels: {} })], [], pools, noFailures);
    expect(plan.start.map(({ node: { name } }) => name)).toEqual(['a']);
    expect(plan.nudge).toEqual([]);
  });

  test('a workflow for an earlier Node of the name, or of no pool any more, is told to look', () => {
    const nodes = [node('a'), node('b', { labels: {} }), node('c')];
    const runs = [
      { node: 'a', uid: 'uid-earlier' },
      { node: 'b', uid: 'uid-b' },
      { node: 'c', uid: 'uid-c' },
    ];
    const plan = planReconcile(nodes, runs, pools, noFailures);
    expect(plan.nudge.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(plan.start).toEqual([]);
    expect(plan.orphans).toEqual([]);
  });

  const taints = [{ key: 'kubeip.example/no-address', effect: 'NoSchedule' }];
  const knows = { node: 'a', uid: 'uid-a', poolHash: pool.hash };
  test.each<[string, NodeView, OpenRun, boolean]>([
    ['that knows the pool’s settings is left alone', node('a'), knows, false],
    ['that knows other settings is told to look', node('a'), { ...knows, poolHash: 'other' }, true],
    ['that has not looked yet is left alone', node('a'), { ...knows, poolHash: undefined }, false],
    [
      'that waits while its Node shows that it is assigned is told to look',
      node('a', { labels: { ...pool.nodeSelector.matchLabels, [phaseLabel]: 'assigned' } }),
      { ...knows, phase: 'waiting' },
      true,
    ],
    [
      'that waits, as its Node shows, is left alone',
      node('a', { labels: { ...pool.nodeSelector.matchLabels, [phaseLabel]: 'waiting' } }),
      { ...knows, phase: 'waiting' },
      false,
    ],
    [
      'that was released by hand, and knows that no pool selects its Node, is left alone',
      node('a', { labels: {} }),
      { ...knows, poolHash: undefined, phase: 'released' },
      false,
    ],
    [
      'that was released by hand is told to look once no pool selects its Node',
      node('a', { labels: {} }),
      { ...knows, phase: 'released' },
      true,
    ],
    [
      'that was released by hand is told to look once a pool selects its Node again',
      node('a'),
      { ...knows, poolHash: undefined, phase: 'released' },
      true,
    ],
    [
      'that has assigned an address to a Node with the taint is told to look',
      node('a', { taints }),
      { ...knows, phase: 'assigned' },
      true,
    ],
    [
      'that waits for an address while its Node has the taint is left alone',
      node('a', { taints }),
      { ...knows, phase: 'waiting' },
      false,
    ],
    [
      'that has assigned an address to a Node with the taint of somebody else is left alone',
      node('a', { taints: [{ key: 'other', effect: 'NoSchedule' }] }),
      { ...knows, phase: 'assigned' },
      false,
    ],
  ])('a workflow %s', (_, present, run, expected) => {
    const plan = planReconcile([present], [run], pools, noFailures);
    expect(plan).toEqual({
      start: [],
      coolDown: [],
      nudge: expected ? [present] : [],
      orphans: [],
      close: [],
    });
  });

  test('after a time without a watch each workflow that waits is told to look, since a pin may be gone', () => {
    const nodes = ['a', 'b', 'c'].map((name) => node(name));
    const runs = ['waiting', 'assigned', 'discovering'].map((phase, index) => {
      const { name, uid } = nodes[index] as NodeView;
      return { node: name, uid, poolHash: pool.hash, phase };
    });
    expect(planReconcile(nodes, runs, pools, noFailures, true).nudge).toEqual(nodes.slice(0, 1));
    expect(planReconcile(nodes, runs, pools, noFailures).nudge).toEqual([]);
  });

  const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'));
  const world = fc.record({
    nodes: names.chain((all) =>
      fc.tuple(
        ...all.map((name) =>
          fc
            .record({ uid: fc.constantFrom('1', '2'), selected: fc.boolean() })
            .map(({ uid, selected }) => node(name, { uid, labels: selected ? { kubeip: 'use' } : {} })),
        ),
      ),
    ),
    runs: names.chain((all) =>
      fc.tuple(
        ...all.map((name) =>
          fc.record({
            node: fc.constant(name),
            uid: fc.constantFrom<string | undefined>('1', '2', undefined),
          }),
        ),
      ),
    ),
  });

  test('every node name is in at most one list, and what is right is in none', () => {
    fc.assert(
      fc.property(world, ({ nodes, runs }: { nodes: NodeView[]; runs: OpenRun[] }) => {
        const { start, nudge, orphans } = planReconcile(nodes, runs, pools, noFailures);
        const planned = [
          ...start.map((entry) => entry.node.name),
          ...nudge.map(({ name }) => name),
          ...orphans.map((run) => run.node),
        ];
        expect(new Set(planned).size).toBe(planned.length);
        for (const present of nodes) {
          const run = runs.find((open) => open.node === present.name);
          const selected = present.labels['kubeip'] === 'use';
          const right = selected ? run?.uid === present.uid && run !== undefined : run === undefined;
          expect(planned.includes(present.name)).toBe(!right);
          expect(orphans.some((orphan) => orphan.node === present.name)).toBe(false);
        }
        for (const run of runs) {
          const present = nodes.some(({ name }) => name === run.node);
          expect(orphans.includes(run)).toBe(!present);
        }
      }),
    );
  });
});

describe('the plan for a node that failed for good', () => {
  const present = node('a');
  const failed = (over: Partial<FailedRun> = {}): FailedRun => ({
    node: 'a',
    uid: present.uid,
    poolHash: pool.hash,
    failures: 3,
    closedAt: now - minute,
    ...over,
  });
  const plan = (runs: FailedRun[], nodes: NodeView[] = [present], of: PoolConfig = pool) => {
    const { start, coolDown, nudge, orphans } = planReconcile(nodes, [], [of], { runs, cooldown, now });
    expect({ nudge, orphans }).toEqual({ nudge: [], orphans: [] });
    return { start: start.map((it) => it.failures), until: coolDown.map((it) => it.until) };
  };
  const taints = [{ key: 'kubeip.example/no-address', effect: 'NoSchedule' }];
  const gaveUp: PoolConfig = { ...pool, taintPolicy: 'assignedOrGaveUp' };

  test('leaves it alone until its cool-down is over, and then starts it with the count', () => {
    expect(plan([failed()])).toEqual({ start: [], until: [now + 3 * minute] });
    expect(plan([failed({ closedAt: now - 4 * minute })])).toEqual({ start: [3], until: [] });
  });

  test.each<[string, Partial<FailedRun>]>([
    ['another Node had the name', { uid: 'uid-earlier' }],
    ['its memo did not tell the Node', { uid: undefined }],
    ['its pool had other settings', { poolHash: 'other' }],
  ])('starts it at once, as the first time, if %s', (_, over) => {
    expect(plan([failed(over)])).toEqual({ start: [0], until: [] });
  });

  test('does not wait for long with a taint that only another run lifts', () => {
    const tainted = node('a', { taints });
    expect(plan([failed()], [tainted], pool)).toEqual({ start: [], until: [now + 3 * minute] });
    expect(plan([failed()], [tainted], gaveUp)).toEqual({ start: [3], until: [] });
    expect(plan([failed({ closedAt: now - 1 })], [tainted], gaveUp).start).toEqual([]);
    expect(plan([failed()], [present], gaveUp).start).toEqual([]);
  });

  test('forgets it once no pool selects the Node, or the Node is gone', () => {
    expect(plan([failed()], [node('a', { labels: {} })])).toEqual({ start: [], until: [] });
    expect(plan([failed()], [])).toEqual({ start: [], until: [] });
  });

  test('leaves a run alone that was started since', () => {
    const open = { node: 'a', uid: present.uid, poolHash: pool.hash, phase: 'waiting' };
    const { start, coolDown, nudge } = planReconcile([present], [open], pools, {
      runs: [failed({ closedAt: 0 })],
      cooldown,
      now,
    });
    expect({ start, coolDown, nudge }).toEqual({ start: [], coolDown: [], nudge: [] });
  });

  test('tells a run to look whose family failed while the Node has the taint that is lifted then', () => {
    const open = { node: 'a', uid: present.uid, poolHash: pool.hash, phase: 'failed' };
    const nudgedWith = (of: PoolConfig) =>
      planReconcile([node('a', { taints })], [open], [of], noFailures).nudge.length;
    expect([nudgedWith(pool), nudgedWith(gaveUp)]).toEqual([0, 1]);
  });
});

describe('changes of a Node', () => {
  const of = (over: Partial<NodeView>) => interestOf(node('a', over), pools);
  const plain = of({});
  const pinnedTo = (value: string) => of({ annotations: { 'kubeip-temporal.io/pinned-ipv4': value } });

  test.each([
    ['the first sight of a selected Node', undefined, plain, true],
    ['the first sight of a Node of no pool', undefined, of({ labels: {} }), false],
    ['a heartbeat', plain, of({ resourceVersion: '2' }), false],
    [
      'our own label and annotation',
      plain,
      of({ labels: { kubeip: 'use', 'kubeip-temporal.io/phase': 'assigned' }, annotations: { x: 'y' } }),
      false,
    ],
    [
      'what is written on a Node that failed',
      plain,
      of({
        labels: { kubeip: 'use', [phaseLabel]: 'failed', [poolLabel]: 'public' },
        annotations: { [messageAnnotation]: 'why' },
      }),
      false,
    ],
    ['a word to try again', plain, of({ annotations: { [retryAnnotation]: '1' } }), true],
    [
      'another such word',
      of({ annotations: { [retryAnnotation]: '1' } }),
      of({ annotations: { [retryAnnotation]: '2' } }),
      true,
    ],
    ['such a word that goes', of({ annotations: { [retryAnnotation]: '1' } }), plain, false],
    ['another uid', plain, of({ uid: 'other' }), true],
    ['the providerID that arrives', of({ providerID: '' }), plain, true],
    ['the region that arrives', plain, of({ region: 'eu-west-1' }), true],
    ['an address that the Node is pinned to', plain, pinnedTo('203.0.113.7'), true],
    ['another such address', pinnedTo('203.0.113.7'), pinnedTo('203.0.113.8'), true],
    ['such an address in other spaces', pinnedTo('203.0.113.7'), pinnedTo(' 203.0.113.7'), false],
    ['a Node that is pinned no more', pinnedTo('203.0.113.7'), plain, true],
    ['a pin that can be no address', plain, pinnedTo('no address'), false],
    ['a Node that leaves its pool', plain, of({ labels: {} }), true],
    ['a Node that comes into a pool', of({ labels: {} }), plain, true],
    [
      'the taint that appears',
      plain,
      of({ taints: [{ key: 'kubeip.example/no-address', effect: 'NoSchedule' }] }),
      true,
    ],
    [
      'the taint that goes',
      of({ taints: [{ key: 'kubeip.example/no-address', effect: 'NoSchedule' }] }),
      plain,
      false,
    ],
    ['a taint of somebody else', plain, of({ taints: [{ key: 'other', effect: 'NoSchedule' }] }), false],
  ] as const)('%s', (_, before, after, expected) => {
    expect(isOfInterest(before, after)).toBe(expected);
  });
});

describe('news of one node that wait', () => {
  const uid = fc.constantFrom('1', '2', '3');
  const news: fc.Arbitrary<NodeNews> = fc.oneof(
    uid.map((deleted) => ({ deletedUids: [deleted], seen: undefined })),
    uid.map((id) => ({ deletedUids: [], seen: node('a', { uid: id }) })),
  );

  test('no deletion is lost, and the Node that is told of is the last that was seen and not deleted since', () => {
    fc.assert(
      fc.property(fc.array(news, { minLength: 1, maxLength: 8 }), (all) => {
        const merged = all.reduce(mergeNews);
        expect(new Set(merged.deletedUids)).toEqual(new Set(all.flatMap((entry) => entry.deletedUids)));
        const lastSeen = all.findLastIndex((entry) => entry.seen !== undefined);
        const seen = all[lastSeen]?.seen;
        const deletedSince = all
          .slice(lastSeen + 1)
          .some((entry) => entry.deletedUids.includes(seen?.uid ?? ''));
        expect(merged.seen).toBe(deletedSince ? undefined : seen);
      }),
    );
  });
});
