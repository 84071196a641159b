/** From a node without an address of a family to one that has it: request, grant, associate, verify, settle. */
import { ApplicationFailure, CancellationScope, condition, isCancellation } from '@temporalio/workflow';
import type { Associated } from '../activities/contract.ts';
import { type AddressQuery, familyName, type Instance, type InstanceRef } from '../model/address.ts';
import type { PoolSpec } from '../model/settings.ts';
import { adoption } from './adoption.ts';
import {
  noteAssigned,
  noteClaim,
  noteGranted,
  noteNotAssigned,
  noteRefused,
  noteWaiting,
} from './decisions.ts';
import { failureMessage, failureType } from './failures.ts';
import type { FamilyRun } from './family-run.ts';
import { isToContinueAsNew } from './long-history.ts';
import type { ClaimOutcome, Grant } from './messages.ts';
import { hasMissed, publish, publishMissed, scopeActivities, verifyActivity } from './node-activities.ts';
import {
  enterFamilyPhase,
  forgetWish,
  holding,
  isInterrupted,
  isWantedOtherwise,
  note,
  type NodeRun,
  pause,
  wishOf,
  wishSource,
} from './node-run.ts';
import { holdingOf, requestAddress, settleClaim, withdrawRequest } from './pool-signals.ts';
import { restoreEphemeral } from './restore-ephemeral.ts';
import {
  asked,
  foreign,
  type Notice,
  poolEmpty,
  taintGivenUp,
  throttled,
  tryingAgain,
  wishUnavailable,
} from './words.ts';

type Granted = Extract<Grant, { kind: 'granted' }>;

/** Whose address is to be claimed, and from where. */
export interface ClaimTarget {
  readonly pool: PoolSpec;
  readonly query: AddressQuery;
  readonly instance: Instance;
}

/** A node that waits asks again after this long, in case the mutex was terminated and forgot it. */
const ASK_AGAIN_MS = 10 * 60_000;
/** A node that holds a foreign address is looked at again after this long, in case it was detached. */
const FOREIGN_AGAIN_MS = 5 * 60_000;
const LONGEST_PAUSE_MS = 60_000;
/** What a new look at the node, or another address, may mend. */
const TRY_AGAIN: readonly string[] = ['InUse', 'ForeignAddress', 'NotFound', 'NotVisibleYet'];

/**
 * Tries once. Returns when the node has its address (`of.assignment`), or when the node must be looked at again.
 *
 * @throws ApplicationFailure (non-retryable) when it fails for good
 */
export async function claimAddress(run: NodeRun, of: FamilyRun, target: ClaimTarget): Promise<void> {
  const { pool, query, instance } = target;
  of.askingSince ??= Date.now();
  // The mutex does not tell again what it told: that stays.
  if (of.asksAgain === undefined || of.asksAgain !== of.requestId) {
    enterFamilyPhase(run, of, 'waiting', of.throttled ? throttled(pool, of.lastError) : asked(pool));
  }
  const holds = holdingOf(instance, of.family);
  await requestAddress(run, of, { pool, query, instance, holds, pinned: wishOf(run, of.family) });
  const granted = await awaitGrant(run, of, target);
  if (granted === undefined) {
    if (run.deletedUid !== undefined || run.releasedByHand) await withdrawRequest(run, of);
    else run.changed = true;
    return;
  }
  if (isInterrupted(run)) await settleClaim(pool.scope, granted, 'abandoned');
  else await useGrant(run, of, target, granted);
}

/** @returns undefined when the node must be looked at again first */
async function awaitGrant(
  run: NodeRun,
  of: FamilyRun,
  { pool, query }: ClaimTarget,
): Promise<Granted | undefined> {
  for (;;) {
    const isWoken = (): boolean => of.grants.length > 0 || isInterrupted(run) || isToContinueAsNew();
    if (hasMissed(run)) await publishMissed(run, isWoken);
    const leftMs = tolerated(of, pool);
    await condition(isWoken, Math.min(ASK_AGAIN_MS, Math.max(1, leftMs)));
    const grant = of.grants.shift();
    if (grant === undefined) {
      of.asksAgain = isWoken() ? undefined : of.requestId;
      if (isWoken() || tolerated(of, pool) > 0) return undefined;
      await giveUpTaint(run, of, pool);
      continue;
    }
    if (grant.kind === 'empty') {
      await waitVisibly(run, of, poolEmpty(pool, query, grant.size));
      continue;
    }
    if (grant.kind === 'pinned') {
      await waitVisibly(run, of, wishUnavailable(pool, grant, wishSource(run, of.family)));
      continue;
    }
    // Answered for good: the next request is another one.
    of.requestId = undefined;
    if (grant.kind === 'granted') return grant;
    if (grant.kind === 'refused') {
      noteRefused(run, of, pool.name, grant.error);
      throw ApplicationFailure.nonRetryable(grant.error, grant.type ?? 'Refused');
    }
    await waitVisibly(run, of, foreign(pool, grant.ip));
    await condition(() => isInterrupted(run), FOREIGN_AGAIN_MS);
    return undefined;
  }
}

