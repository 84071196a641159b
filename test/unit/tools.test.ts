import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { cacheRoot, platformName } from '../../sandbox/tools/cache.ts';
import { ensureTools, resolveTools, type ResolvedTool } from '../../sandbox/tools/ensure-tools.ts';
import { createProgress, silentProgress, type Progress } from '../../sandbox/tools/progress.ts';

/** A machine of its own: a PATH with nothing but what a test puts there, and an empty cache folder. */
let machine: string;
let env: NodeJS.ProcessEnv;

beforeEach(() => {
  machine = mkdtempSync(join(tmpdir(), 'kubeip-tools-'));
  mkdirSync(join(machine, 'bin'));
  env = { PATH: join(machine, 'bin'), XDG_CACHE_HOME: join(machine, 'cache'), HOME: machine };
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
const cacheContent = (): string[] => (existsSync(cacheRoot(env)) ? readdirSync(cacheRoot(env)) : []);

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
    const error = ensureTools(['etcd', 'temporal'], { env, progress: silentProgress });

    await expect(error).rejects.toThrow(
      /etcd v3\.6\.4 .* needs Go 1\.24 or later; there is no `go` on the PATH/,
    );
    await expect(error).rejects.toThrow(
      /set KUBEIP_SANDBOX_TEMPORAL to the path of a binary: a Temporal CLI/,
    );
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
  const content = '#!/bin/sh\necho etcd Version: 3.6.4\n';
  const checksum = createHash('sha256').update(content).digest('hex');
  let mirror: Server;
  let asked: string[];

  beforeEach(async () => {
    asked = [];
    mirror = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.statusCode = request.url === `/tools/etcd-v3.6.4-${platformName()}` ? 200 : 404;
      response.end(response.statusCode === 200 ? content : 'no');
    });
    await new Promise<void>((done) => void mirror.listen(0, '127.0.0.1', done));
    env.KUBEIP_SANDBOX_DOWNLOAD_BASE = `http://127.0.0.1:${(mirror.address() as AddressInfo).port}/tools/`;
  });
  afterEach(() => new Promise((done) => void mirror.close(done)));

  test('with the right checksum goes into the cache and runs', async () => {
    env.KUBEIP_SANDBOX_ETCD_SHA256 = checksum.toUpperCase();

    const etcd = await resolveEtcd();
    expect(etcd).toMatchObject({ source: 'download', path: join(cacheEntry(), 'etcd') });
    const { stdout } = await promisify(execFile)(etcd?.path ?? '', []);
    expect(stdout).toBe('etcd Version: 3.6.4\n');
  });

  test('with another checksum is an error and leaves nothing in the cache', async () => {
    env.KUBEIP_SANDBOX_ETCD_SHA256 = checksum.replace(/^./, (digit) => (digit === '0' ? '1' : '0'));

    await expect(resolveEtcd()).rejects.toThrow(
      `has the SHA-256 ${checksum}, but KUBEIP_SANDBOX_ETCD_SHA256 says`,
    );
    expect(cacheContent()).toEqual([]);
  });

  test('is not even tried without a checksum', async () => {
    await expect(resolveEtcd()).rejects.toThrow('KUBEIP_SANDBOX_ETCD_SHA256');
    expect(asked).toEqual([]);
  });

  test('that the mirror does not have is an error with the address that was asked', async () => {
    env.KUBEIP_SANDBOX_TEMPORAL_SHA256 = checksum;
    const result = resolveTools(['temporal'], { env, progress: silentProgress });
    await expect(result).rejects.toThrow(/cannot download .*\/tools\/temporal-v1\.5\.1-.*: HTTP 404/);
  });
});

test('progress outside a terminal is whole lines: what, why, how long it usually takes, how long it took', () => {
  let written = '';
  const stream = { write: (text: string) => (written += text) } as unknown as NodeJS.WriteStream;

  const done = createProgress({ stream }).task('building etcd', 'not here yet', '15 s');
  done();

  expect(written).toBe('building etcd: not here yet; usually takes 15 s\nbuilding etcd: took 0 s\n');
});
