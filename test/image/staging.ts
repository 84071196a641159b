/** Carries out the Dockerfile's build without a container engine: the same context, the same command. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, lstatSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { argsOf, contextPaths, readStages, root } from './dockerfile.ts';

/**
 * Copies what the Dockerfile's `COPY . .` would. Development's dependencies are this project's: the Dockerfile's `npm ci`
 * installs the same.
 */
export function makeContext(folder: string): void {
  for (const path of contextPaths()) {
    const from = join(root, path);
    if (!existsSync(from)) continue;
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    cpSync(from, join(folder, path), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
}

/** Runs the Dockerfile's last RUN in the context, with another folder for /staged. */
export function stageInto(tree: string, context: string, platform: string): void {
  const command = argsOf(readStages(), 'RUN').at(-1) ?? '';
  if (!command.endsWith(' --output /staged')) throw new Error(`The Dockerfile stages otherwise: ${command}`);
  execFileSync('sh', ['-c', command.replace(/\/staged$/, '"$STAGED"')], {
    cwd: context,
    env: { ...process.env, TARGETPLATFORM: platform, STAGED: tree },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** @returns the files below, relative, links not followed */
export function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (path) => !lstatSync(join(folder, path)).isDirectory(),
  );
}
