/**
 * The mutex of a scope. It alone decides which node gets which address and when an association may start, and it is
 * single-threaded, so no address is given twice. It decides for all that wait at once: one list, then grants in parallel.
 *
 * It never completes by itself, and continues as new with its whole state.
 */
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  getExternalWorkflowHandle,
  log,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { ScopeActivities } from '../activities/contract.ts';
import {
  type AddressPoolInput,
  configureSignal,
  freedSignal,
  grantSignal,
  poolStatusQuery,
  requestSignal,
  scopeTaskQueue,
  settleSignal,
  withdrawSignal,
} from './messages.ts';
import { readClock } from './pool/clock.ts';
import { beginLook, decide, lookFailed, type Message, nextLookAt, nextWakeAt } from './pool/look.ts';
import { pack, type PackedPoolState, unpack } from './pool/packed-state.ts';
import { configureBucket } from './pool/pacing.ts';
import {
  checkedHolders,
  freed,
  type Holder,
  newPoolState,
  overdueHolders,
  type PoolState,
  request,
  settle,
  undelivered,
  withdraw,
} from './pool/state.ts';
import { poolDetails, poolStatus } from './pool/status.ts';
import { isFreed, isPacing, isRequest, isSettlement, isWithdrawal, shown } from './signal-input.ts';
import { HEARTBEAT_TIMEOUT } from './timeouts.ts';

/** History is kept this short, so that a worker that takes over has little to replay. */
const LONGEST_HISTORY = 4_000;
/**
 * Grants that are under way at once. The server writes each delivery into this workflow's history, one after the other, among the
 * requests and settlements that come in; what has to wait for long for its turn is put off for seconds. Of ninety at once some came
 * with pauses of four seconds, and workflow tasks timed out; of fifteen none.
 */
const GRANTS_AT_ONCE = 15;

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
  let lastError: string | undefined;
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
    on('withdraw', isWithdrawal, (what) => withdraw(state, what.workflowId, what.requestId)),
  );
  setHandler(
    freedSignal,
    on('freed', isFreed, (what) => freed(state, what.addressId, what.disassociated, now())),
  );
  setHandler(
    configureSignal,
    on('configure', isPacing, (settings) => {
      pacing = settings.pacing;
      configureBucket(state.bucket, pacing, now());
    }),
  );
  setHandler(poolStatusQuery, () => poolStatus(state, scope, lastError));

  const activities = proxyActivities<ScopeActivities>({
    taskQueue: scopeTaskQueue(scope),
    startToCloseTimeout: '1 minute',
    heartbeatTimeout: HEARTBEAT_TIMEOUT,
    retry: { initialInterval: '1 second', maximumInterval: '30 seconds', maximumAttempts: 5 },
  });

  const look = async (): Promise<void> => {
    const planned = beginLook(state, now());
    const waiting = state.queue.length;
    try {
      const summary = `free addresses for ${waiting} waiting`;
      const found = await activities.select.executeWithOptions({ summary }, [{ scope, ...planned }]);
      lastError = found.pools.find((pool) => pool.error !== undefined)?.error;
      await deliver(state, decide(state, planned, found, now()));
    } catch (error) {
      lastError = messageOf(error);
      log.warn('could not list addresses', { error: lastError });
      lookFailed(state);
    }
  };

  const findSilentHolders = async (holders: Holder[]): Promise<void> => {
    try {
      const closed = await activities.findClosed.executeWithOptions({ summary: 'silent holders of claims' }, [
        { holders },
      ]);
      checkedHolders(state, closed, now());
    } catch (error) {
      log.warn('could not look for holders of claims', { error: messageOf(error) });
      checkedHolders(state, [], now());
    }
  };

  for (;;) {
    setCurrentDetails(poolDetails(poolStatus(state, scope, lastError)));
    if (isLongHistory()) {
      await condition(allHandlersFinished);
      await continueAsNew<typeof AddressPoolWorkflow>({ scope, pacing, state: pack(state) });
    }
    const silent = overdueHolders(state, now());
    if (silent.length > 0) await findSilentHolders(silent);
    else if (isDue(nextLookAt(state), now())) await look();
    else {
      signalled = false;
      // Signals that say nothing, by bad input or an unknown name, make the history longer all the same.
      const isWoken = (): boolean => signalled || isLongHistory();
      const wakeAt = nextWakeAt(state);
      if (wakeAt === undefined) await condition(isWoken);
      else if (!(await condition(isWoken, Math.max(1, wakeAt - now())))) now(wakeAt);
    }
  }
}

function isLongHistory(): boolean {
  return workflowInfo().continueAsNewSuggested || workflowInfo().historyLength > LONGEST_HISTORY;
}

function isDue(at: number | undefined, now: number): boolean {
  return at !== undefined && at <= now;
}

/** Sends grants in parallel, some at once. */
async function deliver(state: PoolState, messages: Message[]): Promise<void> {
  for (let from = 0; from < messages.length; from += GRANTS_AT_ONCE) {
    await Promise.all(
      messages.slice(from, from + GRANTS_AT_ONCE).map((message) => deliverOne(state, message)),
    );
  }
}

/** A workflow that runs no more frees what was claimed for it; the others are served all the same. */
async function deliverOne(state: PoolState, { workflowId, grant }: Message): Promise<void> {
  try {
    await getExternalWorkflowHandle(workflowId).signal(grantSignal, grant);
  } catch (error) {
    log.warn('a waiting workflow runs no more', { workflowId, error: messageOf(error) });
    if (grant.kind === 'granted') undelivered(state, grant.token);
    else withdraw(state, workflowId, grant.requestId);
  }
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
