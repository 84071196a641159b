import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { generatedFiles } from '../../deploy/helm/generate.ts';
import { valuesSchemaText } from '../../deploy/helm/values-schema.ts';
import { valueRows } from '../../deploy/helm/values-table.ts';

const chart = fileURLToPath(new URL('../../deploy/helm/kubeip-temporal/', import.meta.url));
const values = readFileSync(`${chart}values.yaml`, 'utf8');
const schema = JSON.parse(valuesSchemaText()) as Schema;

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
}

describe('the chart’s derived files', () => {
  test.each([...generatedFiles()])('%s is current (if not: npm run chart:generate)', (file, text) => {
    expect(readFileSync(file, 'utf8')).toBe(text);
  });

  test('the configuration’s part of the schema is that of config/config.schema.json', () => {
    const file = fileURLToPath(new URL('../../config/config.schema.json', import.meta.url));
    const own = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    const { $schema, required, ...rest } = own;
    expect($schema).toBeDefined();
    const config = schema.properties?.['config'] as Record<string, unknown>;
    // In a chart no shell says which cluster it is.
    expect(new Set(config['required'] as string[])).toEqual(new Set(['cluster', ...(required as string[])]));
    expect({ ...config, required }).toEqual({ ...rest, required });
  });

  test('the schema takes the defaults, but for what they leave to the user', () => {
    const given = { ...(parse(values) as object), config: { cluster: 'a', pools: [pool] } };
    const validate = new Ajv({ strict: true, formats: { uri: true } }).compile(schema);
    expect({ valid: validate(given), errors: validate.errors }).toEqual({ valid: true, errors: null });
  });

  test('every value that the schema knows is described, and has a default', () => {
    const described = valueRows(values).map(({ name }) => name);
    const leaves = (part: Schema, path: string): string[] =>
      described.includes(path) || part.properties === undefined
        ? [path]
        : Object.entries(part.properties).flatMap(([key, inner]) =>
            leaves(inner, path === '' ? key : `${path}.${key}`),
          );
    expect(
      leaves(schema, '')
        .filter((path) => path !== 'global')
        .sort(),
    ).toEqual(described.sort());
  });

  test('a value without a description is an error', () => {
    expect(() => valueRows('# -- One\na: 1\nb: 2\n')).toThrow('b has no description');
  });
});

const pool = { name: 'a', nodeSelector: {}, filter: 'x' };
