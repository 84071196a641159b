/** The workflows bundled once, as a worker would do it, for the many workers of a test. */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { workflowBundleOptions } from '../worker/workflow-bundle.ts';

const projectRoot = resolve(import.meta.dirname, '..');

/**
 * @param root the folder of the sources. Default: this project's
 * @returns the file's path; that of the bundle that `npm test` made already, if it is of the same sources
 */
export async function writeWorkflowBundle(file: string, root = projectRoot): Promise<string> {
  const made = process.env['KUBEIP_WORKFLOW_BUNDLE'];
  if (made && resolve(root) === projectRoot) return made;
  const { code } = await bundleWorkflowCode({
    ...workflowBundleOptions(root),
    logger: new DefaultLogger('WARN'),
  });
  writeFileSync(file, code);
  return file;
}
