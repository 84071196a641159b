/**
 * The large libraries of the programs, for the some hundred programs that tests start: in a few files, with what the programs use of
 * them. As npm installs them they are two thousand files, which cost a worker a quarter of the CPU of its start.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import webpack from 'webpack';
import { cacheRoot, fillOnce } from '../sandbox/tools/cache.ts';

const projectRoot = resolve(import.meta.dirname, '..');

/** Not Temporal's: its workers and its native part look for files beside their own. */
const bundled =
  /^(@kubernetes\/client-node|@aws-sdk\/|@smithy\/|@google-cloud\/|google-gax|google-auth-library|zod|prom-client|yaml)/;

/** What the SDK of the worker uses of others. Nothing else uses those. */
const ofTemporal: Readonly<Record<string, readonly string[]>> = {
  rxjs: ['*'],
  'rxjs/operators': ['*'],
  memfs: ['createFsFromVolume', 'Volume'],
  unionfs: ['Union'],
};

/** Where the programs' sources are. */
export const programFolders = [
  'activities',
  'cli',
  'clouds',
  'config',
  'kubernetes',
  'model',
  'program',
  'watcher',
  'worker',
];

export interface ProgramLibraries {
  /** A program that is started with this as its `--require` takes its libraries from there. */
  readonly register: string;
  /** Of the libraries' versions and of what the programs use of them. */
  readonly fingerprint: string;
}

/** Makes the files, unless they are in the cache folder. */
export async function bundleLibraries(): Promise<ProgramLibraries> {
  const imports = new Map([...importedNames(), ...temporalImports()]);
  const fingerprint = fingerprintOf(imports);
  const folder = join(cacheRoot(), '../libraries', fingerprint);
  await fillOnce(folder, async (partial) => {
    removeUnused(join(folder, '..'));
    const entries = join(partial, 'entries');
    mkdirSync(entries);
    const files = Object.fromEntries(
      [...imports.keys()].map((library, index) => [library, `library-${index}`]),
    );
    const exports = new Map<string, readonly string[]>();
    for (const [library, names] of imports) {
      // The bundler cannot read all names off a module of CommonJS, so they are named.
      exports.set(library, names.has('*') ? await namesIn(library) : [...names]);
      const entry = `export { ${exports.get(library)?.join(', ')} } from '${library}';\n`;
      writeFileSync(join(entries, `${files[library]}.js`), entry);
    }
    await bundle(entries, partial);
    for (const [library, names] of exports) {
      const made = await namesIn(pathToFileURL(join(partial, `${files[library]}.mjs`)).href);
      const missing = names.filter((name) => !made.includes(name));
      if (missing.length > 0) throw new Error(`${library} was bundled without ${missing.join(', ')}`);
    }
    writeFileSync(join(partial, 'register.cjs'), registration(files));
  });
  return { register: join(folder, 'register.cjs'), fingerprint };
}

/** Which names the programs import of each library, by the library's specifier. `*`: all. */
export function importedNames(root = projectRoot): Map<string, Set<string>> {
  const imports = new Map<string, Set<string>>();
  const note = (library: string, names: readonly string[]): void => {
    if (!bundled.test(library)) return;
    const known = imports.get(library) ?? new Set();
    for (const name of names) known.add(name);
    imports.set(library, known);
  };
  for (const file of programFolders.flatMap((folder) => sourcesOf(join(root, folder)))) {
    const text = readFileSync(file, 'utf8');
    for (const [, clause = '', library = ''] of text.matchAll(/^import ([^;]*?) from '([^'.][^']*)';/gm)) {
      if (!clause.startsWith('type ')) note(library, namesOf(clause));
    }
    for (const [, library = ''] of text.matchAll(/(?<!typeof )\bimport\('([^'.][^']*)'\)/g))
      note(library, ['*']);
  }
  return imports;
}

const unusedAfterMs = 30 * 24 * 3_600_000;

