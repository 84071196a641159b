import { describe, expect, test } from '@jest/globals';
import proto from '@temporalio/proto';
import { AFTER_QUERY_BETWEEN_TASKS } from '../../workflows/query-guard.ts';
import { mishaps, type RunStory } from '../chaos/run-stories.ts';

const { WorkflowTaskFailedCause: Cause } = proto.temporal.api.enums.v1;

function story(change: Partial<RunStory>): RunStory {
  const workflowId = 'assign-ip/chaos/node-a';
  return { workflowId, type: 'AssignIpWorkflow', status: 'RUNNING', taskFailures: [], ...change };
}

describe('what goes wrong in a workflow itself', () => {
  test('a task that failed since replay took another way is told, with whose it was', () => {
    const cause = Cause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR;
    expect(mishaps([story({ taskFailures: [{ cause, message: 'TMPRL1100' }] })])).toEqual([
      {
        invariant: 6,
        what: 'a workflow task of assign-ip/chaos/node-a failed: WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR: TMPRL1100',
        about: ['node-a'],
      },
    ]);
  });

  test('a task that the server gave back since a signal had come is none', () => {
    const cause = Cause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND;
    expect(mishaps([story({ taskFailures: [{ cause, message: 'UnhandledCommand' }] })])).toEqual([]);
  });

  test('a task that is done again since a query came between two is none: seed 2301 on Oracle Cloud', () => {
    const cause = Cause.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE;
    expect(mishaps([story({ taskFailures: [{ cause, message: AFTER_QUERY_BETWEEN_TASKS }] })])).toEqual([]);
    expect(mishaps([story({ taskFailures: [{ cause, message: 'x is undefined' }] })])).toHaveLength(1);
  });

  test.each(['TIMED_OUT', 'TERMINATED', 'CANCELLED'])('a workflow of a node that ended %s', (status) => {
    expect(mishaps([story({ status })])).toMatchObject([{ invariant: 3, about: ['node-a'] }]);
  });

  test.each(['COMPLETED', 'FAILED', 'CONTINUED_AS_NEW'])('%s is an end as it may be', (status) => {
    expect(mishaps([story({ status })])).toEqual([]);
  });

  test('an audit that ran out of time is tried again by its Schedule', () => {
    expect(mishaps([story({ type: 'AuditWorkflow', status: 'TIMED_OUT' })])).toEqual([]);
  });
});
