/**
 * The Markdown that the Temporal UI shows. The UI renders HTML in it, loads images, and makes links: so what comes from outside is
 * never part of the markup. Only {@link md} makes Markdown, and it takes the markup from the source alone. Pure.
 */
import { visibleText } from '../model/visible-text.ts';

/** Markup with values that are text and nothing else. Made by {@link md}, {@link code} and {@link row} only. */
export class Markdown {
  readonly #text: string;

  /** @internal */
  constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }
}

type Value = string | number | Markdown;

/** @returns the template's own text as markup, its values as text */
export function md(markup: TemplateStringsArray, ...values: readonly Value[]): Markdown {
  return new Markdown(markup.map((part, index) => part + shownAt(values, index)).join(''));
}

/** @returns a code span: a command, or an id to copy */
export function code(value: string): Markdown {
  const text = visibleText(value);
  const longest = Math.max(0, ...Array.from(text.matchAll(/`+/g), ([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  const pad = text.startsWith('`') || text.endsWith('`') ? ' ' : '';
  return new Markdown(`${fence}${pad}${text}${pad}${fence}`);
}

/** @returns a row of a table. @param cells empty ones may be undefined */
export function row(...cells: readonly (Value | undefined)[]): Markdown {
  return new Markdown(`| ${cells.map((cell) => (cell === undefined ? '' : shown(cell))).join(' | ')} |`);
}

/** @returns a table's head: its names, and the line below them */
export function head(...names: readonly string[]): Markdown[] {
  return [row(...names), new Markdown(`|${names.map(() => '---').join('|')}|`)];
}

export const emptyLine = new Markdown('');

/** A paragraph with nothing to see in it: a no-break space, since blank lines at the end do not count. */
const EMPTY_PARAGRAPH = ['', '\u00a0'];

/**
 * The UI makes the frame of a text as high as the text and forgets the frame's own padding, up to version 2.42 at least: the
 * last two lines cannot be seen. So every text ends with something that nobody misses.
 */
export function uiMarkdown(lines: readonly Markdown[]): string {
  return [...lines.map(String), ...EMPTY_PARAGRAPH].join('\n');
}

/** An underscore within a word is none. */
const SUMMARY_MARKUP = /[\\`*[\]<>|~&$@]|:\/\/|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])/g;

/**
 * A summary is one line, which the UI shows as Markdown on one page and as plain text on another. So nothing can be escaped in it.
 *
 * @returns the line, with a middle dot in place of each character that Markdown would take for markup
 */
export function plainSummary(text: string): string {
  return visibleText(text).replaceAll(SUMMARY_MARKUP, '·');
}

function shownAt(values: readonly Value[], index: number): string {
  const value = values[index];
  return value === undefined ? '' : shown(value);
}

/** What the UI makes a link of: an address with a scheme, one that begins with www, a mail address. */
const LINK = /:\/\/|@|www\.|mailto:|xmpp:/i;

function shown(value: Value): string {
  if (value instanceof Markdown) return value.toString();
  if (typeof value === 'number') return String(value);
  return visibleText(value)
    .split(/([\s`|<>]+)/)
    .map((part) => (LINK.test(part) ? code(part).toString() : escaped(part)))
    .join('');
}

/** The numbers of the angle brackets, since versions of the UI differ on a backslash before them and on their names. */
function escaped(text: string): string {
  return text.replaceAll(/[\\`*_[\]<>|~&$]/g, (char) =>
    char === '<' || char === '>' ? `&#${char.charCodeAt(0)};` : `\\${char}`,
  );
}
