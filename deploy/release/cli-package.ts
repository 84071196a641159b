/**
 * `npm run build:cli -- --output <folder>`: makes the npm package `kubeip-temporal-cli`, `kubeip` alone. It has no dependencies:
 * what the command uses of the libraries is in a few files, 20 MB in place of the 570 MB that the whole package brings along.
 */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
// Temporal's SDK brings it along, for the workflows' bundle.
import webpack from 'webpack';
import packageJson from '../../package.json' with { type: 'json' };
import { launcher } from '../image/programs.ts';

/** Clouds and workers are the worker's. The command loads them nowhere: a test starts it without them. */
const left = /^(?:@temporalio\/worker|@aws-sdk\/|@google-cloud\/|google-gax|google-auth-library)/;

const root = join(import.meta.dirname, '../..');
const { output } = new Command('npm run build:cli --')
  .description('Makes the npm package with the command line alone.')
  .requiredOption('-o, --output <folder>', 'where to; must be empty or not there')
  .parse()
  .opts<{ output: string }>();

async function make(folder: string): Promise<void> {
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new Error(`--output: ${folder} is not empty.`);
  const scratch = mkdtempSync(join(tmpdir(), 'kubeip-cli-'));
  try {
    const build = ['-p', 'tsconfig.build.json', '--outDir', scratch, '--sourceMap', 'false'];
    execFileSync(join(root, 'node_modules/.bin/tsc'), build, { cwd: root, stdio: 'inherit' });
    const libraries = await bundle(join(scratch, 'cli/main.js'), join(folder, 'dist'));
    writeFileSync(join(folder, 'THIRD-PARTY-LICENSES.txt'), licensesOf(libraries));
  } finally {
    rmSync(scratch, { recursive: true });
  }
  copyFileSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
  writeFileSync(join(folder, 'README.md'), readme);
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  mkdirSync(join(folder, 'bin'));
  const start = launcher('/usr/bin/env node', '../dist/kubeip.mjs');
  writeFileSync(join(folder, 'bin/kubeip.js'), start, { mode: 0o755 });
}

const { version, license, author, keywords, engines } = packageJson;
const manifest = {
  name: 'kubeip-temporal-cli',
  version,
  description: `${packageJson.description}: the command line alone`,
  keywords,
  license,
  author,
  bin: { kubeip: 'bin/kubeip.js', 'kubeip-temporal-cli': 'bin/kubeip.js' },
  files: ['bin', 'dist', 'THIRD-PARTY-LICENSES.txt'],
  type: 'module',
  engines,
};

const readme = `# kubeip-temporal-cli

The command line of kubeip-temporal, alone: \`npx kubeip-temporal-cli status\`. It needs access to Temporal (\`TEMPORAL_ADDRESS\`,
\`TEMPORAL_NAMESPACE\`, \`TEMPORAL_API_KEY\`) and the cluster's name (\`--cluster\`). \`--help\` says the rest.
`;

/** @returns the folders of the packages of which it holds something */
async function bundle(entry: string, folder: string): Promise<string[]> {
  const compiler = webpack({
    mode: 'production',
    target: 'node22',
    entry: { kubeip: entry },
    devtool: false,
    output: {
      path: folder,
      module: true,
      chunkFormat: 'module',
      filename: '[name].mjs',
      chunkFilename: '[name].mjs',
    },
    resolve: { modules: [join(root, 'node_modules')] },
    externalsType: 'import',
    externals: [
      ({ request }, done) => {
        if (left.test(request)) done(undefined, request);
        else done();
      },
    ],
    module: {
      // What a program asks of its own place is the bundle's.
      parser: { javascript: { url: false, importMeta: false } },
      rules: [{ test: /node_modules\/@kubernetes\/client-node\//, sideEffects: false }],
    },
    // A stack trace names functions.
    optimization: { minimize: false },
    // The SDK can load a payload converter by its path, which the command does not do.
    ignoreWarnings: [/the request of a dependency is an expression/],
    performance: false,
  });
  const { promise, resolve: done, reject } = Promise.withResolvers<webpack.Stats>();
  compiler.run((error, stats) => {
    if (error !== null || stats === undefined) reject(error ?? new Error('webpack said nothing'));
    else if (stats.hasErrors() || stats.hasWarnings()) {
      reject(new Error(stats.toString({ all: false, errors: true, warnings: true })));
    } else done(stats);
  });
  const { compilation } = await promise;
  const paths = [...compilation.fileDependencies].flatMap(
    (path) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path) ?? [],
  );
  return [...new Set(paths)].filter((path) => existsSync(join(path, 'package.json'))).toSorted();
}

/** The licences ask for their own words to stay with the code. */
function licensesOf(folders: readonly string[]): string {
  return folders
    .map((folder) => {
      const {
        name,
        version: its,
        license: terms,
      } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, string>;
      const file = readdirSync(folder).find((it) => /^licen[cs]e/i.test(it));
      const text = file === undefined ? 'It comes without a text.' : readFileSync(join(folder, file), 'utf8');
      return `${name} ${its} (${terms})\n\n${text.trim()}\n`;
    })
    .join(`\n${'-'.repeat(80)}\n\n`);
}

await make(resolve(output));
