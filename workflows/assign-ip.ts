/**
 * One node's way to a static public address, and back. The workflow lives as long as the Node does:
 * discover → waiting → associating → verifying → assigned … releasing → released.
 * While the node is assigned it waits for a signal, without a timer and without an activity.
 */
import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  isCancellation,
  log,
  makeContinueAsNewFunc,
  TemporalFailure,
  upsertMemo,
  workflowInfo,
} from '@temporalio/workflow';
import type { Discovery } from '../activities/contract.ts';
import { formatScope } from '../model/scope.ts';
import type { PoolSpec } from '../model/settings.ts';
import { claimAddress } from './claim-address.ts';
import { failureMessage, failureType } from './failures.ts';
import type { AssignIpInput, AssignIpResume, AssignIpStatus, NodeRef } from './messages.ts';
import { clusterActivities, publish, verifyActivity } from './node-activities.ts';
import { setNodeHandlers } from './node-handlers.ts';
import { enterPhase, isInterrupted, newNodeRun, type NodeRun, statusOf } from './node-run.ts';
import { settleClaim, withdrawRequest } from './pool-signals.ts';
import { releaseAddress } from './release-address.ts';

/** A node that is not ready is looked at again after this long at first, in case no signal tells. */
const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 5 * 60_000;
const LONGEST_HISTORY = 2_000;

type Ready = Extract<Discovery, { kind: 'ready' }>;
/** `ended`: the node is done with. Otherwise the story goes on. */
type Next = 'ended' | 'onward';

export async function AssignIpWorkflow(input: AssignIpInput): Promise<AssignIpStatus> {
  const run = newNodeRun(input);
  setNodeHandlers(run);
  try {
    while ((await step(run)) === 'onward') {
      await giveBackUnwantedGrants(run);
      // An Update that waits for its answer is served first: the next run would not know of it.
      if (isLongHistory() && allHandlersFinished()) await continueAsNode(run, run.node);
    }
    await finish(run);
    return statusOf(run);
  } catch (error) {
    if (isCancellation(error)) await CancellationScope.nonCancellable(() => stopManaging(run));
    else if (error instanceof TemporalFailure) throw await failForGood(run, error);
    throw error;
  }
}

async function step(run: NodeRun): Promise<Next> {
  const { deletedUid } = run;
  if (deletedUid !== undefined) return untilItWorks(run, () => afterDeletion(run, deletedUid));
  if (run.changed) {
    const hasSomething = run.assignment !== undefined || run.releasedByHand;
    return hasSomething ? untilItWorks(run, () => look(run)) : look(run);
  }
  if (run.releasedByHand) return holdReleased(run);
  if (run.assignment !== undefined) {
    await condition(() => isInterrupted(run) || run.grants.length > 0);
    return 'onward';
  }
  if (run.pool === undefined || run.instance === undefined) {
    run.changed = true;
    return 'onward';
  }
  await claimAddress(run, run.pool, run.instance);
  const isWanted = run.deletedUid === undefined && !run.releasedByHand;
  if (run.assignment !== undefined && isWanted) await announce(run, 'AddressAssigned');
  return 'onward';
}

/**
 * A node that has an address, or whose operator holds it released, must not end because of an error: nobody else
 * would know what to give back. So the step is tried again, after a pause that grows, for as long as it takes.
 */
async function untilItWorks(run: NodeRun, work: () => Promise<Next>): Promise<Next> {
  try {
    const next = await work();
    run.looks = 0;
    return next;
  } catch (error) {
    if (isCancellation(error) || !(error instanceof TemporalFailure)) throw error;
    run.lastError = failureMessage(error);
    const pauseMs = growingPause(run);
    enterPhase(run, run.phase, `Trying again in ${Math.round(pauseMs / 1000)} s: ${run.lastError}`);
    log.warn('trying again', { node: run.node.name, phase: run.phase, error: run.lastError });
    const { deletedUid, releasedByHand } = run;
    const isOtherwise = (): boolean => run.deletedUid !== deletedUid || run.releasedByHand !== releasedByHand;
    await condition(isOtherwise, pauseMs);
    run.changed = true;
    return 'onward';
  }
}

