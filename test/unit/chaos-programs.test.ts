import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Programs } from '../chaos/programs.ts';
import { waitFor } from '../integration/wait-for.ts';

let dir: string;
let programs: Programs;

/** Programs that do nothing, for as long as they are let. */
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'kubeip-programs-'));
  for (const name of ['worker', 'watcher']) {
    mkdirSync(join(dir, name));
    writeFileSync(join(dir, name, 'main.ts'), 'setInterval(() => {}, 1_000);\n');
  }
  writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
  programs = new Programs({
    dir,
    configFile: 'none',
    env: {},
    kubeconfigs: { worker: 'none', watcher: 'none' },
    sourceRoot: dir,
  });
});

afterEach(async () => {
  await programs.stop();
  rmSync(dir, { recursive: true });
});

const starts = (slot: string): number => readdirSync(dir).filter((file) => file.startsWith(slot)).length;

test('a program that two faults start again at once is started once, so that none is left over at the end', async () => {
  await programs.startAll();
  await programs.kill('worker-1');
  await Promise.all([programs.start('worker-1'), programs.start('worker-1'), programs.startAll()]);
  expect(starts('worker-1')).toBe(2);
  expect(starts('worker-2')).toBe(1);
  expect(programs.kills).toBe(1);
});

test('one that is killed, or runs already, is no crash; one that ends by itself is', async () => {
  await programs.start('watcher-1');
  await programs.start('watcher-1');
  await programs.kill('watcher-1');
  await programs.start('watcher-1');
  expect(programs.crashes).toEqual([]);
  writeFileSync(join(dir, 'watcher', 'main.ts'), 'throw new Error("a bug");\n');
  await programs.kill('watcher-1');
  const crashes = await waitFor(
    'the crash to be noted, which the next start does',
    async () => {
      await programs.start('watcher-1');
      return programs.crashes;
    },
    ({ length }) => length > 0,
  );
  expect(crashes[0]).toMatch(/^watcher-1 ended by itself \(1\):[^]*a bug/);
});
