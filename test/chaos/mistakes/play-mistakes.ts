/** Plays mistakes one after another, each in a world of its own, and says what came of them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSharedServers } from '../../shared-kubernetes.ts';
import { writeWorkflowBundle } from '../../workflow-bundle.ts';
import { MistakeWorld } from './mistake-world.ts';
import type { LostAddress, Mistake, Told } from './mistake.ts';

export interface PlayOptions {
  readonly mistakes: readonly Mistake[];
  /** No further mistake begins once it is aborted. */
  readonly signal: AbortSignal;
  /** Keep logs and data also if nothing is wrong. */
  readonly keep?: boolean | undefined;
  readonly say: (line: string) => void;
}

export interface PlayedMistake {
  readonly name: string;
  readonly what: string;
  readonly lost: readonly LostAddress[];
  /** What a program said about it. Empty if it could not be played to its end. */
  readonly said: string;
  /** Why it could not be played to its end. */
  readonly error?: string;
  readonly seconds: number;
}

export interface MistakesResult {
  /** How many were played. */
  readonly mistakes: number;
  /** Addresses that living nodes lost, of all of them. */
  readonly lost: number;
  /** How many could not be played to their end, or were met with silence. */
  readonly failed: number;
  readonly played: readonly PlayedMistake[];
}

export async function playMistakes(options: PlayOptions): Promise<MistakesResult> {
  const dir = mkdtempSync(join(tmpdir(), 'kubeip-mistakes-'));
  // A start takes seconds: all scenes but those that restart it use one API server, which is wiped before each.
  const servers = await startSharedServers(1);
  Object.assign(process.env, servers.env, { NODE_COMPILE_CACHE: join(dir, 'compiled') });
  try {
    const bundleFile = await writeWorkflowBundle(join(dir, 'workflows.js'));
    const played: PlayedMistake[] = [];
    for (const mistake of options.mistakes) {
      if (options.signal.aborted) break;
      options.say(`${mistake.name}: ${mistake.what}`);
      const outcome = await playMistake(mistake, bundleFile, options);
      tell(outcome, options.say);
      played.push(outcome);
    }
    return {
      mistakes: played.length,
      lost: played.reduce((sum, { lost }) => sum + lost.length, 0),
      failed: played.filter(hasFailed).length,
      played,
    };
  } finally {
    await servers.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Nothing may be lost, and nothing may pass in silence. */
export function isWrong({ lost, failed, mistakes }: MistakesResult): boolean {
  return lost + failed > 0 || mistakes === 0;
}

function hasFailed({ said, error }: PlayedMistake): boolean {
  return error !== undefined || said.trim() === '';
}

/** @param bundleFile of the workflows */
export async function playMistake(
  { name, what, restarts = false, play }: Mistake,
  bundleFile: string,
  { keep, say }: Pick<PlayOptions, 'keep' | 'say'>,
): Promise<PlayedMistake> {
  const began = performance.now();
  let played: Pick<PlayedMistake, keyof Told | 'error'>;
  const world = await MistakeWorld.start(bundleFile, { restarts });
  try {
    played = await play(world);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    played = { lost: world.lostSoFar(), said: '', error: message };
  }
  const keepLogs = keep === true || played.lost.length > 0 || played.error !== undefined;
  if (keepLogs) say(`  logs: ${world.world.dir}`);
  await world.stop({ keepLogs });
  return { name, what, ...played, seconds: Math.round((performance.now() - began) / 1_000) };
}

function tell({ lost, said, error, seconds }: PlayedMistake, say: (line: string) => void): void {
  for (const { node, ip, cause, at } of lost) say(`  LOST: ${ip} of ${node} was ${cause} at ${at}`);
  if (error !== undefined) say(`  FAILED: ${error}`);
  else say(`  ${lost.length} lost after ${seconds} s. Said: ${said.trim().replaceAll('\n', '\n    ')}`);
}
