/**
 * One node's way to a static public address, and back. The workflow lives as long as the Node does:
 * discover → waiting → associating → verifying → assigned … releasing → released.
 * While the node is assigned it waits for a signal, without a timer and without an activity.
 */
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  isCancellation,
  log,
  makeContinueAsNewFunc,
  TemporalFailure,
  upsertMemo,
} from '@temporalio/workflow';
import type { Discovery } from '../activities/contract.ts';
import { claimMissing } from './claim-families.ts';
import { endDeletion, hasInstance, isCleared, lookUntilDecided } from './deleted-node.ts';
import { isReleasedOnDeselect, keepDeselected, type NotSelected } from './deselected-node.ts';
import { failForGood } from './fail-for-good.ts';
import { failureMessage } from './failures.ts';
import { familyResume, lacksEphemeral } from './family-run.ts';
import { isToContinueAsNew } from './long-history.ts';
import type { AssignIpInput, AssignIpResume, AssignIpStatus, NodeRef } from './messages.ts';
import { moveAddress } from './move-address.ts';
import { discover, hasMissed, publish, publishMissed, startedUnder } from './node-activities.ts';
import { setNodeHandlers } from './node-handlers.ts';
import {
  assignmentsOf,
  enterPhase,
  ephemeralMemo,
  explain,
  isInterrupted,
  isWantedOtherwise,
  lacksNothing,
  newNodeRun,
  type NodeRun,
  note,
  pause,
  statusOf,
} from './node-run.ts';
import {
  giveBackStrays,
  giveBackUnread,
  hasUnread,
  keepGivingBackStrays,
  withdrawRequests,
} from './pool-signals.ts';
import { giveBack } from './release-address.ts';
import { holdReleased } from './release-by-hand.ts';
import { restoreEphemeral, tryToRestore } from './restore-ephemeral.ts';
import { loseGone, useDiscovery } from './use-discovery.ts';
import { instanceRefused, looking, tryingAgain } from './words.ts';

/** A node that is not ready is looked at again after this long at first, in case no signal tells. */
const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 5 * 60_000;

/** `ended`: the node is done with. Otherwise the story goes on. */
type Next = 'ended' | 'onward';
type NotReady = Extract<Discovery, { kind: 'notReady' }>;

export async function AssignIpWorkflow(input: AssignIpInput): Promise<AssignIpStatus> {
  const run = newNodeRun(input);
  setNodeHandlers(run);
  void CancellationScope.nonCancellable(() => keepGivingBackStrays(run));
  try {
    while ((await stepOrFail(run)) === 'onward') {
      if (isToContinueAsNew() && run.move === undefined) await continueAsNode(run, run.node);
    }
    await finish(run);
    return statusOf(run);
  } catch (error) {
    if (isCancellation(error)) await CancellationScope.nonCancellable(() => stopManaging(run));
    throw error;
  }
}

/** @throws ApplicationFailure (non-retryable) if the node failed for good */
async function stepOrFail(run: NodeRun): Promise<Next> {
  try {
    return await step(run);
  } catch (error) {
    if (isCancellation(error) || !(error instanceof TemporalFailure)) throw error;
    await failForGood(run, error);
    return 'onward';
  }
}

async function step(run: NodeRun): Promise<Next> {
  await writeMissed(run);
  const { deletedUid, move } = run;
  if (move !== undefined) {
    await moveAddress(run, move);
    return 'onward';
  }
  if (deletedUid !== undefined) return untilItWorks(run, () => afterDeletion(run, deletedUid));
  if (run.changed) {
    return hasSomething(run) ? untilItWorks(run, () => look(run)) : look(run);
  }
  if (run.releasedByHand) {
    return untilItWorks(run, async () => {
      await holdReleased(run);
      return 'onward';
    });
  }
  const { pool, instance } = run;
  if (pool === undefined || instance === undefined || run.families.length === 0) {
    run.changed = true;
    return 'onward';
  }
  await claimMissing(run, pool, instance);
  return 'onward';
}

/**
 * While an address is missing the wait for it, or for the Node, does this, and gives way to what it waits for. A run from before
 * `WRITES_GIVE_WAY` is never said to have missed anything ({@link hasMissed}), and writes it here.
 */
async function writeMissed(run: NodeRun): Promise<void> {
  if (!hasMissed(run)) await publishMissed(run, () => isWantedOtherwise(run));
  else if (lacksNothing(run)) await publishMissed(run, () => isInterrupted(run));
}

