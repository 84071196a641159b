/** What the reconcile counts as started. */
import { expect, test } from '@jest/globals';
import type { Client } from '@temporalio/client';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { createLogger } from '../../program/logger.ts';
import { createWatcherMetrics } from '../../watcher/metrics.ts';
import { createNodeWorkflows } from '../../watcher/node-workflows.ts';
import { reconcile, type ReconcileDependencies } from '../../watcher/reconcile.ts';
import { assignIpWorkflowId } from '../../workflows/messages.ts';

/** A Temporal whose lists lag: they show none of the workflows that run. Node `failed` has one whose last run failed for good. */
function temporalWith(running: string[]): Client {
  return {
    connection: { withDeadline: (_: number, work: () => Promise<unknown>) => work() },
    workflow: {
      async *list({ query }: { query: string }) {
        await Promise.resolve();
        if (query.includes("'Running'")) return;
        yield {
          workflowId: assignIpWorkflowId('test', 'failed'),
          memo: { uid: 'uid-failed', failures: 1 },
          closeTime: new Date(Date.now() - 3_600_000),
          status: { name: 'FAILED' },
          typedSearchAttributes: { get: () => 'hash' },
        };
      },
      start: (
        type: string,
        { workflowId, workflowIdConflictPolicy }: { workflowId: string; workflowIdConflictPolicy: string },
      ) =>
        workflowIdConflictPolicy === 'FAIL' && running.includes(workflowId)
          ? Promise.reject(new WorkflowExecutionAlreadyStartedError('it runs', workflowId, type))
          : Promise.resolve({}),
    },
  } as unknown as Client;
}

test('a workflow that ran already is not counted as started, nor as tried again', async () => {
  const items = ['new', 'runs', 'failed'].map((name) => ({ metadata: { name, uid: `uid-${name}` } }));
  const metrics = createWatcherMetrics('test');
  const retries = { attempts: 3, intervalMs: 1_000 };
  const temporal = temporalWith(['runs', 'failed'].map((name) => assignIpWorkflowId('test', name)));
  await reconcile(
    {
      config: {
        cluster: 'test',
        pools: [{ name: 'public', hash: 'hash', nodeSelector: {}, retries }],
        watcher: {
          reconcileIntervalMs: 1_000,
          failureCooldown: { initialIntervalMs: 1, maximumIntervalMs: 1 },
        },
      },
      kubernetes: { call: () => Promise.resolve({ kind: 'NodeList', metadata: {}, items }) },
      identity: { check: () => Promise.resolve() },
      workflows: createNodeWorkflows(temporal, 'test'),
      metrics,
      logger: createLogger({ name: 'watcher', level: 'fatal', format: 'json' }),
    } as unknown as ReconcileDependencies,
    new AbortController().signal,
  );
  expect((await metrics.starts.get()).values).toMatchObject([{ value: 1 }]);
  expect((await metrics.failureRetries.get()).values).toEqual([]);
});
