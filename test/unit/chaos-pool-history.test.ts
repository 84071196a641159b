import { expect, test } from '@jest/globals';
import { doubleGrants, type PoolEvent } from '../chaos/pool-history.ts';

const granted = (token: number, workflowId: string, requestId = `r-${token}`): PoolEvent => ({
  kind: 'granted',
  addressId: 'eipalloc-1',
  ip: '1.1.1.1',
  token,
  workflowId,
  requestId,
  at: '2026-01-01T00:00:00.000Z',
});
const requested = (workflowId: string, requestId: string, runId = 'run'): PoolEvent => ({
  kind: 'requested',
  workflowId,
  requestId,
  runId,
  family: 'ipv4',
});
const nobodyEnded = (): boolean => false;

test('an address that is granted twice at a time is found', () => {
  expect(doubleGrants([granted(1, 'a'), granted(2, 'b')], nobodyEnded)).toMatchObject([{ invariant: 1 }]);
});

test.each<[string, PoolEvent]>([
  ['its holder has settled', { kind: 'settled', token: 1 }],
  ['a list has shown it in place', { kind: 'shown', addressId: 'eipalloc-1' }],
  ['its request is taken back, or nobody heard of the grant', { kind: 'withdrawn', requestId: 'r-1' }],
  ['its holder has asked anew', requested('a', 'r-9')],
])('it may be granted again once %s', (_, end) => {
  expect(doubleGrants([granted(1, 'a'), end, granted(2, 'b')], nobodyEnded)).toEqual([]);
});

test('it may be granted again once its holder has ended, and not when another run has', () => {
  const events = [requested('a', 'r-1', 'run-a'), granted(1, 'a'), granted(2, 'b')];
  expect(doubleGrants(events, (runId) => runId === 'run-a')).toEqual([]);
  expect(doubleGrants(events, (runId) => runId === 'run-b')).toHaveLength(1);
});

test('a repeated request, and one for the other family, end nothing', () => {
  const events = [
    granted(1, 'a'),
    requested('a', 'r-1'),
    { ...requested('a', 'r-2'), family: 'ipv6' } as PoolEvent,
    granted(2, 'b'),
  ];
  expect(doubleGrants(events, nobodyEnded)).toHaveLength(1);
});

test('the same grant may be said again', () => {
  const events = [granted(1, 'a'), granted(1, 'a'), { kind: 'settled', token: 1 } as const, granted(1, 'a')];
  expect(doubleGrants([...events, granted(2, 'b')], nobodyEnded)).toEqual([]);
});

test('a token that does not grow is found', () => {
  const events: PoolEvent[] = [granted(2, 'a'), { kind: 'settled', token: 2 }, granted(2, 'b')];
  expect(doubleGrants(events, nobodyEnded)).toMatchObject([{ what: 'token 2 came after 2' }]);
});
