/** The end of a node that no further try of this run can help. The watcher starts another run after a cool-down. */
import { ApplicationFailure, type TemporalFailure } from '@temporalio/workflow';
import { countFailure, failureMessage, failureType } from './failures.ts';
import { publish } from './node-activities.ts';
import { enterPhase, isInterrupted, type NodeRun, note, poolOf } from './node-run.ts';
import { giveBackStrays, withdrawRequests } from './pool-signals.ts';
import { failedForGood } from './words.ts';

/**
 * Nothing stays claimed or asked for, and it shows. Returns if a signal asks for something else by then: it would be lost
 * with the run, and what it tells may be what was missing.
 *
 * @throws ApplicationFailure (non-retryable)
 */
export async function failForGood(run: NodeRun, error: TemporalFailure): Promise<void> {
  const type = failureType(error);
  run.lastError = failureMessage(error);
  const notice = failedForGood(run.node.name, type, run.lastError);
  await withdrawRequests(run);
  await giveBackStrays(run);
  if (isInterrupted(run)) return;
  run.failed = true;
  note(run, 'assign an address', 'failed', run.lastError);
  enterPhase(run, 'failed', notice.message);
  await publish(run, { event: notice });
  if (isInterrupted(run)) {
    run.failed = false;
    return;
  }
  countFailure(poolOf(run)?.name, type);
  // No handler waits: only a release by hand does, and it would have interrupted.
  throw ApplicationFailure.nonRetryable(notice.message, type);
}
