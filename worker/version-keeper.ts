/**
 * Moves workflows that are pinned to an earlier version of the workers. The mutex never ends: it is told something that changes nothing,
 * so that it sees the new version and continues as new there. What is pinned to a version that no worker has any more would stand still
 * for ever: it goes on with the current version (docs/decisions/0090), or with workers without one where versioning was switched off.
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
/** A change of the versions is rare where there are none. */
export const UNVERSIONED_CHECK_MS = 60_000;
/** The least time between two nudges of one run. */
const NUDGE_MS = 120_000;
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

/** How the server routes the tasks of a task queue. As a version `undefined` stands for workers without one. */
export interface Routing {
  /** Where new tasks go. */
  readonly current: string | undefined;
  /** Where some of them go, while a version is rolled out. */
  readonly ramping: string | undefined;
  /** What the workers that poll have. */
  readonly served: ReadonlySet<string | undefined>;
}

export type PinnedAction = 'leave' | 'nudge' | 'unpin';

/**
 * @param version that a workflow is pinned to
 * @returns `nudge`: its workers carry it out, and are to see that it may continue as new elsewhere; `unpin`: no worker has its version
 */
export function decidePinned(version: string, { current, ramping, served }: Routing): PinnedAction {
  if (version === current) return 'leave';
  // No worker could carry it out there either.
  if (!served.has(current)) return 'leave';
  if (!served.has(version)) return 'unpin';
  // A run does not see that workers without a version are current: it stays until its own are gone.
  return current === undefined || version === ramping ? 'leave' : 'nudge';
}

/** The last nudge of a workflow. */
export interface Nudge {
  readonly runId: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** @returns whether a run is to be nudged: at once, and then seldom. One that stays, as with Temporal 1.29, would get signals without end */
export function isNudgeDue(last: Nudge | undefined, runId: string, now: number, nudgeMs = NUDGE_MS): boolean {
  return last?.runId !== runId || now - last.at >= nudgeMs;
}

/** By the workflow's id. */
type Nudges = Map<string, Nudge>;

/** Looks after what is pinned until the signal. Several workers may do so at once. Its looks are no actions in Temporal Cloud. */
export async function keepVersions(options: VersionKeeperOptions, signal: AbortSignal): Promise<void> {
  const { taskQueues, logger, checkMs = CHECK_MS } = options;
  const nudges: Nudges = new Map();
  while (!signal.aborted) {
    for (const taskQueue of taskQueues) {
      await movePinned(options, taskQueue, nudges).catch((error: unknown) =>
        logger.debug({ taskQueue, err: error }, 'pinned workflows could not be looked for'),
      );
    }
    await delay(checkMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

/** One look at one task queue. @throws whatever the Temporal client throws */
export async function movePinned(
  options: VersionKeeperOptions,
  taskQueue: string,
  nudges: Nudges = new Map(),
): Promise<void> {
  const { client, logger, pollsWithinMs = POLLS_WITHIN_MS } = options;
  const { connection } = client;
  const { namespace } = client.options;
  const queue = await describeQueue({ connection, namespace }, taskQueue, 'workflow');
  const { currentVersion: current, rampingVersion: ramping } = queue;
  const polling = queue.pollers.filter(({ seenAt }) => Date.now() - seenAt < pollsWithinMs);
  const served = new Set(polling.map(({ version }) => version));
  for (const pinned of await pinnedElsewhere(client, taskQueue, current)) {
    const { workflowId, runId, version } = pinned;
    const action = decidePinned(version, { current, ramping, served });
    if (action === 'nudge') await nudge(options, pinned, nudges);
    if (action !== 'unpin') continue;
    const facts = { workflowId, runId, version, currentVersion: current ?? 'workers without a version' };
    logger.warn(
      facts,
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
  currentVersion: string | undefined,
): Promise<readonly Pinned[]> {
  const pinned = `TaskQueue = '${taskQueue}' AND ExecutionStatus = 'Running' AND TemporalWorkflowVersioningBehavior = 'Pinned'`;
  const query =
    currentVersion === undefined
      ? pinned
      : `${pinned} AND TemporalWorkerDeploymentVersion != '${currentVersion}'`;
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

/** The mutexes. The others end by themselves. */
async function nudge(
  { client, pools }: VersionKeeperOptions,
  { workflowId, runId }: Pinned,
  nudges: Nudges,
): Promise<void> {
  const pool = pools.find(({ scope }) => addressPoolWorkflowId(scope) === workflowId);
  if (pool === undefined) return;
  const now = Date.now();
  if (!isNudgeDue(nudges.get(workflowId), runId, now)) return;
  nudges.set(workflowId, { runId, at: now });
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
