/**
 * Text from outside (Node names, annotations, tags, messages of clouds and of operators) as text that only shows something. Pure.
 *
 * A terminal obeys control characters, and a reader does not see format characters such as those that turn the direction of writing.
 * Both are written out here, as JSON writes them: ESC becomes `\u001b`.
 */

/** Control and format characters, line and paragraph separators, halves of a surrogate pair. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const LINE_BREAKS = /[\t\n\v\f\r\u0085\u2028\u2029]\s*/g;

/** @returns the text in one line, without any character that a terminal obeys: a line break becomes a blank */
export function visibleText(text: string): string {
  return text.replaceAll(LINE_BREAKS, ' ').replaceAll(UNSEEN, escaped);
}

/** @returns the same for a text of several lines, whose line breaks and tabs stay */
export function visibleLines(text: string): string {
  return text.replaceAll(UNSEEN, (char) => (char === '\n' || char === '\t' ? char : escaped(char)));
}

/**
 * JSON leaves DEL, the control characters above it and the format characters as they are.
 *
 * @param json a JSON text: in it, such characters stand in strings only
 * @returns the same value as JSON that a terminal may show
 */
export function visibleJson(json: string): string {
  return visibleLines(json);
}

/** @returns the value with each text in it, keys too, as {@link visibleText} has it. Only plain data: what JSON can hold */
export function visibleValue<T>(value: T): T {
  return visible(value) as T;
}

function visible(value: unknown): unknown {
  if (typeof value === 'string') return visibleText(value);
  if (Array.isArray(value)) return value.map(visible);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [visibleText(key), visible(one)]));
}

function escaped(char: string): string {
  return Array.from({ length: char.length }, (_, index) => unit(char.charCodeAt(index))).join('');
}

function unit(code: number): string {
  return `\\u${code.toString(16).padStart(4, '0')}`;
}
