/** A run that knows nothing of what its node has, as after the loss of Temporal's data, takes it over. */
import { condition } from '@temporalio/workflow';
import type { NodeRun } from './node-run.ts';

/** It needs no call that changes anything, and so no turn: it takes seconds. */
const ADOPTION_MS = 30_000;

/**
 * Waits until the run has taken over what the Node shows, before anything is written on it: a Node that shows an address does not
 * lose it, and its phase, only since this run has taken over the other one first.
 *
 * @param giveUp what does not wait for that
 */
export async function adoption(run: NodeRun, giveUp: () => boolean): Promise<void> {
  if (isBeingAdopted(run)) await condition(() => giveUp() || !isBeingAdopted(run), ADOPTION_MS);
}

/** @returns whether an address that the instance has and the Node shows is still to be taken over */
function isBeingAdopted({ families, instance, shownOnNode }: NodeRun): boolean {
  return families.some(({ family, phase, lastError, failure }) => {
    if (phase === 'assigned' || lastError !== undefined || failure !== undefined) return false;
    return instance?.publicIps.some((held) => held.family === family && shownOnNode.includes(held.ip));
  });
}
