import { Context } from '@temporalio/activity';
import type { Logger } from '../program/logger.ts';

/** @returns a function that gives the running activity's logger: its lines name workflow, run and attempt */
export function activityLogger(logger: Logger): () => Logger {
  return () => {
    const { workflowExecution, attempt, activityType } = Context.current().info;
    return logger.child({
      activity: activityType,
      attempt,
      workflowId: workflowExecution?.workflowId,
      runId: workflowExecution?.runId,
    });
  };
}
