/**
 * From one address of a pool to another one, as an operator asked for by `move`. The other one is claimed first; only when that
 * is granted does the present one give way, in one activity that a worker's death does not lose.
 */
import { CancellationScope, condition, isCancellation, log } from '@temporalio/workflow';
import type { Associated } from '../activities/contract.ts';
import { outcomeOf, Overtaken } from './claim-address.ts';
import { noteAssigned, noteClaim, noteGranted } from './decisions.ts';
import { failureMessage, failureType } from './failures.ts';
import type { FamilyRun } from './family-run.ts';
import type { Assignment, ClaimOutcome, Grant } from './messages.ts';
import { scopeActivities, unpacedScopeActivities, verifyActivity } from './node-activities.ts';
import { explain, holding, isWantedOtherwise, type Move, type NodeRun, note } from './node-run.ts';
import { reportFreed, requestAddress, settleClaim, withdrawRequest } from './pool-signals.ts';
import { announceAs } from './use-discovery.ts';
import { moved, moving, notMoved } from './words.ts';

type Granted = Extract<Grant, { kind: 'granted' }>;

/** The pool that the new address is of. It is of the same scope as the old one. */
type Target = Pick<Assignment, 'pool' | 'query'>;

/** Longer than the mutex takes to serve hundreds who wait at EC2's rate limit. */
const ANSWER_MS = 5 * 60_000;
/** Reads after a call whose end is not known: the cloud shows it within seconds. */
const FEW = { attempts: 4, intervalMs: 2_000 };

/** Makes the move that is wanted, or says why not: `run.move` is done with. The node keeps what it has if it cannot be. */
export async function moveAddress(run: NodeRun, move: Move): Promise<void> {
  const of = run.families.find(({ family }) => family === move.family);
  const before = of?.assignment;
  if (of === undefined || before === undefined) {
    return end(run, move, 'it has no address to move from: `assign` gives it one');
  }
  if (isWantedOtherwise(run)) return end(run, move, 'its address is being released');
  explain(run, moving(before, move.to));
  const granted = await claim(run, of, before, move.to);
  if (typeof granted === 'string') return end(run, move, granted, before);
  const query = before.pool.queries.find(({ family }) => family === of.family) ?? before.query;
  const failure = await swap(run, of, before, granted, { pool: before.pool, query });
  const { assignment } = of;
  if (assignment?.address.id !== granted.address.id) return end(run, move, failure ?? '', before);
  await reportFreed(before.pool.scope, before.address.id, false);
  noteAssigned(run, of, before.pool.name, granted);
  note(run, `move from ${before.address.ip} to ${assignment.address.ip}`, 'done');
  of.lastError = failure;
  of.kept = undefined;
  move.became = { moved: true };
  run.move = undefined;
  await announceAs(run, of, moved(assignment, before.address.ip));
  // What is said of a node that no pool selects is still so. Set only now: the write above would give way to it.
  if (run.deselected) run.changed = true;
}

function end(run: NodeRun, move: Move, why: string, kept?: Assignment): void {
  const message = notMoved(run.node.name, move.to, why, kept);
  log.warn('the node was not moved', { node: run.node.name, address: move.to, reason: why });
  note(run, `move to ${move.to}`, 'failed', why);
  move.became = { refused: message };
  run.move = undefined;
  if (kept !== undefined) explain(run, message);
}

/** @returns the grant, or in words why there is none: then nothing is asked for any more */
async function claim(
  run: NodeRun,
  of: FamilyRun,
  { pool, query, instance }: Assignment,
  wanted: string,
): Promise<Granted | string> {
  // Without what the instance holds: that it would keep.
  const asked = { pool, query: pool.queries.find(({ family }) => family === of.family) ?? query, instance };
  await requestAddress(run, of, { ...asked, pinned: wanted });
  await condition(() => of.grants.length > 0 || isWantedOtherwise(run), ANSWER_MS);
  const grant = of.grants.shift();
  if (grant?.kind === 'granted' && !isWantedOtherwise(run)) {
    of.requestId = undefined;
    return grant;
  }
  // What was granted, or crosses this, goes back.
  if (grant !== undefined) of.grants.unshift(grant);
  await withdrawRequest(run, of);
  if (isWantedOtherwise(run)) return 'its address is being released';
  switch (grant?.kind) {
    case 'pinned':
      return grant.reason === 'inUse'
        ? `${wanted} is in use, or claimed for another node`
        : `${wanted} is not an address of pool ${pool.name}`;
    case 'refused':
      return grant.error;
    default:
      return `the mutex did not answer within ${ANSWER_MS / 60_000} minutes: try again`;
  }
}

