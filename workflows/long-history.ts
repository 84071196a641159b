/** When a run is to be followed by one with a short history. */
import { allHandlersFinished } from '@temporalio/workflow';
import { lastTask } from './empty-tasks.ts';

/** Far below what the server takes, and little to replay for a worker that takes over. */
const LONGEST_HISTORY = 2_000;

/**
 * To be checked in every long `condition`: signals that change nothing make the history longer without waking the workflow, and the
 * server takes 10,000 in one run. An Update that waits for its answer is served first, but not for ever.
 */
export function isToContinueAsNew(): boolean {
  const { continueAsNewSuggested, historyLength } = lastTask();
  if (historyLength > 2 * LONGEST_HISTORY) return true;
  return (continueAsNewSuggested || historyLength > LONGEST_HISTORY) && allHandlersFinished();
}
