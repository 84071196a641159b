import { mock } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, jest, test } from '@jest/globals';
import { keeperOf, type OtherClaimant } from '../../activities/instance-claims.ts';
import { InstanceNodes } from '../../kubernetes/instance-nodes.ts';
import type { NodeView } from '../../kubernetes/nodes.ts';
import { FIRST_LOOK_TIMEOUT } from '../../workflows/timeouts.ts';

const own = { name: 'own', createdAt: 100 };
const other = (name: string, createdAt: number, holds = false): OtherClaimant => ({ name, createdAt, holds });

test.each<[string, OtherClaimant[], string | undefined]>([
  ['no other is there', [], undefined],
  ['the others came later', [other('a', 101), other('b', 200)], undefined],
  ['another came before', [other('a', 101), other('b', 99)], 'b'],
  ['two came before: the first', [other('a', 50), other('b', 40)], 'b'],
  ['one that came later has an address there', [other('a', 200, true)], 'a'],
  ['one has an address there, and another came before that', [other('a', 1), other('b', 50, true)], 'b'],
  ['another came in the same second: by the name', [other('aaa', 100)], 'aaa'],
  ['another came in the same second, and is later by its name', [other('zzz', 100)], undefined],
])('%s', (_, others, expected) => {
  expect(keeperOf(own, others)?.name).toBe(expected);
});

describe('the Nodes of an instance', () => {
  const instance = { provider: 'aws', id: 'i-1', zone: 'eu-west-1a' } as const;
  const node = (name: string, providerID: string): NodeView => ({
    name,
    uid: name,
    labels: {},
    annotations: {},
    providerID,
    taints: [],
    resourceVersion: '1',
  });
  const nodes = [
    node('a', 'aws:///eu-west-1a/i-1'),
    // The zone is the kubelet's word: on EC2 the id alone says which machine it is.
    node('b', 'aws:///eu-west-1b/i-1'),
    node('c', 'aws:///eu-west-1a/i-2'),
    node('d', 'kind://docker/kind/node'),
  ];

  function listing(list = nodes) {
    const clock = { now: 0, lists: 0 };
    const index = new InstanceNodes(
      () => {
        clock.lists += 1;
        return Promise.resolve(list);
      },
      () => clock.now,
    );
    return { clock, index };
  }

  test('are found whatever zone they name, and without the one that asks', async () => {
    const { index } = listing();
    expect(await index.othersOf(instance, 'a')).toEqual(['b']);
    expect(await index.namesOf(instance)).toEqual(['a', 'b']);
  });

  test('are listed once for all that ask at the same time, and not again for some seconds', async () => {
    const { clock, index } = listing();
    await Promise.all(Array.from({ length: 50 }, () => index.othersOf(instance, 'a')));
    expect(clock.lists).toBe(1);
    clock.now = 10_000;
    await index.othersOf(instance, 'b');
    expect(clock.lists).toBe(1);
    clock.now = 10_001;
    await index.othersOf(instance, 'b');
    expect(clock.lists).toBe(2);
  });

  test('are listed anew for a Node that the last list does not have: that is older than the Node', async () => {
    const { clock, index } = listing();
    await index.othersOf(instance, 'a');
    expect(await index.othersOf(instance, 'new')).toEqual(['a', 'b']);
    expect(clock.lists).toBe(2);
  });

  test('are listed anew before an address is released, by a list that began after that was asked', async () => {
    const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
    const { promise: hasBegun, resolve: begin } = Promise.withResolvers<void>();
    let lists = 0;
    const index = new InstanceNodes(async () => {
      lists += 1;
      begin();
      if (lists > 1) return nodes;
      await held;
      return [];
    });
    const first = index.namesOf(instance);
    await hasBegun;
    const second = index.namesOf(instance);
    letGo();
    expect(await first).toEqual([]);
    expect(await second).toEqual(['a', 'b']);
    expect(lists).toBe(2);
  });

  test.each([500, 2_000, 3_000])(
    'are told within a first look where a list takes %d ms, while other Nodes register',
    async (listMs) => {
      mock.timers.enable({ apis: ['setTimeout', 'Date'] });
      const registered: NodeView[] = [];
      const index = new InstanceNodes(
        async () => {
          const list = [...registered];
          await new Promise((resolve) => setTimeout(resolve, listMs));
          return list;
        },
        () => Date.now(),
      );
      const took: number[] = [];
      for (let ms = 0; ms < 60_000; ms += 10) {
        if (ms < 15_000 && ms % 250 === 0) {
          const name = `n${ms}`;
          registered.push(node(name, `aws:///eu-west-1a/${name}`));
          void index.othersOf({ ...instance, id: name }, name).then(() => took.push(Date.now() - ms));
        }
        mock.timers.tick(10);
        await new Promise(setImmediate);
      }
      mock.timers.reset();
      expect(took).toHaveLength(60);
      // A look reads the Node and its instance besides.
      expect(Math.max(...took)).toBeLessThan(FIRST_LOOK_TIMEOUT - 2_000);
    },
  );

  test('are listed again at once when the wall clock is set back by an hour', async () => {
    const clock = jest.spyOn(Date, 'now');
    const index = new InstanceNodes(() => Promise.resolve(nodes));
    await index.namesOf(instance);
    clock.mockReturnValue(Date.now() - 3_600_000);
    const names = index.namesOf(instance);
    expect(await Promise.race([names, delay(2_000, 'waits')])).toEqual(['a', 'b']);
    clock.mockRestore();
  });

  test('are listed again after a list that failed', async () => {
    let lists = 0;
    const index = new InstanceNodes(() => {
      lists += 1;
      return lists === 1 ? Promise.reject(new Error('no answer')) : Promise.resolve(nodes);
    });
    await expect(index.othersOf(instance, 'a')).rejects.toThrow('no answer');
    expect(await index.othersOf(instance, 'a')).toEqual(['b']);
  });
});
