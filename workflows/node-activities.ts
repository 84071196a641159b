/** The activities of a node's workflow, with the retries that its pool's settings ask for. */
import type { RetryPolicy } from '@temporalio/common';
import {
  ActivityCancellationType,
  CancellationScope,
  condition,
  isCancellation,
  log,
  patched,
  proxyActivities,
  proxyLocalActivities,
  workflowInfo,
} from '@temporalio/workflow';
import type {
  ClusterActivities,
  Discovery,
  KnownNode,
  PublishInput,
  ScopeActivities,
} from '../activities/contract.ts';
import type { InstanceRef } from '../model/address.ts';
import type { BrakeVerdict } from '../model/release-brake.ts';
import type { Scope } from '../model/scope.ts';
import type { RetrySettings } from '../model/settings.ts';
import { failureMessage } from './failures.ts';
import { clusterTaskQueue, scopeTaskQueue } from './messages.ts';
import { assignmentsOf, explain, holding, isInterrupted, type NodeRun, poolOf } from './node-run.ts';
import { WRITES_GIVE_WAY } from './patches.ts';
import { HEARTBEAT_TIMEOUT } from './timeouts.ts';
import { cannotBeSeen } from './words.ts';

const FIRST_PAUSE_MS = 1_000;
const FIRST_LOOK_MS = 250;
const LEAST_LOOKS = 10;
const UNLIMITED = Number.POSITIVE_INFINITY;

function retryPolicy(retries: RetrySettings): RetryPolicy {
  return {
    initialInterval: Math.min(FIRST_PAUSE_MS, retries.intervalMs),
    backoffCoefficient: 2,
    maximumInterval: retries.intervalMs,
    maximumAttempts: retries.attempts,
  };
}

/** Activities on the cluster's queue. */
export function clusterActivities(run: NodeRun): OnClusterQueue {
  return onClusterQueue(run, retryPolicy(run.pool?.retries ?? run.input.retries));
}

type OnClusterQueue = ReturnType<typeof proxyActivities<ClusterActivities>>;

function onClusterQueue(run: NodeRun, retry: RetryPolicy): OnClusterQueue {
  return proxyActivities<ClusterActivities>({
    taskQueue: clusterTaskQueue(run.cluster),
    startToCloseTimeout: '1 minute',
    heartbeatTimeout: HEARTBEAT_TIMEOUT,
    retry,
  });
}

/** What takes longer within a workflow task is done as an ordinary activity. */
const LOCAL_TIMEOUT = '2 seconds';
const local = proxyLocalActivities<Pick<ClusterActivities, 'discover'>>({
  startToCloseTimeout: LOCAL_TIMEOUT,
  retry: { maximumAttempts: 1 },
});

/**
 * Looks at the Node within the workflow task: one event in place of six, and no way to another task and back. What does not come
 * off at once is done as an ordinary activity, which is tried again as the pool's settings say, and which the UI shows with its
 * attempts. Only for reads: what a task did is forgotten if the task is lost.
 *
 * @throws ActivityFailure as {@link ClusterActivities.discover} says
 */
export async function discover(run: NodeRun): Promise<Discovery> {
  const { name, uid } = run.node;
  const known = knownOf(run);
  const input = { name, uid, ...startedUnder(run), ...(known === undefined ? {} : { known }) };
  try {
    return await local.discover.executeWithOptions({ summary: name }, [input]);
  } catch (error) {
    if (isCancellation(error)) throw error;
    // It may take long, and what was said of the node is as old as the last look.
    run.lastError = failureMessage(error);
    if (known !== undefined) explain(run, cannotBeSeen(assignmentsOf(run), run.lastError));
    return clusterActivities(run).discover.executeWithOptions({ summary: name }, [input]);
  }
}

/** The cluster that the run was started for. */
export function startedUnder({ input }: NodeRun): { readonly clusterUid?: string } {
  return input.clusterUid === undefined ? {} : { clusterUid: input.clusterUid };
}

function knownOf(run: NodeRun): KnownNode | undefined {
  const [assignment] = assignmentsOf(run);
  if (assignment === undefined) return undefined;
  const { pool, instance } = assignment;
  return { selection: run.selection ?? { pool: pool.name, labels: {} }, scope: pool.scope, instance };
}

/** @throws ActivityFailure if Kubernetes or Temporal's lists cannot be read: then nothing is released */
export function weighRelease(run: NodeRun): Promise<BrakeVerdict> {
  return clusterActivities(run).weighRelease.executeWithOptions({ summary: run.node.name }, []);
}

/** However long Kubernetes does not answer: what is not written now, nobody may write later. */
function publishActivity(run: NodeRun): OnClusterQueue['publish'] {
  const { intervalMs } = run.pool?.retries ?? run.input.retries;
  return onClusterQueue(run, { ...retryPolicy({ intervalMs, attempts: 1 }), maximumAttempts: UNLIMITED })
    .publish;
}

