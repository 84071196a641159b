/** The table of values in the chart's README, made of the comments in values.yaml: `# -- description`, `# @default text`. */
import { isMap, isScalar, parseDocument, type Pair } from 'yaml';

export interface ValueRow {
  /** `worker.replicas` */
  readonly name: string;
  /** As it is written in Markdown. */
  readonly preset: string;
  readonly description: string;
}

const begin = '<!-- values: npm run chart:generate -->';
const end = '<!-- end of values -->';

/**
 * @param text values.yaml
 * @returns a row for each described value, in the order of the file
 * @throws Error if a value has no description: everything that can be set is described
 */
export function valueRows(text: string): ValueRow[] {
  // A comment after a blank line is told apart from the one that belongs to the key.
  const document = parseDocument(text, { keepSourceTokens: true });
  const { contents } = document;
  if (!isMap(contents)) throw new Error('values.yaml is no map');
  return contents.items.flatMap((pair, index) =>
    rowsOf(pair, '', index === 0 ? (contents.commentBefore ?? document.commentBefore) : undefined),
  );
}

function rowsOf(pair: Pair, prefix: string, inherited?: string | null): ValueRow[] {
  const { key, value } = pair;
  if (!isScalar(key)) throw new Error(`a key of ${prefix} is no text`);
  const name = prefix === '' ? String(key.value) : `${prefix}.${String(key.value)}`;
  // The parser gives the comment above a block's first key to the block.
  const comment = [inherited, key.commentBefore].filter(Boolean).join('\n');
  const description = /^ *-- (.*)$/m.exec(comment)?.[1];
  if (description !== undefined) {
    const stated = /^ *@default (.*)$/m.exec(comment)?.[1];
    return [{ name, preset: stated ?? presetOf(value), description }];
  }
  if (!isMap(value) || value.items.length === 0) throw new Error(`${name} has no description in values.yaml`);
  return value.items.flatMap((inner, index) =>
    rowsOf(inner, name, index === 0 ? value.commentBefore : undefined),
  );
}

function presetOf(value: unknown): string {
  const plain = (value as { toJSON?: () => unknown } | null)?.toJSON?.() ?? null;
  return `\`${typeof plain === 'object' && plain !== null ? JSON.stringify(plain) : JSON.stringify(plain)}\``;
}

/**
 * @param readme the README's text
 * @param values values.yaml
 * @returns the README with the table between its two marks made anew
 */
export function withValuesTable(readme: string, values: string): string {
  const from = readme.indexOf(begin);
  const to = readme.indexOf(end);
  if (from < 0 || to < from) throw new Error(`The README lacks the marks ${begin} and ${end}`);
  const rows = valueRows(values).map(
    ({ name, preset, description }) => `| \`${name}\` | ${preset} | ${description.replaceAll('|', '\\|')} |`,
  );
  const table = ['| value | default | |', '| --- | --- | --- |', ...rows].join('\n');
  return `${readme.slice(0, from + begin.length)}\n${table}\n${readme.slice(to)}`;
}
