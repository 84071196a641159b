/** Downloads an archive from a project's own download place, and checks it against the pinned checksum. */
import { createHash } from 'node:crypto';
import { createWriteStream, readdirSync } from 'node:fs';
import { chmod, copyFile, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ArchiveFile } from './catalog.ts';
import { runLongCommand } from './command.ts';
import { ToolError } from './tool-error.ts';

/** `off`: nothing is downloaded but packages of the registries. For machines without the internet. */
export const downloadsVariable = 'KUBEIP_SANDBOX_DOWNLOADS';
/** Base URL of a mirror that serves `<host>/<path>` of every official address. The checksums stay the same. */
export const downloadBaseVariable = 'KUBEIP_SANDBOX_DOWNLOAD_BASE';

/** How long a place may take to answer at all, in milliseconds. */
const ANSWER_TIMEOUT = 5_000;
/** How long a whole download may take, in milliseconds. */
const DOWNLOAD_TIMEOUT = 600_000;

/** The place cannot be reached, or does not have the file. Another source may have it. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError';
}

/**
 * @returns whether downloads are allowed
 * @throws ToolError for a value that is neither `on` nor `off`
 */
export function downloadsAllowed(env: NodeJS.ProcessEnv): boolean {
  const value = env[downloadsVariable] ?? '';
  if (value === '' || value === 'on') return true;
  if (value === 'off') return false;
  throw new ToolError(`${downloadsVariable} is ${JSON.stringify(value)}; it must be \`on\` or \`off\``);
}

/** @returns where the file is downloaded from: the mirror's address if there is a mirror */
export function addressOf(url: string, env: NodeJS.ProcessEnv): string {
  const base = env[downloadBaseVariable] ?? '';
  return base === '' ? url : `${base.replace(/\/$/, '')}/${url.replace(/^https:\/\//, '')}`;
}

/**
 * Downloads an archive and puts the programs of it into the folder. The caller throws the folder away when this throws.
 *
 * @param names the programs that are kept
 * @throws UnreachableError when the place does not answer within 5 s, or not with the file
 * @throws ToolError when the checksum differs, or the archive lacks a program
 */
export async function downloadArchive(
  file: ArchiveFile,
  names: readonly string[],
  folder: string,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const url = addressOf(file.url, env);
  const archive = join(folder, 'archive.tar.gz');
  const unpacked = join(folder, 'unpacked');
  await downloadChecked(url, file, archive);
  await mkdir(unpacked);
  const args = ['-xzf', archive, '-C', unpacked];
  await runLongCommand({ what: 'unpacking an archive', command: 'tar', args, env, cwd: folder });
  const paths = readdirSync(unpacked, { recursive: true, encoding: 'utf8' });
  for (const name of names) {
    const path = paths.find((candidate) => candidate === name || candidate.endsWith(`/${name}`));
    if (path === undefined) throw new ToolError(`${url} has no ${name} in it`);
    await copyFile(join(unpacked, path), join(folder, name));
    await chmod(join(folder, name), 0o755);
  }
  await rm(unpacked, { recursive: true });
  await rm(archive);
}

async function downloadChecked(
  url: string,
  { algorithm, checksum }: ArchiveFile,
  file: string,
): Promise<void> {
  const response = await request(url);
  const hash = createHash(algorithm);
  try {
    await pipeline(
      response,
      async function* (chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          hash.update(chunk);
          yield chunk;
        }
      },
      createWriteStream(file),
      { signal: AbortSignal.timeout(DOWNLOAD_TIMEOUT) },
    );
  } catch (error) {
    throw new UnreachableError(`${url} broke off: ${reasonOf(error)}`, { cause: error });
  }
  const actual = hash.digest('hex');
  if (actual !== checksum) {
    throw new ToolError(
      `${url} has the ${algorithm} checksum ${actual}, but ${checksum} is pinned: not used. ` +
        `The file was changed on its way, or at its source. ${downloadsVariable}=off builds the tool instead.`,
    );
  }
}

async function request(url: string): Promise<Readable> {
  const unanswered = new AbortController();
  const timer = setTimeout(() => unanswered.abort(), ANSWER_TIMEOUT);
  try {
    const response = await fetch(url, { signal: unanswered.signal });
    if (!response.ok || !response.body) throw new UnreachableError(`${url} answers HTTP ${response.status}`);
    return Readable.fromWeb(response.body);
  } catch (error) {
    if (error instanceof UnreachableError) throw error;
    const why = unanswered.signal.aborted ? `no answer within ${ANSWER_TIMEOUT / 1_000} s` : reasonOf(error);
    throw new UnreachableError(`cannot reach ${new URL(url).host}: ${why}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** fetch wraps the reason of a failed connection. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
