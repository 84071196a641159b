/** The brake's verdicts: which of many askers share one, and what becomes of them when Temporal does not answer. */
import { expect, test } from '@jest/globals';
import { MockActivityEnvironment } from '@temporalio/testing';
import {
  type ClusterActivityDependencies,
  createClusterActivities,
} from '../../activities/cluster-activities.ts';

/** Temporal answers each list once the test says so. `nodes`: lists of the Nodes so far. */
function open() {
  const answers: PromiseWithResolvers<void>[] = [];
  const deadlines: number[] = [];
  let nodes = 0;
  const client = {
    connection: {
      withDeadline: (deadline: number, work: () => Promise<unknown>) => {
        deadlines.push(deadline - Date.now());
        return work();
      },
    },
    withAbortSignal: (_: AbortSignal, work: () => Promise<unknown>) => work(),
    workflow: {
      async *list() {
        const answer = Promise.withResolvers<void>();
        answers.push(answer);
        await answer.promise;
        yield* [];
      },
    },
  };
  const kubernetes = {
    call: () => {
      nodes += 1;
      return Promise.resolve({ kind: 'NodeList', metadata: {}, items: [] });
    },
  };
  const config = { cluster: 'test', pools: [], releaseBrake: { windowMs: 1_000 } };
  const activities = createClusterActivities({
    config,
    kubernetes,
    client,
  } as unknown as ClusterActivityDependencies);
  const ask = () => new MockActivityEnvironment().run(() => activities.weighRelease());
  const nextList = async (index: number) => {
    while (answers[index] === undefined) await new Promise((resolve) => void setImmediate(resolve));
    return answers[index];
  };
  return { ask, nextList, deadlines, nodes: () => nodes };
}

test('who asks while a verdict is under way gets one of a later list of the Nodes, which all of them share', async () => {
  const { ask, nextList, nodes } = open();
  const first = ask();
  const running = await nextList(0);
  const later = [ask(), ask()];
  expect(nodes()).toBe(1);
  running.resolve();
  (await nextList(1)).resolve();
  await first;
  (await nextList(2)).resolve();
  (await nextList(3)).resolve();
  await Promise.all(later);
  expect(nodes()).toBe(2);
});

test('a run whose lists fail does not keep the next one, and each has a deadline', async () => {
  const { ask, nextList, deadlines } = open();
  const first = ask();
  (await nextList(0)).reject(new Error('DEADLINE_EXCEEDED'));
  await expect(first).rejects.toThrow('DEADLINE_EXCEEDED');
  const second = ask();
  (await nextList(1)).resolve();
  (await nextList(2)).resolve();
  await second;
  expect(deadlines.map((ms) => Math.round(ms / 1_000))).toEqual([30, 30]);
});
