/** How soon it is noticed that a worker was killed in the middle of something. Real work takes far less between two signs of life. */

/** The worker sends heartbeats for every ordinary activity, every two seconds (worker/heartbeat.ts). */
export const HEARTBEAT_TIMEOUT = '5 seconds';

/**
 * Of one workflow task. The SDK asks for more time before it is over while local activities run, so this is no limit for them.
 * Temporal's default is twice as long, for which nobody would go on with a node, or with the mutex.
 */
export const WORKFLOW_TASK_TIMEOUT = '5 seconds';
