/**
 * The JSON Schema of the configuration file, for editors and for other tools' checks.
 * `npm run config:schema` writes it to config/config.schema.json.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { ConfigPath } from './config-file.ts';
import { fileSchema } from './schema.ts';

type JsonSchema = z.core.JSONSchema.JSONSchema;

/** Where the schema is kept. */
export const jsonSchemaFile = fileURLToPath(new URL('config.schema.json', import.meta.url));

/** @returns the schema of what a person may write (draft 7, which editors' YAML plug-ins know best) */
export function configJsonSchema(): JsonSchema {
  return toJsonSchema(fileSchema);
}

/** The same of any schema that holds the configuration file, as the chart's values do. */
export function toJsonSchema(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-7',
    override: ({ zodSchema, jsonSchema }) => {
      // zod drops the default of a value that is transformed, as a duration is: it is still what the reader wants to know.
      const stated = z.globalRegistry.get(zodSchema)?.['default'];
      if (stated !== undefined) jsonSchema.default = stated;
      // Bounds of the number type, not of the setting.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
    },
  });
}

/** @returns the schema as the text of its file */
export function configJsonSchemaText(): string {
  return `${JSON.stringify(configJsonSchema(), null, 2)}\n`;
}

/** @returns the keys that may stand in the block at this path, in the order of the schema; none if the path is unknown */
export function knownKeysAt(path: ConfigPath): string[] {
  let candidates: JsonSchema[] = [configJsonSchema()];
  for (const step of path) {
    candidates = candidates
      .flatMap((schema) => alternatives(schema))
      .flatMap((schema) => child(schema, step));
  }
  return [
    ...new Set(
      candidates
        .flatMap((schema) => alternatives(schema))
        .flatMap((schema) => Object.keys(schema.properties ?? {})),
    ),
  ];
}

function alternatives(schema: JsonSchema): JsonSchema[] {
  return [schema, ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].filter(isSchema);
}

function child(schema: JsonSchema, step: string | number): JsonSchema[] {
  const next = typeof step === 'number' ? schema.items : schema.properties?.[step];
  return isSchema(next) ? [next] : [];
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

if (import.meta.main) {
  writeFileSync(jsonSchemaFile, configJsonSchemaText());
}
