/** What one run of AssignIpWorkflow knows of its node, and how it shows that. */
import { defineSearchAttributeKey } from '@temporalio/common';
import { setCurrentDetails, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import type { Instance } from '../model/address.ts';
import { formatScope, type Scope } from '../model/scope.ts';
import type { PoolSpec } from '../model/settings.ts';
import {
  type AssignIpInput,
  type AssignIpStatus,
  type Assignment,
  type Grant,
  type NodeRef,
  type Phase,
} from './messages.ts';
import { nodeDetails } from './node-details.ts';

const phaseAttribute = defineSearchAttributeKey('KubeipPhase', 'KEYWORD');
const poolAttribute = defineSearchAttributeKey('KubeipPool', 'KEYWORD');
const addressAttribute = defineSearchAttributeKey('KubeipAddress', 'KEYWORD');

/** Phases that last: only these are written to visibility, so that a fast assignment costs few history events. */
const LASTING: readonly Phase[] = ['waiting', 'assigned', 'released', 'failed'];

export interface NodeRun {
  readonly cluster: string;
  readonly input: AssignIpInput;
  node: NodeRef;
  phase: Phase;
  /** ISO 8601. */
  since: string;
  message: string;
  lastError: string | undefined;
  pool: PoolSpec | undefined;
  instance: Instance | undefined;
  assignment: Assignment | undefined;

  // What signals and updates ask for; the run acts on it at the next safe place.
  /** The uid of the Node that was deleted. */
  deletedUid: string | undefined;
  /** Until when (ISO 8601) a deleted Node may come back and keep its address; undefined: not asked yet. */
  graceUntil: string | undefined;
  /** The Node changed, or an operator wants another try: look at it again. */
  changed: boolean;
  releasedByHand: boolean;
  /** Answers of the mutex that were not read yet. */
  readonly grants: Grant[];

  /** The request that is with the mutex and not answered for good. */
  requestId: string | undefined;
  /** Whose mutex was asked last: what it granted too late goes back to it. */
  askedScope: Scope | undefined;
  /** Numbers what is published, so that a repeated write is the same Event. */
  published: number;
  /** Failed tries since the last success. */
  failures: number;
  /** Looks at the Node since it was last ready. */
  looks: number;
}

export function newNodeRun(input: AssignIpInput): NodeRun {
  return {
    cluster: input.cluster,
    input,
    node: input.node,
    phase: 'discovering',
    since: workflowInfo().runStartTime.toISOString(),
    message: 'Looking for the Node, its instance and its pool.',
    lastError: undefined,
    pool: input.resume?.assignment?.pool,
    instance: undefined,
    assignment: input.resume?.assignment,
    deletedUid: input.resume?.deleted?.uid,
    graceUntil: input.resume?.deleted?.graceUntil,
    changed: true,
    releasedByHand: input.resume?.releasedByHand ?? false,
    grants: [],
    requestId: input.resume?.request?.id,
    askedScope: input.resume?.request?.scope,
    published: 0,
    failures: 0,
    looks: 0,
  };
}

/** Something came that the run must act on before it waits on. */
export function isInterrupted(run: NodeRun): boolean {
  return run.deletedUid !== undefined || run.releasedByHand || run.changed;
}

/** Moves to a phase: in the status, in the Temporal UI, and, where it lasts, in visibility. */
export function enterPhase(run: NodeRun, phase: Phase, message: string): void {
  if (run.phase !== phase) run.since = new Date().toISOString();
  const moved = run.phase !== phase;
  run.phase = phase;
  run.message = message;
  setCurrentDetails(nodeDetails(statusOf(run)));
  if (moved && LASTING.includes(phase)) {
    upsertSearchAttributes([
      { key: phaseAttribute, value: phase },
      { key: poolAttribute, value: run.assignment?.pool.name ?? run.pool?.name ?? null },
      { key: addressAttribute, value: run.assignment?.address.ip ?? null },
    ]);
  }
}

export function statusOf(run: NodeRun): AssignIpStatus {
  const pool = run.assignment?.pool ?? run.pool;
  const instance = run.assignment?.instance ?? run.instance;
  return {
    phase: run.phase,
    cluster: run.cluster,
    node: run.node,
    since: run.since,
    message: run.message,
    releasedByHand: run.releasedByHand,
    ...(pool === undefined ? {} : { pool: pool.name, scope: formatScope(pool.scope) }),
    ...(instance === undefined ? {} : { instance: instance.id }),
    ...(run.assignment === undefined ? {} : { address: run.assignment.address, token: run.assignment.token }),
    ...(run.lastError === undefined ? {} : { lastError: run.lastError }),
  };
}
