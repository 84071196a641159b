/** What a look at the Node means for the addresses that it has and asks for. */
import { isCancellation, log, patched, upsertMemo } from '@temporalio/workflow';
import type { Discovery } from '../activities/contract.ts';
import { type AddressQuery, familyName, type InstanceRef, solePublicIp } from '../model/address.ts';
import { formatScope } from '../model/scope.ts';
import type { PoolSpec } from '../model/settings.ts';
import { adoption } from './adoption.ts';
import { noteDrift } from './decisions.ts';
import { failureType } from './failures.ts';
import { type FamilyRun, hasAllOf, isAskedBy, newFamilyRun, wantedOf } from './family-run.ts';
import type { Assignment } from './messages.ts';
import { publish, verifyActivity } from './node-activities.ts';
import {
  assignmentsOf,
  enterFamilyPhase,
  ephemeralMemo,
  explain,
  isInterrupted,
  lacksNothing,
  type NodeRun,
  note,
  wishOf,
} from './node-run.ts';
import { WRITES_GIVE_WAY } from './patches.ts';
import { hasUnread, reportFreed, withdrawRequest } from './pool-signals.ts';
import { releaseAddress } from './release-address.ts';
import { restoreMissing } from './restore-ephemeral.ts';
import {
  assigned,
  driftHealed,
  instanceGone,
  leaving,
  leftItsPool,
  lost,
  type Notice,
  pinIgnored,
} from './words.ts';

export type Ready = Extract<Discovery, { kind: 'ready' }>;

/** Takes over what was found. What the node has and still may have, it keeps. */
export async function useDiscovery(run: NodeRun, found: Ready): Promise<void> {
  const had = assignmentsOf(run).length;
  run.pool = found.pool;
  run.instance = found.instance;
  run.pinned = found.pinned;
  run.pinnedBy = found.pinnedBy ?? {};
  noteIgnoredPins(run, found);
  run.shownOnNode = found.shown ?? [];
  run.createdAt = found.createdAt;
  run.deselected = false;
  run.looks = 0;
  run.lastError = undefined;
  let notice: Notice | undefined;
  for (const query of found.pool.queries) {
    const of = familyRun(run, query);
    noteEphemeral(run, of, found);
    const { assignment } = of;
    of.isLeaving = false;
    if (assignment === undefined) await renewRequest(run, of, query, found.pool);
    else notice = (await checkAssignment(run, of, assignment, query, found)) ?? notice;
    if (of.assignment !== undefined && !of.isLeaving) await withdrawRequest(run, of);
  }
  await dropFamilies(run, found);
  // Until it has moved, the reason for the move is judged by where it was.
  if (!run.families.some(({ isLeaving }) => isLeaving)) {
    run.selection = { pool: found.pool.name, labels: found.selectedBy };
  }
  if (had > 0 || assignmentsOf(run).length > 0) await announceAll(run, notice);
  // Also where nothing else is said: visibility shows by which settings the node is looked after.
  else explain(run, run.message);
}

/** In the status for as long as it is so, and once by an Event, with the next write on the Node. */
function noteIgnoredPins(run: NodeRun, { ignoredPins = [], pool }: Ready): void {
  const notice = ignoredPins.length === 0 ? undefined : pinIgnored(run.node.name, pool, ignoredPins);
  if (notice?.message === run.warning) return;
  run.warning = notice?.message;
  run.untoldWarning = notice;
}

/**
 * Families that the pool does not ask for. The node keeps the address that it has: settings alone take nothing away. The Node's own
 * labels do, once it has what the pool gives in its place; and so does another instance.
 */
async function dropFamilies(run: NodeRun, { pool, instance, change }: Ready): Promise<void> {
  for (const of of run.families.filter((it) => !isAskedBy(pool, it))) {
    await withdrawRequest(run, of);
    const { assignment } = of;
    const isHere = assignment !== undefined && isSameInstance(assignment.instance, instance);
    const isMoved = assignment?.pool.name !== pool.name && change === 'labels';
    const why = `pool ${pool.name} gives no ${familyName(of.family)} addresses`;
    of.isLeaving = isHere && isMoved && !hasAllOf(pool, run.families);
    if (of.isLeaving && isHere) of.kept = leaving(assignment, pool, `${why}, so this one is released then.`);
    else if (isHere && !isMoved)
      belong(of, { ...assignment, pool: { ...pool, scope: assignment.pool.scope } });
    else await releaseAddress(run, of, why);
    await restoreMissing(run, [of]);
  }
  run.families = run.families.filter((of) => isAskedBy(pool, of) || of.assignment !== undefined);
}

