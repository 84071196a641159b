import { Context } from '@temporalio/activity';
import { trace } from '@opentelemetry/api';
import type { Logger } from '../program/logger.ts';
import { nodeOfWorkflow } from '../workflows/messages.ts';

/** @returns a function that gives the running activity's logger: its lines name workflow, run, node, attempt and trace */
export function activityLogger(logger: Logger): () => Logger {
  return () => {
    const { workflowExecution, attempt, activityType } = Context.current().info;
    const { workflowId, runId } = workflowExecution ?? {};
    const node = workflowId === undefined ? undefined : nodeOfWorkflow(workflowId);
    const span = trace.getActiveSpan()?.spanContext();
    return logger.child({
      activity: activityType,
      attempt,
      workflowId,
      runId,
      ...(node === undefined ? {} : { node }),
      // As the SDK's interceptors name them on the lines of workflow code.
      ...(span === undefined ? {} : { trace_id: span.traceId, span_id: span.spanId }),
    });
  };
}
