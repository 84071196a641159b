/** Whatever stands in the file: a configuration, or a ConfigError that says where it is wrong. Never anything else. */
import { afterAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { ConfigError, loadConfig } from '../../config/config.ts';

const examplesFolder = join(import.meta.dirname, '../../examples');
const examples = readdirSync(examplesFolder)
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => readFileSync(join(examplesFolder, name), 'utf8'));
const env = { KUBEIP_CLUSTER: 'test', AWS_REGION: 'eu-west-1', GOOGLE_CLOUD_PROJECT: 'project-1' };

const seed = Number(process.env['KUBEIP_TEST_SEED'] ?? 7);
/** More of them, with another seed: KUBEIP_TEST_SEED=$RANDOM KUBEIP_TEST_RUNS=100000. */
const runs = Number(process.env['KUBEIP_TEST_RUNS'] ?? 400);
const folder = mkdtempSync(join(tmpdir(), 'kubeip-config-fuzz-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** @returns what is wrong, nothing if it is taken as it is */
function problemsOf(content: string | Uint8Array): ConfigError['problems'] {
  const file = join(folder, 'kubeip.yaml');
  writeFileSync(file, content);
  try {
    const config = loadConfig({ file, env });
    expect(config.cluster).toMatch(/./);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.problems.length).toBeGreaterThan(0);
    for (const { path, line, message } of error.problems) {
      expect(message).toMatch(/./);
      expect(message.length).toBeLessThanOrEqual(1_000);
      // Of what is no configuration as a whole there is nothing to name.
      const isOfAll = /not valid YAML|too large|must be a block of keys/.test(message);
      expect(path !== '' || line !== undefined || isOfAll).toBe(true);
    }
    return error.problems;
  }
}

type Path = readonly (string | number)[];

/** Every place in the file's tree. */
function pathsOf(value: unknown, at: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [at];
  const entries = Array.isArray(value) ? value.map((it, n) => [n, it] as const) : Object.entries(value);
  return [at, ...entries.flatMap(([key, it]) => pathsOf(it, [...at, key]))];
}

function changed(root: unknown, path: Path, change: (value: unknown) => unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return change(root);
  if (Array.isArray(root)) return root.map((it, n) => (n === step ? changed(it, rest, change) : it));
  return Object.fromEntries(
    Object.entries(root as object).map(([key, it]) => [key, key === step ? changed(it, rest, change) : it]),
  );
}

function isBlock(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const document = fc.constantFrom(...examples).map((text): unknown => parse(text));
const junk = fc.oneof(
  fc.anything({ withNullPrototype: false, withObjectString: true, maxDepth: 3 }),
  fc.constantFrom<unknown>(
    '',
    ' ',
    'true',
    '0x10',
    '1e309',
    Infinity,
    -0,
    NaN,
    2 ** 53,
    '__proto__',
    '\u0000',
    '😀'.repeat(40),
    'x'.repeat(9_000),
  ),
);
const names = fc.oneof(
  fc.constantFrom(
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    'prototype',
    '',
    'filters',
    'Pools',
    '0',
  ),
  fc.string(),
);

/** Without what YAML cannot say at all (functions of a fuzzed object, symbols). */
function written(value: unknown): string | undefined {
  try {
    return stringify(value);
  } catch {
    return undefined;
  }
}

test('any value in any place is taken, or refused by its place', () => {
  fc.assert(
    fc.property(document, fc.nat(), junk, (root, nth, value) => {
      const paths = pathsOf(root);
      const path = paths[nth % paths.length] ?? [];
      const yaml = written(changed(root, path, () => value));
      if (yaml !== undefined) problemsOf(yaml);
    }),
    { seed, numRuns: runs },
  );
});

test('a key that is not a setting is never passed over, wherever it stands', () => {
  let refused = 0;
  fc.assert(
    fc.property(document, fc.nat(), names, junk, (root, nth, name, value) => {
      // Labels are the user's own words.
      const blocks = pathsOf(root).filter((path) => {
        let at: unknown = root;
        for (const step of path) at = (at as Record<string | number, unknown>)[step];
        return isBlock(at) && !path.includes('matchLabels') && !Object.hasOwn(at, name);
      });
      const path = blocks[nth % blocks.length] ?? [];
      const more = (block: unknown): unknown => new Map([...Object.entries(block as object), [name, value]]);
      const yaml = written(changed(root, path, more));
      if (yaml === undefined || value === undefined) return;
      const known = ['filter', 'family', 'orderBy', 'priority', 'cluster'];
      if (known.includes(name)) return;
      expect(problemsOf(yaml)).not.toEqual([]);
      refused += 1;
    }),
    { seed, numRuns: runs },
  );
  expect(refused).toBeGreaterThan(runs / 2);
});

test('a text that was cut, doubled, or mixed up is taken, or refused by its place', () => {
  const pieces = fc.constantFrom(
    '\t',
    '\r\n',
    '\r',
    '\uFEFF',
    '\u0000',
    '\u2028',
    ': ',
    '- ',
    '&a ',
    '*a',
    '<<: ',
    '!!binary ',
    '!!set ',
    '!!js/function ',
    '? ',
    '{',
    '}',
    '[',
    ']',
    '"',
    "'",
    '|',
    '>',
    '#',
    '%YAML 9.9\n',
    '---\n',
    '...\n',
    '@',
    '`',
    '0o7',
    '1_000',
    '2001-01-01',
    '~',
    '.inf',
    '.nan',
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...examples),
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 30 }), pieces), { minLength: 1, maxLength: 6 }),
      (text, edits) => {
        let edited = text;
        for (const [at, length, piece] of edits) {
          const from = at % (edited.length + 1);
          edited = edited.slice(0, from) + piece + edited.slice(from + length);
        }
        problemsOf(edited);
      },
    ),
    { seed, numRuns: runs },
  );
});