/** @returns the other Nodes of an instance that the node has an address on: the address passes to one of them */
export async function findHeirs(run: NodeRun, instance: InstanceRef): Promise<string[]> {
  const summary = `other Nodes of ${instance.id}`;
  const input = { instance, uid: run.node.uid, ...startedUnder(run) };
  return clusterActivities(run).findHeirs.executeWithOptions({ summary }, [input]);
}

type OnScopeQueue = ReturnType<typeof proxyActivities<ScopeActivities>>;

function onScopeQueue(scope: Scope, retry: RetryPolicy): OnScopeQueue {
  return proxyActivities<ScopeActivities>({
    taskQueue: scopeTaskQueue(scope),
    // Where an ephemeral address must go first (GCE), two operations are waited for, up to 20 s each.
    startToCloseTimeout: '1 minute',
    heartbeatTimeout: HEARTBEAT_TIMEOUT,
    // What a call that is under way changes must be known before it is compensated.
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry,
  });
}

/**
 * Activities on the scope's queue. Throttling is not retried here: the node goes back to the mutex, which slows down
 * for all.
 */
export function scopeActivities(scope: Scope, retries: RetrySettings): OnScopeQueue {
  return onScopeQueue(scope, { ...retryPolicy(retries), nonRetryableErrorTypes: ['Throttled'] });
}

/** As {@link scopeActivities}, for calls that no mutex paces: a throttled one waits and is tried again. */
export function unpacedScopeActivities(scope: Scope, retries: RetrySettings): OnScopeQueue {
  return onScopeQueue(scope, retryPolicy(retries));
}

/** The first looks at an address that was just associated come quickly: the provider shows it within seconds. */
export function verifyActivity(scope: Scope, retries: RetrySettings): OnScopeQueue['verify'] {
  return onScopeQueue(scope, {
    initialInterval: Math.min(FIRST_LOOK_MS, retries.intervalMs),
    backoffCoefficient: 2,
    maximumInterval: Math.min(10_000, retries.intervalMs),
    // However few attempts the pool has: its lists lag by seconds, and the address may well be there.
    maximumAttempts: Math.max(LEAST_LOOKS, retries.attempts),
  }).verify;
}

/**
 * Writes the node's state on its Node. What the cloud did stands, whether Kubernetes hears of it or not: a failure is
 * kept in `lastError`, not thrown; and the write is given up when the node is wanted otherwise meanwhile.
 */
export async function publish(
  run: NodeRun,
  options: { event?: PublishInput['event']; giveUp?: () => boolean },
): Promise<void> {
  const { giveUp = () => isInterrupted(run) } = options;
  const { event } = options;
  let isDone = false;
  const work = async (): Promise<void> => {
    isDone = await write(run, event, giveUp);
  };
  await holding(run.publishing, work, giveUp);
  if (isDone) run.unpublished = undefined;
  else run.unpublished = event === undefined ? {} : { event };
}

/** Writes what gave way to something else. @param giveUp what goes first, once more */
export async function publishMissed(run: NodeRun, giveUp: () => boolean): Promise<void> {
  if (run.unpublished !== undefined) await publish(run, { ...run.unpublished, giveUp });
}

/**
 * @returns whether there is something for {@link publishMissed} while the run waits. Asked first: to await nothing would let others go
 * first, and change the order of commands.
 */
export function hasMissed(run: NodeRun): boolean {
  return run.unpublished !== undefined && patched(WRITES_GIVE_WAY);
}

async function write(run: NodeRun, event: PublishInput['event'], giveUp: () => boolean): Promise<boolean> {
  const addresses = assignmentsOf(run).map(({ address }) => address);
  const pool = poolOf(run);
  const warning = run.untoldWarning;
  const input: PublishInput = {
    node: run.node,
    ...startedUnder(run),
    key: `${workflowInfo().runId}/${++run.published}`,
    phase: run.phase,
    ...(pool === undefined ? {} : { pool: pool.name }),
    addresses,
    ...(pool?.taintKey === undefined ? {} : { taintKey: pool.taintKey }),
    ...(pool?.taintPolicy === undefined ? {} : { taintPolicy: pool.taintPolicy }),
    ...(run.families.some((of) => of.gaveUpTaint) ? { gaveUp: true } : {}),
    ...(event === undefined ? {} : { event }),
    ...(warning === undefined ? {} : { warning }),
  };
  const summary = [run.phase, ...addresses.map(({ ip }) => ip)].join(' ');
  const scope = new CancellationScope();
  let done = false;
  const writing = scope
    .run(() => publishActivity(run).executeWithOptions({ summary }, [input]))
    .catch((error: unknown) => {
      if (scope.consideredCancelled) return;
      run.lastError = failureMessage(error);
      log.warn('could not write to the Node', { node: run.node.name, error: run.lastError });
    })
    .finally(() => {
      done = true;
    });
  await condition(() => done || giveUp());
  const isDone = done;
  if (!isDone) scope.cancel();
  else if (run.untoldWarning === warning) run.untoldWarning = undefined;
  await writing;
  return isDone;
}
