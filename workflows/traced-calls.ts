/** The SDK's interceptors for a run that is traced. */
import { extractContextFromHeaders } from '@temporalio/interceptors-opentelemetry/lib/instrumentation.js';
import {
  OpenTelemetryInboundInterceptor,
  OpenTelemetryInternalsInterceptor,
  OpenTelemetryOutboundInterceptor,
} from '@temporalio/interceptors-opentelemetry/lib/workflow/index.js';
// Not before the SDK's: that one makes the globals which this one wants.
import { BasicTracerProvider, type IdGenerator, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { SpanExporter } from '@temporalio/interceptors-opentelemetry/lib/workflow/span-exporter.js';
import { workflowInfo } from '@temporalio/workflow';

export interface TracedCalls {
  readonly inbound: OpenTelemetryInboundInterceptor;
  readonly outbound: OpenTelemetryOutboundInterceptor;
  readonly internals: OpenTelemetryInternalsInterceptor;
}

/**
 * Ids that draw nothing from the run's random numbers: what workflow code draws is the same whatever the tracing does, in
 * this version of its packages or another.
 */
class RunIds implements IdGenerator {
  #count = 0n;

  generateTraceId(): string {
    return workflowInfo().runId.replaceAll('-', '');
  }

  generateSpanId(): string {
    const base = BigInt(`0x${this.generateTraceId().slice(0, 16)}`);
    return BigInt.asUintN(64, base + ++this.#count)
      .toString(16)
      .padStart(16, '0');
  }
}

/** @returns undefined if the header is no trace that can be read: anybody may start a workflow */
export function traceCalls(
  headers: Parameters<typeof extractContextFromHeaders>[0],
): TracedCalls | undefined {
  try {
    if (extractContextFromHeaders(headers) === undefined) return undefined;
  } catch {
    return undefined;
  }
  const inbound = new OpenTelemetryInboundInterceptor();
  const outbound = new OpenTelemetryOutboundInterceptor();
  const provider = new BasicTracerProvider({
    idGenerator: new RunIds(),
    spanProcessors: [new SimpleSpanProcessor(new SpanExporter())],
  });
  const tracer = provider.getTracer('kubeip-temporal/workflow');
  return {
    // In place of the tracer of their own, whose ids are random.
    inbound: Object.assign(inbound, { tracer }),
    outbound: Object.assign(outbound, { tracer }),
    internals: new OpenTelemetryInternalsInterceptor(),
  };
}