/**
 * With the taint policy `assignedOrGaveUp` a node keeps its taint for as long as its pool's retries take, as KubeIP's agent would
 * have tried; then Pods may run there without an address, while it waits on.
 *
 * @returns milliseconds until then; infinite if there is nothing to give up
 */
function tolerated({ askingSince, gaveUpTaint: isDone }: FamilyRun, pool: PoolSpec): number {
  const { taintKey, taintPolicy, retries } = pool;
  if (isDone || askingSince === undefined || taintKey === undefined || taintPolicy !== 'assignedOrGaveUp') {
    return Number.POSITIVE_INFINITY;
  }
  return askingSince + retries.attempts * retries.intervalMs - Date.now();
}

async function giveUpTaint(run: NodeRun, of: FamilyRun, pool: PoolSpec): Promise<void> {
  of.gaveUpTaint = true;
  const notice = taintGivenUp(pool, of.message);
  note(run, `claim an ${familyName(of.family)} address`, 'waiting', notice.message);
  enterFamilyPhase(run, of, 'waiting', notice.message);
  await publish(run, { event: notice, giveUp: () => isInterrupted(run) || of.grants.length > 0 });
}

async function waitVisibly(run: NodeRun, of: FamilyRun, notice: Notice): Promise<void> {
  const { message } = notice;
  enterFamilyPhase(run, of, 'waiting', message);
  // The same is said once, however often the node asks again.
  if (of.lastError === message) return;
  of.lastError = message;
  noteWaiting(run, of, run.pool?.name ?? '', notice.reason, message);
  // An address that comes meanwhile does not wait for Kubernetes to take the Event.
  const giveUp = (): boolean => isInterrupted(run) || of.grants.length > 0;
  note(run, `claim an ${familyName(of.family)} address`, 'waiting', message);
  await adoption(run, giveUp);
  await publish(run, { event: notice, giveUp });
}

/** A node that is wanted otherwise does not wait until its address shows. */
export class Overtaken extends Error {
  override readonly name = 'Overtaken';
}

async function useGrant(run: NodeRun, of: FamilyRun, target: ClaimTarget, granted: Granted): Promise<void> {
  const { pool } = target;
  noteGranted(run, of, pool.name, granted);
  const grantedAt = Date.now();
  // Known before the calls are made: however they end, the mutex hears of it, and 'unknown' is what it hears at worst;
  // and an ephemeral address that had to go comes back.
  let outcome: ClaimOutcome = 'unknown';
  let failure: unknown;
  let settled = false;
  try {
    settled = await associateAndVerify(run, of, target, granted);
    outcome = 'associated';
  } catch (error) {
    if (isCancellation(error)) throw error;
    outcome = outcomeOf(error, of.assignment !== undefined);
    failure = error;
  } finally {
    noteClaim(pool.name, outcome, (Date.now() - grantedAt) / 1000);
    if (!settled) await CancellationScope.nonCancellable(() => settleClaim(pool.scope, granted, outcome));
  }
  if (failure instanceof Overtaken) return;
  const what = `associate ${granted.address.ip} with ${target.instance.id}`;
  if (failure === undefined) note(run, what, 'done');
  else note(run, what, 'failed', failureMessage(failure));
  if (failure !== undefined) {
    const isThere = of.assignment !== undefined && !TRY_AGAIN.includes(failureType(failure));
    if (!isThere) {
      // It was said to be there, and is not: whether the ephemeral one is, nobody knows.
      if (of.assignment !== undefined) of.mayLackEphemeral = of.hadEphemeral !== undefined;
      of.assignment = undefined;
      await restoreEphemeral(run, of, () => isWantedOtherwise(run));
      noteNotAssigned(run, of, pool.name, { type: failureType(failure), message: failureMessage(failure) });
      await afterFailure(run, of, pool, failure);
      return;
    }
  }
  noteAssigned(run, of, pool.name, granted);
  of.failures = 0;
  of.gaveUp = 0;
  of.throttled = false;
  of.askingSince = undefined;
  of.gaveUpTaint = false;
  of.lost = undefined;
  forgetWish(run, of.family);
  // The provider said that it associated the address; that it could not be read back is no reason to do without it.
  of.lastError = failure === undefined ? undefined : failureMessage(failure);
}

