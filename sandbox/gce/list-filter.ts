/** What a list's `filter` means for the resources of the list, in the JSON form that they are answered in. */
import { FilterSyntaxError, parseFilter, type FilterNode } from './filter-grammar.ts';
import { invalidValue } from './gce-error.ts';
import type { Json } from './render.ts';

/** The fields of a resource that can be filtered by; each map's keys follow it after a dot, as `labels.owner`. */
export interface FilterFields {
  readonly scalars: readonly string[];
  readonly maps: readonly string[];
  /** Lists of scalars, which have `:` only: does the list contain it. */
  readonly lists: readonly string[];
}

export const addressFields: FilterFields = {
  scalars: [
    'kind',
    'id',
    'creationTimestamp',
    'name',
    'description',
    'address',
    'addressType',
    'status',
    'region',
    'networkTier',
    'ipVersion',
    'ipv6EndpointType',
    'prefixLength',
    'purpose',
    'subnetwork',
    'network',
    'selfLink',
    'labelFingerprint',
  ],
  maps: ['labels'],
  lists: ['users'],
};

export const instanceFields: FilterFields = {
  scalars: [
    'kind',
    'id',
    'creationTimestamp',
    'name',
    'description',
    'status',
    'zone',
    'machineType',
    'cpuPlatform',
    'canIpForward',
    'deletionProtection',
    'selfLink',
    'labelFingerprint',
  ],
  maps: ['labels'],
  lists: [],
};

export const operationFields: FilterFields = {
  scalars: [
    'kind',
    'id',
    'name',
    'operationType',
    'status',
    'targetId',
    'targetLink',
    'user',
    'progress',
    'insertTime',
    'startTime',
    'endTime',
    'zone',
    'region',
    'httpErrorStatusCode',
    'selfLink',
  ],
  maps: [],
  lists: [],
};

export type ResourcePredicate = (resource: Json) => boolean;

/**
 * Compiles a filter. A field that a resource does not have is the empty text: `=` does not match it, `!=` does. A star in
 * an unquoted value stands for any text; `:*` asks whether the field is there; `:` looks for a part of the text. Case
 * counts.
 *
 * @throws GceError `invalid` for a wrong form and for a field that there is not
 */
export function compileFilter(text: string, fields: FilterFields): ResourcePredicate {
  try {
    return compile(parseFilter(text), fields);
  } catch (error) {
    if (!(error instanceof FilterSyntaxError) && !(error instanceof SyntaxError)) throw error;
    throw invalidValue('filter', text, 'Invalid list filter expression.');
  }
}

function compile(node: FilterNode, fields: FilterFields): ResourcePredicate {
  switch (node.kind) {
    case 'and': {
      const parts = node.parts.map((part) => compile(part, fields));
      return (resource) => parts.every((matches) => matches(resource));
    }
    case 'or': {
      const parts = node.parts.map((part) => compile(part, fields));
      return (resource) => parts.some((matches) => matches(resource));
    }
    case 'not': {
      const matches = compile(node.part, fields);
      return (resource) => !matches(resource);
    }
    case 'comparison':
      return compileComparison(node, fields);
  }
}

type Comparison = Extract<FilterNode, { kind: 'comparison' }>;

function compileComparison(node: Comparison, fields: FilterFields): ResourcePredicate {
  const { field, operator } = node;
  const dot = field.indexOf('.');
  const [head, key] = dot === -1 ? [field] : [field.slice(0, dot), field.slice(dot + 1)];
  if (key === undefined && fields.lists.includes(head)) {
    if (operator !== ':') throw new FilterSyntaxError(`${field} is a list`);
    return (resource) => asList(resource[head]).includes(node.value);
  }
  if (key === undefined && !fields.scalars.includes(head)) throw new FilterSyntaxError(`no field ${field}`);
  if (key !== undefined && (key === '' || !fields.maps.includes(head))) {
    throw new FilterSyntaxError(`no field ${field}`);
  }
  const matches = compileTest(node);
  return (resource) => matches(key === undefined ? resource[head] : asMap(resource[head])[key]);
}

/** @returns what a comparison asks of a value, which may not be there */
function compileTest({ operator, value, quoted }: Comparison): (actual: unknown) => boolean {
  switch (operator) {
    case '=':
    case '!=': {
      const pattern = quoted ? undefined : starPattern(value);
      const equals = (actual: unknown): boolean =>
        pattern === undefined ? asText(actual) === value : pattern.test(asText(actual));
      return operator === '=' ? equals : (actual) => !equals(actual);
    }
    case 'eq':
    case 'ne': {
      const pattern = new RegExp(`^(?:${value})$`, 's');
      return (actual) => pattern.test(asText(actual)) === (operator === 'eq');
    }
    case ':':
      if (value === '*' && !quoted) return (actual) => actual !== undefined;
      return (actual) =>
        typeof actual === 'string'
          ? actual.includes(value)
          : actual !== undefined && asText(actual) === value;
    default:
      return (actual) => actual !== undefined && compare(asText(actual), value, operator);
  }
}

function compare(actual: string, value: string, operator: '<' | '<=' | '>' | '>='): boolean {
  const numeric = /^\d+$/.test(actual) && /^\d+$/.test(value);
  const [a, b] = numeric ? [BigInt(actual), BigInt(value)] : [actual, value];
  if (operator === '<') return a < b;
  if (operator === '<=') return a <= b;
  return operator === '>' ? a > b : a >= b;
}

function starPattern(value: string): RegExp | undefined {
  if (!value.includes('*')) return undefined;
  return new RegExp(`^${value.split('*').map(escapeRegExp).join('.*')}$`, 's');
}

function escapeRegExp(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}

function asText(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === undefined ? '' : JSON.stringify(value);
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function asMap(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}
