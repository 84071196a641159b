import { describe, expect, test } from '@jest/globals';
import { publicIpv4Annotation } from '../../kubernetes/keys.ts';
import type { AssociationEvent } from '../../sandbox/cloud/association-journal.ts';
import type { AssignIpStatus } from '../../workflows/messages.ts';
import { type ChaosNode, type LifeEvent, toldToRelease } from '../chaos/cluster.ts';
import {
  type CloudView,
  findLeaked,
  findUnsettled,
  findViolations,
  type SettledFacts,
  wrongReleases,
} from '../chaos/judge.ts';
import { brokenHistories } from '../judge/address-history.ts';

const group = { name: 'game', families: ['ipv4'] } as const;
let sequence = 0;

function event(cause: AssociationEvent['cause'], from: string | null, to: string | null): AssociationEvent {
  sequence += 1;
  return {
    sequence,
    time: `2026-01-01T00:00:${String(sequence).padStart(2, '0')}.000Z`,
    scope: 'eu-west-1',
    allocationId: 'eipalloc-1',
    publicIp: '1.1.1.1',
    instanceId: to,
    networkInterfaceId: null,
    associationId: null,
    previousInstanceId: from,
    cause,
    by: 'api',
  };
}

const node: ChaosNode = {
  name: 'a',
  cloud: 'aws',
  uid: 'uid-a',
  instance: 'i-a',
  zone: 'eu-west-1a',
  providerID: 'aws:///eu-west-1a/i-a',
  group,
  instanceAlive: true,
};

function status(ip?: string, phase: AssignIpStatus['phase'] = 'assigned'): AssignIpStatus {
  const address = ip === undefined ? {} : { address: { id: 'eipalloc-1', ip } };
  return {
    phase,
    cluster: 'chaos',
    node: { name: 'a', uid: 'uid-a' },
    since: '',
    message: '',
    addresses: [{ family: 'ipv4', phase, message: '', ...address }],
    releasedByHand: false,
    tried: [],
  };
}

/** One node with one address, and everything as it should be. */
function soundFacts(change: Partial<SettledFacts> = {}, cloud: Partial<CloudView> = {}): SettledFacts {
  return {
    clouds: [
      {
        journal: [],
        addresses: [
          { id: 'eipalloc-1', ip: '1.1.1.1', family: 'ipv4', tag: 'game', isFree: false, instance: 'i-a' },
        ],
        isPooled: () => true,
        freeFor: () => 0,
        cutOff: [],
        ...cloud,
      },
    ],
    nodes: [node],
    life: [],
    byHand: new Set(),
    statuses: new Map([['a', status('1.1.1.1')]]),
    mutexes: [],
    kubernetesNodes: [{ name: 'a', annotations: { [publicIpv4Annotation]: '1.1.1.1' }, taints: [] }],
    ...change,
  };
}

const free: Partial<CloudView> = { addresses: [], freeFor: () => 1 };

describe('what must never have happened', () => {
  test('one holder after another is a sound history', () => {
    const journal = [
      event('associated', null, 'i-a'),
      event('disassociated', 'i-a', null),
      event('associated', null, 'i-b'),
      event('terminated', 'i-b', null),
    ];
    expect(brokenHistories(journal)).toEqual([]);
  });

  test('an address that is given while another has it is a violation', () => {
    const journal = [event('associated', null, 'i-a'), event('reassociated', 'i-a', 'i-b')];
    expect(brokenHistories(journal)).toEqual([
      { invariant: 1, what: expect.stringContaining('taken from i-a'), about: ['eipalloc-1', 'i-a', 'i-b'] },
    ]);
  });

  test('a person may move an address', () => {
    const moved = { ...event('reassociated', 'i-a', 'i-b'), by: 'hand' as const };
    expect(brokenHistories([event('associated', null, 'i-a'), moved])).toEqual([]);
  });

  test('an address of no pool that a program touched is a violation', () => {
    const facts = soundFacts({}, { journal: [event('associated', null, 'i-a')], isPooled: () => false });
    expect(findViolations(facts)).toMatchObject([{ invariant: 2 }]);
  });

  const life = (at: string, mayLose: boolean): LifeEvent => ({ at, what: 'x', mayLose, instance: 'i-a' });

  test.each([
    ['nothing happened to', []],
    ['something harmless happened to', [life('2026-01-01T00:00:00.000Z', false)]],
    ['something happened later to', [life('2026-01-02T00:00:00.000Z', true)]],
    ['something happened long before to', [life('2025-12-31T23:50:00.000Z', true)]],
  ])('a release from an instance whose node %s is a violation', (_, log) => {
    expect(wrongReleases([event('disassociated', 'i-a', null)], log)).toMatchObject([{ invariant: 4 }]);
  });

  test('a release from an instance whose Node was deleted before is none', () => {
    const log = [life('2026-01-01T00:00:00.000Z', true)];
    expect(wrongReleases([event('disassociated', 'i-a', null)], log)).toEqual([]);
  });
});

