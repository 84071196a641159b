/** How soon it is noticed that a worker was killed in the middle of something. Real work takes far less between two signs of life. */

/** The worker sends heartbeats for every ordinary activity, every two seconds (worker/heartbeat.ts). */
export const HEARTBEAT_TIMEOUT = '5 seconds';

/**
 * Milliseconds. Of the first try of a look at a Node: what it fails with is shown before it is tried again. It may wait for a list of
 * all Nodes to end, for the pause after that, and for the next list (kubernetes/instance-nodes.ts): five times what one list takes.
 * One call that hangs fails before that by the timeout of its client, and says what hung.
 */
export const FIRST_LOOK_TIMEOUT = 20_000;

/** Milliseconds. Of a survey, which takes long where there are many nodes, and for which nobody waits. */
export const SURVEY_HEARTBEAT_TIMEOUT = 60_000;

/**
 * Of one workflow task. A task that is late is done again from its beginning, so this is far more than one takes on a machine with
 * ten times too much to do, such as the replay of the mutex's longest history.
 * Temporal's default is ten seconds.
 */
export const WORKFLOW_TASK_TIMEOUT = '6 seconds';
