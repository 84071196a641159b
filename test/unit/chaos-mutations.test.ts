import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { mutate, mutations } from '../chaos/mutations.ts';

const root = join(import.meta.dirname, '../..');

test.each(Object.keys(mutations))('the mutation %s applies to the sources as they are', (name) => {
  const mutation = mutations[name];
  if (mutation === undefined) throw new Error(name);
  const folder = mutate(root, mutation);
  try {
    expect(existsSync(join(folder, 'worker/main.ts'))).toBe(true);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('one that does not apply any more is an error', () => {
  const replacements = [{ file: 'worker/main.ts', from: 'nothing like this', to: '' }];
  expect(() => mutate(root, { what: '', replacements })).toThrow(/0 times, not once/);
});
