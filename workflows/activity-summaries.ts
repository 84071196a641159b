/** Keeps markup out of the summaries of all activities: addresses, ids and names in them may come from outside. */
import type { ActivityOptions, LocalActivityOptions } from '@temporalio/common';
import type { WorkflowInterceptorsFactory } from '@temporalio/workflow';
import { plainSummary } from './ui-markdown.ts';

/** Called once for each workflow, before its code. A summary is no part of what a replay compares. */
export const interceptors: WorkflowInterceptorsFactory = () => ({
  outbound: [
    {
      scheduleActivity: (input, next) => next({ ...input, options: withPlainSummary(input.options) }),
      scheduleLocalActivity: (input, next) => next({ ...input, options: withPlainSummary(input.options) }),
    },
  ],
});

function withPlainSummary<T extends ActivityOptions | LocalActivityOptions>(options: T): T {
  return options.summary === undefined ? options : { ...options, summary: plainSummary(options.summary) };
}
