/** The end of a node that no further try of this run can help. The watcher starts another run after a cool-down. */
import { ApplicationFailure, type TemporalFailure } from '@temporalio/workflow';
import { noteFailed } from './decisions.ts';
import { failureMessage, failureType } from './failures.ts';
import { publish } from './node-activities.ts';
import { TRIED_AGAIN } from './node-details.ts';
import { enterPhase, isInterrupted, type NodeRun, poolOf } from './node-run.ts';
import { giveBackStrays, withdrawRequests } from './pool-signals.ts';

/**
 * Nothing stays claimed or asked for, and it shows. Returns if a signal asks for something else by then: it would be lost
 * with the run, and what it tells may be what was missing.
 *
 * @throws ApplicationFailure (non-retryable)
 */
export async function failForGood(run: NodeRun, error: TemporalFailure): Promise<void> {
  const type = failureType(error);
  const message = failureMessage(error);
  run.lastError = message;
  await withdrawRequests(run);
  await giveBackStrays(run);
  if (isInterrupted(run)) return;
  run.failed = true;
  enterPhase(run, 'failed', message);
  await publish(run, {
    event: { type: 'Warning', reason: 'AssignmentFailed', message: `${message} ${TRIED_AGAIN}` },
  });
  if (isInterrupted(run)) {
    run.failed = false;
    return;
  }
  noteFailed(run, undefined, poolOf(run)?.name, { type, message });
  // No handler waits: only a release by hand does, and it would have interrupted.
  throw ApplicationFailure.nonRetryable(`${message} ${TRIED_AGAIN}`, type);
}