function familyRun(run: NodeRun, { family }: AddressQuery): FamilyRun {
  const known = run.families.find((of) => of.family === family);
  if (known !== undefined) return known;
  const added = newFamilyRun(family);
  run.families = [...run.families, added].sort((a, b) => (a.family < b.family ? -1 : 1));
  return added;
}

/** Once seen it stays noted, for this instance: a later look may come when it is gone already. */
function noteEphemeral(run: NodeRun, of: FamilyRun, { instance, pool }: Ready): void {
  if (of.hadEphemeral !== undefined && !isSameInstance(of.hadEphemeral.instance, instance)) {
    of.hadEphemeral = undefined;
    of.mayLackEphemeral = false;
  }
  const shown = solePublicIp(instance, of.family);
  // Also one that an earlier run replaced, of which this one knows nothing else: Temporal's data may have been lost since.
  if (shown?.kind !== 'ephemeral' && shown?.inPlaceOfEphemeral !== true) return;
  const { provider, id, zone } = instance;
  const isKnown = of.hadEphemeral !== undefined;
  of.hadEphemeral = { instance: { provider, id, zone }, scope: pool.scope };
  // EC2 sees to it by itself.
  if (!isKnown && provider === 'gcp') upsertMemo(ephemeralMemo(run));
}

/** What was asked of another set of addresses, or for another pin, is taken back; the node then asks anew. */
async function renewRequest(run: NodeRun, of: FamilyRun, query: AddressQuery, pool: PoolSpec): Promise<void> {
  if (of.requestedFor !== wantedOf(pool, query, wishOf(run, of.family))) await withdrawRequest(run, of);
}

/** @returns what is to be said on the Node, if it is news */
async function checkAssignment(
  run: NodeRun,
  of: FamilyRun,
  before: Assignment,
  query: AddressQuery,
  { instance, pool, change }: Ready,
): Promise<Notice | undefined> {
  const { ip } = before.address;
  if (!isSameInstance(before.instance, instance)) {
    await releaseFor(run, of, `the Node is ${instance.id} now`);
    return undefined;
  }
  const isSame =
    formatScope(before.pool.scope) === formatScope(pool.scope) && isSameQuery(before.query, query);
  if (isSame) {
    const isShown = instance.publicIps.some((held) => held.ip === ip);
    if (isShown || (await isThere(before))) belong(of, { ...before, pool });
    else lose(run, of, before);
    return undefined;
  }
  // The Node may have moved to a pool that its address is of as well, or its pool may have got another filter.
  const moved = { ...before, pool, query };
  if (await isOfPool(moved)) {
    of.lastError = undefined;
    belong(of, moved);
    return undefined;
  }
  if (!(await isThere(before))) {
    lose(run, of, before);
    return undefined;
  }
  if (change === 'labels' && before.pool.name !== pool.name) {
    of.isLeaving = true;
    await renewRequest(run, of, query, pool);
    return undefined;
  }
  of.assignment = { ...before, pool: { ...pool, scope: before.pool.scope } };
  const notice = leftItsPool(run.node.name, ip, pool);
  const isNews = of.kept !== notice.message;
  of.kept = notice.message;
  of.lastError = notice.message;
  if (isNews)
    log.warn('the address is not of its pool: the node keeps it', { node: run.node.name, address: ip });
  return isNews ? notice : undefined;
}

/** The address is of the pool that selects the node: nothing is amiss with it. */
function belong(of: FamilyRun, assignment: Assignment): void {
  of.assignment = assignment;
  if (of.kept !== undefined) of.lastError = undefined;
  of.kept = undefined;
}

async function releaseFor(run: NodeRun, of: FamilyRun, why: string): Promise<void> {
  const became = await releaseAddress(run, of, why);
  enterFamilyPhase(run, of, 'waiting', `${became.join(' ')} Reason: ${why}.`);
}

/**
 * The cloud says that the instance is gone, without its Node: what it lost by that is no longer the node's, and serves
 * others. What the provider still shows on it stays: the Node's deletion, or another look, will follow.
 */
