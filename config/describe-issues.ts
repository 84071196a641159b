/** Turns what the schema says into what a newcomer can act on. */
import { closest, distance } from 'fastest-levenshtein';
import type { z } from 'zod';
import { MAX_TOLD, showValue } from './config-error.ts';
import type { ConfigPath } from './config-file.ts';
import { knownKeysAt } from './json-schema.ts';

export interface DescribedIssue {
  readonly path: ConfigPath;
  readonly value: unknown;
  readonly message: string;
}

/** What to write where a required key is missing. */
const missingAdvice: Readonly<Record<string, string>> = {
  cluster: 'Give the cluster a name, here or by the variable KUBEIP_CLUSTER.',
  name: 'Give the pool a name that no other pool has.',
  nodeSelector:
    'Say which nodes the pool serves, such as matchLabels: { kubeip: use }. {} stands for every node of the cluster.',
  filter: 'Say which addresses make up the pool, such as Name=tag:kubeip,Values=reserved.',
  operator: 'Write In, NotIn, Exists, DoesNotExist, Gt or Lt.',
  values: 'In, NotIn, Gt and Lt need a list of values.',
  key: 'Name the label to look at.',
};

function valueAt(root: unknown, path: ConfigPath): unknown {
  let value = root;
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Readonly<Record<string | number, unknown>>)[step];
  }
  return value;
}

/**
 * @param issue of zod 4, with paths relative to `root`
 * @param at the path of the checked value in the whole configuration
 * @param root the checked value, before any change
 */
export function describeIssue(issue: z.core.$ZodIssue, at: ConfigPath, root: unknown): DescribedIssue[] {
  const own = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
  const path = [...at, ...own];
  const value = valueAt(root, own);

  if (issue.code === 'unrecognized_keys') {
    const known = knownKeysAt(path);
    return issue.keys.map((key, index) => ({
      path: [...path, key],
      value: valueAt(value, [key]),
      // What is like a key takes its time to find, and of so many none is told.
      message: unknownKey(key, index < MAX_TOLD ? known : []),
    }));
  }
  if (issue.code === 'invalid_key') {
    return [{ path, value, message: `${issue.issues[0]?.message ?? issue.message}.` }];
  }
  return [{ path, value, message: describeValue(issue, path, value) }];
}

function describeValue(issue: z.core.$ZodIssue, path: ConfigPath, value: unknown): string {
  const shown = showValue(value);
  if (value === undefined || value === null) {
    const state = value === null ? 'is empty.' : 'is missing.';
    return `${state} ${missingAdvice[String(path.at(-1))] ?? ''}`.trim();
  }
  switch (issue.code) {
    case 'invalid_type':
      return wrongType(issue.expected, value);
    case 'invalid_value':
      return `${shown} is not one of ${issue.values.join(', ')}.${suggest(value, issue.values)}`;
    case 'invalid_union': {
      const options = 'options' in issue && Array.isArray(issue.options) ? issue.options.map(String) : [];
      return options.length > 0
        ? `${shown} is not one of ${options.join(', ')}.${suggest(value, options)}`
        : `${shown} ${issue.message}.`;
    }
    default:
      return `${shown} ${issue.message}.`;
  }
}

function wrongType(expected: string, value: unknown): string {
  const shown = showValue(value);
  if (expected === 'string' && (typeof value === 'number' || typeof value === 'boolean')) {
    // YAML reads 0123 and true as a number and a boolean: the user meant the text, which quotes keep.
    return `${shown} must be text: put it in quotes, as in the file it is read as a ${typeof value}.`;
  }
  const names: Readonly<Record<string, string>> = {
    string: 'text',
    int: 'a whole number, without quotes',
    number: 'a number, without quotes',
    boolean: 'true or false, without quotes',
    array: 'a list (lines that begin with "- ")',
    object: 'a block of keys',
    record: 'a block of keys',
  };
  return `${shown} must be ${names[expected] ?? expected}.`;
}

function unknownKey(key: string, known: readonly string[]): string {
  if (known.length === 0) return 'is not a setting.';
  const near = suggest(key, known);
  return `is not a setting.${near === '' ? ` Known here: ${known.join(', ')}.` : near}`;
}

/** @returns ` Did you mean …?` if one of the known words is near, otherwise nothing */
export function suggest(value: unknown, known: readonly unknown[]): string {
  if (typeof value !== 'string' || known.length === 0) return '';
  const words = known.map(String);
  const sameLetters = words.find(
    (word) => word.toLowerCase() === value.toLowerCase().replaceAll(/[-_]/g, ''),
  );
  const near = sameLetters ?? closest(value, words);
  const allowed = Math.max(1, Math.floor(near.length / 3));
  return sameLetters !== undefined || distance(value, near) <= allowed ? ` Did you mean ${near}?` : '';
}
