/**
 * The Actions that Temporal Cloud would bill ("Temporal Cloud Actions"), all in. Histories show most of them; queries, heartbeats and
 * calls for Schedules are counted by the server itself. Refused Updates are not counted: the bench sends none.
 */
import type { Client } from '@temporalio/client';
import { actions, readHistories } from './histories.ts';
import { sampleSum } from './programs.ts';

/** Actions by what they are for. */
export interface ActionCount {
  /** Of the nodes' workflows, as their histories show them. */
  readonly nodes: number;
  /** Of the mutexes' workflows. */
  readonly mutexes: number;
  /** Of the audits' workflows, with the two of each start by a Schedule. */
  readonly audits: number;
  /** Of any other workflow. */
  readonly others: number;
  readonly queries: number;
  /** Those that reached the server. */
  readonly heartbeats: number;
  /** Schedules created, changed and triggered. */
  readonly schedules: number;
}

const NONE: ActionCount = {
  nodes: 0,
  mutexes: 0,
  audits: 0,
  others: 0,
  queries: 0,
  heartbeats: 0,
  schedules: 0,
};

/** Beside the start of the workflow. */
const ACTIONS_OF_A_SCHEDULE = 2;

const KINDS: Readonly<Record<string, keyof ActionCount>> = {
  AssignIpWorkflow: 'nodes',
  AddressPoolWorkflow: 'mutexes',
  AuditWorkflow: 'audits',
};

/** The server's counter names them by the call, or by the command, that makes them. */
const COUNTED_BY_SERVER: readonly (readonly [keyof ActionCount, string])[] = [
  ['queries', 'grpc_QueryWorkflow'],
  ['heartbeats', 'activity_heartbeat'],
  ['schedules', 'grpc_CreateSchedule'],
  ['schedules', 'grpc_UpdateSchedule'],
  ['schedules', 'grpc_PatchSchedule'],
  ['schedules', 'grpc_DeleteSchedule'],
];

/** All actions of a namespace until now. @param metrics of the server, in the Prometheus text format */
export async function countActions(client: Client, metrics: string, namespace: string): Promise<ActionCount> {
  const count = { ...NONE };
  for (const { type, events } of await readHistories(client, `WorkflowType != ''`)) {
    const kind = KINDS[type] ?? 'others';
    count[kind] += actions(events);
    if (kind === 'audits') count.audits += ACTIONS_OF_A_SCHEDULE;
  }
  for (const [kind, type] of COUNTED_BY_SERVER) {
    count[kind] += sampleSum(metrics, 'action', `action_type="${type}"`, `namespace="${namespace}"`);
  }
  return count;
}

/** @returns how many more there are than before, by kind */
export function actionsSince(before: ActionCount, now: ActionCount): ActionCount {
  const kinds = Object.keys(NONE) as (keyof ActionCount)[];
  return Object.fromEntries(kinds.map((kind) => [kind, now[kind] - before[kind]])) as unknown as ActionCount;
}

export function totalOf(count: ActionCount): number {
  return Object.values(count).reduce((total, one) => total + one, 0);
}