test('any bytes are taken, or refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void problemsOf(bytes)),
    { seed, numRuns: runs },
  );
});

describe('a file', () => {
  const minimal = examples.find((text) => text.includes('pools:')) ?? '';
  const bomb = ['a0: &a0 [x, x, x, x, x, x, x, x, x]'];
  for (let n = 1; n < 12; n++)
    bomb.push(
      `a${n}: &a${n} [${Array(9)
        .fill(`*a${n - 1}`)
        .join(', ')}]`,
    );

  test.each([
    ['with a byte order mark', `\uFEFF${minimal}`],
    ['with the line ends of Windows', minimal.replaceAll('\n', '\r\n')],
    ['with trailing spaces', minimal.replaceAll('\n', '   \n')],
  ])('%s is taken', (_, text) => {
    expect(problemsOf(text)).toEqual([]);
  });

  test.each([
    ['of aliases that would unfold to billions of values', bomb.join('\n'), /alias|not a setting/i],
    ['that contains itself', 'cluster: &a [*a]', /cluster|alias/i],
    ['whose pools contain themselves', 'pools: &a\n  - *a\n', /pools|alias/i],
    ['that is nested a hundred thousand deep', '['.repeat(100_000), /YAML/],
    ['that is nested and well-formed', `cluster: ${'['.repeat(3_000)}${']'.repeat(3_000)}`, /cluster|YAML/],
    ['of many megabytes', `cluster: ${'x'.repeat(20_000_000)}`, /large/],
    ['with keys of prototypes', `${minimal}\n__proto__: { cluster: x }\n`, /not a setting/],
    ['with a number that is too large', `${minimal}\npriority: 99999999999999999999999\n`, /not a setting/],
    ['with a key that is a list', `${minimal}\n? [a, b]\n: c\n`, /not a setting|YAML/],
    ['with a key that stands twice', 'cluster: a\ncluster: b\n', /twice/],
    ['with a tab in its indentation', 'pools:\n\t- name: a\n', /tab|YAML/],
    ['with two documents', `${minimal}\n---\ncluster: other\n`, /second document/],
  ])('%s is refused with the reason', (_, text, reason) => {
    const problems = problemsOf(text);
    expect(problems.map(({ path, message }) => `${path}: ${message}`).join('\n')).toMatch(reason);
  });
});
