/** What an operator asked for by the signal or the Update `release`. */
import { condition, isCancellation } from '@temporalio/workflow';
import { failureMessage } from './failures.ts';
import { isToContinueAsNew } from './long-history.ts';
import { publish } from './node-activities.ts';
import { assignmentsOf, enterFamilyPhase, enterPhase, isReleased, type NodeRun } from './node-run.ts';
import { withdrawRequests } from './pool-signals.ts';
import { releaseAddress } from './release-address.ts';
import { restoreMissing } from './restore-ephemeral.ts';
import { releasedNotice } from './words.ts';

/** An operator released the address: nothing is assigned until `assign`. */
export async function holdReleased(run: NodeRun): Promise<void> {
  await withdrawRequests(run);
  // What it lost before is no drift any more.
  for (const of of run.families) of.lostIp = undefined;
  const isDone = isReleased(run) && assignmentsOf(run).length === 0;
  if (!isDone && !(await releaseByHand(run))) return;
  await restoreMissing(run);
  const isOver = (): boolean => !run.releasedByHand || run.deletedUid !== undefined || run.changed;
  await condition(() => isOver() || isToContinueAsNew());
}

/**
 * @returns false if the provider refuses: the node keeps what it has, and `lastError` says why
 * @throws ActivityFailure if it refuses one of two: the release is under way, and to be tried again
 */
async function releaseByHand(run: NodeRun): Promise<boolean> {
  const became: string[] = [];
  let refusal: unknown;
  for (const of of run.families) {
    try {
      const what = await releaseAddress(run, of, 'by hand');
      // Of the family only: the node is released when all of them are.
      if (what.length > 0) Object.assign(of, { phase: 'released', message: what.join(' ') });
      became.push(...what);
    } catch (error) {
      if (isCancellation(error)) throw error;
      refusal ??= error;
      enterFamilyPhase(run, of, 'assigned', `Could not be released by hand: ${failureMessage(error)}`);
    }
  }
  if (refusal !== undefined) {
    if (run.families.some(({ phase }) => phase === 'released')) throw refusal;
    run.releasedByHand = false;
    return false;
  }
  const event = releasedNotice(became);
  enterPhase(run, 'released', event.message);
  await publish(run, {
    ...(became.length === 0 ? {} : { event }),
    giveUp: () => !run.releasedByHand || run.deletedUid !== undefined,
  });
  return true;
}
