/**
 * Finds or makes the real programs that the sandbox embeds, in this order: a path in the environment, the PATH, the cache
 * folder, a download from the user's mirror, a build from Go modules.
 */
import { join } from 'node:path';
import { cacheRoot, fillOnce, platformName } from './cache.ts';
import { toolNames, tools, type Tool, type ToolName } from './catalog.ts';
import { findOnPath, isExecutable, tryCommand } from './command.ts';
import { downloadBaseVariable, downloadTool } from './download.ts';
import { buildTool, findGo } from './go-build.ts';
import { createProgress, type Progress } from './progress.ts';
import { ToolError } from './tool-error.ts';

export interface EnsureOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly progress?: Progress;
}

/** Where a tool came from. */
export type ToolSource = 'environment' | 'path' | 'cache' | 'download' | 'build';

export interface ResolvedTool {
  readonly name: ToolName;
  readonly path: string;
  /** What the binary says of itself, or the pinned version where it is known to be that. */
  readonly version: string;
  readonly source: ToolSource;
}

/**
 * Makes sure that the tools are there; builds them if it must, which takes minutes the first time.
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
  const context: Context = {
    env: options.env ?? process.env,
    progress: options.progress ?? createProgress(),
    queues: new Map(),
  };
  const results = await Promise.allSettled(names.map((name) => resolveTool(tools[name], context)));
  const errors = results
    .filter((result) => result.status === 'rejected')
    .map(({ reason }) => reason as Error);
  if (errors.length > 0) {
    const message = errors.map((error) => error.message).join('\n');
    throw new ToolError(message, { cause: errors[0] });
  }
  return results.filter((result) => result.status === 'fulfilled').map(({ value }) => value);
}

interface Context {
  readonly env: NodeJS.ProcessEnv;
  readonly progress: Progress;
  /** The last build of each queue. */
  readonly queues: Map<string, Promise<unknown>>;
}

async function resolveTool(tool: Tool, context: Context): Promise<ResolvedTool> {
  return (
    (await fromEnvironment(tool, context)) ??
    (await fromPath(tool, context)) ??
    (await fromCacheOrMade(tool, context))
  );
}

/** A path that the user gave is used whatever its version, but it must run and be that tool. */
async function fromEnvironment(tool: Tool, { env, progress }: Context): Promise<ResolvedTool | undefined> {
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

async function fromPath(tool: Tool, { env, progress }: Context): Promise<ResolvedTool | undefined> {
  for (const path of findOnPath(tool.name, env)) {
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

async function fromCacheOrMade(tool: Tool, context: Context): Promise<ResolvedTool> {
  const { env, progress } = context;
  const entry = join(cacheRoot(env), `${tool.name}-${tool.version}-${platformName()}`);
  const path = join(entry, tool.name);
  let source: ToolSource = 'cache';
  const make = (): Promise<boolean> =>
    fillOnce(entry, async (partial) => {
      source = await makeTool(tool, join(partial, tool.name), context);
    });

  if (!isExecutable(path)) await inQueue(context.queues, tool.build.queue, make);
  else progress.detail(`${tool.name}: found in the cache folder`);
  return { name: tool.name, path, version: tool.version, source };
}

/** Downloads or builds the tool into the file. */
async function makeTool(tool: Tool, file: string, { env, progress }: Context): Promise<ToolSource> {
  const what = `${tool.name} ${tool.version}`;
  if (env[downloadBaseVariable] !== undefined && env[downloadBaseVariable] !== '') {
    const done = progress.task(`downloading ${what}`, `${tool.purpose}; not on this machine yet`, '1 min');
    await downloadTool(tool, file, env).finally(done);
    return 'download';
  }
  progress.detail(`${tool.name}: no download, ${downloadBaseVariable} is not set`);
  const go = await findGo(tool, env);
  const why = `${tool.purpose}; not on this machine yet, so built from Go modules, once`;
  const done = progress.task(`building ${what}`, why, tool.build.usually);
  await buildTool(tool, file, go, env).finally(done);
  return 'build';
}

/** Runs the work after the queue's earlier work, whether that succeeded or not. */
function inQueue<T>(queues: Context['queues'], name: string, work: () => Promise<T>): Promise<T> {
  const before = queues.get(name) ?? Promise.resolve();
  const mine = before.then(work, work);
  queues.set(name, mine);
  return mine;
}

async function reportedVersion(
  tool: Tool,
  path: string,
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  const output = await tryCommand(path, tool.versionArgs, env);
  return output === undefined ? undefined : tool.parseVersion(output);
}
