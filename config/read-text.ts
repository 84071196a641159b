/** Reads a file as text, whatever the name stands for, in bounded time and memory. */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { formatDuration } from './duration.ts';

/** No configuration is so large: it is another file, and would take the parser long. */
export const MAX_BYTES = 2 ** 20;
/** How long what is written to a pipe may take to end: `config validate` is often given another program's output. */
const MAX_PIPE_WAIT_MS = 30_000;
const PIPE_PAUSE_MS = 20;

/** Names of what this process has open already: `kubeip config validate <(helm template …)` hands over one of these. */
const OPEN_ALREADY = /^\/(?:dev\/(?:stdin|fd\/\d+)|proc\/self\/fd\/\d+)$/;

/** Its message says what is wrong with the file, as the end of a sentence. */
export class UnreadableFileError extends Error {
  override readonly name = 'UnreadableFileError';
}

/**
 * @param waitMs how long to wait for the other end of a pipe
 * @returns the whole text, of at most {@link MAX_BYTES}
 * @throws UnreadableFileError if it is none of a file and an open pipe, if it is too large, or if the pipe does not end in time
 * @throws the system's error if it cannot be opened or read
 */
export function readText(file: string, waitMs = MAX_PIPE_WAIT_MS): string {
  // Without O_NONBLOCK a named pipe would hold the program until there is a writer.
  const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    checkKind(file, fstatSync(fd));
    return readAll(fd, waitMs);
  } finally {
    closeSync(fd);
  }
}

function checkKind(file: string, stats: Stats): void {
  if (stats.isFile()) {
    if (stats.size > MAX_BYTES) throw tooLarge(`${(stats.size / MAX_BYTES).toFixed(1)} MiB`);
    return;
  }
  if (stats.isFIFO() && OPEN_ALREADY.test(file)) return;
  if (stats.isDirectory()) throw new UnreadableFileError('it is a folder. Name the file in it');
  const kind = stats.isFIFO()
    ? 'a named pipe'
    : stats.isCharacterDevice()
      ? 'a terminal or another device'
      : 'no regular file';
  throw new UnreadableFileError(
    `it is ${kind}. Name a file, or hand over a program's output as /dev/stdin or <(…)`,
  );
}

function readAll(fd: number, waitMs: number): string {
  // One byte more than there may be tells that there is more.
  const buffer = Buffer.alloc(MAX_BYTES + 1);
  const deadline = Date.now() + waitMs;
  let length = 0;
  for (;;) {
    const read = readSome(fd, buffer, length);
    if (read === 0) return buffer.toString('utf8', 0, length);
    if (read === undefined) {
      if (Date.now() > deadline) {
        throw new UnreadableFileError(
          `it is a pipe, and what is written to it did not end within ${formatDuration(waitMs)}`,
        );
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PIPE_PAUSE_MS);
      continue;
    }
    length += read;
    if (length > MAX_BYTES) throw tooLarge('more than 1 MiB');
  }
}

/** @returns undefined if nothing is there yet */
function readSome(fd: number, buffer: Buffer, at: number): number | undefined {
  try {
    return readSync(fd, buffer, at, buffer.length - at, null);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return undefined;
    throw error;
  }
}

function tooLarge(size: string): UnreadableFileError {
  return new UnreadableFileError(`it is too large (${size}, at most 1 MiB): is it the right one?`);
}
