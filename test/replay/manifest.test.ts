import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import {
  assertMayRecord,
  historiesFolder,
  historiesOf,
  problemsOf,
  releaseShape,
  writeShape,
} from './manifest.ts';

const deleted = 'assign-ip-deleted.json';
let parent: string;
let folder: string;
let histories: Map<string, string>;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'kubeip-replay-'));
  folder = join(parent, 'v1');
  const source = join(historiesFolder, 'v1');
  histories = new Map(historiesOf(source).map((name) => [name, readFileSync(join(source, name), 'utf8')]));
  writeShape(folder, histories);
});
afterEach(() => rmSync(parent, { recursive: true }));

function problems(isNewest = true): string {
  return problemsOf(folder, { isNewest }).join('\n');
}

test('a folder as the recorder wrote it is in order', () => {
  expect(problems()).toBe('');
});

test('a history that was edited is found, and one is told to record the unreleased shape again', () => {
  writeFileSync(join(folder, deleted), `${histories.get(deleted)} `);
  expect(problems()).toBe(
    `v1/${deleted} is not as it was recorded. Record it again: npm run replay:record -- --version v1`,
  );
});

test('of a released shape one is told to restore it, and to record the new shape beside it', () => {
  releaseShape(folder);
  cpSync(folder, join(parent, 'v2'), { recursive: true });
  writeFileSync(join(folder, deleted), `${histories.get(deleted)} `);
  expect(problems()).toMatch(/restore it \(git checkout\), guard .* patched\(\).* --version v3$/);
});

test('a history that was removed, and one that was added by hand, are found', () => {
  rmSync(join(folder, deleted));
  writeFileSync(join(folder, 'by-hand.json'), histories.get(deleted) ?? '');
  expect(problems()).toContain(`v1/${deleted} is missing.`);
  expect(problems()).toContain('v1/by-hand.json is not in the manifest.');
});

test('a situation that no history of the newest shape shows is named; an older shape need not know it', () => {
  const file = join(folder, 'manifest.json');
  const manifest = readFileSync(file, 'utf8');
  rmSync(join(folder, 'assign-ip-cancelled.json'));
  const { released, histories: all } = JSON.parse(manifest) as {
    released: boolean;
    histories: Record<string, unknown>;
  };
  delete all['assign-ip-cancelled.json'];
  writeFileSync(file, JSON.stringify({ released, histories: all }));
  expect(problems()).toMatch(/^No history of v1 shows: cancelled\. Add a flow to test\/replay\/flows\.ts\./);
  expect(problems(false)).toBe('');
});

test('what the manifest says of a history must be in its events', () => {
  const file = join(folder, 'manifest.json');
  const edited = readFileSync(file, 'utf8').replace('"cancelled"', '"failed for good"');
  writeFileSync(file, edited);
  expect(problems()).toContain('v1/assign-ip-cancelled.json does not show: failed for good.');
});

test('a recording that lacks a situation is refused, and leaves what was there', () => {
  const lacking = new Map([...histories].filter(([name]) => name !== 'audit.json'));
  expect(() => writeShape(folder, lacking)).toThrow('No history shows: an audit with a second look');
  expect(problems()).toBe('');
});

test('a released shape is not recorded again', () => {
  releaseShape(folder);
  expect(() => assertMayRecord(folder)).toThrow(/^v1 is released.* --version v2$/);
  expect(() => writeShape(folder, histories)).toThrow('v1 is released');
  expect(problems()).toBe('');
});

test('a shape that was edited cannot be released', () => {
  rmSync(join(folder, deleted));
  expect(() => releaseShape(folder)).toThrow(`v1/${deleted} is missing.`);
});

test.each(['../v1x', 'v0', 'latest'])('%s is no name of a shape', (name) => {
  expect(() => assertMayRecord(join(parent, name))).toThrow('is not v1, v2, …');
});
