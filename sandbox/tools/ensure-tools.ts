/**
 * Finds or makes the real programs that the sandbox embeds: a path in the environment, the PATH, then the sources of the
 * catalogue: what one of them has put into the cache folder, else made from the first that works.
 */
import { join } from 'node:path';
import { cacheRoot, fillOnce, platformName } from './cache.ts';
import { toolNames, tools, type Catalog, type Source, type Tool, type ToolName } from './catalog.ts';
import { findOnPath, isExecutable, tryCommand } from './command.ts';
import { UnreachableError } from './download.ts';
import { canBeTried, makeFromSource, type MakeContext, type Readiness } from './make-tool.ts';
import { createProgress, type Progress } from './progress.ts';
import { ToolError } from './tool-error.ts';

export interface EnsureOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly progress?: Progress;
  /** Default: the project's. */
  readonly catalog?: Catalog;
}

/** Where a tool came from. */
export type ToolSource = 'environment' | 'path' | 'cache' | Source['kind'];

export interface ResolvedTool {
  readonly name: ToolName;
  readonly path: string;
  /** What the binary says of itself, or the pinned version where it is known to be that. */
  readonly version: string;
  readonly source: ToolSource;
}

/**
 * Makes sure that the tools are there. What is missing for that is said before anything takes minutes.
 *
 * @returns the path of each
 * @throws ToolError with what to do about it; of several, each is named
 */
export async function ensureTools<N extends ToolName = ToolName>(
  names?: readonly N[],
  options: EnsureOptions = {},
): Promise<Record<N, string>> {
  const resolved = await resolveTools(names ?? toolNames, options);
  return Object.fromEntries(resolved.map((tool) => [tool.name, tool.path])) as Record<N, string>;
}

/** As {@link ensureTools}, and tells where each tool came from. */
export async function resolveTools(
  names: readonly ToolName[] = toolNames,
  options: EnsureOptions = {},
): Promise<ResolvedTool[]> {
  const plan = await planTools(names, options);
  const { env, progress } = contextOf(options);
  const steps = plan.flatMap((step) => ('sources' in step ? [describeStep(step)] : []));
  if (steps.length > 0) progress.note(`Not on this machine yet:\n${steps.join('\n')}`);
  const context: MakeContext = { env, progress, unreachable: new Set(), builds: Promise.resolve() };
  return all(plan.map((step) => ('sources' in step ? makeTool(step, context) : step)));
}

/** A tool that must be made, with the sources that can be tried on this machine, in their order. */
export interface ToolToMake {
  readonly tool: Tool;
  readonly sources: readonly Readiness[];
}

/**
 * Finds what is there, and looks how the rest can be made, without making it.
 *
 * @throws ToolError if a tool can neither be found nor made; of several, each is named
 */
export async function planTools(
  names: readonly ToolName[],
  options: EnsureOptions = {},
): Promise<(ResolvedTool | ToolToMake)[]> {
  const { env, progress, catalog } = contextOf(options);
  return all(
    names.map(async (name) => {
      const tool = catalog[name];
      return (
        (await fromEnvironment(tool, env, progress)) ??
        (await fromPath(tool, env, progress)) ??
        (await fromCacheOrSources(tool, env, progress))
      );
    }),
  );
}

function contextOf(options: EnsureOptions): Required<EnsureOptions> {
  return {
    env: options.env ?? process.env,
    progress: options.progress ?? createProgress(),
    catalog: options.catalog ?? tools,
  };
}

/** A line of the plan: `  kube-apiserver v1.34.2: built with Go, usually 4 to 6 min`. */
function describeStep({ tool, sources: [first, ...others] }: ToolToMake): string {
  const name = `  ${tool.name} (${tool.purpose})`;
  if (first === undefined) return name;
  const fallback = others.map(({ source, how }) => `; else ${how}, usually ${source.usually}`).join('');
  return `${name}: ${first.how}, usually ${first.source.usually}${fallback}`;
}

/** Waits for all, then fails with all that failed. */
async function all<T>(work: readonly (T | Promise<T>)[]): Promise<T[]> {
  const results = await Promise.allSettled(work);
  const errors = results
    .filter((result) => result.status === 'rejected')
    .map(({ reason }) => reason as Error);
  const [first] = errors;
  if (first !== undefined) {
    if (errors.some((error) => !(error instanceof ToolError))) throw first;
    throw new ToolError(errors.map((error) => error.message).join('\n'), { cause: first });
  }
  return results.filter((result) => result.status === 'fulfilled').map(({ value }) => value);
}

