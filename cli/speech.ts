/** Data goes to standard output, everything else to standard error: so a pipe gets data only. */
import pico from 'picocolors';
import { Document, isScalar, visit } from 'yaml';
import { visibleJson, visibleLines, visibleValue } from '../model/visible-text.ts';
import type { OutputFormat } from './options.ts';
import { isTerminal, writeData, writeNote } from './streams.ts';

type Colors = ReturnType<typeof pico.createColors>;

export interface Speech {
  /** For standard output. */
  readonly colors: Colors;
  /**
   * @param text what a person reads, made from the value as a terminal may show it; made only if it is asked for. It takes
   * nothing from outside but that
   */
  data<T>(format: OutputFormat, value: T, text: (shown: T) => string): void;
  note(text: string): void;
}

/** Colours are for a terminal whose user did not say no to them (https://no-color.org). */
export function createSpeech({ color }: { readonly color: boolean }): Speech {
  const isWanted = color && !process.env['NO_COLOR'];
  return {
    colors: pico.createColors(isWanted && isTerminal()),
    data: (format, value, text) => writeData(rendered(format, value, text)),
    note: writeNote,
  };
}

/** Pure. */
export function rendered<T>(format: OutputFormat, value: T, text: (shown: T) => string): string {
  switch (format) {
    case 'json':
      return `${visibleJson(JSON.stringify(value, null, 2))}\n`;
    case 'yaml':
      return yaml(value);
    case 'table':
    case 'wide': {
      const written = text(visibleValue(value));
      return written.endsWith('\n') ? written : `${written}\n`;
    }
  }
}

/** A text that a terminal would obey is put in double quotes, in which YAML knows the same escapes as JSON. */
function yaml(value: unknown): string {
  // As JSON has it: without what is undefined.
  const document = new Document(JSON.parse(JSON.stringify(value)));
  visit(document, {
    Scalar: (_, scalar) => {
      if (typeof scalar.value !== 'string' || !isScalar(scalar)) return;
      if (visibleLines(scalar.value) !== scalar.value) scalar.type = 'QUOTE_DOUBLE';
    },
  });
  return visibleJson(document.toString());
}
