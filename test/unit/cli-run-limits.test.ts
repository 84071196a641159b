/** Short workflows that commands start: how long they may run, who may take them, and what is said when the time is up. */
import { expect, test } from '@jest/globals';
import { WorkflowFailedError } from '@temporalio/client';
import { TimeoutFailure, TimeoutType } from '@temporalio/common';
import { run, UnansweredError } from '../../cli/asking.ts';
import { auditScopes } from '../../cli/commands/audit.ts';
import type { Session } from '../../cli/session.ts';
import type { AuditPolicy } from '../../model/settings.ts';
import { isFresh } from '../../program/pollers.ts';

const short = { type: 'T', workflowId: 'w', taskQueue: 'q', input: {}, summary: 'S' };

interface Started {
  readonly workflowExecutionTimeout: number;
}

/** A session of a queue that was last polled so long ago, and whose workflows end so. */
function sessionOf({
  result = async () => ({}),
  polledMsAgo = 1_000,
}: {
  readonly result?: () => Promise<unknown>;
  readonly polledMsAgo?: number;
}): { session: Session; started: Started[] } {
  const started: Started[] = [];
  const seen = { seconds: (Date.now() - polledMsAgo) / 1_000 };
  const session = {
    cluster: 'c',
    namespace: 'default',
    sent: [],
    signal: new AbortController().signal,
    connection: {
      withDeadline: (_: number, call: () => unknown) => call(),
      workflowService: { describeTaskQueue: async () => ({ pollers: [{ lastAccessTime: seen }] }) },
    },
    client: {
      workflow: {
        list: async function* () {
          yield { workflowId: 'address-pool/aws/123456789012/eu-west-1' };
        },
        start: async (_: string, options: Started) => {
          started.push(options);
          return { result };
        },
      },
    },
  };
  return { session: session as unknown as Session, started };
}

test('a worker polls that did so in the last 90 seconds', () => {
  expect(isFresh({ seenAt: 10_000 }, 99_000)).toBe(true);
  expect(isFresh({ seenAt: 10_000 }, 101_000)).toBe(false);
});

test('nothing is started for a worker that has stopped to poll', async () => {
  const { session, started } = sessionOf({ polledMsAgo: 120_400 });
  await expect(run(session, short, 5_000)).rejects.toThrow(/^No worker polls q: the last one did 2m ago/);
  expect(started).toEqual([]);
});

test('what is started may end after the command has given up on it', async () => {
  const { session, started } = sessionOf({});
  await run(session, short, 300_000);
  expect(started).toMatchObject([{ workflowExecutionTimeout: 360_000 }]);
});

test.each<[string, AuditPolicy, number]>([
  ['that looks twice before it releases', { drift: 'heal', orphans: 'release' }, 420_000],
  ['that reports', { drift: 'report', orphans: 'report' }, 360_000],
])('an audit %s has the time for it', async (_, policy, expected) => {
  const { session, started } = sessionOf({ result: async () => ({ pools: [] }) });
  await auditScopes(session, policy, { timeout: 300_000 });
  expect(started).toMatchObject([{ workflowExecutionTimeout: expected }]);
});

test('one that ran out of time is no failure, and no result may come', async () => {
  const cause = new TimeoutFailure('Workflow execution timed out', undefined, TimeoutType.START_TO_CLOSE);
  const { session } = sessionOf({
    result: () => Promise.reject(new WorkflowFailedError('failed', cause, 'TIMEOUT')),
  });
  const ended = run(session, short, 1_000);
  await expect(ended).rejects.toThrow(UnansweredError);
  await expect(ended).rejects.toThrow(/^w .+was ended/);
});