/**
 * Associates the new address in place of the old one. Afterwards `of.assignment` is what the node has, as far as that is known,
 * and the mutex knows how the claim ended.
 *
 * @returns why it did not come off, or what is amiss with it; undefined if nothing is
 */
export async function swap(
  run: NodeRun,
  of: FamilyRun,
  before: Assignment,
  granted: Granted,
  target: Target,
): Promise<string | undefined> {
  const { instance } = before;
  const { pool } = target;
  let outcome: ClaimOutcome = 'unknown';
  const grantedAt = Date.now();
  noteGranted(run, of, pool.name, granted);
  try {
    await associate(run, of, before, granted, target);
    outcome = 'associated';
    return undefined;
  } catch (error) {
    if (!isCancellation(error)) outcome = outcomeOf(error, of.assignment !== before);
    if (error instanceof Overtaken) return error.message;
    if (of.assignment === before) {
      // Also where the workflow is cancelled: the node must not be left between two addresses.
      await CancellationScope.nonCancellable(() => putBack(run, of, before, granted, target, outcome));
    } else {
      // The provider said that the new one is there, and it does not show: the next look tells.
      run.changed = true;
    }
    if (isCancellation(error)) throw error;
    note(run, `associate ${granted.address.ip} with ${instance.id}`, 'failed', failureMessage(error));
    return failureMessage(error);
  } finally {
    noteClaim(pool.name, outcome, (Date.now() - grantedAt) / 1000);
    await CancellationScope.nonCancellable(() => settleClaim(pool.scope, granted, outcome));
  }
}

async function associate(
  run: NodeRun,
  of: FamilyRun,
  before: Assignment,
  { address, token }: Granted,
  { pool, query }: Target,
): Promise<void> {
  const { instance } = before;
  const target = { scope: pool.scope, pool: pool.name, instance, address, query };
  const summary = `${before.address.ip} → ${address.ip} on ${instance.id}`;
  const { associate: replace } = scopeActivities(pool.scope, pool.retries);
  let associated: Associated | undefined;
  await holding(run.changing, async () => {
    if (isWantedOtherwise(run)) throw new Overtaken('its address is being released');
    const replaces = before.address;
    const hadEphemeral = of.hadEphemeral !== undefined;
    associated = await replace.executeWithOptions({ summary }, [
      { ...target, token, replaces, hadEphemeral },
    ]);
    of.assignment = { address, token, association: associated.association, instance, pool, query };
  });
  if (associated === undefined || associated.shown) return;
  const { association } = associated;
  const verify = verifyActivity(pool.scope, pool.retries);
  await verify.executeWithOptions({ summary: `is ${address.ip} there?` }, [{ ...target, association }]);
}

/**
 * The compensation: the node has its old address again, or, where the call came off after all, the new one. A read, as long as
 * nothing was changed. What this cannot find out, the next look at the node does.
 */
async function putBack(
  run: NodeRun,
  of: FamilyRun,
  before: Assignment,
  { address, token }: Granted,
  to: Target,
  outcome: ClaimOutcome,
): Promise<void> {
  const { pool, instance, query } = before;
  const { scope } = pool;
  const target = { scope, pool: pool.name, instance, query };
  const { associate: put, release } = unpacedScopeActivities(scope, FEW);
  try {
    // By a token of its own: a call of a worker that was thought dead, to remove what had the old one, hits nothing.
    const summary = `${before.address.ip} → ${instance.id}, as before`;
    const { association } = await put.executeWithOptions({ summary }, [
      { ...target, address: before.address, token, hadEphemeral: of.hadEphemeral !== undefined },
    ]);
    of.assignment = { ...before, association };
    if (outcome !== 'unknown') return;
    // An interface that may have several may have got the new one all the same.
    await release.executeWithOptions({ summary: `${address.ip} ← ${instance.id}` }, [
      { ...target, pool: to.pool.name, query: to.query, address, token },
    ]);
  } catch (error) {
    log.warn('the node may be without its address', { node: run.node.name, error: failureMessage(error) });
    run.changed = true;
    if (failureType(error) !== 'ForeignAddress' || of.assignment !== before) return;
    // The instance has another one than the old one: is it the new one?
    await adoptNew(of, before, { address, token }, to);
  }
}

async function adoptNew(
  of: FamilyRun,
  before: Assignment,
  { address, token }: Pick<Granted, 'address' | 'token'>,
  { pool, query }: Target,
): Promise<void> {
  const { instance, association } = before;
  const verify = verifyActivity(pool.scope, FEW);
  try {
    const shown = await verify.executeWithOptions({ summary: `is ${address.ip} there?` }, [
      { scope: pool.scope, instance, address, query, association },
    ]);
    of.assignment = { ...before, pool, query, address, token, association: shown };
  } catch (error) {
    log.warn('it is not known which address the node has', { error: failureMessage(error) });
  }
}