export async function loseGone(run: NodeRun, reason: string): Promise<void> {
  const isLost: FamilyRun[] = [];
  for (const of of run.families) {
    const { assignment } = of;
    if (assignment === undefined || (await isThere(assignment))) continue;
    of.assignment = undefined;
    of.hadEphemeral = undefined;
    of.mayLackEphemeral = false;
    of.lastError = `${assignment.address.ip} is free again: ${reason}`;
    isLost.push(of);
    enterFamilyPhase(run, of, 'waiting', of.lastError);
    await reportFreed(assignment.pool.scope, assignment.address.id, false);
  }
  if (isLost.length === 0) return;
  const message = isLost.map(({ lastError }) => lastError).join(' ');
  await publish(run, { event: instanceGone(message) });
}

function lose(run: NodeRun, of: FamilyRun, { address, instance, pool }: Assignment): void {
  noteDrift(run, of, pool.name, address.ip);
  of.lastError = lost(address.ip);
  note(run, `look for ${address.ip} on ${instance.id}`, 'failed', of.lastError);
  of.assignment = undefined;
  run.unpublished ??= {};
  // Whoever took it may have left the instance with none. EC2 sees to it by itself.
  of.mayLackEphemeral = of.hadEphemeral?.instance.provider === 'gcp';
  of.lost = address.id;
  of.lostIp = address.ip;
  enterFamilyPhase(run, of, 'waiting', of.lastError);
}

/**
 * @returns whether the address is associated as before, and of the new pool
 * @throws ActivityFailure if the provider does not say: nothing is decided on that
 */
async function isOfPool(moved: Assignment): Promise<boolean> {
  try {
    await readBack(moved);
    return true;
  } catch (error) {
    if (isCancellation(error) || !isDefinite(error)) throw error;
    return false;
  }
}

/** The instance does not show its address: an old answer of the provider, or the truth? */
async function isThere(assignment: Assignment): Promise<boolean> {
  try {
    await readBack(assignment);
    return true;
  } catch (error) {
    if (isCancellation(error)) throw error;
    return !isDefinite(error);
  }
}

async function readBack({ address, association, instance, pool, query }: Assignment): Promise<void> {
  const verify = verifyActivity(pool.scope, { attempts: 4, intervalMs: 2_000 });
  await verify.executeWithOptions({ summary: `is ${address.ip} still there?` }, [
    { scope: pool.scope, pool: pool.name, instance, address, query, association },
  ]);
}

/** Only the provider's word that it is not there counts; not hearing from it does not. */
function isDefinite(error: unknown): boolean {
  return ['NotVisibleYet', 'InUse', 'NotFound'].includes(failureType(error));
}

/** Shows an assignment in the UI and on the Node, which loses its taint when it has all that its pool requires. */
export async function announce(run: NodeRun, of: FamilyRun): Promise<void> {
  const { assignment, lostIp } = of;
  if (assignment === undefined) return;
  of.lostIp = undefined;
  await announceAs(run, of, lostIp === undefined ? assigned(assignment) : driftHealed(assignment, lostIp));
}

/** As {@link announce}, in other words. */
export async function announceAs(run: NodeRun, of: FamilyRun, notice: Notice): Promise<void> {
  enterFamilyPhase(run, of, 'assigned', notice.message);
  await adoption(run, () => isInterrupted(run));
  await publish(run, { event: notice });
}

async function announceAll(run: NodeRun, event: Notice | undefined): Promise<void> {
  for (const of of run.families) {
    if (of.assignment === undefined) continue;
    enterFamilyPhase(run, of, 'assigned', of.kept ?? assigned(of.assignment).message);
  }
  const said = event === undefined ? {} : { event };
  if (lacksNothing(run) || !patched(WRITES_GIVE_WAY)) await publish(run, said);
  else await publish(run, { ...said, giveUp: () => isInterrupted(run) || hasUnread(run) });
}

/** The name of a GCE instance is unique in its zone only. */
export function isSameInstance(a: InstanceRef, b: InstanceRef): boolean {
  return a.id === b.id && a.zone === b.zone;
}

/** The order in which addresses are given is of no matter to those that were given. */
function isSameQuery(a: AddressQuery, b: AddressQuery): boolean {
  return a.filter === b.filter && a.subnet === b.subnet;
}
