import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  assertMayRecord,
  changedSinceTags,
  historiesFolder,
  historiesOf,
  problemsOf,
  releaseProblems,
  releaseShape,
  shapeFolders,
  sourcesHash,
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
  releaseShape(folder, '1.0.0');
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
    released: false | string;
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
  releaseShape(folder, '1.0.0');
  expect(() => assertMayRecord(folder)).toThrow(/^v1 is released.* --version v2$/);
  expect(() => writeShape(folder, histories)).toThrow('v1 is released');
  expect(problems()).toBe('');
});

test('a shape that was edited cannot be released', () => {
  rmSync(join(folder, deleted));
  expect(() => releaseShape(folder, '1.0.0')).toThrow(`v1/${deleted} is missing.`);
});

test.each(['../v1x', 'v0', 'latest'])('%s is no name of a shape', (name) => {
  expect(() => assertMayRecord(join(parent, name))).toThrow('is not v1, v2, …');
});

describe('a release', () => {
  test('needs histories of its own sources, which are marked', () => {
    expect(releaseProblems([folder]).join('\n')).toMatch(/^v1 is not marked as released.*-- --release$/);
    releaseShape(folder, '1.0.0');
    expect(releaseProblems([folder])).toEqual([]);
    expect(releaseProblems([folder], 'of changed workflows').join('\n')).toMatch(
      /^v1 was recorded with other workflows than these\..* --version v2$/,
    );
    expect(releaseProblems([])).toHaveLength(1);
  });

  test('of histories that other sources made is refused', () => {
    expect(() => releaseShape(folder, '1.0.0', 'of changed workflows')).toThrow(
      /^v1 was recorded with other workflows than these\..* --version v1$/,
    );
  });

  test('that comes later keeps the version with which the shape was first released', () => {
    releaseShape(folder, '1.0.0');
    releaseShape(folder, '1.1.0');
    expect(JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'))).toMatchObject({
      released: '1.0.0',
    });
  });

  test('the sources are those of the workflows and what they share, and nothing else', () => {
    const root = join(parent, 'sources');
    mkdirSync(join(root, 'workflows/pool'), { recursive: true });
    mkdirSync(join(root, 'model'));
    const write = (name: string, text: string) => writeFileSync(join(root, name), text);
    write('workflows/pool/look.ts', 'one');
    write('model/scope.ts', 'one');
    const before = sourcesHash(root);
    write('README.md', 'other');
    expect(sourcesHash(root)).toBe(before);
    write('workflows/pool/look.ts', 'two');
    expect(sourcesHash(root)).not.toBe(before);
    write('workflows/pool/look.ts', 'one');
    write('model/scope.ts', 'two');
    expect(sourcesHash(root)).not.toBe(before);
  });
});

describe('once a version is tagged', () => {
  const git =
    (root: string) =>
    (...args: readonly string[]): string | undefined => {
      try {
        return execFileSync('git', ['-C', root, ...args], {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'ignore'],
        });
      } catch {
        return undefined;
      }
    };

  /** A repository with a tagged shape, released or not. */
  function repository(): { root: string; shape: string; found: () => string } {
    const root = join(parent, 'repository');
    const shape = join(root, 'histories/v1');
    mkdirSync(join(root, 'histories'), { recursive: true });
    cpSync(folder, shape, { recursive: true });
    const run = git(root);
    run('init', '--quiet');
    run('add', '.');
    run('-c', 'user.name=test', '-c', 'user.email=test@example.com', 'commit', '--quiet', '-m', 'first');
    run('tag', 'v1.0.0');
    return { root, shape, found: () => changedSinceTags(run, 'histories').join('\n') };
  }

  test('its histories cannot be recorded anew, marked or not; its shape may go', () => {
    const { shape, found } = repository();
    expect(found()).toBe('');
    writeShape(shape, new Map([...histories].map(([name, text]) => [name, `${text}\n`])));
    expect(found()).toMatch(
      /^v1\.0\.0 was released with the histories of v1, and they were changed since: .*assign-ip-deleted\.json.*git checkout v1\.0\.0 -- histories\/v1$/,
    );
    rmSync(shape, { recursive: true });
    expect(found()).toBe('');
  });

  test('one that is missing, and one that was added, are found; that it is released may be said later', () => {
    const { shape, found } = repository();
    releaseShape(shape, '1.0.0');
    expect(found()).toBe('');
    writeFileSync(join(shape, 'more.json'), '{}');
    rmSync(join(shape, deleted));
    expect(found()).toMatch(new RegExp(`changed since: .*${deleted}.*\n.*added since: .*more.json`));
  });

  test('the histories of this repository are as they were at each tag', () => {
    expect(changedSinceTags(git(join(import.meta.dirname, '../..')), 'test/replay/histories')).toEqual([]);
  });

  test('a tag of this version is set on sources whose histories are released', () => {
    const root = join(import.meta.dirname, '../..');
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    const tags = git(root)('tag', '--points-at', 'HEAD')?.split('\n') ?? [];
    // CI runs for the tag before anything is published (release.yml).
    const isRelease = tags.includes(`v${version}`) || process.env['GITHUB_REF'] === `refs/tags/v${version}`;
    expect(isRelease ? releaseProblems(shapeFolders()) : []).toEqual([]);
  });
});
