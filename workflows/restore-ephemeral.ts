/** The compensation of an association: an instance that had an ephemeral address does not end with none. */
import { isCancellation, log } from '@temporalio/workflow';
import { familyName } from '../model/address.ts';
import { failureMessage } from './failures.ts';
import { type FamilyRun, lacksEphemeral } from './family-run.ts';
import { unpacedScopeActivities } from './node-activities.ts';
import { enterFamilyPhase, holding, note, type NodeRun, pause } from './node-run.ts';
import { notRestored, tryingAgain } from './words.ts';

const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 5 * 60_000;
/** Few tries of the activity: what fails then is shown, and does not keep the other family waiting. */
const TRIES = { attempts: 2, intervalMs: 1_000 };

/**
 * Puts an ephemeral address back where one may have been removed and no static one has come. Does not give up: an instance
 * without any address is cut off. Where the cloud refuses, that is shown, and tried again after a pause that grows.
 *
 * @param giveUp what goes first; what acts on it calls {@link restoreMissing}
 */
export async function restoreEphemeral(run: NodeRun, of: FamilyRun, giveUp: () => boolean): Promise<void> {
  for (let attempt = 0; lacksEphemeral(of) && !giveUp(); attempt++) {
    try {
      await restoreOnce(run, of);
    } catch (error) {
      if (isCancellation(error)) throw error;
      const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempt, 10));
      enterFamilyPhase(run, of, 'waiting', tryingAgain(pauseMs, of.lastError));
      await pause(run, pauseMs, giveUp);
    }
  }
}

/**
 * As {@link restoreEphemeral}, once, for some families or all.
 *
 * @throws ActivityFailure if one could not be put back: to be called again
 */
export async function restoreMissing(run: NodeRun, families = run.families): Promise<void> {
  const failures: unknown[] = [];
  for (const of of families.filter(lacksEphemeral)) {
    // One that is refused does not keep the other.
    await restoreOnce(run, of).catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
}

/** As {@link restoreMissing}, beside something else that failed: it is logged and noted if this fails as well. */
export async function tryToRestore(run: NodeRun): Promise<void> {
  try {
    await restoreMissing(run);
  } catch (error) {
    if (isCancellation(error)) throw error;
  }
}

async function restoreOnce(run: NodeRun, of: FamilyRun): Promise<void> {
  const { family, hadEphemeral } = of;
  if (hadEphemeral !== undefined) {
    const { instance, scope } = hadEphemeral;
    const { restoreEphemeral: restore } = unpacedScopeActivities(scope, TRIES);
    const summary = `an ephemeral ${familyName(family)} address for ${instance.id}`;
    const what = `restore ${summary}`;
    try {
      await holding(run.changing, async () => {
        await restore.executeWithOptions({ summary }, [{ scope, instance, family }]);
      });
      note(run, what, 'done');
    } catch (error) {
      if (isCancellation(error)) throw error;
      of.lastError = notRestored(instance.id, family, failureMessage(error));
      note(run, what, 'failed', failureMessage(error));
      log.warn('an ephemeral address could not be put back', { instance: instance.id, error: of.lastError });
      throw error;
    }
  }
  of.mayLackEphemeral = false;
}
