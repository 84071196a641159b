/**
 * What each folder of histories/ holds, with checksums: `manifest.json`, written by the recorder. A folder is a shape of the
 * workflows, `v1`, `v2`, …; one that is released stays as it is for as long as workflows of it may run.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { factsOf, type RecordedHistory } from './recorded-history.ts';
import { situations, situationsOf } from './situations.ts';

export const historiesFolder = join(import.meta.dirname, 'histories');
const manifestFile = 'manifest.json';

interface Manifest {
  /** The first version that was released with this shape: it is neither edited nor recorded again. False: none yet. */
  readonly released: false | string;
  /** {@link sourcesHash} of the workflows that made them. */
  readonly sources?: string;
  readonly histories: Readonly<
    Record<string, { readonly sha256: string; readonly shows: readonly string[] }>
  >;
}

/** @returns paths of the folders, oldest shape first */
export function shapeFolders(parent: string = historiesFolder): string[] {
  const names = readdirSync(parent).filter((name) => /^v\d+$/.test(name));
  return names.sort((a, b) => Number(a.slice(1)) - Number(b.slice(1))).map((name) => join(parent, name));
}

/** @returns names of the files, without the manifest */
export function historiesOf(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json') && name !== manifestFile)
    .sort();
}

/** @throws Error if the folder's shape is released, or its name is none */
export function assertMayRecord(folder: string): void {
  if (!/^v[1-9]\d*$/.test(basename(folder))) throw new Error(`"${basename(folder)}" is not v1, v2, …`);
  if (!existsSync(join(folder, manifestFile)) || readManifest(folder).released === false) return;
  throw new Error(
    `${basename(folder)} is released: its histories stay. Guard what changed by patched(), and record the new shape beside it: ` +
      `npm run replay:record -- --version ${nextShape(folder)}`,
  );
}

/**
 * Replaces the folder by these histories.
 *
 * @param histories text by file name
 * @throws Error if the shape is released, or if a situation is missing; then the folder stays as it was
 */
