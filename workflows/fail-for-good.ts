/** The end of a node that no further try of this run can help. The watcher starts another run after a cool-down. */
import { ApplicationFailure, type TemporalFailure } from '@temporalio/workflow';
import { noteFailed } from './decisions.ts';
import { failureMessage, failureType } from './failures.ts';
import { publish } from './node-activities.ts';
import { enterPhase, isInterrupted, type NodeRun, note, pause, poolOf } from './node-run.ts';
import { giveBackStrays, withdrawRequests } from './pool-signals.ts';
import { failedForGood } from './words.ts';

/** A node that an operator pinned goes on by itself, after this long. */
const PINNED_PAUSE_MS = 10 * 60_000;

/**
 * Nothing stays claimed or asked for, and it shows. Returns, after a pause, if an operator pinned the node, since a pin ends with the run;
 * and at once if a signal asks for something else by then: it would be lost
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
  // The next run would not know of an operator's pin, and give the node another address.
  if (Object.keys(run.pins).length > 0) await pause(run, PINNED_PAUSE_MS, () => isInterrupted(run));
  if (isInterrupted(run) || Object.keys(run.pins).length > 0) {
    run.changed = true;
    run.failed = false;
    return;
  }
  noteFailed(run, undefined, poolOf(run)?.name, { type, message: notice.message });
  // No handler waits: only a release by hand does, and it would have interrupted.
  throw ApplicationFailure.nonRetryable(notice.message, type);
}
