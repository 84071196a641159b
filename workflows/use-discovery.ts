/** What a look at the Node means for the addresses that it has and asks for. */
import { isCancellation, log } from '@temporalio/workflow';
import type { Discovery } from '../activities/contract.ts';
import { type AddressQuery, type InstanceRef, solePublicIp } from '../model/address.ts';
import { formatScope } from '../model/scope.ts';
import type { PoolSpec } from '../model/settings.ts';
import { failureType } from './failures.ts';
import { familyName, type FamilyRun, newFamilyRun } from './family-run.ts';
import type { Assignment } from './messages.ts';
import { publish, verifyActivity } from './node-activities.ts';
import { assignmentsOf, enterFamilyPhase, type NodeRun } from './node-run.ts';
import { withdrawRequest } from './pool-signals.ts';
import { releaseAddress } from './release-address.ts';

export type Ready = Extract<Discovery, { kind: 'ready' }>;

/** Takes over what was found. What the node has and still may have, it keeps. */
export async function useDiscovery(run: NodeRun, found: Ready): Promise<void> {
  const before = run.pool;
  run.pool = found.pool;
  run.instance = found.instance;
  run.pinned = found.pinned;
  run.looks = 0;
  run.lastError = undefined;
  await dropFamilies(run, found.pool);
  for (const query of found.pool.queries) {
    const of = familyRun(run, query);
    noteEphemeral(of, found);
    const { assignment } = of;
    if (assignment === undefined) await renewRequest(of, before, found);
    else await checkAssignment(run, of, assignment, query, found);
  }
  if (assignmentsOf(run).length > 0) await announceAll(run);
}

/** The pool asks for fewer families than before. */
async function dropFamilies(run: NodeRun, pool: PoolSpec): Promise<void> {
  const isAsked = (of: FamilyRun): boolean => pool.queries.some(({ family }) => family === of.family);
  for (const of of run.families.filter((it) => !isAsked(it))) {
    await withdrawRequest(of);
    await releaseAddress(run, of, `pool ${pool.name} gives no ${familyName(of.family)} addresses`);
  }
  run.families = run.families.filter(isAsked);
}

function familyRun(run: NodeRun, { family }: AddressQuery): FamilyRun {
  const known = run.families.find((of) => of.family === family);
  if (known !== undefined) return known;
  const added = newFamilyRun(family);
  run.families = [...run.families, added].sort((a, b) => (a.family < b.family ? -1 : 1));
  return added;
}

/** Once seen it stays noted, for this instance: a later look may come when it is gone already. */
function noteEphemeral(of: FamilyRun, { instance }: Ready): void {
  if (of.hadEphemeral !== undefined && !isSameInstance(of.hadEphemeral, instance))
    of.hadEphemeral = undefined;
  if (solePublicIp(instance, of.family)?.kind !== 'ephemeral') return;
  of.hadEphemeral = { provider: instance.provider, id: instance.id, zone: instance.zone };
}

/** What was asked of another set of addresses, or for another pin, is taken back; the node then asks anew. */
async function renewRequest(
  of: FamilyRun,
  before: PoolSpec | undefined,
  { pool, pinned }: Ready,
): Promise<void> {
  const isSame = before === undefined || (before.name === pool.name && isSameSet(before, pool, of.family));
  if (!isSame || of.requestPinned !== pinned[of.family]) await withdrawRequest(of);
}

async function checkAssignment(
  run: NodeRun,
  of: FamilyRun,
  before: Assignment,
  query: AddressQuery,
  { instance, pool }: Ready,
): Promise<void> {
  const { ip } = before.address;
  if (!isSameInstance(before.instance, instance)) {
    await releaseAddress(run, of, `the Node is ${instance.id} now`);
    return;
  }
  const isSame =
    formatScope(before.pool.scope) === formatScope(pool.scope) && isSameQuery(before.query, query);
  // The Node may have moved to a pool that its address is of as well, or its pool may have got another filter.
  const moved = isSame ? before : { ...before, pool, query };
  const isShown = isSame && instance.publicIps.some((held) => held.ip === ip);
  if (isShown || (await isThere(moved))) {
    of.assignment = { ...moved, pool };
  } else if (before.pool.name !== pool.name) {
    await releaseAddress(run, of, `the Node belongs to pool ${pool.name} now`);
  } else if (!isSame && (await isThere(before))) {
    log.warn('the address is not of its pool any more: the node keeps it', {
      node: run.node.name,
      address: ip,
    });
    of.assignment = { ...before, pool: { ...pool, scope: before.pool.scope } };
    of.lastError =
      `${ip} does not match the filter of pool ${pool.name} any more. The node keeps it; release it by hand ` +
      'for one that does.';
    return;
  } else {
    log.warn('the node lost its address', { node: run.node.name, address: ip });
    of.lastError = `${ip} was taken from the instance by somebody else`;
    of.assignment = undefined;
    return;
  }
  of.lastError = undefined;
}

/** The instance does not show its address: an old answer of the provider, or the truth? */
async function isThere({ address, association, instance, pool, query }: Assignment): Promise<boolean> {
  try {
    const verify = verifyActivity(pool.scope, { attempts: 4, intervalMs: 2_000 });
    await verify.executeWithOptions({ summary: `is ${address.ip} still there?` }, [
      { scope: pool.scope, instance, address, query, association },
    ]);
    return true;
  } catch (error) {
    if (isCancellation(error)) throw error;
    const type = failureType(error);
    // Only the provider's word that it is not there counts; not hearing from it does not.
    return type !== 'NotVisibleYet' && type !== 'InUse' && type !== 'NotFound';
  }
}

/** Shows an assignment in the UI and on the Node, which loses its taint when it has all that its pool requires. */
export async function announce(run: NodeRun, of: FamilyRun): Promise<void> {
  if (of.assignment === undefined) return;
  const message = assignedMessage(of.assignment);
  enterFamilyPhase(run, of, 'assigned', message);
  await publish(run, { event: { type: 'Normal', reason: 'AddressAssigned', message } });
}

async function announceAll(run: NodeRun): Promise<void> {
  for (const of of run.families) {
    if (of.assignment !== undefined) enterFamilyPhase(run, of, 'assigned', assignedMessage(of.assignment));
  }
  await publish(run, {});
}

function assignedMessage({ address, instance, pool }: Assignment): string {
  return `${address.ip} of pool ${pool.name} is associated with ${instance.id}.`;
}

/** The name of a GCE instance is unique in its zone only. */
export function isSameInstance(a: InstanceRef, b: InstanceRef): boolean {
  return a.id === b.id && a.zone === b.zone;
}

/** The same set of addresses: what was asked of the one may be used for the other. */
function isSameSet(a: PoolSpec, b: PoolSpec, family: AddressQuery['family']): boolean {
  const [ofA, ofB] = [a, b].map(({ queries }) => queries.find((query) => query.family === family));
  if (ofA === undefined || ofB === undefined) return ofA === ofB;
  return formatScope(a.scope) === formatScope(b.scope) && isSameQuery(ofA, ofB);
}

/** The order in which addresses are given is of no matter to those that were given. */
function isSameQuery(a: AddressQuery, b: AddressQuery): boolean {
  return a.filter === b.filter && a.subnet === b.subnet;
}
