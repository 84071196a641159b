/** The Temporal Schedule by which a cluster's addresses in a scope are audited. */
import {
  type Client,
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
} from '@temporalio/client';
import type { AuditConfig } from '../config/config.ts';
import { formatScope, type Scope } from '../model/scope.ts';
import { auditId, type AuditInput, clusterTaskQueue } from '../workflows/messages.ts';
import { plainSummary } from '../workflows/ui-markdown.ts';

/** What looks left behind is looked at again after this long: longer than lists and visibility lag. */
const SECOND_LOOK_MS = 60_000;

/**
 * Makes the Schedule as the configuration says, or removes it. Doing it again, or by several workers at once, changes
 * nothing; of workers with different settings the last one to start has its way.
 *
 * @throws whatever the Temporal client throws if the server does not take it
 */
export async function ensureAuditSchedule(
  client: Client,
  { cluster, scope, audit }: { cluster: string; scope: Scope; audit: AuditConfig },
): Promise<void> {
  const scheduleId = auditId(cluster, scope);
  const handle = client.schedule.getHandle(scheduleId);
  if (!audit.enabled) {
    await handle.delete().catch((error: unknown) => {
      if (!(error instanceof ScheduleNotFoundError)) throw error;
    });
    return;
  }
  const input: AuditInput = {
    cluster,
    scope,
    policy: audit.policy,
    secondLookMs: Math.min(SECOND_LOOK_MS, audit.intervalMs),
  };
  const schedule = {
    spec: { intervals: [{ every: audit.intervalMs }] },
    action: {
      type: 'startWorkflow' as const,
      workflowType: 'AuditWorkflow',
      workflowId: scheduleId,
      taskQueue: clusterTaskQueue(cluster),
      args: [input],
      workflowExecutionTimeout: '1 hour',
      staticSummary: plainSummary(`Audit of ${formatScope(scope)} for cluster ${cluster}`),
    },
    // What was missed while Temporal or the workers were away, the next one finds as well.
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 minute' },
  };
  try {
    await client.schedule.create({ scheduleId, ...schedule });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    // An operator's pause stays.
    await handle.update((previous) => ({ ...schedule, state: previous.state }));
  }
}
