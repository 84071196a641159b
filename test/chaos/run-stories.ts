/** How the runs of workflows went, as their histories have it: whatever fails outside, the code of a workflow does not. */
import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import { AFTER_QUERY_BETWEEN_TASKS } from '../../workflows/query-guard.ts';
import type { Finding } from '../judge/address-history.ts';

export interface RunStory {
  readonly workflowId: string;
  readonly type: string;
  /** As the client names it: RUNNING, COMPLETED, … */
  readonly status: string;
  readonly taskFailures: readonly TaskFailure[];
}

export interface TaskFailure {
  readonly cause: number;
  readonly message: string;
}

const { WorkflowTaskFailedCause: Cause, EventType } = proto.temporal.api.enums.v1;

/** The server's own way to say: something has come meanwhile, look again. */
const benign: ReadonlySet<number> = new Set([
  Cause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND,
  Cause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_UPDATE,
  Cause.WORKFLOW_TASK_FAILED_CAUSE_RESET_STICKY_TASK_QUEUE,
]);

/** No workflow of a node, and no mutex, has a timeout, and nobody terminates one. */
const unexpectedEnds: readonly string[] = ['TIMED_OUT', 'TERMINATED', 'CANCELLED'];
const longLived: readonly string[] = ['AssignIpWorkflow', 'AddressPoolWorkflow'];

/** Workflow tasks that failed by the workflow's own fault (no determinism, an error of a plain kind), and unexpected ends. Pure. */
export function mishaps(stories: readonly RunStory[]): Finding[] {
  return stories.flatMap(({ workflowId, type, status, taskFailures }) => {
    const about = [workflowId.slice(workflowId.lastIndexOf('/') + 1)];
    const failed = taskFailures.filter(
      // The guard of queries means a task to be done again. One that never ends shows as a node that gets nowhere.
      ({ cause, message }) => !benign.has(cause) && message !== AFTER_QUERY_BETWEEN_TASKS,
    );
    const found = failed.map(({ cause, message }) => ({
      invariant: 6,
      what: `a workflow task of ${workflowId} failed: ${Cause[cause] ?? cause}: ${message}`,
      about,
    }));
    if (longLived.includes(type) && unexpectedEnds.includes(status)) {
      found.push({ invariant: 3, what: `${workflowId} is ${status}`, about });
    }
    return found;
  });
}

/** @returns of each run that is open, or was closed at `since` or later */
export async function readRunStories(client: Client, since: Date): Promise<RunStory[]> {
  const stories: RunStory[] = [];
  const query = `ExecutionStatus = 'Running' OR CloseTime >= '${since.toISOString()}'`;
  for await (const { workflowId, runId, type, status } of client.workflow.list({ query })) {
    const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    const taskFailures = (events ?? [])
      .filter(({ eventType }) => eventType === EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED)
      .map(({ workflowTaskFailedEventAttributes: failed }) => ({
        cause: failed?.cause ?? 0,
        message: failed?.failure?.message ?? '',
      }));
    stories.push({ workflowId, type, status: status.name, taskFailures });
  }
  return stories;
}
