/** How soon it is noticed that a worker was killed in the middle of something. Real work takes far less between two signs of life. */

/** The worker sends heartbeats for every ordinary activity, every two seconds (worker/heartbeat.ts). */
export const HEARTBEAT_TIMEOUT = '5 seconds';

/**
 * Of one workflow task. A node's first look at its Node is part of one and takes two seconds at most; under load everything
 * takes longer, and a task that is late is done again. Temporal's default is ten seconds.
 */
export const WORKFLOW_TASK_TIMEOUT = '7 seconds';
