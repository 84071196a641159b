/**
 * What is decided for a node, told to the log and to the worker's metrics: each decision in one place, and once, since neither
 * hears of what is replayed. What is then done in the cloud and on the Node the activities log themselves.
 */
import { log } from '@temporalio/workflow';
import type { FamilyRun } from './family-run.ts';
import { type AssignmentReason, type MeasureSinks, measures, type ReleaseReason } from './measures.ts';
import type { ClaimOutcome, Grant } from './messages.ts';
import type { NodeRun } from './node-run.ts';

type Granted = Extract<Grant, { kind: 'granted' }>;

/** Workflow and run are on each line by the SDK. */
function factsOf(run: NodeRun, of: FamilyRun | undefined, pool: string | undefined): Record<string, unknown> {
  return {
    node: run.node.name,
    ...(of === undefined ? {} : { family: of.family }),
    ...(pool === undefined ? {} : { pool }),
  };
}

export function noteGranted(run: NodeRun, of: FamilyRun, pool: string, { address, token }: Granted): void {
  const facts = { address: address.ip, allocation: address.id, token };
  log.info('address granted', { ...factsOf(run, of, pool), ...facts });
}

/** @param message the sentence that the status and the Event have */
export function noteWaiting(
  run: NodeRun,
  of: FamilyRun,
  pool: string,
  reason: string,
  message: string,
): void {
  log.info('node waits', { ...factsOf(run, of, pool), reason, message });
}

/** The mutex refused: no address can be chosen for the node until something else changes. */
export function noteRefused(run: NodeRun, of: FamilyRun, pool: string, error: string): void {
  log.warn('request refused', { ...factsOf(run, of, pool), error });
}

/** @param heldSeconds from the grant to the settlement */
export function noteClaim(pool: string, outcome: ClaimOutcome, heldSeconds: number): void {
  measures.claimSettled({ pool, outcome, seconds: heldSeconds });
}

/** The claim came to nothing. The node is tried again, or fails for good, as is said then. */
export function noteNotAssigned(
  run: NodeRun,
  of: FamilyRun,
  pool: string,
  { type, message }: { type: string; message: string },
): void {
  log.warn('address not assigned', { ...factsOf(run, of, pool), reason: type, message });
}

/** The node has an address of the family; what it is, the activities said. */
export function noteAssigned(run: NodeRun, of: FamilyRun, pool: string, { held }: Granted): void {
  const reason: AssignmentReason = of.lost !== undefined ? 'healed' : held ? 'kept' : 'granted';
  measures.assigned({ pool, reason });
  if (of.lost !== undefined) {
    log.info('drift healed', { ...factsOf(run, of, pool), address: of.assignment?.address.ip });
  }
  if (run.createdAt === undefined || of.wasAssigned) return;
  of.wasAssigned = true;
  // The two clocks are those of the Kubernetes API and of Temporal.
  measures.firstAddress({ pool, seconds: Math.max(0, Date.now() - Date.parse(run.createdAt)) / 1000 });
}

/** For good, as far as this run can tell. */
export function noteFailed(
  run: NodeRun,
  of: FamilyRun | undefined,
  pool: string | undefined,
  { type, message }: { type: string; message: string },
): void {
  log.error('assignment failed', { ...factsOf(run, of, pool), reason: type, message });
  measures.failed({ pool: pool ?? '', reason: type });
}

/** Somebody took the address from the instance. */
export function noteDrift(run: NodeRun, of: FamilyRun, pool: string, address: string): void {
  log.warn('the node lost its address', { ...factsOf(run, of, pool), address });
  measures.driftFound({ pool });
}

type Released = Parameters<MeasureSinks['measures']['released']>[0];

export function noteReleased(run: NodeRun, pool: string, result: Released['result']): void {
  measures.released({ pool, result, reason: releaseReason(run) });
}

function releaseReason(run: NodeRun): ReleaseReason {
  if (run.deletedUid !== undefined) return 'nodeDeleted';
  return run.releasedByHand ? 'byHand' : 'moved';
}
