import type { Context } from '@temporalio/activity';
import type { ActivityInterceptors } from '@temporalio/worker';

/**
 * Two within the activities' HEARTBEAT_TIMEOUT (workflows/timeouts.ts): one may be late by a second, and a worker that lives must not be
 * taken for dead. Each is an action in Temporal Cloud, and a write in Temporal's database.
 */
export const HEARTBEAT_MS = 2_000;
/** So many within a longer timeout. */
const HEARTBEATS = 5;

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
        // Those of an activity that may be silent for longer come less often.
        const everyMs = Math.max(HEARTBEAT_MS, (context.info.heartbeatTimeoutMs ?? 0) / HEARTBEATS);
        const timer = setInterval(() => context.heartbeat(), everyMs);
        try {
          return await next(input);
        } finally {
          clearInterval(timer);
        }
      },
    },
  };
}
