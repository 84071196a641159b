/** From a node without an address to one that has it: request, grant, associate, verify, settle. */
import { ApplicationFailure, CancellationScope, condition, isCancellation } from '@temporalio/workflow';
import type { Instance, InstanceRef } from '../model/address.ts';
import type { PoolSpec } from '../model/settings.ts';
import { failureMessage, failureType } from './failures.ts';
import type { ClaimOutcome, Grant } from './messages.ts';
import { publish, scopeActivities, verifyActivity } from './node-activities.ts';
import { enterPhase, isInterrupted, type NodeRun } from './node-run.ts';
import { requestAddress, settleClaim, withdrawRequest } from './pool-signals.ts';

type Granted = Extract<Grant, { kind: 'granted' }>;

/** A node that waits asks again after this long, in case the mutex was terminated and forgot it. */
const ASK_AGAIN_MS = 10 * 60_000;
/** A node that holds a foreign address is looked at again after this long, in case it was detached. */
const FOREIGN_AGAIN_MS = 5 * 60_000;
const LONGEST_PAUSE_MS = 60_000;
/** What a new look at the node, or another address, may mend. */
const TRY_AGAIN: readonly string[] = ['InUse', 'ForeignAddress', 'NotFound', 'NotVisibleYet'];

/**
 * Tries once. Returns when the node has its address (`run.assignment`), or when the node must be looked at again.
 *
 * @throws ApplicationFailure (non-retryable) when it fails for good
 */
export async function claimAddress(run: NodeRun, pool: PoolSpec, instance: Instance): Promise<void> {
  enterPhase(run, 'waiting', `Asked for an address of pool ${pool.name}.`);
  await requestAddress(run, pool);
  const granted = await awaitGrant(run, pool);
  if (granted === undefined) {
    if (run.deletedUid !== undefined || run.releasedByHand) await withdrawRequest(run);
    else run.changed = true;
    return;
  }
  if (isInterrupted(run)) {
    await settleClaim(pool.scope, granted, 'abandoned');
    return;
  }
  await useGrant(run, pool, instance, granted);
}

/** @returns undefined when the node must be looked at again first */
async function awaitGrant(run: NodeRun, pool: PoolSpec): Promise<Granted | undefined> {
  for (;;) {
    await condition(() => run.grants.length > 0 || isInterrupted(run), ASK_AGAIN_MS);
    const grant = run.grants.shift();
    if (grant === undefined) return undefined;
    if (grant.requestId !== run.requestId) {
      // Meant for a request that was withdrawn or replaced: of another pool, perhaps.
      if (grant.kind === 'granted') await settleClaim(pool.scope, grant, 'abandoned');
      continue;
    }
    if (grant.kind === 'empty') {
      await waitVisibly(run, emptyMessage(pool, grant.size), 'WaitingForAddress');
      continue;
    }
    // Answered for good: the next request is another one.
    run.requestId = undefined;
    if (grant.kind === 'granted') return grant;
    if (grant.kind === 'refused') throw ApplicationFailure.nonRetryable(grant.error, 'Refused');
    await waitVisibly(run, foreignMessage(pool, grant.ip), 'ForeignAddress');
    await condition(() => isInterrupted(run), FOREIGN_AGAIN_MS);
    return undefined;
  }
}

async function waitVisibly(run: NodeRun, message: string, reason: string): Promise<void> {
  enterPhase(run, 'waiting', message);
  // The same is said once, however often the node asks again.
  if (run.lastError === message) return;
  run.lastError = message;
  // An address that comes meanwhile does not wait for Kubernetes to take the Event.
  const giveUp = (): boolean => isInterrupted(run) || run.grants.length > 0;
  await publish(run, { event: { type: 'Warning', reason, message }, giveUp });
}

function emptyMessage(pool: PoolSpec, size: number): string {
  const found = size === 0 ? 'no address matches its filter' : `all ${size} addresses are in use`;
  return `Pool ${pool.name} has no free address: ${found} (${pool.query.filter}). It is served when one is freed or added.`;
}

function foreignMessage(pool: PoolSpec, ip: string): string {
  return (
    `The instance holds ${ip}, which is not of pool ${pool.name}: it is left alone. ` +
    'Disassociate it, or make it match the filter of the pool.'
  );
}

