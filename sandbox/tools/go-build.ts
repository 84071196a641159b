/** Builds a tool from Go modules: Go checks every module against its public checksum database. */
import { existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lastLines, startProcess } from '../processes/child-process.ts';
import { minimumGo, type Tool } from './catalog.ts';
import { findOnPath, tryCommand } from './command.ts';
import { ToolError } from './tool-error.ts';

const here = fileURLToPath(new URL('.', import.meta.url));

/**
 * Builds the tool into the file. The compiler ends when this process ends.
 *
 * @throws ToolError with what to install, or the compiler's last lines
 */
export async function buildTool(tool: Tool, file: string, env: NodeJS.ProcessEnv): Promise<void> {
  const go = await findGo(tool, env);
  const logFile = join(tmpdir(), `kubeip-build-${tool.name}-${process.pid}.log`);
  const build = await startProcess({
    name: `go ${tool.name}`,
    command: go,
    args: tool.build.args(file),
    cwd: tool.build.module === undefined ? dirname(file) : join(here, tool.build.module),
    env: tool.build.gobin === true ? { ...env, GOBIN: dirname(file) } : env,
    logFile,
  });
  const { code } = await build.exited;
  if (code !== 0 || !existsSync(file)) {
    throw new ToolError(
      `building ${tool.name} ${tool.version} failed (go ${tool.build.args(file)[0]}, log: ${logFile}):\n` +
        `${lastLines(build.output(), 15)}\n${otherwise(tool)}`,
    );
  }
  rmSync(logFile, { force: true });
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
