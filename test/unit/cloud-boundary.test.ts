/** The cloud boundary: the rest of the project asks `clouds/registry.ts`, and names no cloud itself. */
import { expect, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folders = [
  'workflows',
  'activities',
  'watcher',
  'worker',
  'cli',
  'kubernetes',
  'model',
  'program',
  'config',
];

/** The name of a cloud as a value: alone in quotes, at the begin of a scope, or as a key that is no part of a text. */
const nameOfCloud =
  /(['"`])(?:aws|gcp|oci)(?:\1|\/(?:\1|\$))|^\s*(?:aws|gcp|oci)\s*:|[{,]\s*(?:aws|gcp|oci)\s*:/;

function linesOf(folder: string): { place: string; line: string }[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => {
      const lines = readFileSync(join(root, folder, name), 'utf8').split('\n');
      return lines.map((line, index) => ({ place: `${folder}/${name}:${index + 1}`, line: line.trim() }));
    });
}

test.each(folders)('%s/ names no cloud', (folder) => {
  const lines = linesOf(folder);
  expect(lines.length).toBeGreaterThan(0);
  const naming = lines.filter(({ line }) => nameOfCloud.test(line) && !/^(?:\*|\/\/)/.test(line));
  expect(naming).toEqual([]);
});

/** In no other folder of clouds/ may code that a workflow runs be found: its bundle holds no client of a cloud. */
test.each(['workflows', 'model'])('%s/ imports nothing of clouds/ but its traits', (folder) => {
  const imports = linesOf(folder).filter(({ line }) => /from '.*\/clouds\//.test(line));
  expect(imports.filter(({ line }) => !line.includes("/clouds/traits.ts'"))).toEqual([]);
});

test('the traits of clouds import types only', () => {
  const text = readFileSync(join(root, 'clouds/traits.ts'), 'utf8');
  expect(text.match(/^import (?!type ).*$/gm)).toBeNull();
});
