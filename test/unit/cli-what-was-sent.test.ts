/** What a command says was sent, and where to look, when it ends before the answer. */
import { afterEach, expect, test } from '@jest/globals';
import { WorkflowUpdateRPCTimeoutOrCancelledError } from '@temporalio/client';
import { update } from '../../cli/asking.ts';
import { accept } from '../../cli/commands/cluster.ts';
import { releaseLock } from '../../cli/commands/lock.ts';
import { inSession, type Session } from '../../cli/session.ts';
import { exitCodes } from '../../program/exit-codes.ts';
import * as commands from '../../workflows/assign-ip/commands/index.ts';
import { waitFor } from '../integration/wait-for.ts';
import { type FakeTemporal, startFakeTemporal } from './fake-temporal.ts';

const uid = '11111111-2222-3333-4444-555555555555';

const servers: FakeTemporal[] = [];
afterEach(async () => {
  delete process.env['TEMPORAL_ADDRESS'];
  for (const server of servers.splice(0)) await server.close();
});

/** A Temporal that knows no cluster, and does not answer a start. */
async function startServer(): Promise<FakeTemporal> {
  const server = await startFakeTemporal((method) => {
    if (method === 'StartWorkflowExecution') return 'never';
    return method === 'DescribeWorkflowExecution' ? { code: 5, message: 'not found' } : 'empty';
  });
  servers.push(server);
  process.env['TEMPORAL_ADDRESS'] = server.address;
  return server;
}

function acceptCluster(signal: AbortSignal): Promise<void> {
  return inSession({ cluster: 'c', color: false }, signal, (session) =>
    accept(session, uid, { output: 'table', yes: true }),
  );
}

const said = `The acceptance of ${uid} was sent and may be done: look with \`kubeip cluster show\`.`;

test('cluster accept says that it was sent when it is interrupted', async () => {
  const server = await startServer();
  const controller = new AbortController();
  const ended = expect(acceptCluster(controller.signal)).rejects.toMatchObject({
    exitCode: exitCodes.interrupted,
    message: `Interrupted. ${said}`,
  });
  await waitFor(
    'the start',
    () => server.calls,
    (calls) => calls.includes('StartWorkflowExecution'),
  );
  controller.abort(new Error('Ctrl-C'));
  await ended;
});

test('cluster accept says that it was sent when Temporal does not answer', async () => {
  await startServer();
  await expect(acceptCluster(new AbortController().signal)).rejects.toMatchObject({
    exitCode: exitCodes.unanswered,
    message: expect.stringContaining(said),
  });
});

/** A session of one mutex with one claim, whose Updates are not answered. */
function unansweredSession(): Session {
  const claim = { token: 5, address: { ip: '203.0.113.5' }, workflowId: 'assign-ip/c/n' };
  const handle = {
    query: async () => ({ claims: [claim] }),
    executeUpdate: async () => {
      throw new WorkflowUpdateRPCTimeoutOrCancelledError('late');
    },
  };
  const session = {
    cluster: 'c',
    namespace: 'default',
    sent: [],
    signal: new AbortController().signal,
    connection: { withDeadline: (_: number, call: () => unknown) => call() },
    client: {
      workflow: {
        list: async function* () {
          yield { workflowId: 'address-pool/aws/123456789012/eu-west-1' };
        },
        getHandle: () => handle,
      },
    },
  };
  return session as unknown as Session;
}

test('lock release sends to the mutex, and a command of a node to its node', async () => {
  const session = unansweredSession();
  const options = { output: 'table', yes: true, timeout: 1_000 } as const;
  await expect(releaseLock(session, 5, options)).rejects.toThrow('look with `kubeip lock show`;');
  await expect(update(session, 'assign-ip/c/n', commands.assign.update, {}, 1_000)).rejects.toThrow(
    'look with `kubeip describe`;',
  );
  expect(session.sent).toEqual([
    expect.stringMatching(/look with `kubeip lock show`\.$/),
    expect.stringMatching(/look with `kubeip describe`\.$/),
  ]);
});
