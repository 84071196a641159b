import { describe, expect, test } from '@jest/globals';
import { Cached } from '../../worker/cached.ts';
import { countStates, overdueSeconds, waitingFor } from '../../worker/pool-state.ts';
import type { AddressPoolStatus } from '../../workflows/messages.ts';

const at = (seconds: number): string => new Date(seconds * 1000).toISOString();

function claim(id: string, state: string, deadline: number): AddressPoolStatus['claims'][number] {
  return {
    address: { id, ip: '198.18.0.1' },
    workflowId: 'assign-ip/prod/a',
    token: 1,
    state,
    deadline: at(deadline),
  };
}

describe('the addresses of a pool', () => {
  const association = { id: 'assoc', instanceId: 'i-1' };

  test('are each free, claimed or associated; an association says more than a claim that lingers', () => {
    const addresses = [
      { id: 'free' },
      { id: 'claimed' },
      { id: 'associated', association },
      { id: 'lingering', association },
    ];
    const claims = [
      claim('claimed', 'granted', 0),
      claim('lingering', 'lingering', 0),
      claim('other', 'granted', 0),
    ];
    expect(countStates(addresses, { claims })).toEqual({ free: 1, claimed: 1, associated: 2 });
  });
});

describe('who waits', () => {
  const waiter = (workflowId: string, pool: string, since: number, family: 'ipv4' | 'ipv6' = 'ipv4') => ({
    position: 1,
    place: 1,
    workflowId,
    family,
    pool,
    priority: 0,
    since: at(since),
  });
  const waiting = [
    waiter('assign-ip/prod/a', 'public', 70),
    waiter('assign-ip/prod/b', 'public', 40),
    waiter('assign-ip/prod/c', 'public', 10, 'ipv6'),
    waiter('assign-ip/prod/d', 'other', 10),
    // Another cluster, whose name begins alike, has a pool of the same name.
    waiter('assign-ip/prod-2/e', 'public', 0),
  ];

  test('is counted by pool, family and cluster, with the longest wait', () => {
    const of = { pool: 'public', family: 'ipv4' } as const;
    expect(waitingFor(of, { waiting }, 'assign-ip/prod/', 100_000)).toEqual({ nodes: 2, longestSeconds: 60 });
  });

  test('is nobody, for no time, in an empty queue; a clock that is behind makes no wait negative', () => {
    const of = { pool: 'public', family: 'ipv4' } as const;
    expect(waitingFor(of, { waiting: [] }, '', 100_000)).toEqual({ nodes: 0, longestSeconds: 0 });
    expect(waitingFor(of, { waiting }, 'assign-ip/prod/', 30_000)).toEqual({ nodes: 2, longestSeconds: 0 });
  });
});

test('only a claim that is granted can be overdue: one that lingers ends by itself', () => {
  const claims = [claim('a', 'granted', 90), claim('b', 'granted', 200), claim('c', 'lingering', 10)];
  expect(overdueSeconds({ claims }, 100_000)).toBe(10);
  expect(overdueSeconds({ claims: [] }, 100_000)).toBe(0);
});

describe('what a scrape asks for', () => {
  function cachedCounter() {
    const world = { now: 0, loads: 0, failing: false, failures: 0 };
    const cached = new Cached(
      async () => {
        world.loads += 1;
        if (world.failing) throw new Error('away');
        return world.loads;
      },
      {
        freshMs: 10,
        staleMs: 100,
        deadlineMs: 50,
        onFailure: () => {
          world.failures += 1;
        },
        now: () => world.now,
      },
    );
    return { world, cached };
  }

  test('is read once for all who ask at once, and not again while it is fresh', async () => {
    const { world, cached } = cachedCounter();
    expect(await Promise.all([cached.get(), cached.get()])).toEqual([1, 1]);
    world.now = 9;
    expect(await cached.get()).toBe(1);
    world.now = 10;
    expect(await cached.get()).toBe(2);
  });

  test('is the last that was had while it cannot be read, until that is too old', async () => {
    const { world, cached } = cachedCounter();
    await cached.get();
    world.failing = true;
    world.now = 50;
    expect(await cached.get()).toBe(1);
    expect(await cached.get()).toBe(1);
    expect(world).toMatchObject({ loads: 2, failures: 1 });
    world.now = 100;
    expect(await cached.get()).toBeUndefined();
    world.failing = false;
    world.now = 110;
    expect(await cached.get()).toBe(4);
  });

  test('is waited for until a deadline only; what comes later is there for the next', async () => {
    let answer: (value: string) => void = () => {};
    const slow = new Promise<string>((resolve) => {
      answer = resolve;
    });
    const options = { freshMs: 0, staleMs: 60_000, deadlineMs: 5, onFailure: () => {} };
    const cached = new Cached(() => slow, options);
    expect(await cached.get()).toBeUndefined();
    answer('late');
    expect(await cached.get()).toBe('late');
  });
});
