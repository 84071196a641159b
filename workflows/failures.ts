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
