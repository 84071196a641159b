/**
 * The reference of the configuration file: examples/all-settings.yaml has each setting with a value, and the schema's description
 * of it as a comment. The values are written by hand; `npm run docs:config` writes the comments.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isMap, isScalar, isSeq, type Node, parseDocument, type YAMLMap } from 'yaml';
import type { z } from 'zod';
import { configJsonSchema } from './json-schema.ts';

type JsonSchema = z.core.JSONSchema.JSONSchema;

/** The file that is the reference. */
export const referenceFile = fileURLToPath(new URL('../examples/all-settings.yaml', import.meta.url));

const MAX_WIDTH = 110;

const header = [
  ' yaml-language-server: $schema=../config/config.schema.json',
  ' Every setting, with an example value. Only cluster and pools are required.',
  ' The comments are made from config/schema.ts: npm run docs:config.',
].join('\n');

/**
 * @param text a configuration file that has every setting
 * @returns the same values, with the schema's descriptions and defaults as comments: each where its setting is first
 */
export function withReference(text: string): string {
  const document = parseDocument(text);
  if (!isMap(document.contents)) throw new Error('the configuration is no map');
  comment(document.contents, configJsonSchema(), '', new Set());
  document.commentBefore = header;
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

/** @returns the comment of a setting: what it is, what it may be, and its default */
export function commentOf({ description = '', enum: values, default: preset }: JsonSchema): string {
  return [
    description,
    ...(values === undefined ? [] : [`One of: ${values.map(String).join(', ')}.`]),
    ...(preset === undefined || preset === '' ? [] : [`Default: ${plain(preset)}.`]),
  ]
    .join(' ')
    .trim();
}

/** As it is written in the file. */
const plain = (value: unknown) => JSON.stringify(value).replaceAll('"', '');

function comment(map: YAMLMap, schema: JsonSchema, path: string, described: Set<string>): void {
  map.commentBefore = null;
  for (const [index, { key, value }] of map.items.entries()) {
    if (!isScalar(key)) throw new Error('a key is no text');
    const inner = schema.properties?.[String(key.value)];
    if (typeof inner !== 'object') throw new Error(`the schema has no ${path}${String(key.value)}`);
    const name = nameOf(`${path}${String(key.value)}`);
    const text = described.has(name) ? '' : commentOf(inner);
    described.add(name);
    // What is before the first key of a list's item is before the item.
    const place: Node = index === 0 && path.endsWith('[].') ? map : key;
    place.commentBefore = text === '' ? null : linesOf(text, MAX_WIDTH - depth(path));
    if (isSeq(value)) value.commentBefore = null;
    const items = isSeq(value) ? value.items : [value];
    const block = isSeq(value) ? inner.items : inner;
    if (typeof block !== 'object' || Array.isArray(block) || block.properties === undefined) continue;
    for (const item of items) {
      if (isMap(item)) comment(item, block, `${name}${isSeq(value) ? '[]' : ''}.`, described);
    }
  }
}

/** `defaults` has what a pool has, and the addresses of each family what the pool's own have: described once. */
function nameOf(path: string): string {
  return path.replace(/^defaults\./, 'pools[].').replace(/\.addresses\.ipv[46]\./, '.');
}

const depth = (path: string) => 2 * path.split('.').length;

function linesOf(text: string, width: number): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    if (`${lines.at(-1)} ${word}`.length > width) lines.push(` ${word}`);
    else lines.push(`${lines.pop()} ${word}`);
  }
  return lines.join('\n');
}

if (import.meta.main) writeFileSync(referenceFile, withReference(readFileSync(referenceFile, 'utf8')));