describe('what must be put right', () => {
  const found = (facts: SettledFacts): number[] => findUnsettled(facts).map(({ invariant }) => invariant);

  test('nothing, where all is well', () => {
    expect(findUnsettled(soundFacts())).toEqual([]);
  });

  test('a node without an address, though one is free', () => {
    const facts = soundFacts(
      { statuses: new Map([['a', status(undefined, 'waiting')]]), kubernetesNodes: [] },
      free,
    );
    expect(found(facts)).toEqual([3]);
  });

  test('not a node that waits for an address while none is free', () => {
    const statuses = new Map([['a', status(undefined, 'waiting')]]);
    expect(found(soundFacts({ statuses, kubernetesNodes: [] }, { addresses: [] }))).toEqual([]);
  });

  test('an address of the pool on an instance that is no node', () => {
    expect(found(soundFacts({ nodes: [], statuses: new Map(), kubernetesNodes: [] }))).toEqual([4]);
  });

  test('a node that is held released, which nobody told it to', () => {
    const statuses = new Map([['a', { ...status(undefined, 'released'), releasedByHand: true }]]);
    const facts = soundFacts({ statuses, kubernetesNodes: [] }, free);
    expect(found(facts)).toEqual([3]);
    const told = { at: '2026-01-01T00:00:00.000Z', what: toldToRelease, node: 'a' };
    expect(found({ ...facts, life: [told] })).toEqual([]);
  });

  test('not an address that a person attached there', () => {
    const facts = { nodes: [], statuses: new Map(), kubernetesNodes: [], byHand: new Set(['eipalloc-1']) };
    expect(found(soundFacts(facts))).toEqual([]);
  });

  describe('an address of the pool that the node’s labels left', () => {
    const [held] = soundFacts().clouds[0]?.addresses ?? [];
    const six = { id: 'six', ip: '2001:db8::6', family: 'ipv6', tag: 'other', isFree: false } as const;
    const old = { id: 'old', ip: '1.1.1.2', family: 'ipv4', tag: 'other', isFree: false } as const;
    const leaks = (cloud: Partial<CloudView>): string[] =>
      findLeaked({ ...soundFacts().clouds[0], ...cloud } as CloudView, soundFacts()).map(({ what }) => what);

    test('stays while its new pool has none in its place, also of another family', () => {
      for (const address of [six, old]) {
        expect(leaks({ addresses: [{ ...address, instance: 'i-a' }] })).toEqual([]);
        expect(leaks({ addresses: [{ ...address, instance: 'i-a' }], freeFor: () => 1 })).toHaveLength(1);
      }
    });

    test('goes once the node has one of the new pool', () => {
      const addresses = held === undefined ? [] : [held, { ...six, instance: 'i-a' }];
      expect(leaks({ addresses })).toHaveLength(1);
    });
  });

  test('a workflow that says another thing than the cloud', () => {
    expect(found(soundFacts({ kubernetesNodes: [] }, { addresses: [] }))).toEqual([6]);
  });

  test('a node without a workflow', () => {
    expect(found(soundFacts({ statuses: new Map() }))).toEqual([3]);
  });

  test('a workflow of a node that is gone', () => {
    expect(found(soundFacts({ nodes: [], kubernetesNodes: [] }, { addresses: [] }))).toEqual([4]);
  });

  test('a Node that shows an address which its instance has not, or does not show the one that it has', () => {
    const kubernetesNodes = [{ name: 'a', annotations: { [publicIpv4Annotation]: '9.9.9.9' }, taints: [] }];
    expect(found(soundFacts({ kubernetesNodes }))).toEqual([6, 6]);
  });

  test('a taint on a node that has its address', () => {
    const [shown] = soundFacts().kubernetesNodes;
    const kubernetesNodes = shown ? [{ ...shown, taints: ['example.com/no-address'] }] : [];
    expect(found(soundFacts({ kubernetesNodes }))).toEqual([3]);
  });

  test('an instance that lost its external address', () => {
    expect(found(soundFacts({}, { cutOff: ['i-x'] }))).toEqual([5]);
  });

  test('a claim with nothing under way', () => {
    const mutex = {
      scope: 'aws/1/eu-west-1',
      pools: [],
      queueLength: 0,
      waiting: [],
      claims: [
        {
          address: { id: 'x', ip: '1.1.1.1' },
          workflowId: 'w/a',
          instance: 'i-9',
          token: 1,
          state: 'granted',
          deadline: '',
        },
      ],
      refused: [],
      nextToken: 2,
      pacing: { burst: 1, perSecond: 1, available: 1 },
    };
    expect(found(soundFacts({ mutexes: [mutex] }))).toEqual([1]);
    const [address] = soundFacts().clouds.flatMap(({ addresses }) => addresses);
    const carriedOut = mutex.claims.map((claim) => ({
      ...claim,
      address: { id: address?.id ?? '', ip: address?.ip ?? '' },
      instance: address?.instance ?? '',
    }));
    expect(address?.instance).toBeDefined();
    expect(found(soundFacts({ mutexes: [{ ...mutex, claims: carriedOut }] }))).toEqual([]);
    const lingering = { ...mutex, claims: mutex.claims.map((claim) => ({ ...claim, state: 'lingering' })) };
    expect(found(soundFacts({ mutexes: [lingering] }))).toEqual([]);
  });
});