/** There is something to give back, or to hold: the run must not end for an error. */
function hasSomething(run: NodeRun): boolean {
  return run.releasedByHand || run.families.some((of) => of.assignment !== undefined || lacksEphemeral(of));
}

/**
 * A node that has an address, or whose operator holds it released, must not end because of an error: nobody else
 * would know what to give back. So the step is tried again, after a pause that grows, for as long as it takes.
 */
async function untilItWorks(run: NodeRun, work: () => Promise<Next>): Promise<Next> {
  try {
    const next = await work();
    // A run that begins with what an earlier one had knows its instance only once it is ready.
    if (run.instance !== undefined) run.looks = 0;
    return next;
  } catch (error) {
    if (isCancellation(error) || !(error instanceof TemporalFailure)) throw error;
    // Whatever else does not work, an instance that lost its ephemeral address gets one back.
    await tryToRestore(run);
    run.lastError = failureMessage(error);
    const pauseMs = growingPause(run);
    note(run, `go on from ${run.phase}`, 'failed', run.lastError);
    explain(run, tryingAgain(pauseMs, run.lastError));
    log.warn('trying again', { node: run.node.name, phase: run.phase, error: run.lastError });
    const { deletedUid, releasedByHand } = run;
    const isOtherwise = (): boolean =>
      run.deletedUid !== deletedUid || run.releasedByHand !== releasedByHand || run.move !== undefined;
    await pause(run, pauseMs, isOtherwise);
    run.changed = true;
    return 'onward';
  }
}

function growingPause(run: NodeRun): number {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(run.looks++, 10));
}

/** Looks at the Node and acts on what changed. */
async function look(run: NodeRun): Promise<Next> {
  run.changed = false;
  if (!hasSomething(run) && run.phase !== 'waiting') {
    enterPhase(run, 'discovering', looking);
  }
  const found = await discover(run);
  if (found.kind === 'gone') {
    run.deletedUid ??= run.node.uid;
    return 'onward';
  }
  if (found.node.uid !== run.node.uid) return adoptNode(run, found);
  switch (found.kind) {
    case 'notSelected':
      return notSelected(run, found);
    case 'notReady':
      if (found.instanceGone === true) await loseGone(run, found.reason);
      await awaitReadiness(run, found);
      return 'onward';
    case 'ready':
      await useDiscovery(run, found);
      // Such a look takes seconds: what it found is acted on, also if the Node is said to have changed again meanwhile.
      if (isMoving(run) && !isWantedOtherwise(run)) await claimMissing(run, found.pool, found.instance);
      return 'onward';
  }
}

/** Its labels moved it to another pool, of which it is to have an address. */
function isMoving({ families }: NodeRun): boolean {
  return families.some(({ isLeaving }) => isLeaving);
}

async function notSelected(run: NodeRun, found: NotSelected): Promise<Next> {
  if (hasSomething(run) && !isReleasedOnDeselect(run, found)) {
    await keepDeselected(run, found);
    return 'onward';
  }
  await withdrawRequests(run);
  await giveBack(run, 'no pool selects the Node any more');
  // Nobody writes on the Node after this.
  await publish(run, { giveUp: () => false });
  return 'ended';
}

async function awaitReadiness(run: NodeRun, { reason, refused = false }: NotReady): Promise<void> {
  const isNew = run.lastError !== reason;
  run.lastError = reason;
  // What it has it keeps: an instance that is gone has lost it anyway, and the Node's deletion will follow.
  if (assignmentsOf(run).length > 0 || run.releasedByHand) {
    // Nothing is known of the instance yet: there is nothing to do but to look again.
    if (run.instance === undefined) {
      await condition(() => isInterrupted(run), growingPause(run));
      run.changed = true;
    }
    return;
  }
  await withdrawRequests(run);
  enterPhase(run, 'waiting', refused ? reason : `Not ready: ${reason}.`);
  if (refused && isNew) await publish(run, { event: instanceRefused(reason) });
  if (hasMissed(run)) await publishMissed(run, () => isInterrupted(run));
  await pause(run, growingPause(run), () => isInterrupted(run));
  run.changed = true;
}

