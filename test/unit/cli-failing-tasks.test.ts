/** What commands say of workflows that cannot be asked, as those whose tasks fail after a bad rollout. */
import { status } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from '@jest/globals';
import { QueryNotRegisteredError, WorkflowNotFoundError } from '@temporalio/client';
import { query, TasksFailError, UnansweredError } from '../../cli/asking.ts';
import { mutexStatusIfAny } from '../../cli/mutexes.ts';
import type { NodeRow } from '../../cli/node-runs.ts';
import { nodeViews } from '../../cli/node-status.ts';
import { inSession, type Session } from '../../cli/session.ts';
import { exitCodes } from '../../program/exit-codes.ts';
import { statusQuery } from '../../workflows/messages.ts';
import { type FakeTemporal, type GrpcError, startFakeTemporal } from './fake-temporal.ts';

const failed: GrpcError = {
  code: 9,
  message: 'Unable to query workflow due to Workflow Task in failed state.',
};
const scope = { provider: 'aws', account: '123456789012', region: 'eu-west-1' } as const;

const servers: FakeTemporal[] = [];
afterEach(async () => {
  delete process.env['TEMPORAL_ADDRESS'];
  for (const server of servers.splice(0)) await server.close();
});

/** Does something with a Temporal that refuses every call so. */
async function refused<T>(error: GrpcError, work: (session: Session) => Promise<T>): Promise<T> {
  const server = await startFakeTemporal(() => error);
  servers.push(server);
  process.env['TEMPORAL_ADDRESS'] = server.address;
  const results: T[] = [];
  await inSession({ cluster: 'c', color: false }, new AbortController().signal, async (session) => {
    results.push(await work(session));
  });
  return results[0] as T;
}

/** A session whose queries answer so, by workflow. */
function sessionOf(answer: (workflowId: string) => unknown): Session {
  const getHandle = (workflowId: string) => ({ query: async () => answer(workflowId) });
  const connection = { withDeadline: (_: number, call: () => unknown) => call() };
  const { signal } = new AbortController();
  return { client: { workflow: { getHandle } }, connection, signal } as unknown as Session;
}

function row(node: string): NodeRow {
  const startedAt = '2026-01-01T00:00:00.000Z';
  return {
    node,
    workflowId: `assign-ip/c/${node}`,
    phase: 'assigned',
    addresses: [],
    attempts: 1,
    startedAt,
  };
}

test('a query of a workflow whose tasks fail says that', async () => {
  const asked = refused(failed, (session) => query(session, 'w', statusQuery));
  await expect(asked).rejects.toThrow(TasksFailError);
  await expect(asked).rejects.toMatchObject({
    exitCode: exitCodes.unanswered,
    message: expect.stringMatching(/^w does not answer: its workflow tasks fail.+log.+`kubeip doctor`/),
  });
});

describe('status', () => {
  test('shows nodes whose tasks fail as Temporal has listed them, and says so', async () => {
    const { nodes, note } = await refused(failed, (session) => nodeViews(session, [row('n1'), row('n2')]));
    expect(nodes).toEqual([row('n1'), row('n2')]);
    expect(note).toMatch(/^2 nodes .+ n1, n2\b.+workflow tasks fail/);
  });

  test('tells how many could not be asked for whatever reason, and asks the others', async () => {
    const told = {
      phase: 'waiting',
      since: 's',
      message: 'm',
      addresses: [],
    };
    const session = sessionOf((id) => {
      if (id.endsWith('n1')) throw new Error('none of its words');
      return told;
    });
    const { nodes, note } = await nodeViews(session, [row('n1'), row('n2')]);
    expect(nodes.map(({ phase }) => phase)).toEqual(['assigned', 'waiting']);
    expect(note).toMatch(/^1 node .+ n1\b.+none of its words/);
  });

  test.each([
    ['that is gone', new WorkflowNotFoundError('not there', 'w', undefined)],
    [
      'of an earlier version',
      new QueryNotRegisteredError('did not find query handler', status.INVALID_ARGUMENT),
    ],
    ['that does not answer', new UnansweredError('nobody')],
  ])('is shown without a mutex %s', async (_, error) => {
    const session = sessionOf(() => {
      throw error;
    });
    expect(await mutexStatusIfAny(session, scope)).toBeUndefined();
  });
});
