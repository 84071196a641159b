/** What is bundled for the workflow sandbox: the workflows, their interceptors and their payload converter. */
import { join } from 'node:path';
import type { BundleOptions } from '@temporalio/worker';

/**
 * @param root folder of the sources
 * @returns what `bundleWorkflowCode` wants, without a logger
 */
export function workflowBundleOptions(root: string): BundleOptions {
  const path = (file: string): string => join(root, 'workflows', file);
  return {
    workflowsPath: path('workflows.ts'),
    workflowInterceptorModules: [
      path('tracing-interceptors.ts'),
      path('activity-summaries.ts'),
      path('query-guard.ts'),
      path('empty-tasks.ts'),
    ],
    payloadConverterPath: path('payload-converter.ts'),
  };
}
