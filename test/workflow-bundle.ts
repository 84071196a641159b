/** The workflows bundled once, as a worker would do it, for the many workers of a test. */
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

const projectRoot = resolve(import.meta.dirname, '..');

/**
 * @param root the folder of the sources. Default: this project's
 * @returns the file's path; that of the bundle that `npm test` made already, if it is of the same sources
 */
export async function writeWorkflowBundle(file: string, root = projectRoot): Promise<string> {
  const made = process.env['KUBEIP_WORKFLOW_BUNDLE'];
  if (made && resolve(root) === projectRoot) return made;
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
