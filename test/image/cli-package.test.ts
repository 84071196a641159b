/** The npm package with the command line alone: it holds all that it needs, in a twentieth of the size. */
import { execFile, execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sizeOf } from '../../deploy/image/tree-size.ts';
import { programVersion } from '../../program/version.ts';
import type { World } from '../../sandbox/world.ts';
import { startTestWorld } from '../shared-kubernetes.ts';
import { root } from './dockerfile.ts';

const mostBytes = 25e6;
const folder = mkdtempSync(join(tmpdir(), 'kubeip-cli-'));
const installed = join(folder, 'package');

let world: World;
beforeAll(async () => {
  const made = join(folder, 'made');
  execFileSync('npm', ['run', '--silent', 'build:cli', '--', '--output', made], { cwd: root });
  // What npm would install: what its `files` names, and no dependencies.
  const listed = execFileSync('npm', ['pack', '--dry-run', '--json'], { cwd: made, encoding: 'utf8' });
  const [packed] = JSON.parse(listed) as [{ files: { path: string }[] }];
  for (const { path } of packed.files) cpSync(join(made, path), join(installed, path));
  world = await startTestWorld({ temporal: true });
}, 900_000);
afterAll(async () => {
  await world?.stop();
  rmSync(folder, { recursive: true });
});

const kubeip = (args: readonly string[], env = world.env) =>
  promisify(execFile)(process.execPath, [join(installed, 'bin/kubeip.js'), ...args], {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder, ...env },
  }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );

test('it is small, depends on nothing, and has the licences of what it holds', () => {
  expect(sizeOf(installed)).toBeLessThan(mostBytes);
  const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as object;
  expect(manifest).toMatchObject({ version: programVersion(), bin: { kubeip: 'bin/kubeip.js' } });
  expect(Object.keys(manifest).filter((key) => /dependencies/i.test(key))).toEqual([]);
  const licences = readFileSync(join(installed, 'THIRD-PARTY-LICENSES.txt'), 'utf8');
  for (const name of ['@temporalio/client', '@grpc/grpc-js', 'commander', 'protobufjs', 'yaml']) {
    expect(licences).toMatch(new RegExp(`^${name} \\d.*\\(.+\\)$`, 'm'));
  }
});

test('it tells its version and help, and needs no Temporal for a configuration', async () => {
  expect(await kubeip(['--version'])).toMatchObject({ code: 0, stdout: `${programVersion()}\n` });
  expect((await kubeip(['--help'])).stdout).toContain('status [options]');
  expect(await kubeip(['config', 'validate', join(root, 'examples/minimal.yaml')])).toMatchObject({
    code: 0,
  });
  expect(JSON.parse((await kubeip(['config', 'schema'])).stdout)).toHaveProperty('properties.pools');
});

test('it speaks with a Temporal server, and says so where there is none', async () => {
  const cluster = ['--cluster', 'nobody'];
  const status = await kubeip(['status', ...cluster, '-o', 'json']);
  expect([status.code, status.stderr]).toEqual([0, '']);
  expect(JSON.parse(status.stdout)).toMatchObject({ nodes: [] });
  expect(await kubeip(['describe', 'node-a', ...cluster])).toMatchObject({ code: 6 });
  expect(
    await kubeip(['status', ...cluster], { ...world.env, TEMPORAL_ADDRESS: '127.0.0.1:1' }),
  ).toMatchObject({ code: 3 });
});

test('it reads a cluster for a migration', async () => {
  const kubeconfig = { ...world.env, KUBECONFIG: join(folder, 'none') };
  const { code, stderr } = await kubeip(['migrate', 'check', '--cluster', 'nobody'], kubeconfig);
  expect(code).toBe(4);
  expect(stderr).toMatch(/Kubernetes|kubeconfig/i);
});
