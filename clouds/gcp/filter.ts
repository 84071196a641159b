/**
 * KubeIP's filter syntax for addresses of Compute Engine: filters joined by `;`, each an expression of the list methods'
 * `filter` parameter ("Method: addresses.list", Compute Engine API). All of them must match, together with KubeIP's own
 * conditions on the kind of address.
 *
 * The expressions are Compute Engine's to read. What is checked here is what would otherwise fail late or mean something
 * else than it says.
 */
import { closest, distance } from 'fastest-levenshtein';
import type { Family } from '../../model/address.ts';
import { checkFilterLength } from '../filter-length.ts';
import { CloudError } from '../provider.ts';
import { type Comparison, readStructure, withoutQuoted } from './filter-structure.ts';

/** Fields of an address, from "REST Resource: addresses". */
const fields = [
  'address',
  'addressType',
  'creationTimestamp',
  'description',
  'id',
  'ipCollection',
  'ipVersion',
  'ipv6EndpointType',
  'kind',
  'labelFingerprint',
  'labels',
  'name',
  'network',
  'networkTier',
  'prefixLength',
  'purpose',
  'region',
  'selfLink',
  'subnetwork',
] as const;

/** What an association changes: an address would leave its pool as soon as it is in use. */
const changingFields = ['status', 'users'];

const beginning = new RegExp(
  String.raw`^(?:NOT\b|[-(\s])*(?:labels\.|(?:${[...fields, ...changingFields].join('|')})\s*[!=<>:])`,
);

/** @returns whether the text begins with a comparison of a field that an address has */
export function beginsWithAddressField(text: string): boolean {
  return beginning.test(text);
}

const conditions: Readonly<Record<Family, string>> = {
  // Addresses that were reserved before there was IPv6 have no ipVersion.
  ipv4: '(addressType=EXTERNAL) (ipVersion!=IPV6)',
  ipv6: '(addressType=EXTERNAL) (ipVersion=IPV6)',
};

/**
 * @param text the filter as a user wrote it
 * @returns the value of the `filter` parameter: all addresses of the pool, whether they are in use or not
 * @throws CloudError `Invalid`, naming the filter and what is expected there
 */
export function toListFilter(text: string, family: Family): string {
  const expressions = parseFilter(text).map((expression) => `(${expression})`);
  return [conditions[family], ...expressions].join(' ');
}

/**
 * @returns the expressions, in the order written; at least one
 * @throws CloudError `Invalid`
 */
export function parseFilter(text: string): string[] {
  checkFilterLength(text);
  return readFilter(text);
}

/** As {@link parseFilter}, of a text of any length: the time that it takes grows as the text does. */
export function readFilter(text: string): string[] {
  const expressions = split(text).filter((expression) => expression !== '');
  if (expressions.length === 0) {
    throw new CloudError(
      'Invalid',
      'The filter is empty, so the pool would be every address of the project. Write one such as labels.kubeip=reserved.',
    );
  }
  expressions.forEach((expression, index) => check(expression, index + 1));
  return expressions;
}

function check(expression: string, ordinal: number): void {
  const fail = (problem: string): never => {
    throw new CloudError(
      'Invalid',
      `Filter ${ordinal} (${expression}): ${problem}. The form is <field><operator><value>, as labels.kubeip=reserved; filters are joined by a semicolon.`,
    );
  };
  if (/^Name\s*=\s*(tag:|[a-z-]+\s*,\s*Values)/.test(expression)) {
    fail('this is a filter of AWS');
  }
  const unbalanced = balanceProblem(expression);
  if (unbalanced !== undefined) fail(unbalanced);
  const { comparisons, rest } = readStructure(withoutQuoted(expression) ?? '');
  if (comparisons.length === 0) fail('there is no comparison in it');
  for (const comparison of comparisons) {
    const problem = fieldProblem(comparison.field) ?? syntaxProblem(comparison);
    if (problem !== undefined) fail(problem);
  }
  for (const text of rest) {
    const problem = ['AND', 'OR', 'NOT', '-'].includes(text) ? undefined : strayProblem(text);
    if (problem !== undefined) fail(problem);
  }
}

function syntaxProblem({ field, operator, value }: Comparison): string | undefined {
  if (operator === 'eq' || operator === 'ne') {
    return `"${operator}" is of the older syntax, which Compute Engine refuses beside the conditions that go with every filter; write ${field}${operator === 'eq' ? '=' : '!='} or ${field}:`;
  }
  return signProblem(value);
}

/** Compute Engine would look for such a text in all fields, and the pool would be another one. */
function strayProblem(text: string): string {
  return (
    signProblem(text) ??
    `"${text}" is compared with nothing; AND, OR and NOT are written in capitals, and a value with a blank in it in quotation marks`
  );
}

/** Signs that join or group in other tools. Where one is meant as text, the value stands in quotation marks. */
function signProblem(text: string): string | undefined {
  const sign = /&&?|\|\|?|[,[\]{}]/.exec(text)?.[0];
  if (sign === undefined) return undefined;
  return /[&|,]/.test(sign)
    ? `"${sign}" joins nothing here; write AND or OR between comparisons, and a value with this sign in it in quotation marks`
    : `"${sign}" is no part of the syntax; write a value with this sign in it in quotation marks`;
}

function balanceProblem(expression: string): string | undefined {
  const text = withoutQuoted(expression);
  if (text === undefined) return 'a quotation mark is not closed';
  let depth = 0;
  for (const char of text) {
    if (char === '(') depth++;
    if (char === ')' && --depth < 0) return 'a parenthesis is closed that was not opened';
  }
  return depth === 0 ? undefined : 'a parenthesis is not closed';
}

function fieldProblem(name: string): string | undefined {
  const top = name.split('.')[0] ?? name;
  if (changingFields.includes(top)) {
    return `"${top}" changes with every association, so it cannot tell what is of the pool; leave it out, free addresses are found without it`;
  }
  if ((fields as readonly string[]).includes(top)) {
    return top === 'labels' && !/^labels\.[^.]/.test(name)
      ? '"labels" needs a key, as labels.kubeip'
      : undefined;
  }
  const candidate = closest(top, fields);
  const hint = distance(top, candidate) <= 3 ? `; did you mean "${name.replace(top, candidate)}"?` : '';
  return `"${top}" is no field of an address${hint} (there are labels.<key>, ${fields.filter((field) => field !== 'labels').join(', ')})`;
}

/** Splits at each semicolon outside of quotation marks. */
function split(text: string): string[] {
  const parts: string[] = [];
  let start = 0;
  let quote = '';
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '\\') {
      at++;
    } else if (quote === '' && char === ';') {
      parts.push(text.slice(start, at));
      start = at + 1;
    } else if (quote === '' && (char === '"' || char === "'")) {
      quote = char;
    } else if (char === quote) {
      quote = '';
    }
  }
  parts.push(text.slice(start));
  return parts.map((part) => part.trim());
}