/** A Node of this name with another uid: the same machine registered again keeps its address, another one starts anew. */
async function adoptNode(run: NodeRun, found: Exclude<Discovery, { kind: 'gone' }>): Promise<Next> {
  const [assignment] = assignmentsOf(run);
  const instance = found.kind === 'notReady' ? undefined : found.instance;
  if (instance !== undefined && hasInstance(run, instance)) {
    run.node = found.node;
    endDeletion(run);
    run.changed = false;
    upsertMemo({ uid: found.node.uid });
    if (found.kind === 'notSelected') return notSelected(run, found);
    if (found.kind === 'ready') await useDiscovery(run, found);
    return 'onward';
  }
  // Whether it is the same machine shows only when it is ready: until then the grace period counts.
  if (instance === undefined && assignment !== undefined && run.deletedUid === undefined) {
    run.deletedUid = run.node.uid;
    return 'onward';
  }
  await withdrawRequests(run);
  if (assignment !== undefined && !(await isCleared(run))) {
    run.deletedUid ??= run.node.uid;
    return 'onward';
  }
  await giveBack(run, 'another Node has taken over the name', { nodeDeleted: true });
  if (found.kind === 'notSelected' && found.reason === undefined) return 'ended';
  return continueAsNode(run, found.node);
}

/**
 * The Node is deleted. It may come back with the same machine within its pool's grace period; and the release looks
 * at the cluster once more before it acts, since a signal is only somebody's word.
 */
async function afterDeletion(run: NodeRun, deletedUid: string): Promise<Next> {
  await withdrawRequests(run);
  const found = await lookUntilDecided(run, deletedUid);
  if (found === undefined) return 'onward';
  if (found.kind !== 'gone' && found.node.uid === deletedUid) {
    log.warn('the Node is said to be deleted but exists: nothing is released', { uid: deletedUid });
    endDeletion(run);
    run.changed = true;
    return 'onward';
  }
  if (found.kind !== 'gone') return adoptNode(run, found);
  await giveBack(run, 'the Node is deleted', { nodeDeleted: true });
  return 'ended';
}

/** A Node that came while the last one was being released must not be lost: nobody else starts a run for it. */
async function finish(run: NodeRun): Promise<void> {
  await giveBackUnread(run);
  run.closing = true;
  await condition(allHandlersFinished);
  if (!run.changed) return;
  const found = await discover(run);
  if (found.kind === 'ready' || found.kind === 'notReady') await continueAsNode(run, found.node);
}

/** Cancelled by an operator: the node keeps what it has, and nobody waits for it. */
async function stopManaging(run: NodeRun): Promise<void> {
  await withdrawRequests(run);
  await giveBackStrays(run);
  for (const of of run.families) await restoreEphemeral(run, of, () => false);
}

/** Starts over with a short history: for this Node with all that it has, for another one from the beginning. */
async function continueAsNode(run: NodeRun, node: NodeRef): Promise<never> {
  run.closing = true;
  do {
    await giveBackUnread(run);
    await condition(allHandlersFinished);
  } while (hasUnread(run));
  const isSame = node.uid === run.node.uid;
  const { cluster, input } = run;
  const of = startedUnder(run);
  const failures = isSame && run.failures > 0 ? { failures: run.failures } : {};
  const next = makeContinueAsNewFunc<typeof AssignIpWorkflow>({
    memo: { uid: node.uid, ...of, ...failures, ...(isSame ? ephemeralMemo(run) : {}) },
  });
  const resume = isSame ? resumeOf(run) : { releasedByHand: false, families: [] };
  const pool = isSame && input.pool !== undefined ? { pool: input.pool } : {};
  return next({ cluster, ...of, node, retries: input.retries, ...pool, ...failures, resume });
}

function resumeOf(run: NodeRun): AssignIpResume {
  const { releasedByHand, families, deletedUid, graceUntil, hold, selection } = run;
  const { wanted, pins, tried, since, unpublished } = run;
  return {
    releasedByHand,
    families: families.flatMap(familyResume),
    since,
    ...(unpublished === undefined ? {} : { unpublished }),
    ...(Object.keys(wanted).length === 0 ? {} : { wanted }),
    ...(Object.keys(pins).length === 0 ? {} : { pins }),
    ...(tried.length === 0 ? {} : { tried }),
    ...(deletedUid === undefined
      ? {}
      : {
          deleted: {
            uid: deletedUid,
            ...(graceUntil === undefined ? {} : { graceUntil }),
            ...(hold === undefined ? {} : { hold }),
          },
        }),
    ...(selection === undefined ? {} : { selection }),
  };
}
