/**
 * `npm run image:stage`: makes the tree that the image has under /app. The Dockerfile runs it, and so does the test: what goes
 * in is said here and in package.json's `files`, and nowhere else.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { platformHere, platformNamed, platforms, type Platform } from './platform.ts';
import { launcher, programs } from './programs.ts';
import { prune } from './prune.ts';
import { megabytes, sizeOf, sizesIn } from './tree-size.ts';

/** Where the Dockerfile puts Node.js. The image has no `env` and no shell to look for it. */
const nodeInImage = '/usr/local/bin/node';

/** npm's own lists, of no use once it has installed. */
const npmFiles = ['package-lock.json', '.npmrc'];

const root = join(import.meta.dirname, '../..');
const { output, platform } = new Command('npm run image:stage --')
  .description('Builds the programs and puts together what the image holds under /app.')
  .requiredOption('-o, --output <folder>', 'where to; must be empty or not there')
  .option('-p, --platform <name>', `one of ${platforms.map(({ name }) => name).join(', ')}`, platformHere())
  .parse()
  .opts<{ output: string; platform: string }>();

stage(resolve(output), platformNamed(platform));

function stage(tree: string, target: Platform): void {
  if (existsSync(tree) && readdirSync(tree).length > 0) throw new Error(`--output: ${tree} is not empty.`);
  mkdirSync(tree, { recursive: true });
  run(root, 'npm', 'run', '--silent', 'build');
  copyPackage(tree);
  installDependencies(tree, target);
  prune(join(tree, 'node_modules'), target);
  writeLaunchers(join(tree, 'bin'));
  report(tree, target);
}

/** What `npm pack` would pack. */
function copyPackage(tree: string): void {
  const listed = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
    encoding: 'utf8',
  });
  const [packed] = JSON.parse(listed) as [{ files: { path: string }[] }];
  for (const { path } of packed.files) cpSync(join(root, path), join(tree, path));
}

/**
 * Without those of development; without optional ones, which are native parts of the bundler (the bundle is there already)
 * and colours of tables. No package's scripts run: a cross-build could not run them, and none of these needs one.
 */
function installDependencies(tree: string, { cpu }: Platform): void {
  for (const file of npmFiles) copyFileSync(join(root, file), join(tree, file));
  const only = [
    '--prefer-offline',
    '--omit=dev',
    '--omit=optional',
    '--os=linux',
    `--cpu=${cpu}`,
    '--libc=glibc',
  ];
  run(tree, 'npm', 'ci', ...only, '--ignore-scripts', '--no-audit', '--no-fund');
  for (const file of npmFiles) rmSync(join(tree, file));
}

/** On the image's PATH: `worker`, `watcher`, `kubeip`. */
function writeLaunchers(folder: string): void {
  mkdirSync(folder);
  for (const { name, main } of programs) {
    writeFileSync(join(folder, name), launcher(nodeInImage, `../dist/${main}.js`), { mode: 0o755 });
  }
}

function report(tree: string, target: Platform): void {
  console.log(`${tree}: ${megabytes(sizeOf(tree))} for ${target.name}, most of it`);
  for (const [part, bytes] of sizesIn(tree).slice(0, 12))
    console.log(`  ${megabytes(bytes).padStart(9)}  ${part}`);
}

function run(cwd: string, command: string, ...args: string[]): void {
  execFileSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });
}
