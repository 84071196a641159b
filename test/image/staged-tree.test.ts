/**
 * The tree that the image holds, made as the Dockerfile makes it: alone, read-only, as nobody in particular, without a home
 * and a place for temporary files, it serves nodes on both clouds.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  closeSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { platforms } from '../../deploy/image/platform.ts';
import { programs } from '../../deploy/image/programs.ts';
import { megabytes, sizeOf, sizesIn } from '../../deploy/image/tree-size.ts';
import type { World } from '../../sandbox/world.ts';
import { startTestWorld } from '../shared-kubernetes.ts';
import { root } from './dockerfile.ts';
import { ImageScene } from './image-scene.ts';
import { filesIn, makeContext, stageInto } from './staging.ts';

/** Without the prune it is more than three times as much; what others' releases may add leaves room. */
const mostBytes = 200e6;
const SETUP_MS = 900_000;
const CASE_MS = 300_000;

const here = platforms.find(({ cpu }) => cpu === process.arch);
const folder = mkdtempSync(join(tmpdir(), 'kubeip-image-'));
const context = join(folder, 'context');
const tree = join(folder, 'app');
const node = join(folder, 'node');

beforeAll(() => {
  if (here === undefined) throw new Error(`The image is not made for ${process.arch}.`);
  makeContext(context);
  stageInto(tree, context, here.name);
  copyFileSync(process.execPath, node);
  chmodSync(folder, 0o755);
  execFileSync('chmod', ['-R', 'a-w,a+rX', tree]);
  console.log(
    [`${megabytes(sizeOf(tree))} in the image under /app, most of it:`]
      .concat(
        sizesIn(tree)
          .slice(0, 8)
          .map(([part, bytes]) => `${megabytes(bytes)} ${part}`),
      )
      .join('\n'),
  );
}, SETUP_MS);

afterAll(() => {
  execFileSync('chmod', ['-R', 'u+w', folder]);
  rmSync(folder, { recursive: true });
}, SETUP_MS);

describe('the programs', () => {
  let world: World;
  let scene: ImageScene;
  beforeAll(async () => {
    world = await startTestWorld({ temporal: true, kubernetes: true, ec2: true, gce: true, oci: true });
    scene = await ImageScene.open({ world, tree, node, folder: join(folder, 'etc') });
  }, SETUP_MS);
  afterAll(async () => {
    await scene?.close();
    await world?.stop();
  });

  test(
    'start with nothing else present, give a node on each cloud its address, and end with 0 by SIGTERM',
    async () => {
      const worker = await scene.start('worker');
      const watcher = await scene.start('watcher');
      await scene.addNodes();
      await scene.assigned();
      const ends = await Promise.all([worker.stop(60_000), watcher.stop(60_000)]);
      expect(ends).toEqual([
        { code: 0, signal: null },
        { code: 0, signal: null },
      ]);
      expect(worker.output()).toContain('"worker stopped"');
      expect(watcher.output()).toContain('"watcher stopped"');
      // Whoever runs them could have written nowhere in the tree.
      expect(scene.canWrite(join(tree, 'dist'))).toBe(false);
    },
    CASE_MS,
  );

  test('say where an unexpected failure is in the sources', async () => {
    const output = scene.run('worker', ['--config', '/nonexistent.yaml', '--debug']);
    expect(output).toMatch(/worker: .*\/nonexistent\.yaml/);
    expect(output).toMatch(/at \w+ \(.*config\/config-file\.ts:\d+:\d+\)/);
  });

  test.each(programs.map(({ name }) => name))('%s calls itself so in its help', (name) => {
    expect(scene.run(name, ['--help'])).toMatch(new RegExp(`^Usage: ${name} `));
  });
});

