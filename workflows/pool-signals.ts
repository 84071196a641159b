/** What a node says to the mutex of its scope. */
import { condition, getExternalWorkflowHandle, log, uuid4, workflowInfo } from '@temporalio/workflow';
import type { AddressQuery, Family, Instance, InstanceRef } from '../model/address.ts';
import type { Scope } from '../model/scope.ts';
import type { PoolSpec } from '../model/settings.ts';
import { failureMessage } from './failures.ts';
import { type FamilyRun, wantedOf } from './family-run.ts';
import {
  addressPoolWorkflowId,
  type AddressRequest,
  type ClaimOutcome,
  freedSignal,
  type Grant,
  type Holding,
  requestSignal,
  settleSignal,
  withdrawSignal,
} from './messages.ts';
import { clusterActivities } from './node-activities.ts';
import type { NodeRun } from './node-run.ts';

/** What is asked of the mutex, and for which instance. */
export interface Asked {
  readonly pool: PoolSpec;
  readonly query: AddressQuery;
  readonly instance: InstanceRef;
  readonly holds?: Holding | undefined;
  readonly pinned?: string | undefined;
}

/**
 * Asks for an address of one family. Where no mutex runs, starts it and asks again. Asking twice is asking once: the request
 * keeps its id until it is answered or withdrawn.
 */
export async function requestAddress(
  run: NodeRun,
  of: FamilyRun,
  { pool, query, instance, holds, pinned }: Asked,
): Promise<void> {
  of.requestId ??= uuid4().slice(0, 8);
  of.requestedFor = wantedOf(pool, query, pinned);
  of.askedScope = pool.scope;
  const asked: AddressRequest = {
    workflowId: workflowInfo().workflowId,
    runId: workflowInfo().runId,
    requestId: of.requestId,
    pool: pool.name,
    query,
    priority: pool.priority,
    instance: { provider: instance.provider, id: instance.id, zone: instance.zone },
    ...(holds === undefined ? {} : { holds }),
    ...(pinned === undefined ? {} : { pinned }),
    ...(of.lost === undefined ? {} : { prefers: of.lost }),
  };
  const text = JSON.stringify(asked);
  const request =
    of.asksAgain === of.requestId && of.asked === text ? { ...asked, again: true as const } : asked;
  of.asked = text;
  of.asksAgain = undefined;
  const mutex = getExternalWorkflowHandle(addressPoolWorkflowId(pool.scope));
  try {
    await mutex.signal(requestSignal, request);
  } catch (error) {
    log.warn('no mutex runs for the scope: starting it', { error: failureMessage(error) });
    await clusterActivities(run).startAddressPool({ scope: pool.scope });
    await mutex.signal(requestSignal, request);
  }
}

/** An ephemeral address is nothing that a node could keep. */
export function holdingOf({ publicIps }: Pick<Instance, 'publicIps'>, family: Family): Holding | undefined {
  const held = publicIps.filter((it) => it.family === family && it.kind !== 'ephemeral');
  if (held.length === 0) return undefined;
  return { ips: held.map(({ ip }) => ip), exclusive: held.some(({ kind }) => kind === 'static') };
}

/** Takes all requests back, as {@link withdrawRequest}. */
export async function withdrawRequests(run: NodeRun): Promise<void> {
  for (const of of run.families) await withdrawRequest(run, of);
}

/** Takes the request back. What was granted to it, or crosses this, goes back too. */
export async function withdrawRequest(run: NodeRun, of: FamilyRun): Promise<void> {
  const { requestId, askedScope } = of;
  run.strayGrants.push(...of.grants.splice(0));
  if (requestId === undefined || askedScope === undefined) return;
  of.requestId = undefined;
  const { workflowId } = workflowInfo();
  await tell(askedScope, (mutex) => mutex.signal(withdrawSignal, { workflowId, requestId }));
}

/** The server takes 2,000 signals in flight from one workflow, and anybody can send it grants. */
const SIGNALS_AT_ONCE = 500;

/** For as long as the run lives, whatever else it waits for: an address must not stay claimed for nobody. */
export async function keepGivingBackStrays(run: NodeRun): Promise<never> {
  for (;;) {
    await condition(() => run.strayGrants.length > 0 && grantingScope(run) !== undefined);
    await giveBackStrays(run);
  }
}

/** Gives back what was granted to requests that were withdrawn or answered otherwise since. */
export async function giveBackStrays(run: NodeRun): Promise<void> {
  const scope = grantingScope(run);
  if (scope === undefined) return;
  const strays = run.strayGrants.splice(0).filter((grant) => grant.kind === 'granted');
  for (let from = 0; from < strays.length; from += SIGNALS_AT_ONCE) {
    const some = strays.slice(from, from + SIGNALS_AT_ONCE);
    await Promise.all(some.map((grant) => settleClaim(scope, grant, 'abandoned')));
  }
}

/** What was not read before the next run begins would be lost to it: it goes back, and the next run asks anew. */
export async function giveBackUnread(run: NodeRun): Promise<void> {
  for (const of of run.families) {
    if (of.grants.length > 0) await withdrawRequest(run, of);
  }
  await giveBackStrays(run);
}

/** A grant does not tell whose it is; a node's pool is of one scope, so whoever was asked is the one. */
function grantingScope(run: NodeRun): Scope | undefined {
  return run.families.find((of) => of.askedScope !== undefined)?.askedScope ?? run.pool?.scope;
}

export function hasUnread(run: NodeRun): boolean {
  const hasStrays = run.strayGrants.length > 0 && grantingScope(run) !== undefined;
  return hasStrays || run.families.some(({ grants }) => grants.length > 0);
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
