/** Giving an address back: only if this instance still holds it. */
import { isCancellation } from '@temporalio/workflow';
import type { ReleaseOutcome } from '../model/address.ts';
import { noteReleased } from './decisions.ts';
import { failureMessage } from './failures.ts';
import type { FamilyRun } from './family-run.ts';
import { findHeirs, unpacedScopeActivities } from './node-activities.ts';
import { assignmentsOf, enterFamilyPhase, enterPhase, type NodeRun, note } from './node-run.ts';
import { restoreMissing } from './restore-ephemeral.ts';
import { reportFreed } from './pool-signals.ts';
import { passedOn, released } from './words.ts';

/**
 * Releases what the node has of one family. Afterwards `of.assignment` is undefined and the mutex knows of the free address.
 *
 * @returns what became of it, in words; nothing if there was none
 * @throws ActivityFailure when the provider refuses for good; `of.assignment` stands then
 */
export async function releaseAddress(run: NodeRun, of: FamilyRun, why: string): Promise<string[]> {
  const { assignment } = of;
  if (assignment === undefined) return [];
  const { address, association, token, instance, pool, query } = assignment;
  enterFamilyPhase(run, of, 'releasing', `Releasing ${address.ip}: ${why}.`);
  const summary = `${address.ip} ← ${instance.id}`;
  const what = `release ${address.ip} from ${instance.id}: ${why}`;
  let outcome: ReleaseOutcome;
  try {
    const { release } = unpacedScopeActivities(pool.scope, pool.retries);
    const input = { scope: pool.scope, pool: pool.name, instance, address, query, association, token };
    // Noted before the call that takes the static one away.
    of.mayLackEphemeral = of.hadEphemeral !== undefined;
    outcome = await release.executeWithOptions({ summary }, [input]);
  } catch (error) {
    if (!isCancellation(error)) {
      of.lastError = failureMessage(error);
      note(run, what, 'failed', of.lastError);
      noteReleased(run, pool.name, 'failed');
    }
    throw error;
  }
  of.assignment = undefined;
  // The Node still shows it, whatever comes before that is written.
  run.unpublished ??= {};
  noteReleased(run, pool.name, outcome);
  if (outcome === 'released' || outcome === 'alreadyFree') forgetAddress(run, address.ip);
  await reportFreed(pool.scope, address.id, outcome === 'released');
  const became = released(address.ip, outcome);
  note(run, what, 'done');
  return [became];
}

/**
 * Releases the addresses; one on an instance that another Node names passes to that Node. The pool's policy may leave them on the machine of a Node that is deleted. What had an ephemeral
 * address has one again.
 *
 * @throws ActivityFailure as {@link releaseAddress} and {@link restoreMissing} do: to be called again
 */
export async function giveBack(run: NodeRun, why: string, { nodeDeleted = false } = {}): Promise<void> {
  const became: string[] = [];
  const [held] = assignmentsOf(run);
  const heirs = held === undefined ? [] : await findHeirs(run, held.instance);
  for (const of of run.families) {
    const { assignment } = of;
    if (assignment !== undefined && heirs.length > 0) {
      of.assignment = undefined;
      of.mayLackEphemeral = false;
      became.push(passedOn(assignment.address.ip, assignment.instance.id, heirs));
    } else if (nodeDeleted && assignment?.pool.release.onNodeDelete === false) {
      of.assignment = undefined;
      of.mayLackEphemeral = false;
      became.push(
        `${assignment.address.ip} stays where it is, as pool ${assignment.pool.name} is configured.`,
      );
    } else {
      became.push(...(await releaseAddress(run, of, why)));
    }
  }
  await restoreMissing(run);
  const message = became.length === 0 ? `Nothing to release: ${why}.` : `${became.join(' ')} Reason: ${why}.`;
  enterPhase(run, 'released', message);
}

/** The instance as it was seen before the release would be taken for one that holds a foreign address. */
function forgetAddress(run: NodeRun, ip: string): void {
  if (run.instance === undefined) return;
  run.instance = { ...run.instance, publicIps: run.instance.publicIps.filter((held) => held.ip !== ip) };
}
