/** Traces by OpenTelemetry, configured as every such program is: by OTEL_* variables. Off unless they name a collector. */
import type { IResource } from '@opentelemetry/resources';
import type { SpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { ClientInterceptors } from '@temporalio/client';
import type { Logger } from './logger.ts';
import { programVersion } from './program-metrics.ts';

/** One that does not answer must not hold up the end of a program for longer than this. */
const STOP_MS = 3_000;
/** A collector that is away is told of once in so long. */
const TELL_AGAIN_MS = 60_000;

export interface Tracing {
  readonly spanProcessor: SpanProcessor;
  readonly resource: IResource;
  readonly clientInterceptors: ClientInterceptors;
  /** Sends what was not sent yet, if the collector takes it soon. */
  stop(): Promise<void>;
}

/** @returns whether the variables ask for traces ("OpenTelemetry Environment Variable Specification") */
export function isTracingOn(env: NodeJS.ProcessEnv): boolean {
  if (env['OTEL_SDK_DISABLED']?.trim().toLowerCase() === 'true') return false;
  if (env['OTEL_TRACES_EXPORTER']?.trim().toLowerCase() === 'none') return false;
  return Boolean(env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] || env['OTEL_EXPORTER_OTLP_ENDPOINT']);
}

/**
 * Starts to trace. The libraries are loaded only here: a program that does not trace does without them. They read the
 * endpoint, headers, sampler and limits from the process's environment.
 *
 * @param program `worker` or `watcher`
 * @returns undefined if traces are off
 */
export async function startTracing(
  program: string,
  cluster: string,
  logger: Logger,
): Promise<Tracing | undefined> {
  const { env } = process;
  if (!isTracingOn(env)) return undefined;
  const protocol = env['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'] || env['OTEL_EXPORTER_OTLP_PROTOCOL'];
  if (protocol && protocol !== 'http/json') {
    logger.warn(
      `OTEL_EXPORTER_OTLP_PROTOCOL=${protocol} is ignored: traces are sent as http/json (port 4318)`,
    );
  }
  const [otel, { OTLPTraceExporter }, resources, { NodeTracerProvider, BatchSpanProcessor }, temporal] =
    await Promise.all([
      import('@opentelemetry/api'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/resources'),
      import('@opentelemetry/sdk-trace-node'),
      import('@temporalio/interceptors-opentelemetry'),
    ]);
  otel.diag.setLogger(diagnostics(logger), {
    logLevel: otel.DiagLogLevel.WARN,
    suppressOverrideMessage: true,
  });
  const resource = resources.Resource.default()
    .merge(
      new resources.Resource({
        'service.name': `kubeip-temporal-${program}`,
        'service.version': programVersion(),
        'k8s.cluster.name': cluster,
      }),
    )
    // What the variables say goes first.
    .merge(resources.detectResourcesSync({ detectors: [resources.envDetectorSync] }));
  const spanProcessor = new BatchSpanProcessor(new OTLPTraceExporter());
  const provider = new NodeTracerProvider({ resource, spanProcessors: [spanProcessor] });
  provider.register();
  logger.info({ service: resource.attributes['service.name'] }, 'traces are sent');
  return {
    spanProcessor,
    resource,
    clientInterceptors: { workflow: [new temporal.OpenTelemetryWorkflowClientInterceptor()] },
    stop: () => withinDeadline(provider.shutdown()),
  };
}

/** What the libraries complain of: a collector that is away fails every few seconds, and is told of now and then. */
function diagnostics(logger: Logger) {
  let toldAt = Number.NEGATIVE_INFINITY;
  const complain = (message: string): void => {
    const now = performance.now();
    if (now - toldAt < TELL_AGAIN_MS) return;
    toldAt = now;
    logger.warn(
      { reason: message.slice(0, 500) },
      'traces cannot be sent: they are dropped, nothing else is affected',
    );
  };
  const ignore = (): void => {};
  return { error: complain, warn: complain, info: ignore, debug: ignore, verbose: ignore };
}

async function withinDeadline(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, STOP_MS);
  });
  // What could not be sent was told of.
  await Promise.race([work.catch(() => {}), deadline]);
  clearTimeout(timer);
}
