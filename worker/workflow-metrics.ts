/** What workflow code tells of its decisions, counted: the worker's end of workflows/measures.ts. */
import type { InjectedSinks } from '@temporalio/worker';
import { Counter, Histogram, type Registry } from 'prom-client';
import type { AssignmentReason, MeasureSinks, ReleaseReason, ReleaseResult } from '../workflows/measures.ts';
import { claimOutcomes } from '../workflows/messages.ts';

const assignmentReasons: readonly AssignmentReason[] = ['granted', 'kept', 'healed'];
/** Those that a node may fail for good with; another one is shown once it is seen. */
const failureReasons = [
  'Denied',
  'Invalid',
  'Exhausted',
  'ForeignAddress',
  'InUse',
  'NotFound',
  'Refused',
  'Unavailable',
];
const releaseResults: readonly ReleaseResult[] = [
  'released',
  'alreadyFree',
  'heldByOther',
  'notInPool',
  'failed',
];
const releaseReasons: readonly ReleaseReason[] = ['nodeDeleted', 'byHand', 'moved'];

/** @param pools by name: the series of each begin at 0, so that `increase()` sees the first event as well */
export function workflowMetrics(registry: Registry, pools: readonly string[]): InjectedSinks<MeasureSinks> {
  const registers = [registry];
  const assignments = new Counter({
    name: 'kubeip_assignments_total',
    help: 'Assignments of an address of one family, by pool, result (assigned, failed for good) and reason.',
    labelNames: ['pool', 'result', 'reason'],
    registers,
  });
  const firstAddress = new Histogram({
    name: 'kubeip_node_first_address_seconds',
    help: "Time from a Node's creation (its creationTimestamp) until it has its first address of a family, by pool.",
    labelNames: ['pool'],
    // A node is registered before it is of any use; then EC2's limit of 5 a second, then pools that are empty for hours.
    buckets: [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 14_400, 86_400],
    registers,
  });
  const claims = new Histogram({
    name: 'kubeip_claim_hold_seconds',
    help: 'How long a node held its claim, from the grant to the settlement, by pool and outcome.',
    labelNames: ['pool', 'outcome'],
    buckets: [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300],
    registers,
  });
  const releases = new Counter({
    name: 'kubeip_releases_total',
    help: 'Releases of an address by pool, result and reason (nodeDeleted, byHand, moved).',
    labelNames: ['pool', 'result', 'reason'],
    registers,
  });
  const drift = new Counter({
    name: 'kubeip_drift_found_total',
    help: 'Addresses that somebody took from the instance of a node, by pool.',
    labelNames: ['pool'],
    registers,
  });
  const healed = new Counter({
    name: 'kubeip_drift_healed_total',
    help: 'Addresses that nodes were assigned in place of one that was taken from them, by pool.',
    labelNames: ['pool'],
    registers,
  });
  const orphans = new Counter({
    name: 'kubeip_audit_orphans_released_total',
    help: 'Addresses left behind that an audit handed to a workflow which releases them, by scope.',
    labelNames: ['scope'],
    registers,
  });
  for (const pool of pools) {
    for (const reason of assignmentReasons) assignments.inc({ pool, result: 'assigned', reason }, 0);
    for (const reason of failureReasons) assignments.inc({ pool, result: 'failed', reason }, 0);
    for (const outcome of claimOutcomes) claims.zero({ pool, outcome });
    for (const result of releaseResults)
      for (const reason of releaseReasons) releases.inc({ pool, result, reason }, 0);
    firstAddress.zero({ pool });
    drift.inc({ pool }, 0);
    healed.inc({ pool }, 0);
  }
  return {
    measures: {
      assigned: {
        fn: (_, { pool, reason }) => {
          assignments.inc({ pool, result: 'assigned', reason });
          if (reason === 'healed') healed.inc({ pool });
        },
      },
      failed: { fn: (_, { pool, reason }) => assignments.inc({ pool, result: 'failed', reason }) },
      firstAddress: { fn: (_, { pool, seconds }) => firstAddress.observe({ pool }, seconds) },
      claimSettled: { fn: (_, { pool, outcome, seconds }) => claims.observe({ pool, outcome }, seconds) },
      released: { fn: (_, of) => releases.inc(of) },
      driftFound: { fn: (_, { pool }) => drift.inc({ pool }) },
      orphanHandedOver: { fn: (_, { scope }) => orphans.inc({ scope }) },
    },
  };
}
