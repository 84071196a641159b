import { describe, expect, test } from '@jest/globals';
import type { Phase } from '../../model/phase.ts';
import { nodeMessage, nodePhase } from '../../workflows/assign-ip/status.ts';

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

test('two families say their own, and the same only once', () => {
  const ipv4 = { family: 'ipv4', message: '203.0.113.5 is there.' } as const;
  const ipv6 = { family: 'ipv6', message: 'The pool is empty.' } as const;
  expect(nodeMessage([ipv4])).toBe('203.0.113.5 is there.');
  expect(nodeMessage([ipv4, ipv6])).toBe('IPv4: 203.0.113.5 is there. IPv6: The pool is empty.');
  expect(nodeMessage([ipv4, { ...ipv6, message: ipv4.message }])).toBe('203.0.113.5 is there.');
});
