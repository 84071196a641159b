/** What went wrong in an activity or a signal, as workflow code sees it. */
import { ActivityFailure, ApplicationFailure, metricMeter, TimeoutFailure } from '@temporalio/workflow';

/** The type of the ApplicationFailure behind an activity's failure; `Unavailable` for a timeout. */
export function failureType(error: unknown): string {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof ApplicationFailure) return cause.type ?? 'Error';
  if (cause instanceof TimeoutFailure) return 'Unavailable';
  return 'Error';
}

/** The sentence for a person, without Temporal's wrapping. */
export function failureMessage(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error instanceof ActivityFailure && error.cause instanceof Error
    ? error.cause.message
    : error.message;
}

/** For the metrics of the worker, by the SDK's own meter: it does not count again what is replayed. */
export function countFailure(pool: string | undefined, reason: string): void {
  const description = 'Assignments of an address that failed for good, by pool and by the type of the error.';
  metricMeter
    .createCounter('kubeip_assignments_failed_total', undefined, description)
    .add(1, { pool: pool ?? '', reason });
}