/** A node that is wanted otherwise does not wait until its address shows. */
class Overtaken extends Error {
  override readonly name = 'Overtaken';
}

async function useGrant(run: NodeRun, pool: PoolSpec, instance: Instance, granted: Granted): Promise<void> {
  const { address, token } = granted;
  const ref = refOf(instance);
  const target = { scope: pool.scope, instance: ref, address };
  const summary = `${address.ip} → ${instance.id}`;
  // Known before the calls are made: however they end, the mutex hears of it, and 'unknown' is what it hears at worst.
  let outcome: ClaimOutcome = 'unknown';
  let failure: unknown;
  try {
    enterPhase(run, 'associating', `Associating ${address.ip} with ${instance.id}.`);
    // Also where the instance was seen to hold it: the provider looks first, and makes no call if it does.
    const { associate } = scopeActivities(pool.scope, pool.retries);
    await associate.executeWithOptions({ summary }, [{ ...target, token }]);
    // From here on there is something to give back, whatever becomes of the rest.
    run.assignment = { address, token, instance: ref, pool };
    enterPhase(run, 'verifying', `Reading ${address.ip} back.`);
    await unlessOvertaken(run, () =>
      verifyActivity(pool.scope, pool.retries).executeWithOptions({ summary }, [
        { ...target, query: pool.query },
      ]),
    );
    outcome = 'associated';
  } catch (error) {
    if (isCancellation(error)) throw error;
    outcome = outcomeOf(error, run.assignment !== undefined);
    failure = error;
  } finally {
    await CancellationScope.nonCancellable(() => settleClaim(pool.scope, granted, outcome));
  }
  if (failure instanceof Overtaken) return;
  if (failure !== undefined) {
    const isThere = run.assignment !== undefined && !TRY_AGAIN.includes(failureType(failure));
    if (!isThere) {
      run.assignment = undefined;
      await afterFailure(run, pool, failure);
      return;
    }
  }
  run.failures = 0;
  // The provider said that it associated the address; that it could not be read back is no reason to do without it.
  run.lastError = failure === undefined ? undefined : failureMessage(failure);
}

/** @throws Overtaken if the Node is deleted or the address released by hand while `work` is under way */
async function unlessOvertaken(run: NodeRun, work: () => Promise<unknown>): Promise<void> {
  const isOvertaken = (): boolean => run.deletedUid !== undefined || run.releasedByHand;
  const scope = new CancellationScope();
  let done = false;
  const working = scope.run(work).finally(() => {
    done = true;
  });
  // Its end is awaited below; until then a failure is not unhandled.
  working.catch(() => {});
  await condition(() => done || isOvertaken());
  if (!done) {
    scope.cancel();
    throw new Overtaken(`${run.node.name} is wanted otherwise`);
  }
  await working;
}

/** @param associated the provider said that it associated the address, so a later failure does not mean that it is free */
function outcomeOf(error: unknown, associated: boolean): ClaimOutcome {
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
async function afterFailure(run: NodeRun, pool: PoolSpec, error: unknown): Promise<void> {
  const type = failureType(error);
  run.lastError = failureMessage(error);
  // The mutex has slowed down and serves this node again in its turn.
  if (type === 'Throttled') return;
  run.failures += 1;
  const mayHelp = TRY_AGAIN.includes(type);
  if (!mayHelp || run.failures >= pool.retries.attempts) {
    throw ApplicationFailure.nonRetryable(run.lastError, type);
  }
  run.changed = true;
  if (type === 'InUse') return;
  const pauseMs = Math.min(
    LONGEST_PAUSE_MS,
    pool.retries.intervalMs,
    1_000 * 2 ** Math.min(run.failures, 10),
  );
  enterPhase(run, 'waiting', `Trying again in ${Math.round(pauseMs / 1000)} s: ${run.lastError}`);
  await condition(() => run.deletedUid !== undefined || run.releasedByHand, pauseMs);
}

function refOf(instance: Instance): InstanceRef {
  return { provider: instance.provider, id: instance.id, zone: instance.zone };
}