/** A path that the user gave is used whatever its version, but it must run and be that tool. */
async function fromEnvironment(
  tool: Tool,
  env: NodeJS.ProcessEnv,
  progress: Progress,
): Promise<ResolvedTool | undefined> {
  const path = env[tool.pathVariable];
  if (path === undefined || path === '') return undefined;
  const version = await reportedVersion(tool, path, env);
  if (version === undefined) {
    throw new ToolError(
      `${tool.pathVariable} is ${path}, where no ${tool.name} runs: ` +
        `\`${path} ${tool.versionArgs.join(' ')}\` gave no version`,
    );
  }
  if (!tool.isCompatible(version)) {
    progress.note(`${tool.name}: ${path} is version ${version}; wanted is ${tool.accepts}. Used as you say.`);
  }
  return { name: tool.name, path, version, source: 'environment' };
}

async function fromPath(
  tool: Tool,
  env: NodeJS.ProcessEnv,
  progress: Progress,
): Promise<ResolvedTool | undefined> {
  for (const path of tool.command === undefined ? [] : findOnPath(tool.command, env)) {
    const version = await reportedVersion(tool, path, env);
    if (version !== undefined && tool.isCompatible(version)) {
      return { name: tool.name, path, version, source: 'path' };
    }
    progress.detail(
      `${tool.name}: ${path} is ${version === undefined ? 'of an unknown version' : `version ${version}`}; ` +
        `wanted is ${tool.accepts}. Not used.`,
    );
  }
  return undefined;
}

/** What any source has put into the cache folder is used, before any source is tried. */
async function fromCacheOrSources(
  tool: Tool,
  env: NodeJS.ProcessEnv,
  progress: Progress,
): Promise<ResolvedTool | ToolToMake> {
  for (const source of tool.sources) {
    const { path } = cacheEntry(tool, source, env);
    if (!isExecutable(path)) continue;
    progress.detail(`${tool.name}: found in the cache folder`);
    return { name: tool.name, path, version: source.version, source: 'cache' };
  }
  const sources: Readiness[] = [];
  const reasons: string[] = [];
  for (const source of tool.sources) {
    const readiness = await canBeTried(tool, source, env);
    if (typeof readiness !== 'string') sources.push(readiness);
    else {
      progress.detail(`${tool.name}: ${readiness}`);
      reasons.push(readiness);
    }
  }
  if (sources.length === 0) throw new ToolError(reasons.at(-1) ?? `${tool.name} has no source`);
  return { tool, sources };
}

function cacheEntry(tool: Tool, source: Source, env: NodeJS.ProcessEnv): { folder: string; path: string } {
  const shared = source.kind === 'archive' ? source.entry : undefined;
  const folder = join(cacheRoot(env), `${shared ?? `${tool.name}-${source.version}`}-${platformName()}`);
  return { folder, path: join(folder, tool.name) };
}

/** Tries one source after another. */
async function makeTool({ tool, sources }: ToolToMake, context: MakeContext): Promise<ResolvedTool> {
  const { env, progress } = context;
  const failures: string[] = [];
  for (const readiness of sources) {
    const { source } = readiness;
    const { folder, path } = cacheEntry(tool, source, env);
    const resolved = { name: tool.name, path, version: source.version };
    try {
      const made = await fillOnce(folder, (partial) => makeFromSource(tool, readiness, partial, context));
      // Another tool's archive may have brought this one too.
      return { ...resolved, source: made || source.kind === 'archive' ? source.kind : 'cache' };
    } catch (error) {
      if (!(error instanceof UnreachableError)) throw error;
      failures.push(error.message);
      if (readiness !== sources.at(-1))
        progress.note(`${tool.name}: ${error.message}. Trying the next source.`);
    }
  }
  throw new ToolError(
    `${tool.name} (${tool.purpose}) cannot be had: ${failures.join('; ')}. Set ${tool.pathVariable} to the path of a binary: ${tool.accepts}.`,
  );
}

async function reportedVersion(
  tool: Tool,
  path: string,
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  const output = await tryCommand(path, tool.versionArgs, env);
  return output === undefined ? undefined : tool.parseVersion(output);
}