/**
 * @returns whether the mutex knows of it already
 * @throws Overtaken, ActivityFailure; `of.assignment` is there if the provider said that it associated the address
 */
async function associateAndVerify(
  run: NodeRun,
  of: FamilyRun,
  { pool, query, instance }: ClaimTarget,
  { address, token }: Granted,
): Promise<boolean> {
  const ref = refOf(instance);
  const target = { scope: pool.scope, pool: pool.name, instance: ref, address, query };
  const summary = `${address.ip} → ${instance.id}`;
  enterFamilyPhase(run, of, 'associating', `Associating ${address.ip} with ${instance.id}.`);
  // Also where the instance was seen to hold it: the provider looks first, and makes no call if it does.
  const { associate } = scopeActivities(pool.scope, pool.retries);
  let associated: Associated | undefined;
  await holding(run.changing, async () => {
    if (isWantedOtherwise(run)) throw new Overtaken(`${run.node.name} is wanted otherwise`);
    // Noted before the call that may remove it.
    of.mayLackEphemeral = of.hadEphemeral !== undefined;
    const hadEphemeral = of.mayLackEphemeral;
    associated = await associate.executeWithOptions({ summary }, [{ ...target, token, hadEphemeral }]);
    const { association } = associated;
    // From here on there is something to give back, whatever becomes of the rest.
    of.assignment = { address, token, association, instance: ref, pool, query };
    of.mayLackEphemeral = false;
  });
  if (associated === undefined) return false;
  const { association, shown, settled } = associated;
  // The provider's lists may be old: then it is read until it shows.
  if (shown) return settled;
  enterFamilyPhase(run, of, 'verifying', `Reading ${address.ip} back.`);
  await unlessOvertaken(run, () =>
    verifyActivity(pool.scope, pool.retries).executeWithOptions({ summary }, [{ ...target, association }]),
  );
  return settled;
}

/** @throws Overtaken if the Node is deleted or the address released by hand while `work` is under way */
async function unlessOvertaken(run: NodeRun, work: () => Promise<unknown>): Promise<void> {
  const scope = new CancellationScope();
  let done = false;
  const working = scope.run(work).finally(() => {
    done = true;
  });
  // Its end is awaited below; until then a failure is not unhandled.
  working.catch(() => {});
  await condition(() => done || isWantedOtherwise(run));
  if (!done) {
    scope.cancel();
    throw new Overtaken(`${run.node.name} is wanted otherwise`);
  }
  await working;
}

/** @param associated the provider said that it associated the address, so a later failure does not mean that it is free */
export function outcomeOf(error: unknown, associated: boolean): ClaimOutcome {
  if (error instanceof Overtaken && !associated) return 'abandoned';
  const type = failureType(error);
  if (type === 'InUse') return 'inUse';
  if (associated || type === 'Unavailable' || type === 'NotVisibleYet') return 'unknown';
  return type === 'Throttled' ? 'throttled' : 'abandoned';
}

/**
 * What a failed try means: another one, at once or after a pause, or the end.
 *
 * @throws ApplicationFailure (non-retryable) for what no further try mends, and when the pool's attempts are used up
 */
async function afterFailure(run: NodeRun, of: FamilyRun, pool: PoolSpec, error: unknown): Promise<void> {
  const type = failureType(error);
  of.lastError = failureMessage(error);
  // The mutex has slowed down and serves this node again in its turn.
  of.throttled = type === 'Throttled';
  if (of.throttled) return;
  of.failures += 1;
  const mayHelp = TRY_AGAIN.includes(type);
  if (!mayHelp || of.failures >= pool.retries.attempts) {
    throw ApplicationFailure.nonRetryable(of.lastError, type);
  }
  if (type === 'InUse') {
    run.changed = true;
    return;
  }
  const pauseMs = Math.min(LONGEST_PAUSE_MS, pool.retries.intervalMs, 1_000 * 2 ** Math.min(of.failures, 10));
  enterFamilyPhase(run, of, 'waiting', tryingAgain(pauseMs, of.lastError));
  await pause(run, pauseMs, () => isWantedOtherwise(run));
  run.changed = true;
}

function refOf(instance: Instance): InstanceRef {
  return { provider: instance.provider, id: instance.id, zone: instance.zone };
}
