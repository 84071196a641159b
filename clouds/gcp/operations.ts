/** Sends changes to Compute Engine and waits for the operations that they answer with. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { protos } from '@google-cloud/compute';
import { CloudError } from '../provider.ts';
import type { CallOptions, GcpCall, GcpClients } from './client.ts';
import { operationError } from './errors.ts';
import type { GcpAction } from './permissions.ts';
import { isRefusal } from '../refusal.ts';
import { requestIdOf } from './request-id.ts';

type GceOperation = protos.google.cloud.compute.v1.IOperation;

export interface OperationSettings {
  readonly project: string;
  readonly endpoint?: string | undefined;
  /** One call of `wait` blocks for so long at most, in milliseconds. */
  readonly waitSliceMs: number;
  /** After so long an operation is no longer waited for, in milliseconds. */
  readonly operationTimeoutMs: number;
}

export interface Change {
  readonly action: GcpAction;
  readonly zone: string;
  /**
   * What makes this request the one it is: the caller's key, what is changed, and the state that it was decided on.
   * Sent again with the same words it is the same request. Undefined: it is a new one each time.
   */
  readonly requestKey: readonly string[] | undefined;
  readonly send: (requestId: string, options: CallOptions) => Promise<GceOperation>;
  /** Called while the operation is waited for. */
  readonly heartbeat?: (() => void) | undefined;
}

/**
 * Makes a change, and returns when its operation is done.
 *
 * @throws CloudError as the call or the operation failed; `Unavailable` if it still runs when its time is up, in which
 * case the same request, sent again, goes on waiting for the same operation
 */
export type ChangeMaker = (change: Change) => Promise<void>;

/** How often a request that has failed before may be found, before an id of no request is taken. */
const rememberedFailures = 3;
const heartbeatMs = 2_000;
/** `wait` may answer sooner than it could; it is not asked again at once. */
const pauseMs = 200;

export function createChangeMaker(
  clients: GcpClients,
  call: GcpCall,
  settings: OperationSettings,
): ChangeMaker {
  return async (change) => {
    for (let nth = 0; ; nth++) {
      change.heartbeat?.();
      const isLast = change.requestKey === undefined || nth >= rememberedFailures;
      const started = await start(call, change, nth, isLast);
      if (started === undefined) continue;
      const failure = operationError(started, { ...settings, action: change.action });
      if (failure === undefined) return await finish(clients, call, settings, change, started);
      // An operation that has failed before it can have begun is that of an earlier try: under its id the failure
      // would be answered for ever, also when what hindered it has passed.
      if (isLast) throw failure;
    }
  };
}

/**
 * @param isLast whether another id is of no use
 * @returns undefined if the id is refused because it was used before. No document says whether a repeated request is answered with its
 * operation, or refused. A request under another id does no harm: if the first one was applied, the state refuses the second
 */
async function start(
  call: GcpCall,
  change: Change,
  nth: number,
  isLast: boolean,
): Promise<GceOperation | undefined> {
  try {
    return await call(change.action, (options) => change.send(idOf(change, nth), options));
  } catch (error) {
    const isOfId = isRefusal(error) && /request[ _]?id/i.test(error.message);
    if (isOfId && !isLast) return undefined;
    throw error;
  }
}

function idOf({ requestKey, action }: Change, nth: number): string {
  if (requestKey === undefined || nth >= rememberedFailures) return randomUUID();
  return requestIdOf(...requestKey, action, String(nth));
}

async function finish(
  clients: GcpClients,
  call: GcpCall,
  settings: OperationSettings,
  change: Change,
  started: GceOperation,
): Promise<void> {
  const timer =
    change.heartbeat && setInterval(change.heartbeat, Math.min(heartbeatMs, settings.waitSliceMs));
  try {
    await untilDone(clients, call, settings, change, started);
  } finally {
    clearInterval(timer);
  }
}

async function untilDone(
  clients: GcpClients,
  call: GcpCall,
  settings: OperationSettings,
  { action, zone }: Change,
  started: GceOperation,
): Promise<void> {
  const until = performance.now() + settings.operationTimeoutMs;
  let operation = started;
  while (operation.status !== 'DONE') {
    const left = until - performance.now();
    if (left <= 0) {
      throw new CloudError(
        'Unavailable',
        `${action}: operation ${started.name ?? ''} still runs after ${settings.operationTimeoutMs / 1000} s; it may yet be applied.`,
        { code: 'OPERATION_RUNNING' },
      );
    }
    const slice = Math.ceil(Math.min(left, settings.waitSliceMs));
    operation = (await waitOnce(clients, call, settings.project, zone, started, slice)) ?? operation;
    if (operation.status !== 'DONE') await sleep(pauseMs);
  }
  const failure = operationError(operation, { ...settings, action });
  if (failure !== undefined) throw failure;
}

/** @returns the operation as it is now; undefined if this wait brought nothing, which the next may */
async function waitOnce(
  clients: GcpClients,
  call: GcpCall,
  project: string,
  zone: string,
  { name }: GceOperation,
  timeoutMs: number,
): Promise<GceOperation | undefined> {
  if (!name) throw new CloudError('Unavailable', 'Compute Engine answered a change without an operation.');
  try {
    return await call(
      'compute.zoneOperations.wait',
      async (options) => (await clients.operations.wait({ project, zone, operation: name }, options))[0],
      timeoutMs,
    );
  } catch (error) {
    if (error instanceof CloudError && (error.kind === 'Unavailable' || error.kind === 'Throttled')) {
      return undefined;
    }
    throw error;
  }
}
