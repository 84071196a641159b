/**
 * `npm run replay:record`: plays flows in the embedded world and writes the histories of their workflows, in the JSON that
 * `temporal workflow show --output json` prints, for replay.test.ts. See README.md for when to run it.
 */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Command } from 'commander';
import { playFlows } from './flows.ts';
import { assertMayRecord, historiesFolder, releaseShape, shapeFolders, writeShape } from './manifest.ts';

const command = new Command('npm run replay:record --')
  .description('Records histories of the present workflows for the replay tests.')
  .option('--version <folder>', 'the folder of test/replay/histories to write to (default: the newest)')
  .option('--release', 'record nothing: mark the folder as released with the present version', false)
  .parse();
const { version, release } = command.opts<{ version?: string; release: boolean }>();
const newest = basename(shapeFolders().at(-1) ?? 'v1');
const folder = join(historiesFolder, version ?? newest);

try {
  if (release) releaseShape(folder, packageVersion());
  else {
    // Before the flows are played, which takes minutes.
    assertMayRecord(folder);
    writeShape(folder, await playFlows());
  }
} catch (error) {
  command.error(error instanceof Error ? error.message : String(error));
}

function packageVersion(): string {
  const file = join(import.meta.dirname, '../../package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string }).version;
}
