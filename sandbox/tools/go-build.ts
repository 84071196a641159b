/** Builds a tool from Go modules: Go checks every module against its public checksum database. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { GoBuild, Tool } from './catalog.ts';
import { findOnPath, runLongCommand, tryCommand } from './command.ts';
import { ToolError } from './tool-error.ts';

const here = fileURLToPath(new URL('.', import.meta.url));

/**
 * Builds the tool into the file. The compiler ends when this process ends.
 *
 * @param go path of the `go` command, see {@link findGo}
 * @param onOutput gets all that the compiler has said so far, a line for each package
 * @throws ToolError with the compiler's last lines
 */
export async function buildTool(
  tool: Tool,
  build: GoBuild,
  file: string,
  go: string,
  env: NodeJS.ProcessEnv,
  onOutput: (read: () => string) => void = () => {},
): Promise<void> {
  const what = `building ${tool.name} ${build.version}`;
  try {
    await runLongCommand({
      what,
      command: go,
      args: build.args(file),
      cwd: build.module === undefined ? dirname(file) : join(here, build.module),
      env: { ...env, ...build.env, ...(build.gobin === true && { GOBIN: dirname(file) }) },
      onOutput,
    });
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    throw new ToolError(`${error.message}\n${otherwise(tool, build)}`, { cause: error });
  }
  if (!existsSync(file)) throw new ToolError(`${what} gave no ${file}. ${otherwise(tool, build)}`);
}

/**
 * @returns the path of a `go` that can build the tool
 * @throws ToolError with what to install
 */
export async function findGo(tool: Tool, build: GoBuild, env: NodeJS.ProcessEnv): Promise<string> {
  const [go] = findOnPath('go', env);
  const wanted = `${tool.name} ${build.version} (${tool.purpose}) must be built, which needs Go ${build.go} or later`;
  if (go === undefined)
    throw new ToolError(`${wanted}; there is no \`go\` on the PATH. ${otherwise(tool, build)}`);

  // In a folder without a go.mod this is the installed Go, not one that a module asks for.
  const version =
    /go version go(\d+\.\d+)/.exec((await tryCommand(go, ['version'], env)) ?? '')?.[1] ?? '0.0';
  const toolchain = (await tryCommand(go, ['env', 'GOTOOLCHAIN'], env)) ?? 'local';
  const fetchesNewer = minorVersion(version) >= 21 && !toolchain.startsWith('local');
  if (minorVersion(version) < minorVersion(build.go) && !fetchesNewer) {
    throw new ToolError(`${wanted}; ${go} is Go ${version}. ${otherwise(tool, build)}`);
  }
  return go;
}

function minorVersion(version: string): number {
  return Number(version.split('.')[1]);
}

function otherwise(tool: Tool, build: GoBuild): string {
  return (
    `Install Go ${build.go} or later (your package manager's \`go\` or \`golang\`), ` +
    `or set ${tool.pathVariable} to the path of a binary: ${tool.accepts}.`
  );
}
