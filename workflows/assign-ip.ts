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
import type { AssignIpInput, AssignIpStatus, NodeRef } from './messages.ts';
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
      if (isLongHistory()) await continueAsNode(run, run.node);
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
  if (run.deletedUid !== undefined) return afterDeletion(run, run.deletedUid);
  if (run.changed) return look(run);
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
  if (run.assignment !== undefined) await announce(run, 'AddressAssigned');
  return 'onward';
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
  enterPhase(run, 'waiting', `Not ready: ${reason}.`);
  const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(run.failures++, 10));
  await condition(() => isInterrupted(run), pauseMs);
  run.changed = true;
}

async function useDiscovery(run: NodeRun, found: Ready): Promise<void> {
  const before = run.assignment;
  if (run.pool !== undefined && !isSamePool(run.pool, found.pool)) await withdrawRequest(run);
  run.pool = found.pool;
  run.instance = found.instance;
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
  const sameMachine = found.kind === 'ready' && run.assignment?.instance.id === found.instance.id;
  if (sameMachine) {
    run.node = found.node;
    run.deletedUid = undefined;
    run.changed = false;
    upsertMemo({ uid: found.node.uid });
    await useDiscovery(run, found);
    return 'onward';
  }
  await withdrawRequest(run);
  await giveBack(run, 'another Node has taken over the name');
  if (found.kind === 'notSelected') return 'ended';
  return continueAsNode(run, found.node);
}

/**
 * The Node is deleted. It may come back with the same machine within its pool's grace period; and the release looks
 * at the cluster once more before it acts, since a signal is only somebody's word.
 */
async function afterDeletion(run: NodeRun, deletedUid: string): Promise<Next> {
  await withdrawRequest(run);
  const graceMs = run.assignment?.pool.release.gracePeriodMs ?? 0;
  if (graceMs > 0 && run.assignment !== undefined) {
    const { ip } = run.assignment.address;
    const seconds = Math.round(graceMs / 1000);
    enterPhase(
      run,
      'releasing',
      `The Node is deleted. ${ip} is released in ${seconds} s unless it comes back.`,
    );
    run.changed = false;
    await condition(() => run.changed, graceMs);
  }
  const found = await discover(run);
  if (found.kind !== 'gone' && found.node.uid === deletedUid) {
    log.warn('the Node is said to be deleted but exists: nothing is released', { uid: deletedUid });
    run.deletedUid = undefined;
    run.changed = true;
    return 'onward';
  }
  if (found.kind !== 'gone') return adoptNode(run, found);
  await giveBack(run, 'the Node is deleted');
  return 'ended';
}

/** Releases the address, unless the pool's policy leaves it where it is. */
async function giveBack(run: NodeRun, why: string): Promise<void> {
  if (run.assignment === undefined) {
    enterPhase(run, 'released', `Nothing to release: ${why}.`);
    return;
  }
  const { address, pool } = run.assignment;
  if (!pool.release.onNodeDelete) {
    run.assignment = undefined;
    enterPhase(
      run,
      'released',
      `${address.ip} stays where it is, as pool ${pool.name} is configured: ${why}.`,
    );
    return;
  }
  const became = await releaseAddress(run, why);
  enterPhase(run, 'released', `${became} Reason: ${why}.`);
}

/** An operator released the address: nothing is assigned until `assign`. */
async function holdReleased(run: NodeRun): Promise<Next> {
  await withdrawRequest(run);
  if (run.phase !== 'released' && !(await releaseByHand(run))) return 'onward';
  await condition(() => !run.releasedByHand || run.deletedUid !== undefined || run.changed);
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
  const stillWanted = run.asked && run.deletedUid === undefined && !run.releasedByHand;
  if (stillWanted || run.askedScope === undefined) return;
  for (const grant of run.grants.splice(0)) {
    if (grant.kind === 'granted') await settleClaim(run.askedScope, grant, 'abandoned');
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
  await condition(allHandlersFinished);
  const same = node.uid === run.node.uid;
  const next = makeContinueAsNewFunc<typeof AssignIpWorkflow>({ memo: { uid: node.uid } });
  return next({
    cluster: run.cluster,
    node,
    retries: run.input.retries,
    resume: {
      releasedByHand: same && run.releasedByHand,
      ...(same && run.assignment !== undefined ? { assignment: run.assignment } : {}),
    },
  });
}
