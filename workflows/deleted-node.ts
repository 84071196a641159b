/** A Node that is said to be deleted: what must be known before its address is released. */
import { condition, log } from '@temporalio/workflow';
import type { Discovery } from '../activities/contract.ts';
import type { InstanceRef } from '../model/address.ts';
import { isToContinueAsNew } from './long-history.ts';
import { discover, findHeirs, weighRelease } from './node-activities.ts';
import { assignmentsOf, enterPhase, type NodeRun, note } from './node-run.ts';
import { isSameInstance } from './use-discovery.ts';
import { held, inGrace } from './words.ts';

/** The instance is looked at this often: once it is terminated, nothing is waited for any more. */
const LOOK_MS = 30_000;

/**
 * Looks whenever something changes, until it is clear whether the address is to be released: the Node is back, its instance is
 * terminated, or the grace period is over and the release is not held.
 *
 * @returns the last look; undefined if the run is to be continued as new first
 */
export async function lookUntilDecided(run: NodeRun, deletedUid: string): Promise<Discovery | undefined> {
  const graceMs = assignmentsOf(run)[0]?.pool.release.gracePeriodMs ?? 0;
  run.graceUntil ??= new Date(Date.now() + graceMs).toISOString();
  const { graceUntil } = run;
  for (;;) {
    run.changed = false;
    const found = await discover(run);
    // As visibility shows it at the end: only releases from instances that run count for the brake.
    if (found.kind === 'gone')
      run.instance = found.instanceGone === true ? undefined : (found.instance ?? run.instance);
    if (assignmentsOf(run).length === 0 || !isUndecided(run, found, deletedUid)) return found;
    if (isToContinueAsNew()) return undefined;
    const leftMs = Date.parse(graceUntil) - Date.now();
    if (leftMs > 0) enterPhase(run, 'releasing', inGrace(assignmentsOf(run), graceUntil));
    else if (await isCleared(run)) return found;
    const pauseMs = leftMs > 0 ? Math.min(leftMs, LOOK_MS) : LOOK_MS;
    await condition(() => run.changed || run.hold === 'confirmed', pauseMs);
  }
}

/** It may still come back with the same machine, or be another one: only a Node that is ready tells. */
function isUndecided(run: NodeRun, found: Discovery, deletedUid: string): boolean {
  const isOther = found.kind !== 'gone' && found.node.uid !== deletedUid;
  switch (found.kind) {
    case 'gone':
      return found.instanceGone !== true;
    case 'notReady':
      return isOther;
    case 'notSelected':
    case 'ready':
      return (
        isOther &&
        (found.instance === undefined || (run.hold === 'held' && !hasInstance(run, found.instance)))
      );
  }
}

/**
 * The brake on releases. Once held, a node stays held until its Node is back, its instance is terminated or registers under another
 * name, or an operator confirms: that others of the many come back says nothing about this one.
 */
export async function isCleared(run: NodeRun): Promise<boolean> {
  if (run.hold === 'confirmed') return true;
  const assignments = assignmentsOf(run);
  const [first] = assignments;
  if (first === undefined || assignments.every(({ pool }) => !pool.release.onNodeDelete)) return true;
  // What passes to another Node of the instance is not released.
  if ((await findHeirs(run, first.instance)).length > 0) return true;
  if (run.hold === 'held') return false;
  const verdict = await weighRelease(run);
  if (!verdict.held) return true;
  run.hold = 'held';
  const message = held(assignments, verdict);
  log.warn('release held: many nodes are gone at once', { node: run.node.name, ...verdict });
  note(run, 'release the address of a Node that is gone', 'waiting', message);
  enterPhase(run, 'held', message);
  return false;
}

/** @returns whether this is the machine that has the node's address */
export function hasInstance(run: NodeRun, instance: InstanceRef): boolean {
  return assignmentsOf(run).some((assignment) => isSameInstance(assignment.instance, instance));
}

/** The Node is there after all. */
export function endDeletion(run: NodeRun): void {
  run.deletedUid = undefined;
  run.graceUntil = undefined;
  run.hold = undefined;
}
