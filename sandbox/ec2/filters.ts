/** Filters of the Describe actions, over records of any kind. */
import { compileWildcard } from '../cloud/wildcard.ts';
import { Ec2Error, missingParameter } from './ec2-error.ts';
import type { Parameters } from './parameters.ts';
import type { Tags } from './region-state.ts';

export const FILTER_PARAMETERS = ['Filter.N.Name', 'Filter.N.Value.N'] as const;

/** EC2 takes so many filter values in one call (Source: "List and filter using the CLI and API", EC2 User Guide). */
const MAX_FILTER_VALUES = 200;

/** The values that a record has for a filter: none, one or several. Booleans and numbers as EC2 writes them. */
export type FilterField<Item> = (item: Item) => readonly (string | number | boolean | undefined)[];

/** Filter names and what they look at. `tag:<key>`, `tag-key` and `tag-value` come from `tags`. */
export interface FilterSpec<Item> {
  readonly fields: Readonly<Record<string, FilterField<Item>>>;
  readonly tags?: (item: Item) => Tags;
}

export type FilterPredicate<Item> = (item: Item) => boolean;

/** True when the request has a filter. */
export function hasFilters(parameters: Parameters): boolean {
  return parameters.structures('Filter').length > 0;
}

/**
 * Compiles a request's filters: several filters are ANDed, the values of one are ORed, `*` and `?` are wildcards, names
 * and values are case-sensitive.
 *
 * @throws Ec2Error `InvalidParameterValue` for a filter that the action does not have, `FilterLimitExceeded`, `MissingParameter`
 */
export function compileFilters<Item>(parameters: Parameters, spec: FilterSpec<Item>): FilterPredicate<Item> {
  let values = 0;
  const predicates = parameters.structures('Filter').map((filter) => {
    const name = filter.required('Name');
    const wanted = filter.list('Value');
    if (wanted.length === 0) throw missingParameter(filter.fullName('Value'));
    values += wanted.length;
    return compileFilter(name, wanted, spec);
  });
  if (values > MAX_FILTER_VALUES) {
    throw new Ec2Error(
      'FilterLimitExceeded',
      `The maximum number of filter values specified on a single call is ${MAX_FILTER_VALUES}`,
    );
  }
  return (item) => predicates.every((predicate) => predicate(item));
}

function compileFilter<Item>(
  name: string,
  wanted: readonly string[],
  spec: FilterSpec<Item>,
): FilterPredicate<Item> {
  const field = fieldOf(name, spec);
  if (field === undefined) throw new Ec2Error('InvalidParameterValue', `The filter '${name}' is invalid`);
  // Plain values, the usual case, cost one look-up for each record however many they are.
  const plain = new Set(wanted.filter((value) => !/[*?\\]/.test(value)));
  const patterns = wanted.filter((value) => !plain.has(value)).map(compileWildcard);
  return (item) =>
    field(item).some((value) => {
      if (value === undefined) return false;
      const text = String(value);
      return plain.has(text) || patterns.some((matches) => matches(text));
    });
}

function fieldOf<Item>(name: string, spec: FilterSpec<Item>): FilterField<Item> | undefined {
  const { tags, fields } = spec;
  if (tags !== undefined) {
    if (name === 'tag-key') return (item) => [...tags(item).keys()];
    if (name === 'tag-value') return (item) => [...tags(item).values()];
    if (name.startsWith('tag:') && name.length > 'tag:'.length) {
      const key = name.slice('tag:'.length);
      return (item) => [tags(item).get(key)];
    }
  }
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}
