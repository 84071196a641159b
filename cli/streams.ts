/**
 * The standard streams. Only this file writes to them: whatever a command says passes here, and reaches the terminal without any
 * character that a terminal obeys but the colours of this program.
 */
import { isatty } from 'node:tty';
import { exitCodes, StartupError } from '../program/exit-codes.ts';
import { visibleLines } from '../model/visible-text.ts';

const ESC = '\u001b';
/** What picocolors writes for the colours that {@link Speech} uses, and nothing else: green, red, yellow, bold, and their ends. */
const COLOURS = new RegExp(`(${ESC}\\[(?:3[123]|39|1|22)m)`);

let hasWritten = false;
let failure: NodeJS.ErrnoException | undefined;

/** To be called once, before anything is written. */
export function watchStreams(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // A reader that wants the beginning only, as `head` does, has what it wants.
    if (error.code === 'EPIPE') process.exit(exitCodes.ok);
    failure ??= error;
  });
  // A message that cannot be written cannot be told about, either. The exit code stays.
  process.stderr.on('error', () => undefined);
}

export function isTerminal(): boolean {
  // Asked of the descriptor: process.stdout.isTTY is undefined of a pipe, and then libraries guess, on build servers wrongly.
  return isatty(1);
}

export function canAsk(): boolean {
  return process.stdin.isTTY && process.stderr.isTTY;
}

/** Standard output is for data, so questions go to standard error. */
export function questionStream(): NodeJS.WritableStream {
  return process.stderr;
}

/** @param text of lines */
export function writeData(text: string): void {
  hasWritten = true;
  process.stdout.write(shownText(text));
}

export function writeNote(text: string): void {
  process.stderr.write(`${visibleLines(text)}\n`);
}

/** Writes each text in the place of the one before it. For a terminal. */
export async function createRewriter(): Promise<{ write(text: string): void; done(): void }> {
  const { createLogUpdate } = await import('log-update');
  const update = createLogUpdate(process.stdout);
  return { write: (text) => update(shownText(text)), done: () => update.done() };
}

/** @throws StartupError (failure) if any of the data could not be written */
export async function untilWritten(): Promise<void> {
  if (!hasWritten) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  process.stdout.write('', (error) => {
    failure ??= error ?? undefined;
    resolve();
  });
  await promise;
  if (failure === undefined) return;
  throw new StartupError(
    exitCodes.failure,
    `Standard output cannot be written: ${failure.message}. What the command did stays done, but its answer is lost or cut.`,
    { cause: failure },
  );
}

/** Pure. @returns the text with each character that a terminal obeys written out, but for the colours */
export function shownText(text: string): string {
  return text
    .split(COLOURS)
    .map((part, index) => (index % 2 === 1 ? part : visibleLines(part)))
    .join('');
}
