/** Giving an address back: only if this instance still holds it. */
import { isCancellation } from '@temporalio/workflow';
import type { ReleaseOutcome } from '../model/address.ts';
import { failureMessage } from './failures.ts';
import { unpacedScopeActivities } from './node-activities.ts';
import { enterPhase, type NodeRun } from './node-run.ts';
import { reportFreed } from './pool-signals.ts';

/** What became of an address, in words. */
const OUTCOMES: Readonly<Record<ReleaseOutcome, string>> = {
  released: 'was released',
  alreadyFree: 'was free already',
  heldByOther: 'is held by another instance and was left alone',
  notInPool: 'is not of the pool any more and was left alone',
};

/**
 * Releases what the run has. Afterwards `run.assignment` is undefined and the mutex knows of the free address.
 *
 * @returns what became of it, in words
 * @throws ActivityFailure when the provider refuses for good; `run.assignment` stands then
 */
export async function releaseAddress(run: NodeRun, why: string): Promise<string> {
  const { assignment } = run;
  if (assignment === undefined) return 'There was no address to release.';
  const { address, instance, pool } = assignment;
  enterPhase(run, 'releasing', `Releasing ${address.ip}: ${why}.`);
  const summary = `${address.ip} ← ${instance.id}`;
  let outcome: ReleaseOutcome;
  try {
    const { release } = unpacedScopeActivities(pool.scope, pool.retries);
    const input = { scope: pool.scope, instance, address, query: pool.query };
    outcome = await release.executeWithOptions({ summary }, [input]);
  } catch (error) {
    if (!isCancellation(error)) run.lastError = failureMessage(error);
    throw error;
  }
  run.assignment = undefined;
  if (outcome === 'released' || outcome === 'alreadyFree') forgetAddress(run, address.ip);
  await reportFreed(pool.scope, address.id, outcome === 'released');
  return `${address.ip} ${OUTCOMES[outcome]}.`;
}

/** The instance as it was seen before the release would be taken for one that holds a foreign address. */
function forgetAddress(run: NodeRun, ip: string): void {
  if (run.instance?.publicIp?.ip !== ip) return;
  const { publicIp: _, ...instance } = run.instance;
  run.instance = instance;
}
