/** Nodes that are to have one address and no other. */
import { describe, expect, test } from '@jest/globals';
import { beginLook, decide } from '../../workflows/pool/look.ts';
import { pack, unpack } from '../../workflows/pool/packed-state.ts';
import { freed, newPoolState, type PoolState, request, withdraw } from '../../workflows/pool/state.ts';
import { address, asked, fast, granted, list, look, query, settleGrant } from './address-pool-world.ts';

const all = [1, 2, 3].map((n) => address(n));

function reasons(
  state: PoolState,
  now: number,
  holders?: ReadonlyMap<string, string>,
  pool = all,
): unknown[] {
  return look(state, pool, now, holders).map(({ grant }) =>
    grant.kind === 'pinned' ? grant.reason : grant.kind,
  );
}

describe('a pinned node', () => {
  test('gets its address, by IP or id, though others stand before it; they get the others', () => {
    const state = newPoolState(fast, 0);
    request(state, asked('first', { priority: 10 }), 0);
    request(state, asked('by-ip', { pinned: '192.0.2.1' }), 1);
    request(state, asked('by-id', { pinned: 'eipalloc-2' }), 2);
    request(state, asked('last'), 3);
    expect(granted(look(state, all, 10))).toEqual([
      ['assign-ip/test/first', 'eipalloc-3'],
      ['assign-ip/test/by-ip', 'eipalloc-1'],
      ['assign-ip/test/by-id', 'eipalloc-2'],
    ]);
  });

  test('waits while its address is in use, is told so once, blocks nobody, and gets it when it is free', () => {
    const state = newPoolState(fast, 0);
    request(state, asked('pinned', { pinned: '192.0.2.1' }), 0);
    request(state, asked('behind'), 1);
    const holders = new Map([['eipalloc-1', 'i-other']]);
    const messages = look(state, all, 10, holders);
    expect(messages[0]?.grant).toEqual({
      kind: 'pinned',
      requestId: 'request-pinned',
      wanted: '192.0.2.1',
      reason: 'inUse',
    });
    expect(granted(messages)).toEqual([['assign-ip/test/behind', 'eipalloc-2']]);
    expect(reasons(state, 3_000, holders)).toEqual([]);
    freed(state, { addressId: 'eipalloc-1', disassociated: true }, 4_000);
    // Somebody of a higher priority comes first to the free address: it is not for him.
    request(state, asked('vip', { priority: 10 }), 4_001);
    const now = new Map([['eipalloc-3', 'i-third']]);
    expect(granted(look(state, all, 5_000, now))).toEqual([['assign-ip/test/pinned', 'eipalloc-1']]);
    expect(state.queue.map((w) => w.workflowId)).toEqual(['assign-ip/test/vip']);
  });

  test('is told again when the reason is another one', () => {
    const state = newPoolState(fast, 0);
    request(state, asked('pinned', { pinned: '192.0.2.9' }), 0);
    expect(reasons(state, 10)).toEqual(['notInPool']);
    expect(reasons(state, 3_000)).toEqual([]);
    const larger = [...all, address(9)];
    const holders = new Map([['eipalloc-9', 'i-other']]);
    expect(reasons(state, 9_000, holders, larger)).toEqual(['inUse']);
    expect(reasons(unpack(pack(state)), 20_000, holders, larger)).toEqual([]);
    expect(reasons(state, 30_000, holders)).toEqual(['notInPool']);
  });

  test('keeps what it holds of the pool, whatever it is pinned to', () => {
    const state = newPoolState(fast, 0);
    request(state, asked('n1', { pinned: '192.0.2.1', holds: { ips: ['192.0.2.2'], exclusive: true } }), 0);
    const [message] = look(state, all, 10, new Map([['eipalloc-2', 'i-n1']]));
    expect(message?.grant).toMatchObject({ kind: 'granted', held: true, address: address(2) });
  });

  test('waits for a claim of its address to end, and has it if nothing came of the claim', () => {
    const state = newPoolState(fast, 0);
    request(state, asked('first'), 0);
    const [claimed] = look(state, all, 10);
    request(state, asked('pinned', { pinned: '192.0.2.1' }), 20);
    expect(reasons(state, 300)).toEqual(['inUse']);
    settleGrant(state, claimed!, 'abandoned', 310);
    expect(granted(look(state, all, 600))).toEqual([['assign-ip/test/pinned', 'eipalloc-1']]);
  });

  test('has its address kept for it from the moment it asks, also while a list is being made', () => {
    const state = newPoolState(fast, 0);
    request(state, asked('first'), 0);
    const planned = beginLook(state, 10);
    request(state, asked('late', { pinned: '192.0.2.1' }), 20);
    expect(granted(decide(state, planned, list(planned, all), 30))).toEqual([]);
    expect(granted(look(state, all, 300))).toEqual([
      ['assign-ip/test/first', 'eipalloc-2'],
      ['assign-ip/test/late', 'eipalloc-1'],
    ]);
  });

  test('does not keep an address from others that is not of its own pool', () => {
    const state = newPoolState(fast, 0);
    const other = { ...query, filter: 'Name=tag:pool,Values=b' };
    request(state, asked('pinned', { pinned: '192.0.2.1', pool: 'b', query: other }), 0);
    request(state, asked('n1'), 1);
    const pools = ({ filter }: { filter: string }) => (filter === other.filter ? [address(9)] : [address(1)]);
    expect(granted(look(state, pools, 10))).toEqual([['assign-ip/test/n1', 'eipalloc-1']]);
  });

  test('keeps its address from nodes of an overlapping pool, which get their own in the same look', () => {
    const state = newPoolState(fast, 0);
    request(state, asked('n1', { pool: 'overlapping' }), 0);
    request(state, asked('pinned', { pinned: '192.0.2.1' }), 1);
    expect(granted(look(state, all, 10))).toEqual([
      ['assign-ip/test/n1', 'eipalloc-2'],
      ['assign-ip/test/pinned', 'eipalloc-1'],
    ]);
  });

  test('no longer keeps its address from others once it is withdrawn or pinned to another', () => {
    const state = newPoolState(fast, 0);
    const holders = new Map([1, 3].map((n) => [`eipalloc-${n}`, 'i-other']));
    request(state, asked('one', { pinned: '192.0.2.2' }), 0);
    request(state, asked('n1', { priority: 10 }), 1);
    request(state, asked('one', { requestId: 'other', pinned: '192.0.2.1' }), 2);
    request(state, asked('two', { pinned: '192.0.2.2' }), 3);
    withdraw(state, { workflowId: 'assign-ip/test/two' }, 3);
    expect(granted(look(state, all, 2_000, holders))).toEqual([['assign-ip/test/n1', 'eipalloc-2']]);
  });

  test('gives way to nobody who is pinned to the same address and stands behind it', () => {
    const state = newPoolState(fast, 0);
    request(state, asked('one', { pinned: '192.0.2.1' }), 0);
    request(state, asked('two', { pinned: 'eipalloc-1' }), 1);
    const messages = look(state, all, 10);
    expect(granted(messages)).toEqual([['assign-ip/test/one', 'eipalloc-1']]);
    expect(messages[1]?.grant).toMatchObject({ kind: 'pinned', wanted: 'eipalloc-1', reason: 'inUse' });
  });
});
