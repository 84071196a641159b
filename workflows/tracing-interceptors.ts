/**
 * Traces a node's workflow by the SDK's interceptors, if its start carries a trace: then, and for the whole run, since the start
 * is in the history. Without it nothing here does anything, so that histories are the same with and without this module
 * (docs/decisions/0039). A bundle that is built without it lacks traces only.
 */
import {
  workflowInfo,
  type WorkflowInterceptors,
  type WorkflowInterceptorsFactory,
} from '@temporalio/workflow';
import type { Headers } from '@temporalio/common';
import type { TracedCalls } from './traced-calls.ts';

/** As the SDK's client interceptor names it. */
const TRACE_HEADER = '_tracer-data';
/** Those of mutexes and audits serve many nodes, and a mutex lives for ever. */
const TRACED_TYPE = 'AssignIpWorkflow';

/** Called once for each workflow, before its code. */
export const interceptors: WorkflowInterceptorsFactory = (): WorkflowInterceptors => {
  let traced: TracedCalls | undefined;
  return {
    inbound: [
      {
        execute(input, next) {
          const isTraced =
            input.headers[TRACE_HEADER] !== undefined && workflowInfo().workflowType === TRACED_TYPE;
          if (isTraced) traced = loadTracedCalls(input.headers);
          return traced?.inbound.execute(input, next) ?? next(input);
        },
        // Not those of signals, updates and queries: anybody may send them, with a header that cannot be read.
      },
    ],
    outbound: [
      {
        scheduleActivity: (input, next) => traced?.outbound.scheduleActivity(input, next) ?? next(input),
        signalWorkflow: (input, next) => traced?.outbound.signalWorkflow(input, next) ?? next(input),
        continueAsNew: (input, next) => traced?.outbound.continueAsNew(input, next) ?? next(input),
        getLogAttributes: (input, next) => traced?.outbound.getLogAttributes(input, next) ?? next(input),
      },
    ],
    internals: [
      {
        dispose(input, next) {
          if (traced === undefined) next(input);
          else void traced.internals.dispose(input, next);
        },
      },
    ],
  };
};

/**
 * Loaded only where it is used, by the bundler's own `require`: the SDK evaluates every module for every workflow that it keeps,
 * and OpenTelemetry's are more than all of ours.
 */
function loadTracedCalls(headers: Headers): TracedCalls | undefined {
  const { traceCalls } = require('./traced-calls.ts') as {
    readonly traceCalls: (headers: Headers) => TracedCalls | undefined;
  };
  return traceCalls(headers);
}
