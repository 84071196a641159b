/** The compensation of an association: an instance that had an ephemeral address does not end with none. */
import { condition, isCancellation, log } from '@temporalio/workflow';
import type { InstanceRef } from '../model/address.ts';
import type { Scope } from '../model/scope.ts';
import { failureMessage } from './failures.ts';
import { familyName, type FamilyRun } from './family-run.ts';
import { untiringScopeActivities } from './node-activities.ts';
import { enterFamilyPhase, type NodeRun } from './node-run.ts';

const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 5 * 60_000;

/**
 * Puts an ephemeral address back where one may have been removed and no static one has come. Does not give up: an instance
 * without any address is cut off. Where the cloud refuses for good, that is shown, and tried again after a pause that grows.
 */
export async function restoreEphemeral(run: NodeRun, of: FamilyRun, scope: Scope): Promise<void> {
  const { hadEphemeral: instance, family } = of;
  if (!of.mayLackEphemeral || instance === undefined) return;
  for (let attempt = 0; of.mayLackEphemeral; attempt++) {
    try {
      await restoreOnce(scope, instance, of);
    } catch (error) {
      if (isCancellation(error)) throw error;
      of.lastError = failureMessage(error);
      log.warn('an ephemeral address could not be put back', { instance: instance.id, error: of.lastError });
      const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempt, 10));
      const message =
        `${instance.id} may be without any external ${familyName(family)} address: an ephemeral one could not be put ` +
        `back. Trying again in ${Math.round(pauseMs / 1000)} s: ${of.lastError}`;
      enterFamilyPhase(run, of, 'waiting', message);
      await condition(() => false, pauseMs);
    }
  }
}

async function restoreOnce(scope: Scope, instance: InstanceRef, of: FamilyRun): Promise<void> {
  const { restoreEphemeral: restore } = untiringScopeActivities(scope);
  const { family } = of;
  await restore.executeWithOptions({ summary: `an ephemeral address for ${instance.id}` }, [
    { scope, instance, family },
  ]);
  of.mayLackEphemeral = false;
}
