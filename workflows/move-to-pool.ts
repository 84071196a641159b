/**
 * From the pool that the Node's former labels selected to the one that they select now. The new address is claimed first: the node
 * keeps what it has until then, however long the other pool is empty.
 */
import { condition } from '@temporalio/workflow';
import type { ClaimTarget } from './claim-address.ts';
import { noteAssigned } from './decisions.ts';
import type { FamilyRun } from './family-run.ts';
import { isToContinueAsNew } from './long-history.ts';
import type { Assignment, Grant } from './messages.ts';
import { swap } from './move-address.ts';
import { publish } from './node-activities.ts';
import {
  enterFamilyPhase,
  isInterrupted,
  isWantedOtherwise,
  type NodeRun,
  pause,
  wishOf,
  wishSource,
} from './node-run.ts';
import { reportFreed, requestAddress, settleClaim, withdrawRequest } from './pool-signals.ts';
import { announceAs } from './use-discovery.ts';
import { asked, leaving, movedToPool, poolEmpty, wishUnavailable } from './words.ts';

type Granted = Extract<Grant, { kind: 'granted' }>;

/** As long as a node without an address waits before it asks again. */
const ASK_AGAIN_MS = 10 * 60_000;
const PAUSE_MS = 60_000;

/** Tries once. Returns when the node has an address of the pool, or must be looked at again. */
export async function moveToPool(run: NodeRun, of: FamilyRun, target: ClaimTarget): Promise<void> {
  const { pool, query, instance } = target;
  const before = of.assignment;
  if (before === undefined) return;
  if (of.kept === undefined) explainLeaving(run, of, leaving(before, pool, asked(pool)));
  // Without what the instance holds: that it would keep.
  await requestAddress(run, of, { pool, query, instance, pinned: wishOf(run, of.family) });
  const granted = await awaitGrant(run, of, before, target);
  if (granted === undefined) return;
  // A changed Node is looked at after the move: a look takes longer than others may take to say that again.
  if (isWantedOtherwise(run)) return settleClaim(pool.scope, granted, 'abandoned');
  const failure = await swap(run, of, before, granted, target);
  const { assignment } = of;
  if (assignment?.address.id !== granted.address.id) return tryLater(run, of, before, target, failure ?? '');
  await reportFreed(before.pool.scope, before.address.id, false);
  noteAssigned(run, of, pool.name, granted);
  of.isLeaving = false;
  of.kept = undefined;
  of.lastError = failure;
  await announceAs(run, of, movedToPool(assignment, before.address.ip));
  // The next look remembers by what the node was selected. Set only now: a write gives way to it, and the Event would be lost.
  run.changed = true;
}

/** @returns undefined when the node must be looked at again first */
async function awaitGrant(
  run: NodeRun,
  of: FamilyRun,
  before: Assignment,
  target: ClaimTarget,
): Promise<Granted | undefined> {
  const { pool, query } = target;
  for (;;) {
    const isWoken = (): boolean => of.grants.length > 0 || isInterrupted(run) || isToContinueAsNew();
    await condition(isWoken, ASK_AGAIN_MS);
    const grant = of.grants.shift();
    switch (grant?.kind) {
      case undefined:
        of.asksAgain = isWoken() ? undefined : of.requestId;
        if (isWantedOtherwise(run)) await withdrawRequest(run, of);
        else run.changed = true;
        return undefined;
      case 'granted':
        of.requestId = undefined;
        return grant;
      case 'empty':
        await say(run, of, leaving(before, pool, poolEmpty(pool, query, grant.size).message));
        break;
      case 'pinned': {
        const { message } = wishUnavailable(pool, grant, wishSource(run, of.family));
        await say(run, of, leaving(before, pool, message));
        break;
      }
      case 'refused':
      case 'foreign':
        of.requestId = undefined;
        await tryLater(run, of, before, target, grant.kind === 'refused' ? grant.error : grant.ip);
        return undefined;
    }
  }
}

async function tryLater(
  run: NodeRun,
  of: FamilyRun,
  before: Assignment,
  { pool }: ClaimTarget,
  why: string,
): Promise<void> {
  await say(run, of, leaving(before, pool, why));
  await pause(run, PAUSE_MS, () => isInterrupted(run));
  run.changed = true;
}

function explainLeaving(run: NodeRun, of: FamilyRun, message: string): void {
  Object.assign(of, { kept: message, lastError: message });
  enterFamilyPhase(run, of, 'assigned', message);
}

/** The same is said once. */
async function say(run: NodeRun, of: FamilyRun, message: string): Promise<void> {
  if (of.kept === message) return;
  explainLeaving(run, of, message);
  const event = { type: 'Warning', reason: 'AddressKept', message } as const;
  await publish(run, { event, giveUp: () => isInterrupted(run) || of.grants.length > 0 });
}
