import type { Context } from '@temporalio/activity';
import type { ActivityInterceptors } from '@temporalio/worker';

/** Well within the activities' heartbeatTimeout (workflows/node-activities.ts). */
const HEARTBEAT_MS = 2_000;

/**
 * Heartbeats for every activity while it runs, so that Temporal notices within seconds when a worker is killed in the
 * middle of one, and starts it again elsewhere.
 */
export function heartbeatInterceptor(context: Context): ActivityInterceptors {
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
