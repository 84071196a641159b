/** Reads the YAML file: its syntax, and the line of each value. */
import {
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  LineCounter,
  type Document,
  parseDocument,
  visit,
} from 'yaml';
import { ConfigError, showValue, type ConfigProblem } from './config-error.ts';
import { readText, UnreadableFileError } from './read-text.ts';

export type ConfigPath = readonly (string | number)[];

/** The parser looks through the whole file for each. */
const MAX_ALIASES = 500;

/** A configuration that has been read but not checked. */
export interface ConfigDraft {
  /** Names the origin in messages: a file's path, or `environment variables`. */
  readonly source: string;
  /** In the shape of the file, whatever the origin. */
  readonly raw: unknown;
  readonly problems: readonly ConfigProblem[];
  readonly notices: readonly string[];
  /** @returns how a person knows the value at this path: `pools[0].filter`, or `FILTER` */
  readonly nameOf: (path: ConfigPath) => string;
  /** @returns the line of the value at this path, from 1, if it is known */
  readonly lineOf: (path: ConfigPath) => number | undefined;
}

/**
 * @throws ConfigError if the file cannot be read or is not YAML: nothing more can be said about it then
 */
export function readConfigFile(file: string): ConfigDraft {
  const lines = new LineCounter();
  const document = parseDocument(textOf(file), {
    lineCounter: lines,
    // The parser's own check compares each key with each other one.
    uniqueKeys: false,
    prettyErrors: false,
    // YAML's sets are empty blocks to the schema, and an empty selector is every node.
    resolveKnownTags: false,
    logLevel: 'error',
  });
  checkAliases(document, file);
  const errors = [
    // A tag that is not known is a warning only, and the value beside it not what is meant.
    ...[...document.errors, ...document.warnings].map(({ code, message, pos: [offset] }) => ({
      code,
      message,
      offset,
    })),
    ...repeatedKeys(document),
  ].toSorted((a, b) => a.offset - b.offset);
  if (errors.length > 0) {
    throw new ConfigError(
      file,
      errors.map(({ code, message, offset }) => syntaxProblem(code, message, lines.linePos(offset))),
    );
  }
  return {
    source: file,
    raw: valueOf(document, file),
    problems: [],
    notices: [],
    nameOf: formatPath,
    lineOf: (path) => lineOfPath(document, lines, path),
  };
}

/** @returns a path as it is written in messages: `pools[1].nodeSelector.matchLabels["example.com/pool"]` */
export function formatPath(path: ConfigPath): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(step)) text += text === '' ? step : `.${step}`;
    else text += `[${JSON.stringify(step)}]`;
  }
  return text;
}

function textOf(file: string): string {
  try {
    return readText(file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const reason =
      error instanceof UnreadableFileError
        ? error.message
        : code === 'ENOENT'
          ? 'there is no such file. Name another one by --config or KUBEIP_CONFIG'
          : code === 'EACCES'
            ? 'this user may not read it'
            : code === 'ENXIO'
              ? 'it is a socket. Name a file, or hand over a pipe'
              : String(error);
    throw new ConfigError(file, [
      { path: '', value: undefined, message: `The file cannot be read: ${reason}.` },
    ]);
  }
}

function checkAliases(document: Document, file: string): void {
  let aliases = 0;
  visit(document, { Alias: () => void aliases++ });
  if (aliases <= MAX_ALIASES) return;
  const message = `The file has ${aliases} aliases (*name), at most ${MAX_ALIASES}: is it the right one?`;
  throw new ConfigError(file, [{ path: '', value: undefined, message }]);
}

/** An empty file is an empty block. */
function valueOf(document: Document, file: string): unknown {
  try {
    // The parser counts an anchor with its aliases.
    return document.toJS({ maxAliasCount: MAX_ALIASES + 1 }) ?? {};
  } catch (error) {
    // Only now does the parser look at aliases: at those without an anchor, and those that would unfold without end.
    const message = `not valid YAML: ${error instanceof Error ? error.message : String(error)}.`;
    throw new ConfigError(file, [{ path: '', value: undefined, message }]);
  }
}

function repeatedKeys(document: Document): { code: string; message: string; offset: number }[] {
  const found: { code: string; message: string; offset: number }[] = [];
  visit(document, {
    Map: (_, map) => {
      const seen = new Set<string>();
      for (const { key } of map.items) {
        const text = keyText(document, key);
        if (text === undefined) continue;
        if (seen.has(text)) {
          const [offset = 0] = (isNode(key) && key.range) || [];
          found.push({ code: 'DUPLICATE_KEY', message: '', offset });
        }
        seen.add(text);
      }
    },
  });
  return found;
}

/** @returns what a key of the file is called in the block that is made of it; undefined if it is itself a block or a list */
function keyText(document: Document, key: unknown): string | undefined {
  const node = isAlias(key) ? key.resolve(document) : key;
  return isScalar<string | number | boolean | null>(node) ? String(node.value ?? '') : undefined;
}

/** How the parser begins to say so. */
const UNKNOWN_TAG = 'Unresolved tag: ';

function syntaxProblem(code: string, message: string, at: { line: number; col: number }): ConfigProblem {
  const meaning =
    code === 'DUPLICATE_KEY'
      ? 'this key stands twice in one block. Keep one of them.'
      : code === 'TAB_AS_INDENT'
        ? 'a tab is used to indent. YAML takes spaces only.'
        : code === 'MULTIPLE_DOCS'
          ? 'a second document begins. The file must hold one.'
          : message.startsWith(UNKNOWN_TAG)
            ? `${showValue(message.slice(UNKNOWN_TAG.length).replace('tag:yaml.org,2002:', '!!'))} is a tag that is not known here. Write the value itself.`
            : `not valid YAML: ${message}`;
  return { path: '', value: undefined, line: at.line, message: `column ${at.col}: ${meaning}` };
}

/** The line of the deepest part of the path that exists: for a missing key, that of the block it is missing from. */
function lineOfPath(document: Document, lines: LineCounter, path: ConfigPath): number | undefined {
  for (let depth = path.length; depth > 0; depth -= 1) {
    const offset = offsetOf(document, path.slice(0, depth));
    if (offset !== undefined) return lines.linePos(offset).line;
  }
  return undefined;
}

function offsetOf(document: Document, path: ConfigPath): number | undefined {
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  const last = path.at(-1);
  if (isMap(parent)) {
    const pair = parent.items.find((item) => isPair(item) && keyText(document, item.key) === last);
    return isNode(pair?.key) ? pair.key.range?.[0] : undefined;
  }
  const node = document.getIn(path, true);
  return typeof node === 'object' && node !== null && 'range' in node
    ? (node.range as [number, number, number] | undefined)?.[0]
    : undefined;
}