describe('the tree', () => {
  test(`is smaller than ${megabytes(mostBytes)}`, () => {
    expect(sizeOf(tree)).toBeLessThan(mostBytes);
  });

  test('has no package of development and no TypeScript', () => {
    const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { dev?: boolean }>;
    };
    const development = Object.keys(packages).filter((path) => packages[path]?.dev === true);
    expect(development.length).toBeGreaterThan(100);
    expect(development.filter((path) => existsSync(join(tree, path)))).toEqual([]);
    expect(filesIn(tree).filter((path) => /\.[mc]?ts$/.test(path))).toEqual([]);
  });

  test('keeps the licence of each package', () => {
    const licences = (path: string): string[] =>
      existsSync(path) ? readdirSync(path).filter((name) => /^(licen[cs]e|notice|copying)/i.test(name)) : [];
    const packages = filesIn(join(tree, 'node_modules'))
      .filter((path) => basename(path) === 'package.json')
      .map((path) => join('node_modules', path, '..'));
    expect(packages.length).toBeGreaterThan(300);
    expect(existsSync(join(tree, 'node_modules/@temporalio/core-bridge/sdk-core/LICENSE.txt'))).toBe(true);
    for (const path of packages) {
      expect({ path, licences: licences(join(tree, path)) }).toEqual({
        path,
        licences: licences(join(root, path)),
      });
    }
  });

  test(
    'has the native library of its own platform only, whichever platform builds it',
    () => {
      const other = platforms.find((platform) => platform !== here);
      const otherTree = join(folder, 'other');
      stageInto(otherTree, context, other?.name ?? '');
      // e_machine of an ELF header ("System V ABI").
      const machines = { 'linux/amd64': 0x3e, 'linux/arm64': 0xb7 } as Record<string, number>;
      expect(nativeMachines(tree)).toEqual([machines[here?.name ?? '']]);
      expect(nativeMachines(otherTree)).toEqual([machines[other?.name ?? '']]);
    },
    SETUP_MS,
  );
});

/** The npm package beside the dependencies that npm would install with it. */
describe('the npm package', () => {
  const home = join(folder, 'npm');
  const modules = join(home, 'node_modules');
  const installed = join(modules, 'kubeip-temporal');

  beforeAll(() => {
    mkdirSync(join(modules, '.bin'), { recursive: true });
    const pack = ['pack', '--ignore-scripts', '--silent', '--pack-destination', home];
    const tarball = execFileSync('npm', pack, { cwd: context, encoding: 'utf8' }).trim();
    mkdirSync(installed);
    execFileSync('tar', ['-xzf', join(home, tarball), '-C', installed, '--strip-components=1']);
    for (const name of readdirSync(join(tree, 'node_modules'))) {
      if (!name.startsWith('.')) symlinkSync(join(tree, 'node_modules', name), join(modules, name));
    }
  }, CASE_MS);

  test('has the programs and what npm always adds', () => {
    const top = new Set(filesIn(installed).map((path) => path.split('/')[0]));
    expect(top).toEqual(new Set(['LICENSE', 'README.md', 'dist', 'package.json']));
  });

  test(
    'has the file of each command whose program is there, and it can be executed',
    () => {
      const { bin } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
        bin: Record<string, string>;
      };
      const files = programs.map(({ name }) => `dist/bin/${name}.js`);
      expect(Object.values(bin)).toEqual(expect.arrayContaining(files));
      for (const [command, file] of Object.entries(bin).filter(([, target]) => files.includes(target))) {
        symlinkSync(join(installed, file), join(modules, '.bin', command));
        chmodSync(join(installed, file), 0o755);
        const env = { PATH: `${join(folder)}:/usr/bin:/bin` };
        const output = execFileSync(join(modules, '.bin', command), ['--help'], { env, encoding: 'utf8' });
        expect(output).toContain('Usage: kubeip');
      }
    },
    CASE_MS,
  );

  test('shows the configuration’s schema to editors', () => {
    writeFileSync(
      join(home, 'ask.mjs'),
      `import schema from 'kubeip-temporal/config.schema.json' with { type: 'json' }; console.log(schema.type);`,
    );
    expect(execFileSync(node, ['ask.mjs'], { cwd: home, encoding: 'utf8' })).toBe('object\n');
  });
});

function nativeMachines(folderOfTree: string): number[] {
  const libraries = filesIn(folderOfTree).filter((path) => path.endsWith('.node'));
  return libraries.map((path) => {
    const header = Buffer.alloc(20);
    const file = openSync(join(folderOfTree, path), 'r');
    readSync(file, header);
    closeSync(file);
    return header.readUInt16LE(18);
  });
}
