/** `node deploy/release/notes.ts v1.2.3`: prints the release's notes, or fails if the tag is not that of this version. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sectionOf } from './changelog.ts';

const root = join(import.meta.dirname, '../..');

try {
  console.log(notes(process.argv[2] ?? ''));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

function notes(tag: string): string {
  const read = (name: string): string => readFileSync(join(root, name), 'utf8');
  const { version } = JSON.parse(read('package.json')) as { version: string };
  if (tag !== `v${version}`) {
    throw new Error(`The tag is "${tag}", but package.json has version ${version}: tag it v${version}.`);
  }
  return sectionOf(read('CHANGELOG.md'), version);
}