/** Those of versions that are gone: each takes 30 MB. One that another checkout still wants is made again. */
function removeUnused(folder: string): void {
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const made = statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (Date.now() - made > unusedAfterMs) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

function temporalImports(): [string, Set<string>][] {
  return Object.entries(ofTemporal).map(([library, names]) => [library, new Set(names)]);
}

/** @param clause what stands between `import` and `from` */
function namesOf(clause: string): string[] {
  if (!clause.startsWith('{')) return ['*'];
  return clause
    .slice(1, -1)
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && !name.startsWith('type '))
    .map((name) => name.split(' as ')[0] ?? name);
}

function sourcesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .toSorted()
    .map((name) => join(folder, name));
}

/** What the files are made of and by. */
function fingerprintOf(imports: ReadonlyMap<string, ReadonlySet<string>>): string {
  const hash = createHash('sha256');
  for (const file of [join(projectRoot, 'package-lock.json'), import.meta.filename])
    hash.update(readFileSync(file));
  const names = [...imports].map(([library, its]) => [library, ...[...its].toSorted()].join()).toSorted();
  hash.update(names.join('\n')).update(process.version);
  return hash.digest('hex').slice(0, 16);
}

async function bundle(entries: string, output: string): Promise<void> {
  const compiler = webpack({
    mode: 'production',
    target: 'node24',
    context: entries,
    entry: Object.fromEntries(
      readdirSync(entries).map((name) => [name.replace(/\.js$/, ''), join(entries, name)]),
    ),
    devtool: false,
    output: {
      path: output,
      module: true,
      chunkFormat: 'module',
      filename: '[name].mjs',
      library: { type: 'module' },
    },
    resolve: {
      modules: [join(projectRoot, 'node_modules')],
      // For Node.js they give modules of CommonJS, whose names cannot be read off.
      alias: {
        rxjs$: join(projectRoot, 'node_modules/rxjs/dist/esm/index.js'),
        'rxjs/operators$': join(projectRoot, 'node_modules/rxjs/dist/esm/operators/index.js'),
      },
    },
    module: {
      // They do not say so themselves. It is what lets the rest of them go.
      rules: [{ test: /node_modules\/(@kubernetes\/client-node|@aws-sdk)\//, sideEffects: false }],
    },
    // A stack trace names functions.
    optimization: { minimize: false, runtimeChunk: 'single', splitChunks: { chunks: 'all', minSize: 0 } },
    ignoreWarnings: [() => true],
    performance: false,
  });
  const { promise, resolve: done, reject } = Promise.withResolvers<void>();
  compiler.run((error, stats) => {
    if (error !== null) reject(error);
    else if (stats?.hasErrors() === true) reject(new Error(stats.toString({ all: false, errors: true })));
    else done();
  });
  await promise;
}

/** Without the default export, which no program uses. */
async function namesIn(module: string): Promise<string[]> {
  const names = Object.keys((await import(module)) as object);
  return names.filter((name) => !['default', 'module.exports', '__esModule'].includes(name));
}

/** @param files by the library's specifier */
function registration(files: Readonly<Record<string, string>>): string {
  return `// In CommonJS: it is loaded by each thread of a worker, too, and a module is dear there.
const { registerHooks } = require('node:module');
const { pathToFileURL } = require('node:url');
const files = ${JSON.stringify(files, undefined, 2)};
const ofTemporal = ${JSON.stringify(Object.keys(ofTemporal))};
const here = pathToFileURL(__filename);
if (require('node:worker_threads').isMainThread) registerHooks({
  resolve: (specifier, context, next) => {
    const file = Object.hasOwn(files, specifier) ? files[specifier] : undefined;
    // Libraries among themselves use all of each other.
    const isForIt = ofTemporal.includes(specifier) || context.parentURL?.endsWith('.ts');
    if (file === undefined || !isForIt) return next(specifier, context);
    return { url: new URL(file + '.mjs', here).href, format: 'module', shortCircuit: true };
  },
});
`;
}
