/** What a node says to the mutex of its scope. */
import { getExternalWorkflowHandle, log, uuid4, workflowInfo } from '@temporalio/workflow';
import type { Scope } from '../model/scope.ts';
import type { PoolSpec } from '../model/settings.ts';
import { failureMessage } from './failures.ts';
import {
  addressPoolWorkflowId,
  type ClaimOutcome,
  freedSignal,
  type Grant,
  requestSignal,
  settleSignal,
  withdrawSignal,
} from './messages.ts';
import { clusterActivities } from './node-activities.ts';
import type { NodeRun } from './node-run.ts';

/**
 * Asks for an address. Where no mutex runs, starts it and asks again. Asking twice is asking once: the request keeps its id
 * until it is answered or withdrawn.
 */
export async function requestAddress(run: NodeRun, pool: PoolSpec): Promise<void> {
  const { instance } = run;
  if (instance === undefined) return;
  const holds = instance.publicIp?.static === true ? instance.publicIp.ip : undefined;
  run.requestId ??= uuid4().slice(0, 8);
  const request = {
    workflowId: workflowInfo().workflowId,
    runId: workflowInfo().runId,
    requestId: run.requestId,
    pool: pool.name,
    query: pool.query,
    priority: pool.priority,
    instance: { provider: instance.provider, id: instance.id, zone: instance.zone },
    ...(holds === undefined ? {} : { holds }),
  };
  const mutex = getExternalWorkflowHandle(addressPoolWorkflowId(pool.scope));
  run.askedScope = pool.scope;
  try {
    await mutex.signal(requestSignal, request);
  } catch (error) {
    log.warn('no mutex runs for the scope: starting it', { error: failureMessage(error) });
    await clusterActivities(run).startAddressPool({ scope: pool.scope });
    await mutex.signal(requestSignal, request);
  }
}

/** Takes the request back. A grant that crosses it is settled as abandoned when it is read. */
export async function withdrawRequest(run: NodeRun): Promise<void> {
  if (run.requestId === undefined || run.askedScope === undefined) return;
  run.requestId = undefined;
  await tell(run.askedScope, (mutex) =>
    mutex.signal(withdrawSignal, { workflowId: workflowInfo().workflowId }),
  );
}

/** Ends a claim, or gives back a grant that nobody waits for. */
export async function settleClaim(
  scope: Scope,
  granted: Extract<Grant, { kind: 'granted' }>,
  outcome: ClaimOutcome,
): Promise<void> {
  const { workflowId } = workflowInfo();
  const settlement = { workflowId, addressId: granted.address.id, token: granted.token, outcome };
  await tell(scope, (mutex) => mutex.signal(settleSignal, settlement));
}

/** @param disassociated a call was made, which counts against the provider's rate limit */
export async function reportFreed(scope: Scope, addressId: string, disassociated: boolean): Promise<void> {
  await tell(scope, (mutex) => mutex.signal(freedSignal, { addressId, disassociated }));
}

/** Where no mutex runs there is no claim to end and nobody who waits. */
async function tell(
  scope: Scope,
  say: (mutex: ReturnType<typeof getExternalWorkflowHandle>) => Promise<void>,
): Promise<void> {
  try {
    await say(getExternalWorkflowHandle(addressPoolWorkflowId(scope)));
  } catch (error) {
    log.warn('no mutex runs for the scope', { error: failureMessage(error) });
  }
}
