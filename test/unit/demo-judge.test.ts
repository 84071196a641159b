import { describe, expect, test } from '@jest/globals';
import {
  capacityOf,
  type CloudAnswer,
  type HeldAddress,
  type NodeGroup,
  planGroups,
} from '../../demo/cloud.ts';
import { type Counts, judgeCloud } from '../../demo/judge.ts';
import type { NodeRow } from '../../demo/observer.ts';
import type { AssociationEvent } from '../../sandbox/cloud/association-journal.ts';

/** Two nodes, one address of each family: `a` has both, `b` waits. */
const group: NodeGroup = {
  name: 'game',
  nodes: new Map(['a', 'b'].map((node) => [node, { instance: `vm-${node}`, zone: 'z', providerID: '' }])),
  filters: {},
  pools: [
    { family: 'ipv4', size: 1, includes: (id) => id === 'four' },
    { family: 'ipv6', size: 1, zone: 'z', includes: (id) => id === 'six' },
  ],
};
const four: HeldAddress = { id: 'four', ip: '198.18.0.1', family: 'ipv4', instance: 'vm-a' };
const six: HeldAddress = { id: 'six', ip: '2001:db8::1', family: 'ipv6', instance: 'vm-a' };
const row = (node: string, phase: string, ipv4 = '', ipv6 = ''): NodeRow => ({
  node,
  pool: 'game',
  phase,
  addresses: { ipv4, ipv6 },
  note: '',
});
const a = row('a', 'assigned', four.ip, six.ip);
const b = row('b', 'waiting');
const both: CloudAnswer['external'] = new Map([
  ['vm-a', ['ipv4', 'ipv6']],
  ['vm-b', ['ipv4', 'ipv6']],
]);
const bWithoutIpv4: CloudAnswer['external'] = new Map([
  ['vm-a', ['ipv4', 'ipv6']],
  ['vm-b', ['ipv6']],
]);

interface Evidence {
  readonly rows?: readonly NodeRow[];
  readonly held?: readonly HeldAddress[];
  readonly external?: CloudAnswer['external'];
  readonly journal?: readonly AssociationEvent[];
}

/** @returns what is wrong; nothing, if everything is as it should be */
function wrongs({ rows = [a, b], held = [four, six], external = both, journal = [] }: Evidence) {
  const evidence = { rows, answer: { held, external }, journal };
  const counts = judgeCloud({ groups: [group], began: both }, ['ipv4', 'ipv6'], evidence);
  const invariants = ['doubleAssigned', 'leaked', 'foreignTouched', 'untrue', 'without'] as const;
  return Object.fromEntries(
    invariants.flatMap((key): [keyof Counts, number][] => (counts[key] === 0 ? [] : [[key, counts[key]]])),
  );
}

function event(change: Partial<AssociationEvent>): AssociationEvent {
  return {
    sequence: 1,
    time: '',
    scope: '',
    allocationId: 'four',
    publicIp: four.ip,
    instanceId: 'vm-a',
    networkInterfaceId: null,
    associationId: null,
    previousInstanceId: null,
    cause: 'associated',
    by: 'api',
    ...change,
  };
}

describe('the demo’s judge', () => {
  test('finds nothing where the clouds, the Nodes and the journal agree', () => {
    expect(wrongs({ journal: [event({})] })).toEqual({});
  });

  test('reads an IPv6 address in whatever form the Node shows it', () => {
    expect(wrongs({ rows: [row('a', 'assigned', four.ip, '2001:db8:0:0::1'), b] })).toEqual({});
  });

  test.each<[string, Evidence, Partial<Counts>]>([
    [
      'an address that was taken from its holder',
      { journal: [event({ cause: 'reassociated', previousInstanceId: 'vm-b' })] },
      { doubleAssigned: 1 },
    ],
    [
      'an address on two instances',
      { held: [four, six, { ...six, instance: 'vm-b' }] },
      { doubleAssigned: 1, leaked: 1 },
    ],
    ['an address on an instance whose Node is gone', { rows: [b] }, { leaked: 2 }],
    ['an address that its Node does not show', { rows: [row('a', 'waiting', four.ip), b] }, { leaked: 1 }],
    [
      'an address that lies free while a node waits for one of its family',
      { rows: [row('a', 'waiting', four.ip), b], held: [four] },
      { leaked: 1 },
    ],
    [
      'a change to an address that is of no pool',
      { journal: [event({ allocationId: 'somebody’s' })] },
      { foreignTouched: 1 },
    ],
    ['a Node that shows what its instance has not', { held: [four] }, { untrue: 1, leaked: 1 }],
    [
      'an assigned Node without one of its addresses',
      { rows: [row('a', 'assigned', four.ip), b] },
      { untrue: 1, leaked: 1 },
    ],
    ['an instance that is left without an external address', { external: bWithoutIpv4 }, { without: 1 }],
    ['addresses that nobody has while a node waits', { rows: [b], held: [] }, { leaked: 2 }],
  ])('finds %s', (_, evidence, expected) => {
    expect(wrongs(evidence)).toEqual(expected);
  });

  test('does not miss an external address on an instance that is gone, or a change made by hand', () => {
    expect(wrongs({ external: new Map([['vm-a', ['ipv4', 'ipv6']]]) })).toEqual({});
    expect(wrongs({ journal: [event({ allocationId: 'somebody’s', by: 'hand' })] })).toEqual({});
  });
});

test('in the demo’s second group two nodes are to wait, for the first family only', () => {
  const [publicGroup, game] = planGroups('gcp', ['b', 'c'], { nodes: 12, families: ['ipv4', 'ipv6'] });
  expect([publicGroup.nodes.length, publicGroup.addresses]).toEqual([6, { ipv4: 6, ipv6: 6 }]);
  expect([game.nodes.length, game.addresses]).toEqual([6, { ipv4: 4, ipv6: 6 }]);
  expect(capacityOf(group, ['ipv4', 'ipv6'])).toBe(1);
});
