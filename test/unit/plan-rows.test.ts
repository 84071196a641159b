/** A plan is the mutex' own decision on a copy of its state. */
import { expect, test } from '@jest/globals';
import type { NodesInspection } from '../../activities/inspect-contract.ts';
import type { Scope } from '../../model/scope.ts';
import type { AddressRequest } from '../../workflows/messages.ts';
import { asking, goneAmong, planRows, standing } from '../../workflows/plan-rows.ts';
import { beginForecast, finishForecast } from '../../workflows/pool/forecast.ts';
import { rememberRefusal } from '../../workflows/pool/refusals.ts';
import { newPoolState, type PoolState, request } from '../../workflows/pool/state.ts';
import { poolStatus } from '../../workflows/pool/status.ts';

const scope: Scope = { provider: 'aws', account: '123456789012', region: 'eu-west-1' };
const query = { family: 'ipv4', filter: 'Name=tag:kubeip,Values=use', orderBy: '' } as const;
const now = 1_000_000;

function asked(workflowId: string, priority = 0): AddressRequest {
  const instance = { provider: 'aws', id: 'i-1', zone: 'eu-west-1a' } as const;
  return {
    workflowId,
    runId: 'r',
    requestId: `of ${workflowId}`,
    activityId: '1',
    pool: 'use',
    query,
    priority,
    instance,
  };
}

function inspection(...names: string[]): NodesInspection {
  return {
    pools: [{ name: 'use', scope, priority: 0, queries: [query] }],
    unselected: 0,
    nodes: names.map((name) => ({
      node: { name, uid: name },
      pool: 'use',
      state: {
        kind: 'ready',
        instance: { provider: 'aws', id: `i-${name}`, zone: 'eu-west-1a' },
        subnet: 'subnet-1',
        publicIps: [],
        pinned: {},
      },
    })),
  };
}

/** With so many free addresses: `ip0`, `ip1`, … */
function plan(state: PoolState, found: NodesInspection, free: number) {
  const places = standing('prod', scope, found, state);
  const forecast = beginForecast(state, asking(places), goneAmong('prod', scope, found, state), now);
  const pools = forecast.look.pools.map(({ key, want }) => ({
    key,
    size: free,
    free: Array.from({ length: Math.min(want, free) }, (_, index) => ({
      id: `id${index}`,
      ip: `ip${index}`,
    })),
    held: [],
    pinned: [],
  }));
  return planRows('prod', places, forecast.waited, finishForecast(forecast, { pools, claims: [] }, now));
}

test('a place in the queue is one among those of the same pool', () => {
  const state = newPoolState({ burst: 1, perSecond: 1 }, now);
  const other = { pool: 'other', query: { ...query, filter: 'Name=tag:kubeip,Values=other' } };
  request(state, { ...asked('assign-ip/other/a'), ...other }, now);
  request(state, { ...asked('assign-ip/other/b'), ...other }, now);
  request(state, asked('assign-ip/prod/low'), now);
  const places = poolStatus(state, scope).waiting.map(({ position, place, workflowId }) => [
    workflowId,
    position,
    place,
  ]);
  expect(places).toEqual([
    ['assign-ip/other/a', 1, 1],
    ['assign-ip/other/b', 2, 2],
    ['assign-ip/prod/low', 3, 1],
  ]);
  const { rows } = plan(state, inspection('low'), 0);
  expect(rows).toMatchObject([
    { node: 'low', why: 'no address of pool use is free; 0 before it in the queue' },
  ]);
});

test('who waits is served by priority, then in turn; newcomers come after, in the order of their names', () => {
  const state = newPoolState({ burst: 1, perSecond: 1 }, now);
  request(state, asked('assign-ip/prod/low'), now);
  request(state, asked('assign-ip/other/high', 9), now);
  const { rows, others } = plan(state, inspection('low', 'new-1', 'new-2'), 3);
  expect(rows.map(({ node, outcome, address, assumed }) => [node, outcome, address?.ip, assumed])).toEqual([
    ['low', 'gets', 'ip1', undefined],
    ['new-1', 'gets', 'ip2', true],
    ['new-2', 'waits', undefined, true],
  ]);
  expect(others).toEqual({ waiting: 1, served: 1 });
});

test('the rate limit does not decide who gets what, only when', () => {
  const names = Array.from({ length: 20 }, (_, index) => `n${String(index).padStart(2, '0')}`);
  const { rows } = plan(newPoolState({ burst: 1, perSecond: 1 }, now), inspection(...names), 20);
  expect(rows.map(({ address }) => address?.ip)).toEqual(names.map((_, index) => `ip${index}`));
});

test('a workflow that waits for a Node which is gone gets nothing', () => {
  const state = newPoolState({ burst: 1, perSecond: 1 }, now);
  request(state, asked('assign-ip/prod/gone'), now);
  const { rows } = plan(state, inspection('here'), 1);
  expect(rows).toEqual([
    expect.objectContaining({ node: 'here', outcome: 'gets', address: { id: 'id0', ip: 'ip0' } }),
  ]);
});

test('what is settled is not asked for: an assigned address, one by hand released, a node that is not ready', () => {
  const [first, second, third] = inspection('kept', 'released', 'starting').nodes;
  if (first?.state.kind !== 'ready' || second === undefined || third === undefined)
    throw new Error('three nodes');
  const found: NodesInspection = {
    ...inspection(),
    nodes: [
      {
        ...first,
        run: { phase: 'assigned', ips: ['203.0.113.7'] },
        state: { ...first.state, publicIps: [{ ip: '203.0.113.7', family: 'ipv4', kind: 'static' }] },
      },
      { ...second, run: { phase: 'released', ips: [] } },
      { ...third, state: { kind: 'notReady', reason: 'the Node has no spec.providerID yet' } },
    ],
  };
  const { rows } = plan(newPoolState({ burst: 1, perSecond: 1 }, now), found, 5);
  expect(rows.map(({ outcome, address }) => [outcome, address?.ip])).toEqual([
    ['keeps', '203.0.113.7'],
    ['released', undefined],
    ['notReady', undefined],
  ]);
});

test('a node of another network border group is planned an address of its own group, and says which group lacks one', () => {
  const [near, far] = inspection('near', 'far').nodes;
  if (far?.state.kind !== 'ready' || near === undefined) throw new Error('two nodes');
  const group = 'eu-west-1-lon-1';
  const found: NodesInspection = {
    ...inspection(),
    nodes: [near, { ...far, state: { ...far.state, networkBorderGroup: group } }],
  };
  const state = newPoolState({ burst: 1, perSecond: 1 }, now);
  const asks = asking(standing('prod', scope, found, state));
  expect(asks.map(({ query: { subnet } }) => subnet)).toEqual([undefined, group]);
  const { rows } = plan(state, found, 0);
  expect(rows.map(({ why }) => why)).toEqual([
    'no address of pool use is free; 0 before it in the queue',
    `no address of pool use in ${group} is free; 0 before it in the queue`,
  ]);
});

test('an address that the cloud refused for its instance is not planned for it', () => {
  const state = newPoolState({ burst: 1, perSecond: 1 }, now);
  rememberRefusal(
    state.refusals,
    { workflowId: 'assign-ip/prod/unfit', instance: 'eu-west-1a/i-unfit', addressId: 'id0' },
    now,
  );
  const { rows } = plan(state, inspection('unfit'), 1);
  expect(rows).toMatchObject([
    {
      outcome: 'waits',
      why: 'no address of pool use is free that the cloud has not refused for its instance; 0 before it in the queue',
    },
  ]);
});
