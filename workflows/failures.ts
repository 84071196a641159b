/** What went wrong in an activity or a signal, as workflow code sees it. */
import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';

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

/** @returns whether the cloud has refused this address for this instance, as activities/failures.ts tells it */
export function isRefusedPair(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (!(cause instanceof ApplicationFailure)) return false;
  const details: unknown = cause.details?.[0];
  return (
    typeof details === 'object' && details !== null && 'isOfPair' in details && details.isOfPair === true
  );
}