function growingPause(run: NodeRun): number {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(run.looks++, 10));
}

async function discover(run: NodeRun): Promise<Discovery> {
  const { name } = run.node;
  return clusterActivities(run).discover.executeWithOptions({ summary: name }, [{ name }]);
}

/** Looks at the Node and acts on what changed. */
async function look(run: NodeRun): Promise<Next> {
  run.changed = false;
  if (run.assignment === undefined && !run.releasedByHand && run.phase !== 'waiting') {
    enterPhase(run, 'discovering', 'Looking for the Node, its instance and its pool.');
  }
  const found = await discover(run);
  if (found.kind === 'gone') {
    run.deletedUid ??= run.node.uid;
    return 'onward';
  }
  if (found.node.uid !== run.node.uid) return adoptNode(run, found);
  switch (found.kind) {
    case 'notSelected':
      await withdrawRequest(run);
      await giveBack(run, 'no pool selects the Node any more');
      await publish(run, {});
      return 'ended';
    case 'notReady':
      await awaitReadiness(run, found.reason);
      return 'onward';
    case 'ready':
      await useDiscovery(run, found);
      return 'onward';
  }
}

async function awaitReadiness(run: NodeRun, reason: string): Promise<void> {
  run.lastError = reason;
  // What it has it keeps: an instance that is gone has lost it anyway, and the Node's deletion will follow.
  if (run.assignment !== undefined || run.releasedByHand) return;
  await withdrawRequest(run);
  enterPhase(run, 'waiting', `Not ready: ${reason}.`);
  await condition(() => isInterrupted(run), growingPause(run));
  run.changed = true;
}

async function useDiscovery(run: NodeRun, found: Ready): Promise<void> {
  const before = run.assignment;
  if (run.pool !== undefined && !isSamePool(run.pool, found.pool)) await withdrawRequest(run);
  run.pool = found.pool;
  run.instance = found.instance;
  run.looks = 0;
  if (before === undefined) return;
  if (before.instance.id !== found.instance.id) {
    await giveBack(run, `the Node is ${found.instance.id} now`);
  } else if (before.pool.name !== found.pool.name) {
    await giveBack(run, `the Node belongs to pool ${found.pool.name} now`);
  } else if (found.instance.publicIp?.ip !== before.address.ip && !(await stillHas(run))) {
    log.warn('the node lost its address', { node: run.node.name, address: before.address.ip });
    run.lastError = `${before.address.ip} was taken from the instance by somebody else`;
    run.assignment = undefined;
  } else {
    run.assignment = { ...before, pool: found.pool };
    await announce(run);
  }
}

/** The same set of addresses: what was asked of the one may be used for the other. */
function isSamePool(a: PoolSpec, b: PoolSpec): boolean {
  return (
    a.name === b.name && a.query.filter === b.query.filter && formatScope(a.scope) === formatScope(b.scope)
  );
}

/** The instance does not show its address: an old answer of the provider, or the truth? */
async function stillHas(run: NodeRun): Promise<boolean> {
  if (run.assignment === undefined) return false;
  const { address, instance, pool } = run.assignment;
  try {
    const verify = verifyActivity(pool.scope, { attempts: 4, intervalMs: 2_000 });
    await verify.executeWithOptions({ summary: `is ${address.ip} still there?` }, [
      { scope: pool.scope, instance, address, query: pool.query },
    ]);
    return true;
  } catch (error) {
    if (isCancellation(error)) throw error;
    const type = failureType(error);
    // Only the provider's word that it is not there counts; not hearing from it does not.
    return type !== 'NotVisibleYet' && type !== 'InUse' && type !== 'NotFound';
  }
}

