import { describe, expect, test } from '@jest/globals';
import type { Family } from '../../model/address.ts';
import {
  familyResume,
  hasAllOf,
  isAskedBy,
  newFamilyRun,
  nodeMessage,
  nodePhase,
  resumedPhase,
} from '../../workflows/family-run.ts';
import type { Assignment, Phase } from '../../workflows/messages.ts';

describe('the phase of a node with two families', () => {
  const cases: readonly [Phase, Phase, { all: Phase; any: Phase }][] = [
    ['assigned', 'assigned', { all: 'assigned', any: 'assigned' }],
    ['assigned', 'waiting', { all: 'waiting', any: 'assigned' }],
    ['waiting', 'assigned', { all: 'waiting', any: 'assigned' }],
    ['assigned', 'failed', { all: 'failed', any: 'assigned' }],
    // With `any`, the one that waits may still come.
    ['waiting', 'failed', { all: 'failed', any: 'waiting' }],
    ['failed', 'failed', { all: 'failed', any: 'failed' }],
    ['associating', 'waiting', { all: 'waiting', any: 'waiting' }],
    ['verifying', 'associating', { all: 'associating', any: 'associating' }],
    // One is being given back: nobody may think that the node keeps what it has.
    ['assigned', 'releasing', { all: 'releasing', any: 'releasing' }],
    ['released', 'releasing', { all: 'releasing', any: 'releasing' }],
    ['released', 'assigned', { all: 'releasing', any: 'releasing' }],
    ['released', 'released', { all: 'released', any: 'released' }],
  ];

  test.each(cases)('%s and %s', (first, second, { all, any }) => {
    expect(nodePhase([first, second], 'all')).toBe(all);
    expect(nodePhase([first, second], 'any')).toBe(any);
  });

  test('of one family is that of the family, whatever is required', () => {
    for (const phase of ['waiting', 'associating', 'verifying', 'assigned', 'released', 'failed'] as const) {
      expect(nodePhase([phase], 'all')).toBe(phase);
      expect(nodePhase([phase], 'any')).toBe(phase);
    }
  });
});

describe('a node that moves to a pool of one family', () => {
  const queries = [{ family: 'ipv4', filter: 'tag:pool=blue', orderBy: '' } as const];
  const assignment = { address: { id: 'eipalloc-1', ip: '203.0.113.5' } } as Assignment;
  const has = (family: Family, isLeaving = false) => ({ family, assignment, isLeaving });

  test.each([
    ['nothing', [], false],
    ['what it had before, until that has given way', [has('ipv4', true), has('ipv6', true)], false],
    ['the other family alone', [{ ...has('ipv4'), assignment: undefined }, has('ipv6', true)], false],
    ['one of the pool, and the other family still', [has('ipv4'), has('ipv6', true)], true],
  ])('has %s: %j', (_what, families, hasAll) => {
    expect(hasAllOf({ queries }, families)).toBe(hasAll);
  });

  test('is asked for that family alone', () => {
    expect((['ipv4', 'ipv6'] as const).filter((family) => isAskedBy({ queries }, { family }))).toEqual([
      'ipv4',
    ]);
  });
});

test('two families say their own, and the same only once', () => {
  const ipv4 = { family: 'ipv4', message: '203.0.113.5 is there.' } as const;
  const ipv6 = { family: 'ipv6', message: 'The pool is empty.' } as const;
  expect(nodeMessage([ipv4])).toBe('203.0.113.5 is there.');
  expect(nodeMessage([ipv4, ipv6])).toBe('IPv4: 203.0.113.5 is there. IPv6: The pool is empty.');
  expect(nodeMessage([ipv4, { ...ipv6, message: ipv4.message }])).toBe('203.0.113.5 is there.');
});

test('a run hands on its request and what it asked for, and that the instance had an ephemeral address', () => {
  const resume = {
    family: 'ipv6',
    request: {
      id: 'abcd1234',
      scope: { provider: 'gcp', account: 'sandbox', region: 'europe-west1' },
      wanted: '["six"]',
    },
    hadEphemeral: {
      instance: { provider: 'gcp', id: 'node-a', zone: 'europe-west1-b' },
      scope: { provider: 'gcp', account: 'sandbox', region: 'europe-west1' },
    },
    mayLackEphemeral: true,
  } as const;
  expect(familyResume(newFamilyRun('ipv6', resume))).toEqual([resume]);
  expect(familyResume(newFamilyRun('ipv4'))).toEqual([]);
});

describe('a run that goes on with what the one before it had', () => {
  const query = { family: 'ipv4', filter: 'tag:pool=blue' } as const;
  const pool = (queries: readonly unknown[]) => ({ name: 'blue', queries, require: 'all' }) as never;
  const assignment = {
    address: { id: 'eipalloc-1', ip: '203.0.113.5' },
    instance: { id: 'i-1' },
    pool: { name: 'blue' },
  } as Assignment;
  const ipv4 = newFamilyRun('ipv4', { family: 'ipv4', assignment });

  test('is assigned, and says with what', () => {
    expect(resumedPhase([ipv4], pool([query]), false)).toBe('assigned');
    expect(ipv4.message).toBe('203.0.113.5 of pool blue is associated with i-1.');
  });

  test('is released by hand where it has nothing, and assigned until the release is done', () => {
    expect(resumedPhase([newFamilyRun('ipv4')], undefined, true)).toBe('released');
    expect(resumedPhase([], undefined, true)).toBe('released');
    expect(resumedPhase([ipv4], pool([query]), true)).toBe('assigned');
  });

  test('has to look first where nothing is known of a family, or of any', () => {
    expect(resumedPhase([ipv4], pool([query, { family: 'ipv6' }]), false)).toBe('discovering');
    expect(resumedPhase([newFamilyRun('ipv4')], undefined, false)).toBe('discovering');
    expect(resumedPhase([], undefined, false)).toBe('discovering');
  });
});
