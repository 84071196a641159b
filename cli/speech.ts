/** Data goes to standard output, everything else to standard error: so a pipe gets data only. */
import { isatty } from 'node:tty';
import pico from 'picocolors';
import { stringify } from 'yaml';
import type { OutputFormat } from './options.ts';

type Colors = ReturnType<typeof pico.createColors>;

export interface Speech {
  /** For standard output. */
  readonly colors: Colors;
  /** @param text what a person reads; made only if it is asked for */
  data(format: OutputFormat, value: unknown, text: () => string): void;
  note(text: string): void;
}

/** Colours are for a terminal whose user did not say no to them (https://no-color.org). */
export function createSpeech({ color }: { readonly color: boolean }): Speech {
  const isWanted = color && !process.env['NO_COLOR'];
  return {
    // Asked of the descriptor: process.stdout.isTTY is undefined of a pipe, and then the library guesses, on build servers wrongly.
    colors: pico.createColors(isWanted && isatty(1)),
    data: (format, value, text) => {
      process.stdout.write(rendered(format, value, text));
    },
    note: (text) => {
      process.stderr.write(`${text}\n`);
    },
  };
}

export function rendered(format: OutputFormat, value: unknown, text: () => string): string {
  switch (format) {
    case 'json':
      return `${JSON.stringify(value, null, 2)}\n`;
    case 'yaml':
      return stringify(value);
    case 'table':
    case 'wide': {
      const written = text();
      return written.endsWith('\n') ? written : `${written}\n`;
    }
  }
}
