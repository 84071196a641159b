/** Which task queues Temporal is asked about, and what is said of the versions that poll them. That a real server shows them: silent-problems.test.ts. */
import { describe, expect, test } from '@jest/globals';
import type { Client } from '@temporalio/client';
import { type HealthOptions, temporalHealth, versionProblem } from '../../program/temporal-health.ts';
import { searchAttributeNumbers } from '../../program/search-attributes.ts';

const queue = 'kubeip/cluster/prod';
const name = `${queue}:`;

describe('the version of a task queue', () => {
  test.each([
    ['none is current and workers have none', undefined, [undefined]],
    ['none is current and one worker still has none', undefined, [`${name}1`, undefined]],
    ['the current one polls', `${name}1`, [`${name}1`, `${name}2`]],
  ])('is no problem when %s', (_, current, polling) => {
    expect(versionProblem(queue, current, polling)).toEqual([]);
  });

  test.each([
    [
      'none is current and all workers have one',
      undefined,
      [`${name}1`, `${name}1`],
      'no version is current',
      'set-current-version --deployment-name kubeip/cluster/prod --build-id 1',
    ],
    [
      'workers have another one than the current',
      `${name}1`,
      [`${name}2`],
      'have kubeip/cluster/prod:2',
      'set-current-version --deployment-name kubeip/cluster/prod --build-id 2',
    ],
    [
      'workers have none, and one is current',
      `${name}1`,
      [undefined],
      'have no version',
      'set-current-version --deployment-name kubeip/cluster/prod --unversioned',
    ],
  ])('is a problem when %s', (_, current, polling, what, remedy) => {
    const [problem] = versionProblem(queue, current, polling);
    expect(problem).toMatchObject({ check: 'version', subject: queue });
    expect(problem?.detail).toContain(what);
    expect(problem?.detail).toMatch(new RegExp(`${remedy}$`));
  });
});

interface Asked {
  readonly type: number;
  readonly reportStats: boolean;
}

/** A server with one cluster. @returns what it was asked about the cluster's task queue */
async function askedOf(isPolled: boolean): Promise<Asked[]> {
  const asked: Asked[] = [];
  const seconds = Math.floor(Date.now() / 1000);
  const workflowService = {
    describeNamespace: async () => ({}),
    describeTaskQueue: async (request: { taskQueueType: number; reportStats?: boolean }) => {
      asked.push({ type: request.taskQueueType, reportStats: request.reportStats === true });
      return { pollers: isPolled ? [{ identity: 'worker', lastAccessTime: { seconds, nanos: 0 } }] : [] };
    },
  };
  const operatorService = {
    listSearchAttributes: async () => ({ customAttributes: searchAttributeNumbers }),
  };
  const client = {
    workflow: {
      async *list() {
        yield { workflowId: 'cluster/prod' };
      },
    },
  } as unknown as Client;
  const connection = { workflowService, operatorService } as unknown as HealthOptions['connection'];
  await temporalHealth({ client, connection, namespace: 'default', cluster: 'prod', audited: [] });
  return asked;
}

test('a task queue that is polled costs one call, without its backlog', async () => {
  expect(await askedOf(true)).toEqual([{ type: 1, reportStats: false }]);
});

test('how much waits is asked only where no worker polls', async () => {
  expect(await askedOf(false)).toEqual([
    { type: 1, reportStats: false },
    { type: 1, reportStats: true },
    { type: 2, reportStats: true },
  ]);
});
