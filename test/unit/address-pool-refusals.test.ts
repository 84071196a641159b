/** What the mutex remembers of addresses that the cloud refused for a node's instance. */
import { expect, test } from '@jest/globals';
import { nextWakeAt } from '../../workflows/pool/look.ts';
import { pack, unpack } from '../../workflows/pool/packed-state.ts';
import { MAX_REFUSALS, REFUSED_MS, rememberRefusal } from '../../workflows/pool/refusals.ts';
import { newPoolState, type PoolState, request, settle } from '../../workflows/pool/state.ts';
import { address, asked, fast, granted, look, workflowOf } from './address-pool-world.ts';

const addresses = [address(1), address(2)];

function refuse(state: PoolState, node: string, n: number, now: number): void {
  const claim = state.claims.find(({ workflowId }) => workflowId === workflowOf(node));
  const settlement = { workflowId: workflowOf(node), addressId: address(n).id, token: claim?.token ?? 0 };
  settle(state, { ...settlement, outcome: 'refused', instance: `eu-west-1a/i-${node}` }, now);
}

/** The node was granted the first address, which the cloud refused. */
function refused(): PoolState {
  const state = newPoolState(fast, 0);
  request(state, asked('n0'), 0);
  expect(granted(look(state, addresses, 0))).toEqual([[workflowOf('n0'), address(1).id]]);
  refuse(state, 'n0', 1, 10);
  return state;
}

test('it grants another address to the node, and the refused one to the next node', () => {
  const state = unpack(JSON.parse(JSON.stringify(pack(refused()))));
  request(state, asked('n0', { requestId: 'again' }), 20);
  request(state, asked('n1'), 20);
  expect(granted(look(state, addresses, 300))).toEqual([
    [workflowOf('n0'), address(2).id],
    [workflowOf('n1'), address(1).id],
  ]);
});

test('it says how many of the free ones were refused, once, and looks again with pauses only', () => {
  const state = refused();
  request(state, asked('n0', { requestId: 'again' }), 20);
  expect(look(state, [address(1)], 300).map(({ grant }) => grant)).toEqual([
    { kind: 'empty', requestId: 'again', size: 1, refused: 1 },
  ]);
  let now = 300;
  for (let looks = 0; looks < 5; looks++) {
    const at = nextWakeAt(state) ?? 0;
    expect(at - now).toBeGreaterThanOrEqual(2_000);
    now = at;
    expect(look(state, [address(1)], now)).toEqual([]);
  }
});

test('it grants it again after an hour, to another instance of the node, and to a node that is pinned to it', () => {
  const later = refused();
  request(later, asked('n0', { requestId: 'again' }), 20);
  expect(granted(look(later, [address(1)], 10 + REFUSED_MS))).toHaveLength(1);

  const rebuilt = refused();
  const instance = { provider: 'aws', id: 'i-rebuilt', zone: 'eu-west-1a' } as const;
  request(rebuilt, asked('n0', { requestId: 'again', instance }), 20);
  expect(granted(look(rebuilt, [address(1)], 300))).toHaveLength(1);

  const pinned = refused();
  request(pinned, asked('n0', { requestId: 'again', pinned: address(1).ip }), 20);
  expect(granted(look(pinned, [address(1)], 300))).toHaveLength(1);
});

test('it remembers so many pairs, the newest', () => {
  const { refusals } = newPoolState(fast, 0);
  for (let n = 0; n < MAX_REFUSALS + 10; n++)
    rememberRefusal(refusals, { workflowId: `node-${n}`, instance: 'i', addressId: 'a' }, n);
  expect(refusals).toHaveLength(MAX_REFUSALS);
  expect(refusals[0]?.workflowId).toBe('node-10');
});
