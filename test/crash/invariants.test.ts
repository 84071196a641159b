import { describe, expect, test } from '@jest/globals';
import type { AssociationEvent } from '../../sandbox/cloud/association-journal.ts';
import { type Judged, violations } from './invariants.ts';

const address = (allocationId: string, instanceId?: string) => ({
  allocationId,
  publicIp: `ip of ${allocationId}`,
  ...(instanceId === undefined ? {} : { instanceId }),
});

const event = (changes: Partial<AssociationEvent>): AssociationEvent => ({
  sequence: 1,
  time: '2026-01-01T00:00:00.000Z',
  scope: 'eu-west-1',
  allocationId: 'ours',
  publicIp: '203.0.113.1',
  instanceId: 'i-a',
  networkInterfaceId: 'eni-a',
  associationId: 'eipassoc-1',
  previousInstanceId: null,
  cause: 'associated',
  by: 'api',
  ...changes,
});

const good: Judged = {
  journal: [event({}), event({ allocationId: 'theirs', instanceId: 'i-x', by: 'hand' })],
  addresses: [address('ours', 'i-a'), address('spare'), address('theirs', 'i-x')],
  pool: new Set(['ours', 'spare']),
  served: new Map([['i-a', 'node-a']]),
};

describe('the judge of the invariants', () => {
  test('finds nothing where each node has one address, whatever was done by hand to others', () => {
    expect(violations(good)).toEqual([]);
  });

  test.each<[string, Partial<Judged>, string]>([
    [
      'an address that was taken from its holder',
      { journal: [event({ cause: 'reassociated', previousInstanceId: 'i-b' })] },
      '203.0.113.1 was reassociated: taken from i-b, given to i-a',
    ],
    [
      'a change to an address of no pool',
      { journal: [event({ allocationId: 'theirs', cause: 'disassociated' })] },
      '203.0.113.1 is of no pool, and was disassociated',
    ],
    [
      'an address on an instance whose Node is gone',
      { addresses: [address('ours', 'i-a'), address('spare', 'i-b')] },
      'ip of spare leaked: i-b is no node’s that is served',
    ],
    [
      'an instance with two',
      { addresses: [address('ours', 'i-a'), address('spare', 'i-a')] },
      'i-a has ip of ours,ip of spare',
    ],
    ['a node without', { addresses: [address('ours')] }, 'node-a (i-a) has no address'],
  ])('finds %s', (_, wrong, sentence) => {
    expect(violations({ ...good, ...wrong })).toEqual([sentence]);
  });
});
