/** `npm run setup`: makes sure that everything the sandbox and the tests embed is on this machine. */
import { Command } from 'commander';
import { cacheRoot } from './tools/cache.ts';
import { resolveChromium, type ResolvedChromium } from './tools/chromium.ts';
import { downloadBaseVariable } from './tools/download.ts';
import { resolveTools, type ToolSource } from './tools/ensure-tools.ts';
import { motoVersion, resolveMoto } from './tools/moto.ts';
import { createProgress } from './tools/progress.ts';

const origin: Record<ToolSource, string> = {
  environment: 'named in the environment',
  path: 'found on the PATH',
  cache: 'in the cache folder',
  download: 'downloaded, checksum verified',
  build: 'built from Go modules',
};

const browserOrigin: Record<ResolvedChromium['source'], string> = {
  environment: 'named in the environment',
  path: 'found on the PATH',
  playwright: "in Playwright's cache folder",
  package: "Debian's package, installed",
};

const { verbose, moto, browser } = new Command('npm run setup --')
  .description(
    'Finds or builds what the sandbox and the tests embed: Temporal, kube-apiserver, etcd; helm for the chart, moto for the\n' +
      'conformance tests, actionlint, and Chromium for the browser tests.\n' +
      `Kept in ${cacheRoot()}, for every clone, but for Chromium.`,
  )
  .option('-v, --verbose', 'say why each place was passed over', false)
  .option('--no-moto', 'leave out moto, which only the conformance tests need')
  .option('--no-browser', 'leave out Chromium, which only the browser tests need')
  .addHelpText(
    'after',
    `\nA mirror to download from instead of building: ${downloadBaseVariable}=<base URL>.`,
  )
  .parse()
  .opts<{ verbose: boolean; moto: boolean; browser: boolean }>();

const progress = createProgress({ verbose });
const results = await Promise.allSettled([
  resolveTools(undefined, { progress }).then((tools) =>
    tools.forEach(({ name, version, source, path }) =>
      console.log(`${name} ${version.replace(/^v/, '')}: ${origin[source]}, ${path}`),
    ),
  ),
  moto ? printMoto() : undefined,
  browser ? printChromium() : undefined,
]);
for (const result of results) {
  if (result.status === 'rejected') {
    console.error(verbose ? result.reason : (result.reason as Error).message);
    process.exitCode = 1;
  }
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
