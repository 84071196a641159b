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
  /** Of a released version: neither edited nor recorded again. */
  readonly released: boolean;
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
  if (!existsSync(join(folder, manifestFile)) || !readManifest(folder).released) return;
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
export function writeShape(folder: string, histories: ReadonlyMap<string, string>): void {
  assertMayRecord(folder);
  const entries = [...histories].map(([name, text]) => [
    name,
    { sha256: sha256(text), shows: shownBy(text) },
  ]);
  const manifest: Manifest = {
    released: false,
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
 * Marks the shape as released.
 *
 * @throws Error if the folder is not as it was recorded
 */
export function releaseShape(folder: string): void {
  const problems = problemsOf(folder, { isNewest: true });
  if (problems.length > 0) throw new Error(problems.join('\n'));
  writeManifest(folder, { ...readManifest(folder), released: true });
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
  const remedy = manifest.released
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
