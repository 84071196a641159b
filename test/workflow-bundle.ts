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
  writeFileSync(file, withoutSources(code));
  return file;
}

/**
 * Each of a program's workers reads the map anew. With the positions alone a stack trace still names file and line; the sources are for
 * Temporal's query of enhanced stack traces, and half of the bundle.
 */
function withoutSources(code: string): string {
  const marker = /\n\/\/# sourceMappingURL=data:[^,]*;base64,/g;
  const last = [...code.matchAll(marker)].at(-1);
  if (last === undefined) throw new Error('The bundle has no map of its sources.');
  const map = JSON.parse(
    Buffer.from(code.slice(last.index + last[0].length).trim(), 'base64').toString(),
  ) as object;
  const kept = Buffer.from(JSON.stringify({ ...map, sourcesContent: [] })).toString('base64');
  return `${code.slice(0, last.index)}${last[0]}${kept}`;
}
