/** Builds a tool from Go modules: Go checks every module against its public checksum database. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { minimumGo, type Tool } from './catalog.ts';
import { findOnPath, runLongCommand, tryCommand } from './command.ts';
import { ToolError } from './tool-error.ts';

const here = fileURLToPath(new URL('.', import.meta.url));

/**
 * Builds the tool into the file. The compiler ends when this process ends.
 *
 * @throws ToolError with what to install, or the compiler's last lines
 */
export async function buildTool(tool: Tool, file: string, env: NodeJS.ProcessEnv): Promise<void> {
  const go = await findGo(tool, env);
  const what = `building ${tool.name} ${tool.version}`;
  try {
    await runLongCommand({
      what,
      command: go,
      args: tool.build.args(file),
      cwd: tool.build.module === undefined ? dirname(file) : join(here, tool.build.module),
      env: tool.build.gobin === true ? { ...env, GOBIN: dirname(file) } : env,
    });
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    throw new ToolError(`${error.message}\n${otherwise(tool)}`, { cause: error });
  }
  if (!existsSync(file)) throw new ToolError(`${what} gave no ${file}. ${otherwise(tool)}`);
}

async function findGo(tool: Tool, env: NodeJS.ProcessEnv): Promise<string> {
  const [go] = findOnPath('go', env);
  const wanted = `${tool.name} ${tool.version} (${tool.purpose}) must be built, which needs Go ${minimumGo} or later`;
  if (go === undefined) throw new ToolError(`${wanted}; there is no \`go\` on the PATH. ${otherwise(tool)}`);
  // In a folder without a go.mod this is the installed Go, not one that a module asks for.
  const output = await tryCommand(go, ['version'], env);
  const [, major = '0', minor = '0'] = /go version go(\d+)\.(\d+)/.exec(output ?? '') ?? [];
  const [minimumMajor, minimumMinor] = minimumGo.split('.').map(Number) as [number, number];
  const newEnough = Number(major) === minimumMajor && Number(minor) >= minimumMinor;
  if (!newEnough) throw new ToolError(`${wanted}; ${go} is Go ${major}.${minor}. ${otherwise(tool)}`);
  return go;
}

function otherwise(tool: Tool): string {
  return (
    `Install Go ${minimumGo} or later (your package manager's \`go\` or \`golang\`), ` +
    `or set ${tool.pathVariable} to the path of a ${tool.name} binary: ${tool.accepts}.`
  );
}
