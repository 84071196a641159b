/** What every Worker of this project is set to, and what the bench's floor is measured with. */
import type { WorkerOptions } from '@temporalio/worker';
import { HEARTBEAT_MS } from './heartbeat.ts';

/**
 * Workflow tasks that one Worker has under way. Each takes milliseconds. More at once would send the mutex more requests than the server
 * can write, and its own tasks have to wait for those: docs/decisions/0045.
 */
const WORKFLOW_TASKS_AT_ONCE = 10;

/**
 * Activities that one Worker has under way. They wait for the cloud, on Compute Engine for up to 20 s each: those that serve all, such as the
 * mutex's list and its grants, must not queue behind them.
 */
const ACTIVITIES_AT_ONCE = 500;

/**
 * Workflows that one Worker keeps in memory, at about half a MiB each. The SDK's default goes by the heap's limit, for each Worker of the
 * process anew: 2,282 where there is memory enough, which came to 1.8 GiB. A node that has its address does nothing, and one that does
 * something after that is replayed from 30 events in milliseconds: so this only has to be enough for those on their way.
 */
const WORKFLOWS_IN_CACHE = 500;

export const workerSettings = {
  // How long a task waits for the worker that has the workflow in its cache, in case that one was killed.
  stickyQueueScheduleToStartTimeout: '4 seconds',
  // The SDK would hold them back for four fifths of the timeout, and a late one is taken for a dead worker.
  maxHeartbeatThrottleInterval: HEARTBEAT_MS,
  maxConcurrentActivityTaskExecutions: ACTIVITIES_AT_ONCE,
  maxConcurrentWorkflowTaskExecutions: WORKFLOW_TASKS_AT_ONCE,
  maxCachedWorkflows: WORKFLOWS_IN_CACHE,
} as const satisfies Partial<WorkerOptions>;
