import type { Context } from '@temporalio/activity';
import type { ActivityInterceptors } from '@temporalio/worker';

/**
 * Several within the activities' HEARTBEAT_TIMEOUT (workflows/timeouts.ts): on a machine with ten times too much to do some are late,
 * and a worker that lives must not be taken for dead.
 */
export const HEARTBEAT_MS = 1_000;

/**
 * Heartbeats for every activity while it runs, so that Temporal notices within seconds when a worker is killed in the
 * middle of one, and starts it again elsewhere.
 */
export function heartbeatInterceptor(context: Context): ActivityInterceptors {
  // One within a workflow task cannot; the task's own timeout is watched.
  if (context.info.isLocal) return {};
  return {
    inbound: {
      async execute(input, next) {
        const timer = setInterval(() => context.heartbeat(), HEARTBEAT_MS);
        try {
          return await next(input);
        } finally {
          clearInterval(timer);
        }
      },
    },
  };
}
