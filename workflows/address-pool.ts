/**
 * The mutex of a scope. It alone decides which node gets which address and when an association may start, and it is
 * single-threaded, so no address is given twice. It decides for all that wait at once: one list, then grants in parallel.
 *
 * It never completes by itself, and continues as new with its whole state.
 */
import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  log,
  makeContinueAsNewFunc,
  proxyActivities,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow';
import type { ScopeActivities } from '../activities/contract.ts';
import { lastTask } from './empty-tasks.ts';
import {
  type AddressPoolInput,
  configureSignal,
  freedSignal,
  poolStateQuery,
  poolStatusQuery,
  releaseClaimSignal,
  releaseClaimUpdate,
  requestSignal,
  scopeTaskQueue,
  settleSignal,
  withdrawSignal,
} from './messages.ts';
import { readClock } from './pool/clock.ts';
import { beginLook, decide, lookFailed, type Message, MOST_ANSWERS } from './pool/look.ts';
import { nextStep } from './pool/next-step.ts';
import { pack, type PackedPoolState, unpack } from './pool/packed-state.ts';
import { configureBucket } from './pool/pacing.ts';
import { isDecided, releaseClaim, releasedClaim } from './pool/release-claim.ts';
import { isRunOver } from './pool/run-length.ts';
import { checkedHolders, freed, type Holder, newPoolState, request, settle, withdraw } from './pool/state.ts';
import { poolDetails, poolStatus } from './pool/status.ts';
import {
  isFreed,
  isPacing,
  isReleaseClaim,
  isRequest,
  isSettlement,
  isWithdrawal,
  shown,
} from './signal-input.ts';
import { HEARTBEAT_TIMEOUT } from './timeouts.ts';
import { refuseBy, refuseOtherUpdates } from './update-refusal.ts';

/** So long nothing must have come before a run ends that has nothing to do. */
const QUIET_MS = 1_000;

export async function AddressPoolWorkflow(input: AddressPoolInput): Promise<void> {
  // A cancelled mutex would drop those who wait. Who wants to end it terminates it.
  return CancellationScope.nonCancellable(() => serve(input));
}

