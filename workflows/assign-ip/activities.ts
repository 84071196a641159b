/** The activities of a node's workflow, with the retries that its pool's settings ask for. */
import type { RetryPolicy } from '@temporalio/common';
import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { ClusterActivities, ScopeActivities } from '../../activities/contract.ts';
import type { Scope } from '../../model/scope.ts';
import type { RetrySettings } from '../../model/settings.ts';
import { clusterTaskQueue, scopeTaskQueue } from '../messages.ts';
import { FIRST_LOOK_TIMEOUT, HEARTBEAT_TIMEOUT } from '../timeouts.ts';

const FIRST_PAUSE_MS = 1_000;
const FIRST_LOOK_MS = 250;
const LEAST_LOOKS = 10;

/** For reads, and for what is tried again by the workflow: few tries, so that it soon says what is amiss. */
export const FEW: RetrySettings = { attempts: 4, intervalMs: 2_000 };

function retryPolicy({ attempts, intervalMs }: RetrySettings): RetryPolicy {
  return {
    initialInterval: Math.min(FIRST_PAUSE_MS, intervalMs),
    backoffCoefficient: 2,
    maximumInterval: intervalMs,
    maximumAttempts: attempts,
  };
}

type OnClusterQueue = ReturnType<typeof proxyActivities<ClusterActivities>>;

export function clusterActivities(cluster: string, retries: RetrySettings): OnClusterQueue {
  return proxyActivities<ClusterActivities>({
    taskQueue: clusterTaskQueue(cluster),
    startToCloseTimeout: '1 minute',
    heartbeatTimeout: HEARTBEAT_TIMEOUT,
    retry: retryPolicy(retries),
  });
}

/**
 * The first try of a look: what it fails with is shown before it is tried again. No local activity: docs/decisions/0057 tells why.
 */
export function firstLook(cluster: string): OnClusterQueue['discover'] {
  return proxyActivities<ClusterActivities>({
    taskQueue: clusterTaskQueue(cluster),
    startToCloseTimeout: FIRST_LOOK_TIMEOUT,
    heartbeatTimeout: HEARTBEAT_TIMEOUT,
    retry: { maximumAttempts: 1 },
  }).discover;
}

/** It fails until the Node shows its address: the server makes the tries, which are reads of one Node, and the workflow ends them. */
export function liftTaintActivity(cluster: string): OnClusterQueue['liftTaint'] {
  return proxyActivities<ClusterActivities>({
    taskQueue: clusterTaskQueue(cluster),
    startToCloseTimeout: '1 minute',
    heartbeatTimeout: HEARTBEAT_TIMEOUT,
    retry: { initialInterval: '2 seconds', backoffCoefficient: 2, maximumInterval: '30 seconds' },
  }).liftTaint;
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

/** How long `select` waits for an answer before it asks again: a worker may have died before it had asked. A retry adds no event. */
const ANSWER_TIMEOUT = '30 seconds';
/** The same, once the mutex has said why it waits: the mutex may have been terminated since. */
const WAIT_TIMEOUT = '2 hours';

/** @param isTold the node waits, and knows why */
export function selectActivity(scope: Scope, isTold: boolean): OnScopeQueue['select'] {
  return proxyActivities<ScopeActivities>({
    taskQueue: scopeTaskQueue(scope),
    startToCloseTimeout: isTold ? WAIT_TIMEOUT : ANSWER_TIMEOUT,
    // The mutex completes it: there is nobody who sends heartbeats.
    cancellationType: ActivityCancellationType.TRY_CANCEL,
    // Between two attempts it cannot be completed: the pauses are short.
    retry: { initialInterval: FIRST_PAUSE_MS, backoffCoefficient: 2, maximumInterval: '10 seconds' },
  }).select;
}

/** Throttling is not retried here: the node goes back to the mutex, which slows down for all. */
export function pacedActivities(scope: Scope, retries: RetrySettings): OnScopeQueue {
  return onScopeQueue(scope, { ...retryPolicy(retries), nonRetryableErrorTypes: ['Throttled'] });
}

/** As {@link pacedActivities}, for calls that no mutex paces: a throttled one waits and is tried again. */
export function unpacedActivities(scope: Scope, retries: RetrySettings): OnScopeQueue {
  return onScopeQueue(scope, retryPolicy(retries));
}

/** The first looks at an address that was just associated come quickly: the provider shows it within seconds. */
export function verifyActivity(
  scope: Scope,
  { attempts, intervalMs }: RetrySettings,
): OnScopeQueue['verify'] {
  return onScopeQueue(scope, {
    initialInterval: Math.min(FIRST_LOOK_MS, intervalMs),
    backoffCoefficient: 2,
    maximumInterval: Math.min(10_000, intervalMs),
    // However few attempts the pool has: its lists lag by seconds, and the address may well be there.
    maximumAttempts: Math.max(LEAST_LOOKS, attempts),
  }).verify;
}
