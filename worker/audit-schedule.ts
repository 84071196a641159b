/** The Temporal Schedule by which a cluster's addresses in a scope are audited. */
import {
  type Client,
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
} from '@temporalio/client';
import type { AuditConfig } from '../config/config.ts';
import type { Logger } from '../program/logger.ts';
import { formatScope, type Scope } from '../model/scope.ts';
import { auditId, type AuditInput, clusterTaskQueue } from '../workflows/messages.ts';
import { plainSummary } from '../workflows/ui-markdown.ts';

/** What looks left behind is looked at again after this long: longer than lists and visibility lag. */
const SECOND_LOOK_MS = 60_000;

const WORKFLOW_TYPE = 'AuditWorkflow';

/**
 * Deletes the cluster's Schedules of scopes that left its configuration: their audits would find no pool, and run for ever. While a
 * configuration is rolled out, a worker that starts with the old one may delete the Schedule of a new scope. It is harmless: no address
 * depends on an audit, the workers report that the Schedule is missing, and the next one to start with the new configuration makes it.
 * A Temporal that does not answer delays it to the next start.
 */
export async function removeForgottenSchedules(
  client: Client,
  { cluster, scopes, logger }: { cluster: string; scopes: readonly Scope[]; logger: Logger },
): Promise<void> {
  const configured = new Set(scopes.map((scope) => auditId(cluster, scope)));
  try {
    for await (const { scheduleId, action } of client.schedule.list()) {
      const isOwn = scheduleId.startsWith(`audit/${cluster}/`) && action?.workflowType === WORKFLOW_TYPE;
      if (!isOwn || configured.has(scheduleId)) continue;
      await deleteSchedule(client, scheduleId);
      logger.info(
        { schedule: scheduleId },
        'the audits of a scope that is in the configuration no more are ended',
      );
    }
  } catch (error) {
    logger.warn({ err: error }, 'the Schedules of audits cannot be looked through');
  }
}

/** One that is gone already is no failure. */
async function deleteSchedule(client: Client, scheduleId: string): Promise<void> {
  await client.schedule
    .getHandle(scheduleId)
    .delete()
    .catch((error: unknown) => {
      if (!(error instanceof ScheduleNotFoundError)) throw error;
    });
}

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
    await deleteSchedule(client, scheduleId);
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
      workflowType: WORKFLOW_TYPE,
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