/** Shows the assignment in the UI and on the Node, which loses its taint. */
async function announce(run: NodeRun, reason?: string): Promise<void> {
  if (run.assignment === undefined) return;
  const { address, instance, pool } = run.assignment;
  const message = `${address.ip} of pool ${pool.name} is associated with ${instance.id}.`;
  enterPhase(run, 'assigned', message);
  await publish(run, reason === undefined ? {} : { event: { type: 'Normal', reason, message } });
}

/** A Node of this name with another uid: the same machine registered again keeps its address, another one starts anew. */
async function adoptNode(run: NodeRun, found: Exclude<Discovery, { kind: 'gone' }>): Promise<Next> {
  if (found.kind === 'ready' && run.assignment?.instance.id === found.instance.id) {
    run.node = found.node;
    run.deletedUid = undefined;
    run.graceUntil = undefined;
    run.changed = false;
    upsertMemo({ uid: found.node.uid });
    await useDiscovery(run, found);
    return 'onward';
  }
  // Whether it is the same machine shows only when it is ready: until then the grace period counts.
  if (found.kind === 'notReady' && run.assignment !== undefined && run.deletedUid === undefined) {
    run.deletedUid = run.node.uid;
    return 'onward';
  }
  await withdrawRequest(run);
  await giveBack(run, 'another Node has taken over the name', { nodeDeleted: true });
  if (found.kind === 'notSelected') return 'ended';
  return continueAsNode(run, found.node);
}

/**
 * The Node is deleted. It may come back with the same machine within its pool's grace period; and the release looks
 * at the cluster once more before it acts, since a signal is only somebody's word.
 */
async function afterDeletion(run: NodeRun, deletedUid: string): Promise<Next> {
  await withdrawRequest(run);
  const found = await lookUntilGraceEnds(run, deletedUid);
  if (found.kind !== 'gone' && found.node.uid === deletedUid) {
    log.warn('the Node is said to be deleted but exists: nothing is released', { uid: deletedUid });
    run.deletedUid = undefined;
    run.graceUntil = undefined;
    run.changed = true;
    return 'onward';
  }
  if (found.kind !== 'gone') return adoptNode(run, found);
  await giveBack(run, 'the Node is deleted', { nodeDeleted: true });
  return 'ended';
}

/** Looks whenever something changes, until it is clear what became of the Node, or the grace period is over. */
async function lookUntilGraceEnds(run: NodeRun, deletedUid: string): Promise<Discovery> {
  const graceMs = run.assignment?.pool.release.gracePeriodMs ?? 0;
  run.graceUntil ??= new Date(Date.now() + graceMs).toISOString();
  const until = Date.parse(run.graceUntil);
  for (;;) {
    const leftMs = until - Date.now();
    if (leftMs > 0 && run.assignment !== undefined) {
      const { ip } = run.assignment.address;
      const message = `The Node is deleted. ${ip} is released at ${run.graceUntil} unless it comes back.`;
      enterPhase(run, 'releasing', message);
      run.changed = false;
      await condition(() => run.changed, leftMs);
    }
    const found = await discover(run);
    const undecided = found.kind === 'gone' || (found.kind === 'notReady' && found.node.uid !== deletedUid);
    if (!undecided || run.assignment === undefined || Date.now() >= until) return found;
  }
}

/** Releases the address; the pool's policy may leave it on the machine of a Node that is deleted. */
async function giveBack(run: NodeRun, why: string, { nodeDeleted = false } = {}): Promise<void> {
  if (run.assignment === undefined) {
    enterPhase(run, 'released', `Nothing to release: ${why}.`);
    return;
  }
  const { address, pool } = run.assignment;
  if (nodeDeleted && !pool.release.onNodeDelete) {
    run.assignment = undefined;
    const message = `${address.ip} stays where it is, as pool ${pool.name} is configured: ${why}.`;
    enterPhase(run, 'released', message);
    return;
  }
  const became = await releaseAddress(run, why);
  enterPhase(run, 'released', `${became} Reason: ${why}.`);
}