export function writeShape(
  folder: string,
  histories: ReadonlyMap<string, string>,
  sources = sourcesHash(),
): void {
  assertMayRecord(folder);
  const entries = [...histories].map(([name, text]) => [
    name,
    { sha256: sha256(text), shows: shownBy(text) },
  ]);
  const manifest: Manifest = {
    released: false,
    sources,
    histories: Object.fromEntries(entries) as Manifest['histories'],
  };
  const missing = missingSituations(manifest);
  if (missing.length > 0) throw new Error(`No history shows: ${missing.join('; ')}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of histories) writeFileSync(join(folder, name), text);
  writeManifest(folder, manifest);
}

/**
 * Marks the shape as released with this version. One that was released before stays as it is.
 *
 * @throws Error if the folder is not as it was recorded, or was recorded with other sources
 */
export function releaseShape(folder: string, version: string, sources = sourcesHash()): void {
  const problems = [...problemsOf(folder, { isNewest: true }), ...otherSources(folder, sources)];
  if (problems.length > 0) throw new Error(problems.join('\n'));
  const manifest = readManifest(folder);
  if (manifest.released === false) writeManifest(folder, { ...manifest, released: version });
}

/**
 * @param folders all of them, oldest shape first
 * @returns a sentence for each thing that keeps the sources from being released: their histories must be there, and be marked as released
 */
export function releaseProblems(folders: readonly string[], sources = sourcesHash()): string[] {
  const newest = folders.at(-1);
  if (newest === undefined) return ['There are no histories: npm run replay:record'];
  const found = otherSources(newest, sources);
  if (readManifest(newest).released === false) {
    found.push(
      `${basename(newest)} is not marked as released, so that it could be recorded again: npm run replay:record -- --release`,
    );
  }
  return found;
}

function otherSources(folder: string, sources: string): string[] {
  const { released, sources: of } = readManifest(folder);
  if (of === sources) return [];
  const shape = released === false ? basename(folder) : nextShape(folder);
  return [
    `${basename(folder)} was recorded with other workflows than these. Record them: npm run replay:record -- --version ${shape}`,
  ];
}

/**
 * What a release holds against later commits: the histories at each of its tags.
 *
 * @param git runs git in the project's folder, and returns what it prints; undefined where it fails
 * @param folder of the histories, from the project's folder
 * @returns a sentence for each history of a tagged version that was changed since. A whole shape may go
 */
export function changedSinceTags(
  git: (...args: readonly string[]) => string | undefined,
  folder: string,
): string[] {
  const found: string[] = [];
  for (const tag of lines(git('tag', '--list', 'v[0-9]*'))) {
    const shapes = lines(git('ls-tree', '--name-only', tag, `${folder}/`));
    for (const shape of shapes) {
      const name = basename(shape);
      if (!/^v\d+$/.test(name) || !existsSync(join(git('rev-parse', '--show-toplevel')?.trim() ?? '', shape)))
        continue;
      const at = `${tag} was released with the histories of ${name}`;
      const changed = lines(git('diff', '--name-only', tag, '--', shape));
      // Of what the tag has, only whether it is released may be written later.
      const histories = changed.filter((file) => basename(file) !== manifestFile);
      if (histories.length > 0) {
        found.push(
          `${at}, and they were changed since: ${histories.join(', ')}. Restore them: git checkout ${tag} -- ${shape}`,
        );
      }
      const added = lines(git('ls-files', '--others', '--exclude-standard', '--', shape));
      if (added.length > 0) found.push(`${at}, and some were added since: ${added.join(', ')}.`);
    }
  }
  return found;
}

function lines(text: string | undefined): string[] {
  return (text ?? '').split('\n').filter((line) => line !== '');
}

/** @returns checksum of the sources that decide what a workflow does, and in which shape it hands itself on */
export function sourcesHash(root = join(import.meta.dirname, '../..')): string {
  const hash = createHash('sha256');
  for (const part of ['workflows', 'model']) {
    const names = readdirSync(join(root, part), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .sort();
    for (const name of names)
      hash
        .update(`${part}/${name}\n`)
        .update(readFileSync(join(root, part, name)))
        .update('\n');
  }
  return hash.digest('hex');
}

/**
 * @param isNewest the folder is of the present shape, so that its histories must show every situation
 * @returns a sentence for each thing that is wrong, with what to do
 */
export function problemsOf(folder: string, { isNewest }: { isNewest: boolean }): string[] {
  const shape = basename(folder);
  if (!existsSync(join(folder, manifestFile))) {
    return [`${shape} has no ${manifestFile}. Record it: npm run replay:record -- --version ${shape}`];
  }
  const manifest = readManifest(folder);
  const remedy =
    manifest.released !== false
      ? `${shape} is released: restore it (git checkout), guard what changed by patched(), and record the new shape beside it: ` +
        `npm run replay:record -- --version ${nextShape(folder)}`
      : `Record it again: npm run replay:record -- --version ${shape}`;
  const present = historiesOf(folder);
  const found: string[] = [];
  for (const name of present) {
    if (manifest.histories[name] === undefined)
      found.push(`${shape}/${name} is not in the manifest. ${remedy}`);
  }
  for (const [name, { sha256: recorded, shows }] of Object.entries(manifest.histories)) {
    if (!present.includes(name)) {
      found.push(`${shape}/${name} is missing. ${remedy}`);
      continue;
    }
    const text = readFileSync(join(folder, name), 'utf8');
    if (sha256(text) !== recorded) found.push(`${shape}/${name} is not as it was recorded. ${remedy}`);
    const not = shows.filter((situation) => situation in situations && !shownBy(text).includes(situation));
    if (not.length > 0) found.push(`${shape}/${name} does not show: ${not.join('; ')}. ${remedy}`);
  }
  if (isNewest) {
    const missing = missingSituations(manifest);
    if (missing.length > 0) {
      found.push(
        `No history of ${shape} shows: ${missing.join('; ')}. Add a flow to test/replay/flows.ts. ${remedy}`,
      );
    }
  }
  return found;
}

function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, manifestFile), 'utf8')) as Manifest;
}

function writeManifest(folder: string, manifest: Manifest): void {
  writeFileSync(join(folder, manifestFile), `${JSON.stringify(manifest, undefined, 1)}\n`);
}

function missingSituations({ histories }: Manifest): string[] {
  const shown = new Set(Object.values(histories).flatMap(({ shows }) => shows));
  return Object.keys(situations).filter((name) => !shown.has(name));
}

function shownBy(text: string): string[] {
  return situationsOf(factsOf(JSON.parse(text) as RecordedHistory));
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** One past the newest of the folders beside it. */
function nextShape(folder: string): string {
  const newest = shapeFolders(join(folder, '..')).at(-1) ?? folder;
  return `v${Number(basename(newest).slice(1)) + 1}`;
}
