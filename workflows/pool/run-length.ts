/** When a run of the mutex is to be followed by one with a short history. Pure. */
import type { TaskInfo } from '../empty-tasks.ts';
import type { PoolState } from './state.ts';

/**
 * Histories are kept this short, so that a worker that takes over has replayed one long before its workflow task times out:
 * the mutex serves everybody. While many wait, what each run hands to the next is large, and runs may be as much longer.
 */
const SHORTEST_RUN = 1_000;
const LONGEST_RUN = 4_000;
const EVENTS_FOR_EACH = 4;

/**
 * Whoever waits for an answer is answered first, by what this run goes on to do. A run does not end while signals come: the server
 * fails the workflow task if one arrives with it ("UnhandledCommand"), and all that it did is done again.
 * Neither goes on for ever: Updates that overlap would keep a run from its end.
 *
 * @param isBusy signals come
 * @param isAnswered no Update waits for its answer
 */
export function isRunOver(
  { continueAsNewSuggested, historyLength, targetWorkerDeploymentVersionChanged }: TaskInfo,
  { queue, claims }: Pick<PoolState, 'queue' | 'claims'>,
  isBusy: boolean,
  isAnswered: boolean,
): boolean {
  if (historyLength > 2 * LONGEST_RUN) return true;
  const carried = (queue.length + claims.length) * EVENTS_FOR_EACH;
  const longest = isBusy ? LONGEST_RUN : Math.min(LONGEST_RUN, Math.max(SHORTEST_RUN, carried));
  const isToMove = targetWorkerDeploymentVersionChanged && !isBusy;
  return (continueAsNewSuggested || isToMove || historyLength > longest) && isAnswered;
}
