/** A node that has an address, and that no pool selects any more. It keeps the address: docs/decisions/0050. */
import { condition } from '@temporalio/workflow';
import type { Discovery } from '../activities/contract.ts';
import { isToContinueAsNew } from './long-history.ts';
import { publish } from './node-activities.ts';
import { assignmentsOf, enterPhase, isInterrupted, type NodeRun } from './node-run.ts';
import { withdrawRequests } from './pool-signals.ts';
import { restoreMissing } from './restore-ephemeral.ts';
import { deselected } from './words.ts';

export type NotSelected = Extract<Discovery, { kind: 'notSelected' }>;

/** @returns whether the node gives back what it has: its own labels changed, and its pool is set so */
export function isReleasedOnDeselect(run: NodeRun, { change }: NotSelected): boolean {
  const assignments = assignmentsOf(run);
  return change === 'labels' && assignments.every(({ pool }) => pool.release.onDeselect === 'release');
}

/** Says so, and waits until something changes. */
export async function keepDeselected(run: NodeRun, found: NotSelected): Promise<void> {
  await withdrawRequests(run);
  await restoreMissing(run);
  const assignments = assignmentsOf(run);
  if (assignments.length > 0) {
    // No pool gives it what it lacks.
    run.families = run.families.filter((of) => of.assignment !== undefined);
    const notice = deselected(run.node.name, assignments, found);
    const isNews = run.message !== notice.message;
    run.deselected = true;
    for (const of of run.families) Object.assign(of, { kept: notice.message, lastError: notice.message });
    enterPhase(run, 'assigned', notice.message);
    await publish(run, isNews ? { event: notice } : {});
    await condition(() => isInterrupted(run) || isToContinueAsNew());
  }
}
