/** The workflows that the workers of a scenario run, bundled once for all of them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

/**
 * `naive`: the yardstick, a plain mutex in place of the group commit; the same programs and activities. `floor`: activities that do
 * nothing.
 */
export type Workflows = 'project' | 'naive' | 'floor';

const sources: Readonly<Record<Workflows, string>> = {
  project: join(import.meta.dirname, '../workflows/workflows.ts'),
  naive: join(import.meta.dirname, 'naive/workflows.ts'),
  floor: join(import.meta.dirname, 'floor/workflows.ts'),
};

/** @returns the file's path */
export async function writeBundle(dir: string, workflows: Workflows): Promise<string> {
  const { code } = await bundleWorkflowCode({
    workflowsPath: sources[workflows],
    payloadConverterPath: join(import.meta.dirname, '../workflows/payload-converter.ts'),
    logger: new DefaultLogger('WARN'),
  });
  const file = join(dir, `${workflows}.js`);
  writeFileSync(file, code);
  return file;
}
