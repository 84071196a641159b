/** What a worker traces: activities and the calls to clouds that they make, and what workflow code hands over. */
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { ActivityInterceptorsFactory, InjectedSinks } from '@temporalio/worker';
import type { OpenTelemetrySinks } from '@temporalio/interceptors-opentelemetry';
import type { WorkflowInfo } from '@temporalio/workflow';
import { cloudOf, type ProviderCallEvent } from '../clouds/registry.ts';
import type { Tracing } from '../program/tracing.ts';

export interface WorkerTracing {
  readonly activityInterceptors: ActivityInterceptorsFactory;
  /** Take the spans of workflow code. */
  readonly sinks: InjectedSinks<OpenTelemetrySinks>;
}

/** Loads what it takes only now: a worker that does not trace does without it. */
export async function traceWorker({ spanProcessor, resource }: Tracing): Promise<WorkerTracing> {
  const { makeWorkflowExporter, OpenTelemetryActivityInboundInterceptor } =
    await import('@temporalio/interceptors-opentelemetry');
  const exporter = makeWorkflowExporter(spanProcessor, resource).export;
  return {
    activityInterceptors: (context) => ({ inbound: new OpenTelemetryActivityInboundInterceptor(context) }),
    sinks: {
      exporter: {
        // The SDK would put all that it knows of the workflow on each span, memo and search attributes too.
        export: {
          fn: ({ workflowId, runId, workflowType, taskQueue }, spans) =>
            exporter.fn({ workflowId, runId, workflowType, taskQueue } as WorkflowInfo, spans),
        },
      },
    },
  };
}

/** Of a workflow that was started with a trace, when this worker does not trace. */
export const untracedSinks: InjectedSinks<OpenTelemetrySinks> = { exporter: { export: { fn: () => {} } } };

/** A finished call to a cloud as a span of whatever was traced when it was made; nothing if nothing was. */
export function traceCloudCall({ provider, action, outcome, kind, seconds }: ProviderCallEvent): void {
  if (trace.getActiveSpan() === undefined) return;
  const span = trace.getTracer('kubeip-temporal/clouds').startSpan(action, {
    kind: SpanKind.CLIENT,
    startTime: Date.now() - seconds * 1000,
    attributes: {
      'rpc.system': cloudOf(provider).rpcSystem,
      'rpc.method': action,
      'kubeip.cloud.outcome': outcome,
      ...(kind === undefined ? {} : { 'error.type': kind }),
    },
  });
  if (kind !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: outcome });
  span.end();
}
