/**
 * Moves workflows that are pinned to an earlier version of the workers. The mutex never ends: it is told something that changes nothing,
 * so that it sees the new version and continues as new there. What is pinned to a version that no worker has any more would stand still
 * for ever: it goes on with the current version (docs/decisions/0090).
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { RateLimit } from '../model/settings.ts';
import type { Scope } from '../model/scope.ts';
import type { Logger } from '../program/logger.ts';
import { describeQueue } from '../program/pollers.ts';
import { versionName } from '../program/worker-deployments.ts';
import { addressPoolWorkflowId, configureSignal, scopeTaskQueue } from '../workflows/messages.ts';

const CHECK_MS = 15_000;
/** A worker polls at least once a minute. */
const POLLS_WITHIN_MS = 90_000;

export interface VersionKeeperOptions {
  readonly client: Client;
  /** Those that this worker polls. */
  readonly taskQueues: readonly string[];
  readonly pools: readonly { readonly scope: Scope; readonly pacing: RateLimit }[];
  readonly logger: Logger;
  /** Milliseconds between two checks. @default 15,000 */
  readonly checkMs?: number;
  /** How long ago a worker may have polled and still count as there, in milliseconds. @default 90,000 */
  readonly pollsWithinMs?: number;
}

/** Looks after what is pinned until the signal. Several workers may do so at once. Its looks are no actions in Temporal Cloud. */
export async function keepVersions(options: VersionKeeperOptions, signal: AbortSignal): Promise<void> {
  const { taskQueues, logger, checkMs = CHECK_MS } = options;
  while (!signal.aborted) {
    for (const taskQueue of taskQueues) {
      await movePinned(options, taskQueue).catch((error: unknown) =>
        logger.debug({ taskQueue, err: error }, 'pinned workflows could not be looked for'),
      );
    }
    await delay(checkMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

/** One look at one task queue. @throws whatever the Temporal client throws */
export async function movePinned(options: VersionKeeperOptions, taskQueue: string): Promise<void> {
  const { client, logger, pollsWithinMs = POLLS_WITHIN_MS } = options;
  const { connection } = client;
  const { namespace } = client.options;
  const { pollers, currentVersion } = await describeQueue({ connection, namespace }, taskQueue, 'workflow');
  if (currentVersion === undefined) return;
  const served = new Set(
    pollers.filter(({ seenAt }) => Date.now() - seenAt < pollsWithinMs).map(({ version }) => version),
  );
  for (const { workflowId, runId, version } of await pinnedElsewhere(client, taskQueue, currentVersion)) {
    if (served.has(version)) {
      await nudge(options, workflowId);
      continue;
    }
    // Nobody could carry it out there either.
    if (!served.has(currentVersion)) continue;
    logger.warn(
      { workflowId, runId, version, currentVersion },
      'a workflow is pinned to a version that no worker has: it goes on with the current one',
    );
    await unpin(client, workflowId, runId);
  }
}

interface Pinned {
  readonly workflowId: string;
  readonly runId: string;
  readonly version: string;
}

async function pinnedElsewhere(
  client: Client,
  taskQueue: string,
  currentVersion: string,
): Promise<readonly Pinned[]> {
  const query =
    `TaskQueue = '${taskQueue}' AND ExecutionStatus = 'Running' AND TemporalWorkflowVersioningBehavior = 'Pinned' ` +
    `AND TemporalWorkerDeploymentVersion != '${currentVersion}'`;
  const found: Pinned[] = [];
  for await (const { workflowId, runId } of client.workflow.list({ query })) {
    // Visibility lags behind: the server itself knows.
    const { raw, status } = await client.workflow.getHandle(workflowId, runId).describe();
    const { deploymentVersion: of, versioningOverride } = raw.workflowExecutionInfo?.versioningInfo ?? {};
    if (status.name !== 'RUNNING' || of == null || versioningOverride != null) continue;
    const version = versionName(of.deploymentName ?? '', of.buildId ?? '');
    if (version !== currentVersion) found.push({ workflowId, runId, version });
  }
  return found;
}

/** The others end by themselves. */
async function nudge({ client, pools }: VersionKeeperOptions, workflowId: string): Promise<void> {
  const pool = pools.find(({ scope }) => addressPoolWorkflowId(scope) === workflowId);
  if (pool === undefined) return;
  await client.workflow.getHandle(workflowId).signal(configureSignal, { pacing: pool.pacing });
}

/** The override lasts until the run ends: continue-as-new does not hand it on. */
async function unpin(client: Client, workflowId: string, runId: string): Promise<void> {
  await client.workflowService.updateWorkflowExecutionOptions({
    namespace: client.options.namespace,
    workflowExecution: { workflowId, runId },
    workflowExecutionOptions: { versioningOverride: { autoUpgrade: true } },
    updateMask: { paths: ['versioning_override'] },
  });
}

/** @returns the task queues of the scopes and the cluster's own, which the worker polls */
export function polledQueues(clusterQueue: string, pools: VersionKeeperOptions['pools']): string[] {
  return [clusterQueue, ...pools.map(({ scope }) => scopeTaskQueue(scope))];
}