/** An operator released the address: nothing is assigned until `assign`. */
async function holdReleased(run: NodeRun): Promise<Next> {
  await withdrawRequest(run);
  if (run.phase !== 'released' && !(await releaseByHand(run))) return 'onward';
  const isOver = (): boolean => !run.releasedByHand || run.deletedUid !== undefined || run.changed;
  await condition(() => isOver() || run.grants.length > 0);
  return 'onward';
}

/** @returns false if the provider refuses: the node keeps its address, and `lastError` says why */
async function releaseByHand(run: NodeRun): Promise<boolean> {
  let became: string;
  try {
    became = await releaseAddress(run, 'by hand');
  } catch (error) {
    if (isCancellation(error)) throw error;
    run.releasedByHand = false;
    enterPhase(run, 'assigned', `Could not be released by hand: ${failureMessage(error)}`);
    return false;
  }
  enterPhase(run, 'released', `${became} Released by hand: nothing is assigned until \`assign\`.`);
  await publish(run, {
    event: { type: 'Normal', reason: 'AddressReleased', message: `${became} Released by hand.` },
    giveUp: () => !run.releasedByHand || run.deletedUid !== undefined,
  });
  return true;
}

/** Answers of the mutex that came too late: what they claim goes back at once. */
async function giveBackUnwantedGrants(run: NodeRun): Promise<void> {
  const stillWanted = run.requestId !== undefined && run.deletedUid === undefined && !run.releasedByHand;
  if (stillWanted) return;
  for (const grant of run.grants.splice(0)) {
    if (grant.kind !== 'granted' || run.askedScope === undefined) continue;
    await settleClaim(run.askedScope, grant, 'abandoned');
  }
}

/** A Node that came while the last one was being released must not be lost: nobody else starts a run for it. */
async function finish(run: NodeRun): Promise<void> {
  await giveBackUnwantedGrants(run);
  await condition(allHandlersFinished);
  if (!run.changed) return;
  const found = await discover(run);
  if (found.kind === 'ready' || found.kind === 'notReady') await continueAsNode(run, found.node);
}

/** Cancelled by an operator: the node keeps what it has, and nobody waits for it. */
async function stopManaging(run: NodeRun): Promise<void> {
  await withdrawRequest(run);
  await giveBackUnwantedGrants(run);
}

async function failForGood(run: NodeRun, error: unknown): Promise<ApplicationFailure> {
  const type = failureType(error);
  const message = failureMessage(error);
  run.lastError = message;
  await withdrawRequest(run);
  await giveBackUnwantedGrants(run);
  enterPhase(run, 'failed', message);
  await publish(run, {
    event: { type: 'Warning', reason: 'AssignmentFailed', message },
    giveUp: () => false,
  });
  await condition(allHandlersFinished);
  return ApplicationFailure.nonRetryable(message, type);
}

function isLongHistory(): boolean {
  return workflowInfo().continueAsNewSuggested || workflowInfo().historyLength > LONGEST_HISTORY;
}

/** Starts over with a short history: for this Node with all that it has, for another one from the beginning. */
async function continueAsNode(run: NodeRun, node: NodeRef): Promise<never> {
  await giveBackUnwantedGrants(run);
  await condition(allHandlersFinished);
  const next = makeContinueAsNewFunc<typeof AssignIpWorkflow>({ memo: { uid: node.uid } });
  const { cluster, input } = run;
  const resume = node.uid === run.node.uid ? resumeOf(run) : { releasedByHand: false };
  return next({ cluster, node, retries: input.retries, resume });
}

function resumeOf(run: NodeRun): AssignIpResume {
  const { releasedByHand, assignment, requestId, askedScope, deletedUid, graceUntil } = run;
  return {
    releasedByHand,
    ...(assignment === undefined ? {} : { assignment }),
    ...(requestId === undefined || askedScope === undefined
      ? {}
      : { request: { id: requestId, scope: askedScope } }),
    ...(deletedUid === undefined
      ? {}
      : { deleted: { uid: deletedUid, ...(graceUntil === undefined ? {} : { graceUntil }) } }),
  };
}
