/**
 * KubeIP's filter syntax for Elastic IPs, and for the CIDR reservations that IPv6 pools are made of:
 * `Name=tag:env,Values=dev,test;Name=tag:app,Values=web`.
 *
 * `;` joins filters (all must match), `,` joins the values of one (any may match). Blanks around names and values are
 * dropped. `\,` and `\;` stand for the character itself; every other backslash goes to EC2 as it is, where `*` and `?`
 * are wildcards and `\*`, `\?`, `\\` the literal characters. An empty value matches an empty tag value, as with KubeIP.
 */
import type { Family } from '../../model/address.ts';
import { checkFilterLength } from '../filter-length.ts';
import { CloudError } from '../provider.ts';
import { checkFilterName } from './filter-names.ts';
import { findMisreadValue } from './filter-values.ts';

/** One filter as EC2 takes it. */
export interface AddressFilter {
  readonly name: string;
  readonly values: readonly string[];
}

/** EC2 refuses a call with more filter values than this (code FilterLimitExceeded). */
export const maxFilterValues = 200;
const maxValueLength = 255;

/** A piece of the filter's text and where it begins, so that an error can point at it. */
interface Piece {
  readonly text: string;
  /** Counted from 0 in the whole filter. */
  readonly at: number;
}

/**
 * @param text the filter as a user wrote it
 * @param family decides which names there are: those of addresses, or those of CIDR reservations
 * @returns the filters, in the order written; at least one
 * @throws CloudError `Invalid`, naming the filter, the position (counted from 1) and what is expected there
 */
export function parseFilter(text: string, family: Family = 'ipv4'): AddressFilter[] {
  checkFilterLength(text);
  return readFilter(text, family);
}

/** As {@link parseFilter}, of a text of any length: the time that it takes grows as the text does. */
export function readFilter(text: string, family: Family): AddressFilter[] {
  const pieces = split({ text, at: 0 }, ';').map(trim);
  const filters = pieces.flatMap((piece, index) =>
    piece.text === '' ? [] : [parseOne(piece, index + 1, family)],
  );
  if (filters.length === 0) {
    throw new CloudError(
      'Invalid',
      `The filter is empty, so the pool would be every ${family === 'ipv4' ? 'Elastic IP' : 'CIDR reservation'} of the account. Write one such as Name=tag:kubeip,Values=reserved.`,
    );
  }
  const count = filters.reduce((sum, filter) => sum + filter.values.length, 0);
  // One value is kept back for the address that a read-back asks for.
  if (count >= maxFilterValues) {
    throw new CloudError(
      'Invalid',
      `The filter has ${count} values; EC2 takes fewer than ${maxFilterValues} in all. Give the addresses a common tag and filter by it.`,
    );
  }
  return filters;
}

/** Writes filters so that {@link parseFilter} reads them back as they are. */
export function formatFilter(filters: readonly AddressFilter[]): string {
  return filters
    .map(({ name, values }) => `Name=${escape(name)},Values=${values.map(escape).join(',')}`)
    .join(';');
}

/**
 * Splits filters into groups in which no name occurs twice. EC2 does not document what a repeated name does, so
 * it is never sent one: each group is a call of its own, and an address matches if it is in every answer.
 *
 * Filters whose name occurs once are in every group, which keeps each answer small.
 *
 * @returns at least one group, possibly empty
 */
export function groupByDistinctNames(filters: readonly AddressFilter[]): AddressFilter[][] {
  const byName = Map.groupBy(filters, (filter) => filter.name);
  const groups = Math.max(1, ...Array.from(byName.values(), (same) => same.length));
  return Array.from({ length: groups }, (_, group) =>
    Array.from(byName.values()).flatMap((same) => {
      const filter = same.length === 1 ? same[0] : same[group];
      return filter === undefined ? [] : [filter];
    }),
  );
}

function parseOne(piece: Piece, ordinal: number, family: Family): AddressFilter {
  const fail = (at: number, problem: string): never => {
    throw new CloudError(
      'Invalid',
      `Filter ${ordinal} (${piece.text}), position ${at + 1}: ${problem}. The form is Name=tag:<key>,Values=<value>,<value>; filters are joined by a semicolon.`,
    );
  };
  const [head, ...rest] = split(piece, ',');
  const name = head && assignment(head, 'Name');
  if (name === undefined) return fail(piece.at, 'expected "Name=" (written so, with a capital N)');
  if (name.text === '') return fail(name.at, 'the name is empty');
  const first = rest[0];
  if (first === undefined) return fail(piece.at + piece.text.length, 'expected ",Values=" after the name');
  const firstValue = assignment(first, 'Values');
  if (firstValue === undefined)
    return fail(trim(first).at, 'expected "Values=" (written so, with a capital V)');

  const filterName = unescape(name.text);
  const unknown = checkFilterName(filterName, family);
  if (unknown !== undefined) return fail(name.at, unknown);
  const values = [firstValue, ...rest.slice(1).map(trim)];
  const misread = findMisreadValue(values.map(({ text }) => text));
  if (misread !== undefined) return fail(values[misread.index]?.at ?? piece.at, misread.problem);
  for (const value of values) {
    if (unescape(value.text).length > maxValueLength) {
      return fail(value.at, `the value is longer than the ${maxValueLength} characters that EC2 takes`);
    }
  }
  return { name: filterName, values: values.map((value) => unescape(value.text)) };
}

/** @returns what stands after `key=`, trimmed; undefined if the piece does not begin so */
function assignment(piece: Piece, key: string): Piece | undefined {
  const match = new RegExp(`^\\s*${key}\\s*=`).exec(piece.text);
  if (!match) return undefined;
  return trim({ text: piece.text.slice(match[0].length), at: piece.at + match[0].length });
}

/** Splits at each separator that no backslash precedes; a backslash pairs with the character after it. */
function split(piece: Piece, separator: ',' | ';'): Piece[] {
  const parts: Piece[] = [];
  let start = 0;
  for (let i = 0; i < piece.text.length; i++) {
    const char = piece.text[i];
    if (char === '\\') {
      i++;
    } else if (char === separator) {
      parts.push({ text: piece.text.slice(start, i), at: piece.at + start });
      start = i + 1;
    }
  }
  parts.push({ text: piece.text.slice(start), at: piece.at + start });
  return parts;
}

function trim({ text, at }: Piece): Piece {
  const left = text.length - text.trimStart().length;
  const trimmed = text.trim();
  // A blank after an unpaired backslash is escaped: it belongs to the value.
  let backslashes = 0;
  while (trimmed.at(-1 - backslashes) === '\\') backslashes++;
  const keep = backslashes % 2 === 1 ? text.slice(left + trimmed.length, left + trimmed.length + 1) : '';
  return { text: trimmed + keep, at: at + left };
}

/** `\,` and `\;` become plain; the other pairs are EC2's own escapes and stay. */
function unescape(text: string): string {
  return text.replaceAll(/\\([\s\S])/g, (pair, char: string) => (char === ',' || char === ';' ? char : pair));
}

function escape(text: string): string {
  return text.replaceAll(/\\[\s\S]|[,;]/g, (found) => (found.length === 1 ? `\\${found}` : found));
}
