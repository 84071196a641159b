/** `npm run setup`: makes sure that everything the sandbox and the tests embed is on this machine. */
import { Command, Option } from 'commander';
import { cacheRoot } from './tools/cache.ts';
import { allToolNames, toolNames, type ToolName } from './tools/catalog.ts';
import { resolveChromium, type ResolvedChromium } from './tools/chromium.ts';
import { downloadBaseVariable, downloadsVariable } from './tools/download.ts';
import { resolveTools, type ToolSource } from './tools/ensure-tools.ts';
import { motoVersion, resolveMoto } from './tools/moto.ts';
import { createProgress } from './tools/progress.ts';

const origin: Record<ToolSource, string> = {
  environment: 'named in the environment',
  path: 'found on the PATH',
  cache: 'in the cache folder',
  wheel: 'from a Python package, checksum verified',
  archive: 'downloaded, checksum verified',
  build: 'built from Go modules',
};

const browserOrigin: Record<ResolvedChromium['source'], string> = {
  environment: 'named in the environment',
  path: 'found on the PATH',
  playwright: "in Playwright's cache folder",
  package: "Debian's package, installed",
};

const nameable = [...allToolNames, 'moto', 'chromium'] as const;
const usual: readonly (typeof nameable)[number][] = [...toolNames, 'moto', 'chromium'];

const { verbose, only } = new Command('npm run setup --')
  .description(
    'Finds, downloads or builds what the sandbox and the tests embed: Temporal, kube-apiserver and etcd; helm for the chart,\n' +
      'moto for the conformance tests, actionlint, and Chromium for the browser tests.\n' +
      `Kept in ${cacheRoot()}, for every clone, but for Chromium.`,
  )
  .option('-v, --verbose', 'say why each place was passed over', false)
  .addOption(new Option('--only <names...>', 'only these').choices(nameable).default(usual, usual.join(' ')))
  .addHelpText(
    'after',
    `
Temporal comes from a Python package. The rest is downloaded from the official places, and built with Go where they cannot
be reached. Every checksum is pinned.
  ${downloadsVariable}=off            no downloads, for a machine without the internet
  ${downloadBaseVariable}=<URL>  a mirror that serves <host>/<path> of the official addresses`,
  )
  .parse()
  .opts<{ verbose: boolean; only: readonly (typeof nameable)[number][] }>();

const progress = createProgress({ verbose });
const tools = allToolNames.filter((name): name is ToolName => only.includes(name));
try {
  // First, since it says within a second or two what is missing on this machine. Builds have all cores to themselves.
  for (const { name, version, source, path } of await resolveTools(tools, { progress })) {
    console.log(`${name} ${version.replace(/^v/, '')}: ${origin[source]}, ${path}`);
  }
  const results = await Promise.allSettled([
    only.includes('moto') ? printMoto() : undefined,
    only.includes('chromium') ? printChromium() : undefined,
  ]);
  for (const result of results) if (result.status === 'rejected') fail(result.reason as Error);
} catch (error) {
  fail(error as Error);
}

function fail(error: Error): void {
  console.error(verbose ? error : error.message);
  process.exitCode = 1;
}

async function printMoto(): Promise<void> {
  const { server, source } = await resolveMoto({ progress });
  const where = source === 'cache' ? 'in the cache folder' : 'installed by pip';
  console.log(`moto ${motoVersion}: ${where}, ${server}`);
}

async function printChromium(): Promise<void> {
  const { path, version, source } = await resolveChromium({ progress });
  console.log(`chromium ${version}: ${browserOrigin[source]}, ${path}`);
}
