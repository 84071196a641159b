import { describe, expect, test } from '@jest/globals';
import { flappedNodes, heldBy, judgeWipe, type Shown, type WipeEvidence } from '../../demo/judge-wipe.ts';
import type { NodeRow } from '../../demo/observer.ts';
import type { AssociationEvent } from '../../sandbox/cloud/association-journal.ts';
import type { MutationRecord } from '../../sandbox/cloud/call-log.ts';

function event(change: Partial<AssociationEvent>): AssociationEvent {
  return {
    sequence: 1,
    time: '',
    scope: 'region',
    allocationId: 'a',
    publicIp: '198.18.0.1',
    instanceId: 'vm-a',
    networkInterfaceId: 'eni-a',
    associationId: 'assoc-1',
    previousInstanceId: null,
    cause: 'associated',
    by: 'api',
    ...change,
  };
}

const held = { id: 'a', ip: '198.18.0.1', instance: 'vm-a', association: 'assoc-1' };
const free = event({ instanceId: null, associationId: null, cause: 'disassociated' });
const late: NodeRow = {
  node: 'late',
  pool: '',
  phase: 'assigned',
  addresses: { ipv4: '198.18.0.9', ipv6: '' },
  note: '',
};

function verdictOn(change: Partial<WipeEvidence>) {
  return judgeWipe({
    held: [held],
    journal: [event({})],
    events: 1,
    mutations: [],
    gone: new Set(['vm-gone']),
    late: [late],
    families: ['ipv4'],
    ...change,
  });
}

function call(parameters: MutationRecord['parameters']): MutationRecord {
  return { time: '', scope: 'region', action: 'AssociateAddress', outcome: 'InUse', parameters };
}

describe('addresses that a node had when Temporal’s data was lost', () => {
  test('are kept if nothing happened to them', () => {
    expect(verdictOn({})).toEqual({ kept: 1, reassociated: 0, served: 1, unserved: 0, unreturned: 0 });
  });

  test('are not kept if they were taken off and put back', () => {
    expect(verdictOn({ journal: [event({}), free, event({ associationId: 'assoc-2' })] })).toMatchObject({
      kept: 0,
      reassociated: 1,
    });
  });

  test.each([{ AllocationId: 'a' }, { natIP: '198.18.0.1' }, { AssociationId: 'assoc-1' }])(
    'are not kept if a call that was refused names them: %j',
    (parameters) => {
      expect(verdictOn({ mutations: [call(parameters)] })).toMatchObject({ kept: 0, reassociated: 1 });
    },
  );

  test('are kept whatever is done to others', () => {
    const other = event({ allocationId: 'b', instanceId: 'vm-b' });
    const mutations = [call({ AllocationId: 'b' })];
    expect(verdictOn({ journal: [event({}), other], mutations })).toMatchObject({ kept: 1, reassociated: 0 });
  });
});

test('an address that is still on the machine of a Node that is gone has not come back', () => {
  const left = event({ allocationId: 'b', instanceId: 'vm-gone' });
  expect(verdictOn({ journal: [event({}), left] }).unreturned).toBe(1);
  const returned = event({ ...left, instanceId: null, cause: 'terminated' });
  expect(verdictOn({ journal: [event({}), left, returned] }).unreturned).toBe(0);
});

test.each([
  ['is gone', undefined],
  ['waits', { ...late, phase: 'waiting' }],
  ['lacks an address', { ...late, addresses: { ipv4: '', ipv6: '' } }],
])('a node that came meanwhile and %s is not served', (_, row) => {
  expect(verdictOn({ late: [row] })).toMatchObject({ served: 0, unserved: 1 });
});

test('who holds what is what the journal says last, of each scope by itself', () => {
  const journal = [event({}), event({ scope: 'elsewhere', instanceId: 'vm-b' }), free];
  expect(heldBy(journal, new Set(['vm-a', 'vm-b']))).toEqual([{ ...held, instance: 'vm-b' }]);
});

describe('a Node', () => {
  const shows = (phase: string, ipv4 = '', ipv6 = ''): Shown => ({
    node: 'n',
    phase,
    addresses: { ipv4, ipv6 },
  });
  const both = shows('assigned', 'four', 'six');

  test.each([
    ['loses its phase for a moment', [shows('verifying', 'four', 'six'), both]],
    ['loses one of its addresses for a moment', [shows('assigned', 'four'), both]],
    ['shows another address', [shows('assigned', 'five', 'six')]],
  ])('that %s has flapped', (_, after) => {
    expect(flappedNodes([shows('waiting'), both], after)).toEqual(['n']);
  });

  test('that waits loses no address that it shows', () => {
    expect(flappedNodes([shows('waiting', '', 'six')], [shows('waiting')])).toEqual(['n']);
  });

  test('that shows the same as before, or gets what it waited for, has not', () => {
    expect(flappedNodes([both], [both, both])).toEqual([]);
    expect(flappedNodes([shows('waiting', '', 'six')], [shows('associating', '', 'six'), both])).toEqual([]);
    expect(flappedNodes([], [shows('waiting')])).toEqual([]);
  });
});