async function serve(input: AddressPoolInput): Promise<void> {
  const { scope } = input;
  const state =
    input.state === undefined
      ? newPoolState(input.pacing, Date.now())
      : unpack(input.state as PackedPoolState);
  let pacing = input.pacing;
  /** Why the last look refused those who waited for a pool. Of one that could not be listed the state knows. */
  let lastError: string | undefined;
  /** Why silent holders could not be looked for. */
  let holdersError: string | undefined;
  /** Since the last activity was started, or the last wait. */
  let signalled = false;
  const now = (least?: number): number => readClock(state.clock, Date.now(), least);

  // Whatever comes in a signal is checked: a bad one is logged and ignored, it must not stop the mutex for all.
  const on = <T>(name: string, valid: (value: unknown) => value is T, act: (value: T) => void) => {
    return (value: T): void => {
      if (!valid(value)) {
        log.warn('ignored a signal with bad input', { signal: name, value: shown(value) });
        return;
      }
      act(value);
      signalled = true;
    };
  };
  setHandler(
    requestSignal,
    on('request', isRequest, (asked) => request(state, asked, now())),
  );
  setHandler(
    settleSignal,
    on('settle', isSettlement, (settlement) => settle(state, settlement, now())),
  );
  setHandler(
    withdrawSignal,
    on('withdraw', isWithdrawal, (what) => withdraw(state, what, now())),
  );
  setHandler(
    freedSignal,
    on('freed', isFreed, (what) => freed(state, what, now())),
  );
  setHandler(
    configureSignal,
    on('configure', isPacing, (settings) => {
      const { burst, perSecond } = settings.pacing;
      // Nothing else that came with it is carried into the next run.
      pacing = { burst, perSecond };
      configureBucket(state.bucket, pacing, now());
    }),
  );
  setHandler(
    releaseClaimSignal,
    on('releaseClaim', isReleaseClaim, ({ token }) => releaseClaim(state, token, now())),
  );
  setHandler(releaseClaimUpdate, async (command) => {
    refuseBy(() => {
      if (!isReleaseClaim(command))
        throw new Error('releaseClaim takes {"token": a number}, with "reason" if wanted');
    });
    const { token } = command;
    const dueAt = now();
    const claim = releaseClaim(state, token, dueAt);
    if (claim === undefined) throw ApplicationFailure.nonRetryable(noSuchClaim(token), 'NotFound');
    const asItWas = { ...claim };
    signalled = true;
    await condition(() => isDecided(state, token, dueAt));
    return releasedClaim(state, asItWas, holdersError);
  });
  refuseOtherUpdates([releaseClaimUpdate.name]);
  setHandler(poolStatusQuery, () => poolStatus(state, scope, lastError));
  setHandler(poolStateQuery, () => pack(state));

  const short = {
    taskQueue: scopeTaskQueue(scope),
    startToCloseTimeout: '1 minute',
    heartbeatTimeout: HEARTBEAT_TIMEOUT,
  } as const;
  const activities = proxyActivities<ScopeActivities>({
    ...short,
    retry: { initialInterval: '1 second', maximumInterval: '30 seconds', maximumAttempts: 5 },
  });
  // Its pools are listed again after a pause of their own (lookFailed), in which others are served.
  const { listAddresses } = proxyActivities<ScopeActivities>({ ...short, retry: { maximumAttempts: 1 } });

  /** Completes the activities of the nodes. What is claimed for a workflow that runs no more is free for the others. */
  const deliver = async (answers: readonly Message[]): Promise<void> => {
    if (answers.length === 0) return;
    try {
      const closed = await activities.grant.executeWithOptions({ summary: grantSummary(answers) }, [
        { answers },
      ]);
      for (const { workflowId, grant } of answers) {
        if (!closed.includes(grant.requestId)) continue;
        log.warn('a waiting workflow runs no more', { workflowId });
        withdraw(state, { workflowId, requestId: grant.requestId }, now());
      }
    } catch (error) {
      // The nodes ask again.
      log.warn('could not answer nodes', { error: messageOf(error) });
    }
  };

  const { recallWaiting: recall } = proxyActivities<ScopeActivities>({
    taskQueue: scopeTaskQueue(scope),
    startToCloseTimeout: '10 minutes',
    heartbeatTimeout: HEARTBEAT_TIMEOUT,
    retry: { maximumAttempts: 5 },
  });

  const look = async (): Promise<void> => {
    const planned = beginLook(state, now());
    const waiting = state.queue.length;
    try {
      const summary = `free addresses for ${waiting} waiting`;
      const found = await listAddresses.executeWithOptions({ summary }, [{ scope, ...planned }]);
      lastError = found.pools.find((pool) => pool.error !== undefined)?.error;
      for (const { key, error } of found.unlisted ?? [])
        log.warn('could not list a pool', { pool: state.pools[key]?.name, error });
      await deliver(decide(state, planned, found, now(), MOST_ANSWERS));
    } catch (error) {
      lastError = undefined;
      log.warn('could not list addresses', { error: messageOf(error) });
      lookFailed(state, planned, messageOf(error), now());
    }
  };

  /** Who waited for a mutex that was lost asks this one. Nobody is refused meanwhile. */
  const recallWaiting = async (): Promise<void> => {
    try {
      await recall({ scope });
    } catch (error) {
      // Each asks again by itself, within two hours at the latest.
      log.warn('could not tell nodes that the mutex was started', { error: messageOf(error) });
    }
  };

  const findSilentHolders = async (holders: readonly Holder[]): Promise<void> => {
    try {
      const closed = await activities.findClosed.executeWithOptions({ summary: 'silent holders of claims' }, [
        { holders },
      ]);
      holdersError = undefined;
      checkedHolders(state, holders, closed, now());
    } catch (error) {
      holdersError = messageOf(error);
      log.warn('could not look for holders of claims', { error: holdersError });
      checkedHolders(state, holders, [], now());
    }
  };

  let isRecalling = input.state === undefined;
  if (isRecalling) void recallWaiting().then(() => (isRecalling = false));
  const isLong = (): boolean =>
    isRunOver(lastTask(), state, signalled, allHandlersFinished()) && !isRecalling;
  const endRun = (): Promise<never> => continueOnCurrentVersion({ scope, pacing, state: pack(state) });

  /** Until a signal comes, if it comes first. */
  const sleepUntil = async (wakeAt: number | undefined): Promise<void> => {
    // Signals that say nothing, by bad input or an unknown name, make the history longer all the same.
    const isWoken = (): boolean => signalled || isLong();
    if (wakeAt === undefined) await condition(isWoken);
    else if (!(await condition(isWoken, Math.max(1, wakeAt - now())))) now(wakeAt);
  };

  for (;;) {
    setCurrentDetails(poolDetails(poolStatus(state, scope, lastError)));
    signalled = false;
    const step = nextStep(state, now());
    if (step.kind === 'deliver') await deliver(step.answers);
    else if (step.kind === 'look') await look();
    else if (step.kind === 'findHolders') await findSilentHolders(step.holders);
    else if (isLong()) await condition(() => signalled, QUIET_MS);
    else {
      await sleepUntil(step.until);
      continue;
    }
    if (isLong()) await endRun();
  }
}

/** A run is pinned to the workers' version that began it (workflows.ts). The next one begins with the version that is current then. */
function continueOnCurrentVersion(input: AddressPoolInput): Promise<never> {
  const next = makeContinueAsNewFunc<typeof AddressPoolWorkflow>({
    initialVersioningBehavior: 'AUTO_UPGRADE',
  });
  return next(input);
}

function noSuchClaim(token: number): string {
  return `there is no claim with the token ${token}: the query \`status\` lists those that are`;
}

function grantSummary(answers: readonly Message[]): string {
  const granted = answers.flatMap(({ grant }) => (grant.kind === 'granted' ? grant.address.ip : []));
  return granted.length === 1 && answers.length === 1
    ? `${granted[0]} granted`
    : `${granted.length} granted, ${answers.length - granted.length} told why they wait`;
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
