/**
 * The reference of the configuration file, made from the schema: a table for each block. `npm run docs:config` writes it into
 * docs/configuration.md, between two markers; all else on that page is written by hand.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { z } from 'zod';
import { durationPattern } from './duration.ts';
import { configJsonSchema } from './json-schema.ts';

type JsonSchema = z.core.JSONSchema.JSONSchema;

/** The page that holds the reference. */
export const referencePage = fileURLToPath(new URL('../docs/configuration.md', import.meta.url));

const begin = '<!-- Made from config/schema.ts by `npm run docs:config`: edit the descriptions there. -->';
const end = '<!-- End of what `npm run docs:config` makes. -->';

/** Where more is said about a setting, as a link from that page. */
const moreAbout: Readonly<Record<string, string>> = {
  'pools[].filter': '#filter-and-order',
  'pools[].orderBy': '#filter-and-order',
  'pools[].addresses': '#ipv4-and-ipv6',
  'pools[].require': 'ipv6.md#both-families',
  'pools[].taintPolicy': 'operations.md#a-node-failed',
  'watcher.failureCooldown.initialInterval': 'operations.md#when-it-is-tried-again',
  'audit.enabled': 'audit.md',
};

/** Blocks that need no table of their own: `defaults` holds what a pool may. */
const describedElsewhere = ['defaults'];

/** Settings of a family that mean what the pool's own setting means: it is described once. */
const sameAs = /^(pools\[\])\.addresses\.ipv[46]\.(filter|orderBy)$/;

/**
 * @returns the page with its reference made anew
 * @throws Error if the page lacks the two markers
 */
export function withReference(page: string): string {
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error(`the page must hold the markers ${begin} and ${end}`);
  return `${page.slice(0, from)}${begin}\n\n${configReference()}\n${page.slice(to)}`;
}

/** @returns Markdown: a table for the top level, and one for each block of it */
export function configReference(): string {
  const { properties = {}, required } = configJsonSchema();
  const blocks = Object.entries(properties).map(([name, value]) => ({ name, schema: asSchema(value) }));
  // A block with a table of its own is described there.
  const rows = blocks
    .filter(({ name, schema }) => describedElsewhere.includes(name) || !isBlock(schema))
    .map(({ name, schema }) => row(name, schema, required));
  const tables = blocks
    .filter(({ name, schema }) => !describedElsewhere.includes(name) && isBlock(schema))
    .map(({ name, schema }) => blockTable(name, schema));
  return [table(rows), ...tables].join('\n');
}

function blockTable(name: string, schema: JsonSchema): string {
  const path = schema.items === undefined ? name : `${name}[]`;
  const { properties = {}, required } = schema.items === undefined ? schema : asSchema(schema.items);
  return `### \`${path}\`\n\n${sentence(schema)}${table(rowsOf(path, properties, required))}`;
}

function rowsOf(path: string, properties: object, required: readonly string[] = []): string[] {
  return Object.entries(properties).flatMap(([key, value]) => {
    const schema = asSchema(value);
    const name = `${path}.${key}`;
    const inner = schema.properties === undefined ? [] : rowsOf(name, schema.properties);
    // A block within a block is named if there is something to say of it.
    return schema.properties !== undefined && schema.description === undefined
      ? inner
      : [row(name, schema, required.includes(key) ? [name] : []), ...inner];
  });
}

function row(name: string, schema: JsonSchema, required: readonly string[] = []): string {
  const { text: own, preset } = describe(schema);
  const text = sameAs.test(name) ? `As \`${name.replace(sameAs, '$1.$2')}\`.` : own;
  const more = moreAbout[name];
  const cells = [
    `\`${name}\``,
    typeOf(schema),
    required.includes(name) ? 'required' : preset,
    more === undefined ? text : `${text} [More](${more})`.trim(),
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function table(rows: readonly string[]): string {
  return ['| setting | type | default | |', '| --- | --- | --- | --- |', ...rows, ''].join('\n');
}

/** A default that is no constant is the last sentence of the description. */
function describe({ description = '', default: constant }: JsonSchema): { text: string; preset: string } {
  const [, text = description, stated = ''] = /^(.*?)\s*Default: (.+)\.$/.exec(description) ?? [];
  if (constant === undefined || constant === '') return { text: escape(text), preset: escape(stated) };
  return { text: escape(text), preset: `\`${JSON.stringify(constant).replaceAll('"', '')}\`` };
}

function sentence({ description }: JsonSchema): string {
  return description === undefined ? '' : `${escape(description)}\n\n`;
}

/** What Markdown would take for markup: `<key>`, and the names of labels with `*` and `_`. */
function escape(text: string): string {
  return text.replaceAll(/[<*_]/g, (character) => `\\${character}`);
}

function typeOf(schema: JsonSchema): string {
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (schema.pattern === durationPattern.source) return 'duration';
  switch (schema.type) {
    case 'integer':
      return numberType('whole number', schema);
    case 'number':
      return numberType('number', schema);
    case 'boolean':
      return '`true`, `false`';
    case 'array':
      return 'list';
    case 'object':
      return schema.properties === undefined ? 'names and values' : 'block';
    default:
      return 'text';
  }
}

function numberType(word: string, { minimum, maximum, exclusiveMinimum }: JsonSchema): string {
  if (minimum !== undefined && maximum !== undefined) return `${word}, ${minimum} to ${maximum}`;
  if (minimum !== undefined) return `${word}, at least ${minimum}`;
  return exclusiveMinimum === undefined ? word : `${word} above ${exclusiveMinimum}`;
}

function isBlock(schema: JsonSchema): boolean {
  return schema.properties !== undefined || schema.items !== undefined;
}

/** `true` and `false` are JSON Schemas too; this configuration has none. */
function asSchema(value: unknown): JsonSchema {
  if (typeof value !== 'object' || value === null) throw new Error('a part of the schema is no object');
  return value as JsonSchema;
}

if (import.meta.main) {
  writeFileSync(referencePage, withReference(readFileSync(referencePage, 'utf8')));
}
