import { describe, expect, test } from '@jest/globals';
import { inFlight } from '../../model/claims.ts';
import type { Client } from '@temporalio/client';
import { Cached } from '../../worker/cached.ts';
import { MutexReader } from '../../worker/mutex-reader.ts';
import { countStates, overdueSeconds, waitingFor } from '../../worker/pool-state.ts';
import type { AddressPoolStatus } from '../../workflows/messages.ts';

const at = (seconds: number): string => new Date(seconds * 1000).toISOString();

function claim(id: string, state: string, deadline: number): AddressPoolStatus['claims'][number] {
  return {
    address: { id, ip: '198.18.0.1' },
    workflowId: 'assign-ip/prod/a',
    instance: 'i-1',
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
  expect(overdueSeconds({ claims, queueLength: 1 }, 100_000)).toBe(10);
  expect(overdueSeconds({ claims: [], queueLength: 1 }, 100_000)).toBe(0);
  // Nobody is kept waiting: its holder need not say that it has its address.
  expect(overdueSeconds({ claims, queueLength: 0 }, 100_000)).toBe(0);
  expect(inFlight({ claims, queueLength: 0 }, 100_000)).toEqual([claims[1]]);
  expect(inFlight({ claims, queueLength: 1 }, 100_000)).toEqual(claims.slice(0, 2));
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

describe('the mutex, of which a query is an action in Temporal Cloud', () => {
  /** A server as far as the reader calls it. */
  function server() {
    const it = {
      now: 1_000_000,
      historyLength: 10,
      queries: 0,
      pollers: ['kubeip-worker/prod@a:1'],
      waits: 0,
      down: false,
    };
    const handle = {
      describe: async () => {
        if (it.down) throw new Error('away');
        const seconds = Math.floor(Date.now() / 1000) - it.waits;
        const raw = it.waits === 0 ? {} : { pendingWorkflowTask: { scheduledTime: { seconds }, attempt: 1 } };
        return { runId: 'run', historyLength: it.historyLength, status: { name: 'RUNNING' }, raw };
      },
      query: async () => {
        it.queries += 1;
        return { queueLength: it.historyLength };
      },
    };
    const lastAccessTime = () => ({ seconds: Math.floor(Date.now() / 1000) });
    const client = {
      options: { namespace: 'default' },
      workflow: { getHandle: () => handle },
      connection: {
        withDeadline: (_: number, work: () => Promise<unknown>) => work(),
        workflowService: {
          describeTaskQueue: async () => ({
            pollers: it.pollers.map((identity) => ({ identity, lastAccessTime: lastAccessTime() })),
          }),
        },
      },
    } as unknown as Client;
    const reader = (identity: string) =>
      new MutexReader({
        client,
        scope: { provider: 'aws', account: '123456789012', region: 'eu-west-1' },
        cluster: 'prod',
        identity: `kubeip-worker/prod@${identity}`,
        onFailure: () => {},
        now: () => it.now,
      });
    return { it, reader };
  }

  test('is asked once while it does nothing, however often it is scraped', async () => {
    const { it, reader } = server();
    const own = reader('a:1');
    for (let scrape = 0; scrape < 100; scrape++) {
      expect(await own.status()).toEqual({ queueLength: 10 });
      it.now += 30_000;
    }
    expect(it.queries).toBe(1);
  });

  test('is asked at most once a minute while it does something', async () => {
    const { it, reader } = server();
    const own = reader('a:1');
    for (let scrape = 0; scrape < 60; scrape++) {
      expect(await own.status()).toBeDefined();
      it.historyLength += 1;
      it.now += 10_000;
    }
    expect(it.queries).toBe(10);
  });

  test('is asked by one of the workers, and by another one once that polls no more', async () => {
    const { it, reader } = server();
    it.pollers = ['kubeip-worker/prod@a:1', 'kubeip-worker/prod@b:1', 'kubeip-worker/another@0:1'];
    const [first, second] = [reader('a:1'), reader('b:1')];
    expect(await second.status()).toBeUndefined();
    expect(await first.status()).toEqual({ queueLength: 10 });
    expect([await first.isUp(), await second.isUp()]).toEqual([true, true]);
    expect(it.queries).toBe(1);
    it.pollers = ['kubeip-worker/prod@b:1'];
    it.now += 15_000;
    expect(await second.status()).toEqual({ queueLength: 10 });
    expect(it.queries).toBe(2);
  });

  test('is down when its workflow task waits for longer than a minute, or nothing is heard of it', async () => {
    const { it, reader } = server();
    const own = reader('a:1');
    it.waits = 30;
    expect(await own.isUp()).toBe(true);
    it.now += 5_000;
    it.waits = 90;
    expect(await own.isUp()).toBe(false);
    it.now += 5_000;
    it.waits = 0;
    expect(await own.isUp()).toBe(true);
    it.down = true;
    it.now += 60_000;
    expect(await own.isUp()).toBe(false);
  });
});
