/** The two builds that versions alternate between, as they are while a change of the workflows is rolled out and back. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeWorkflowBundle } from '../../workflow-bundle.ts';
import { mutate, timerBeforeAssociation } from '../mutations.ts';
import type { VersionedWorker } from '../programs.ts';
import type { Build } from './plan-rolls.ts';

const root = join(import.meta.dirname, '../../..');

export interface Builds {
  readonly workers: Readonly<Record<Build, Omit<VersionedWorker, 'buildId'>>>;
  remove(): void;
}

export interface BuildsOptions {
  /** For the bundles. */
  readonly dir: string;
  /** False: build b takes its change into use at once, whoever else polls. */
  readonly waitsForAll: boolean;
}

/** The id of the change of build b: one more command before each association. */
export const changeId = 'one-more-timer';

/** Makes the sources of build b, and bundles both. It takes seconds. */
export async function makeBuilds({ dir, waitsForAll }: BuildsOptions): Promise<Builds> {
  const rule =
    '...(options.isPatchActive === undefined ? {} : { patchActivationCallback: options.isPatchActive }),';
  const folder = mutate(root, {
    what: 'one more timer before each association, guarded by patched()',
    replacements: [
      ...timerBeforeAssociation(`patched('${changeId}')`),
      {
        file: 'workflows/patches.ts',
        from: 'knownPatches: readonly string[] = [];',
        to: `knownPatches: readonly string[] = ['${changeId}'];`,
      },
      ...(waitsForAll ? [] : [{ file: 'worker/run-workers.ts', from: rule, to: '' }]),
    ],
  });
  return {
    workers: {
      a: { bundle: await writeWorkflowBundle(join(dir, 'build-a.js')) },
      b: { bundle: await writeWorkflowBundle(join(dir, 'build-b.js'), folder), sourceRoot: folder },
    },
    remove: () => rmSync(folder, { recursive: true }),
  };
}
