import { expect, test } from '@jest/globals';
import { forEachLimited } from '../../watcher/for-each-limited.ts';
import { KeyedQueue } from '../../watcher/keyed-queue.ts';

interface Call {
  readonly key: string;
  readonly item: string[];
  readonly done: () => void;
  readonly fail: (error: Error) => void;
}

/** A queue whose work ends when the test says so. */
function controlled(options: { concurrency: number }) {
  const calls: Call[] = [];
  const failures: number[] = [];
  const queue = new KeyedQueue<string[]>({
    ...options,
    firstDelayMs: 1,
    longestDelayMs: 2,
    merge: (older, newer) => [...older, ...newer],
    onFailure: (_key, _error, retryInMs) => failures.push(retryInMs),
    work: (key, item) =>
      new Promise((resolve, reject) => {
        calls.push({ key, item, done: resolve, fail: reject });
      }),
  });
  const call = async (index: number): Promise<Call> => {
    for (;;) {
      const made = calls[index];
      if (made !== undefined) return made;
      await new Promise((resolve) => void setTimeout(resolve, 1));
    }
  };
  return { queue, calls, failures, call };
}

test('one key runs one at a time, and what comes meanwhile is merged', async () => {
  const { queue, calls, call } = controlled({ concurrency: 5 });
  queue.add('a', ['1']);
  queue.add('a', ['2']);
  queue.add('a', ['3']);
  expect(calls.map(({ item }) => item)).toEqual([['1']]);
  calls[0]?.done();
  expect((await call(1)).item).toEqual(['2', '3']);
  calls[1]?.done();
  await queue.close();
  expect(calls).toHaveLength(2);
});

test('no more keys run at once than allowed', async () => {
  const { queue, calls, call } = controlled({ concurrency: 2 });
  for (const key of ['a', 'b', 'c']) queue.add(key, [key]);
  expect(calls.map(({ key }) => key)).toEqual(['a', 'b']);
  expect(queue.size).toBe(3);
  calls[1]?.done();
  expect((await call(2)).key).toBe('c');
  calls[0]?.done();
  calls[2]?.done();
  await queue.close();
  expect(queue.size).toBe(0);
});

test('what fails is tried again until it succeeds, after pauses that grow to the longest', async () => {
  const { queue, calls, failures, call } = controlled({ concurrency: 1 });
  queue.add('a', ['1']);
  for (let i = 0; i < 30; i++) (await call(i)).fail(new Error('down'));
  expect((await call(30)).item).toEqual(['1']);
  expect(failures).toHaveLength(30);
  expect(Math.max(...failures)).toBe(2);
  expect(queue.size).toBe(1);
  calls[30]?.done();
  await queue.close();
  expect(queue.size).toBe(0);
});

test('a failed item is not lost when something newer came meanwhile', async () => {
  const { queue, calls, call } = controlled({ concurrency: 1 });
  queue.add('a', ['1']);
  queue.add('a', ['2']);
  calls[0]?.fail(new Error('down'));
  expect((await call(1)).item).toEqual(['1', '2']);
  calls[1]?.done();
  await queue.close();
});

test('a closed queue takes nothing and starts nothing more', async () => {
  const { queue, calls } = controlled({ concurrency: 1 });
  queue.add('a', ['1']);
  queue.add('b', ['2']);
  const closed = queue.close();
  queue.add('c', ['3']);
  calls[0]?.done();
  await closed;
  expect(calls.map(({ key }) => key)).toEqual(['a']);
  expect(queue.size).toBe(0);
});

test('work on many items goes on past a failure, which is told at the end', async () => {
  const done: number[] = [];
  const { signal } = new AbortController();
  const work = forEachLimited([1, 2, 3, 4], { concurrency: 2, signal }, async (item) => {
    if (item === 2) throw new Error('no');
    done.push(item);
    await Promise.resolve();
  });
  await expect(work).rejects.toThrow('1 of 4 failed, the first with: no');
  expect(done.toSorted((a, b) => a - b)).toEqual([1, 3, 4]);
});
