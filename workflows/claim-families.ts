/** A node may need two addresses, one of each family: they are claimed side by side. */
import { condition, isCancellation, TemporalFailure } from '@temporalio/workflow';
import type { Instance } from '../model/address.ts';
import type { PoolSpec } from '../model/settings.ts';
import { claimAddress } from './claim-address.ts';
import { noteFailed } from './decisions.ts';
import { failureMessage, failureType } from './failures.ts';
import { type FamilyRun, hasAllOf, isAskedBy } from './family-run.ts';
import { isToContinueAsNew } from './long-history.ts';
import { moveToPool } from './move-to-pool.ts';
import { publish } from './node-activities.ts';
import { enterFamilyPhase, isInterrupted, isWantedOtherwise, type NodeRun, pause } from './node-run.ts';
import { restoreEphemeral } from './restore-ephemeral.ts';
import { announce } from './use-discovery.ts';
import { failed } from './words.ts';

/** One family failed for good while the other goes on: it is tried again after a pause that grows up to this. */
const LONGEST_PAUSE_MS = 10 * 60_000;

/**
 * Claims what the node lacks, or is to have of another pool, each family by itself; one that has to wait does not keep the other. Waits for a signal if the
 * node lacks nothing.
 *
 * @throws ActivityFailure or ApplicationFailure if it failed for good, and the node has nothing
 */
export async function claimMissing(run: NodeRun, pool: PoolSpec, instance: Instance): Promise<void> {
  const missing = run.families.filter(
    (of) => of.assignment === undefined || (of.isLeaving && isAskedBy(pool, of)),
  );
  if (missing.length === 0) {
    await condition(() => isInterrupted(run) || isToContinueAsNew());
    return;
  }
  // All of them end before a failure is thrown: what they claim is settled by then.
  const results = await Promise.allSettled(missing.map((of) => claimFamily(run, of, pool, instance)));
  const rejected = results.find((result) => result.status === 'rejected');
  if (rejected !== undefined) throw rejected.reason;
  // The next look releases what the pool does not give.
  if (hasAllOf(pool, run.families) && run.families.some(({ isLeaving }) => isLeaving)) run.changed = true;
  const { failure } = run.families[0] ?? {};
  if (failure !== undefined && haveAllFailed(run)) throw failure;
}

/** A family that fails for good is tried again now and then, as long as the other one has an address or may get one. */
async function claimFamily(run: NodeRun, of: FamilyRun, pool: PoolSpec, instance: Instance): Promise<void> {
  const query = pool.queries.find(({ family }) => family === of.family);
  if (query === undefined) {
    // The pool does not ask for it any more: the next look drops it.
    run.changed = true;
    return;
  }
  of.failure = undefined;
  try {
    if (of.isLeaving) return await moveToPool(run, of, { pool, query, instance });
    await restoreEphemeral(run, of, () => isWantedOtherwise(run));
    // Once more where it was throttled: the other family may wait for long.
    while (of.assignment === undefined && !isInterrupted(run)) {
      await claimAddress(run, of, { pool, query, instance });
    }
    if (of.assignment !== undefined && !isWantedOtherwise(run)) await announce(run, of);
  } catch (error) {
    if (isCancellation(error) || !(error instanceof TemporalFailure)) throw error;
    of.failure = error;
    of.failures = 0;
    if (haveAllFailed(run)) return;
    const message = failureMessage(error);
    of.lastError = message;
    const type = failureType(error);
    const notice = failed(run.node.name, type, message);
    enterFamilyPhase(run, of, 'failed', notice.message);
    noteFailed(run, of, pool.name, { type, message });
    await publish(run, { event: notice });
    const pauseMs = Math.min(LONGEST_PAUSE_MS, pool.retries.intervalMs * 2 ** Math.min(of.gaveUp++, 20));
    await pause(run, pauseMs, () => isInterrupted(run) || haveAllFailed(run));
    if (!haveAllFailed(run)) run.changed = true;
  }
}

function haveAllFailed(run: NodeRun): boolean {
  return run.families.every(({ failure, assignment }) => failure !== undefined && assignment === undefined);
}
