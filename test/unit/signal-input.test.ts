/** Anybody with access to the namespace can send anything: what is let through to the workflows, and what is not. */
import { describe, expect, test } from '@jest/globals';
import { isGrant, isRequest, isWithdrawal } from '../../workflows/signal-input.ts';
import { asked, ipv6Query } from './address-pool-world.ts';

describe('a request', () => {
  test.each([
    ['of one family', asked('n1')],
    ['of a subnet', asked('n1', { query: ipv6Query })],
    ['of an instance that holds something', asked('n1', { holds: { ips: ['192.0.2.1'], exclusive: true } })],
    ['of a pinned node', asked('n1', { pinned: '192.0.2.1' })],
  ])('%s is let through', (_, request) => {
    expect(isRequest(JSON.parse(JSON.stringify(request)))).toBe(true);
  });

  test.each([
    ['without an id', { requestId: '' }],
    ['of an unknown family', { query: { ...ipv6Query, family: 'ipx' } }],
    ['of a subnet that is no text', { query: { ...ipv6Query, subnet: 7 } }],
    ['of an instance that holds nothing', { holds: { ips: [], exclusive: true } }],
    ['in which what is held is no list', { holds: '192.0.2.1' }],
    ['in which an address that is held is no text', { holds: { ips: [7], exclusive: true } }],
    ['which does not say whether that is exclusive', { holds: { ips: ['192.0.2.1'] } }],
    ['pinned to nothing', { pinned: '' }],
  ])('%s is refused', (_, more) => {
    expect(isRequest({ ...asked('n1'), ...more })).toBe(false);
  });
});

test('a withdrawal may name a request', () => {
  expect(isWithdrawal({ workflowId: 'w' })).toBe(true);
  expect(isWithdrawal({ workflowId: 'w', requestId: 'r' })).toBe(true);
  expect(isWithdrawal({ workflowId: 'w', requestId: 7 })).toBe(false);
  expect(isWithdrawal({ requestId: 'r' })).toBe(false);
});

test('a word about a pinned address says why it is not to be had', () => {
  const grant = { kind: 'pinned', requestId: 'r', wanted: '192.0.2.1', reason: 'inUse' };
  expect(isGrant(grant)).toBe(true);
  expect(isGrant({ ...grant, reason: 'notInPool' })).toBe(true);
  expect(isGrant({ ...grant, reason: 'because' })).toBe(false);
  expect(isGrant({ ...grant, wanted: '' })).toBe(false);
});
