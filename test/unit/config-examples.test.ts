import { describe, expect, test } from '@jest/globals';
import { Ajv } from 'ajv';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { loadConfig } from '../../config/config.ts';
import {
  configJsonSchema,
  configJsonSchemaText,
  jsonSchemaFile,
  knownKeysAt,
} from '../../config/json-schema.ts';
import { commentOf, referenceFile, withReference } from '../../config/reference.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const examples = readdirSync(`${root}/examples`).filter((name) => name.endsWith('.yaml'));
const validate = new Ajv({ strict: true, formats: { uri: true } }).compile(configJsonSchema());

describe('config.schema.json', () => {
  test('is what the schema in the code says (if not: npm run config:schema)', () => {
    expect(readFileSync(jsonSchemaFile, 'utf8')).toBe(configJsonSchemaText());
  });

  test.each([
    [{ cluster: 'a' }],
    [{ cluster: 'a', pools: [] }],
    [{ cluster: 'a/b', pools: [{ name: 'a', nodeSelector: {}, filter: 'x' }] }],
    [{ cluster: 'a', pools: [{ name: 'a', nodeSelector: {}, filter: 'x', retries: { interval: '5 m' } }] }],
    [
      {
        cluster: 'a',
        pools: [
          { name: 'a', nodeSelector: { matchExpressions: [{ key: 'a', operator: 'In' }] }, filter: 'x' },
        ],
      },
    ],
    [{ cluster: 'a', pools: [{ name: 'a', nodeSelector: {}, filter: 'x' }], pool: 1 }],
    [{ cluster: 'a', pools: [{ name: 'a', nodeSelector: {} }] }],
    [{ cluster: 'a', pools: [{ name: 'a', nodeSelector: {}, addresses: {} }] }],
    [{ cluster: 'a', pools: [{ name: 'a', nodeSelector: {}, addresses: { ipv6: {} } }] }],
    [
      {
        cluster: 'a',
        pools: [{ name: 'a', nodeSelector: {}, filter: 'x', addresses: { ipv4: { filter: 'x' } } }],
      },
    ],
  ])('refuses %j', (wrong) => {
    expect(validate(wrong)).toBe(false);
  });
});

describe('examples/', () => {
  test.each(examples)('%s is valid for editors and for the programs', (name) => {
    const file = `${root}/examples/${name}`;
    expect({ valid: validate(parse(readFileSync(file, 'utf8'))), errors: validate.errors }).toEqual({
      valid: true,
      errors: null,
    });
    const config = loadConfig({ file, env: { CLUSTER_NAME: 'blue' } });
    expect(config.pools.length).toBeGreaterThan(0);
    expect(config.notices).toEqual([]);
  });

  test('all-settings.yaml holds every setting', () => {
    const all = parse(readFileSync(`${root}/examples/all-settings.yaml`, 'utf8')) as Record<string, unknown>;
    const known = settings();
    expect(known.length).toBeGreaterThan(20);
    expect(known.filter(({ path }) => valueAt(all, path) === undefined)).toEqual([]);
  });
});

describe('the comments of all-settings.yaml (if it fails: npm run docs:config)', () => {
  const text = readFileSync(referenceFile, 'utf8');

  test('are those that `npm run docs:config` makes of the schema', () => {
    expect(text).toBe(withReference(text));
  });

  const words = text.replaceAll(/\s*\n\s*(?:# )?/g, ' ');
  test.each(settings().filter(({ path }) => path[0] !== 'defaults'))(
    'say what $name is, and its default',
    ({ preset, schema }) => {
      expect(schema.description).toMatch(/\w/);
      expect(words).toContain(` ${commentOf(schema)} `);
      if (preset !== undefined && preset !== '') {
        expect(commentOf(schema)).toContain(`Default: ${JSON.stringify(preset).replaceAll('"', '')}.`);
      }
    },
  );
});

interface Setting {
  readonly name: string;
  readonly path: (string | number)[];
  readonly preset: unknown;
  readonly schema: Parameters<typeof commentOf>[0];
}

/** Every setting that the schema knows; those of a pool by the name they have in the pool's table. */
function settings(): Setting[] {
  const leaves = (path: (string | number)[]): (string | number)[][] => {
    const keys = knownKeysAt(path);
    return keys.length === 0
      ? [path]
      : keys.flatMap((key) => leaves(key === 'pools' ? [key, 0] : [...path, key]));
  };
  return leaves([])
    .map((path) => {
      const matches = path.indexOf('matchExpressions');
      const short = matches < 0 ? path : path.slice(0, matches + 1);
      return {
        path: short,
        name: short.filter((step) => step !== 'pools' && step !== 0).join('.'),
        preset: schemaAt(short).default,
        schema: schemaAt(short),
      };
    })
    .filter(({ name }, index, all) => all.findIndex((other) => other.name === name) === index);
}

function schemaAt(path: readonly (string | number)[]): Setting['schema'] {
  let schema: unknown = configJsonSchema();
  for (const step of path) {
    const { properties, items } = schema as { properties?: Record<string, unknown>; items?: unknown };
    schema = step === 0 ? items : properties?.[step];
  }
  return schema as Setting['schema'];
}

/** A pool of the example need not repeat what its defaults say, and no pool can say all: some settings exclude others. */
function valueAt(value: unknown, path: readonly (string | number)[]): unknown {
  const read = (at: unknown, steps: readonly (string | number)[]) =>
    steps.reduce<unknown>((part, step) => (part as Record<string, unknown> | undefined)?.[step], at);
  const [first, second, ...rest] = path;
  if (first !== 'pools' || second !== 0) return read(value, path);
  const { pools, defaults } = value as { pools: unknown[]; defaults: unknown };
  return [...pools, defaults].map((place) => read(place, rest)).find((found) => found !== undefined);
}
