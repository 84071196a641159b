/** The workflows bundled once, as a worker would do it, for the many workers of a test. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

/** @param root the folder of the sources. Default: this project's. @returns the file's path */
export async function writeWorkflowBundle(
  file: string,
  root = join(import.meta.dirname, '..'),
): Promise<string> {
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(root, 'workflows/workflows.ts'),
    workflowInterceptorModules: [
      join(root, 'workflows/tracing-interceptors.ts'),
      join(root, 'workflows/activity-summaries.ts'),
    ],
    payloadConverterPath: join(root, 'workflows/payload-converter.ts'),
    logger: new DefaultLogger('WARN'),
  });
  writeFileSync(file, code);
  return file;
}
