import { afterAll, describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('programs/example-program.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'kubeip-program-'));
afterAll(() => rmSync(folder, { recursive: true }));

const config = join(folder, 'kubeip.yaml');
writeFileSync(
  config,
  'cluster: prod\nhttp: { workerPort: 0 }\npools: [{ name: a, region: eu-west-1, nodeSelector: {}, filter: "Name=tag:a,Values=1" }]\n',
);

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program; `onOutput` sees all standard output so far, each time there is more. */
async function run(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  onOutput: (stdout: string, kill: (signal: NodeJS.Signals) => void) => void = () => {},
): Promise<Ended> {
  const child = spawn(process.execPath, [program, ...args], {
    env: { PATH: process.env['PATH'], HOME: folder, TEMPORAL_ADDRESS: '127.0.0.1:9', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    onOutput(stdout, (signal) => child.kill(signal));
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  await once(child, 'close');
  return { code: child.exitCode, stdout, stderr };
}

const stackLine = /^\s+at .+:\d+:\d+\)?$/m;

describe('a program', () => {
  test.each([
    ['a wrong configuration', ['--config', join(folder, 'none.yaml')], 2, 'there is no such file'],
    ['a wrong command line', ['--confg', 'x'], 2, 'Did you mean --config?'],
    ['no Temporal server', ['-c', config, '--fail', 'temporal'], 3, 'comes from TEMPORAL_ADDRESS'],
    ['no Kubernetes API', ['-c', config, '--fail', 'kubernetes'], 4, 'No Kubernetes API answers'],
    ['a missing permission', ['-c', config, '--fail', 'cloud'], 5, 'ec2:DescribeAddresses'],
    ['a bug', ['-c', config, '--fail', 'bug'], 1, '--debug'],
    ['an unhandled rejection', ['-c', config, '--fail', 'rejection'], 1, 'nobody waits for this'],
  ])('ends on %s with its own exit code and no stack trace', async (_, args, code, text) => {
    const ended = await run(args);
    expect(ended.code).toBe(code);
    expect(ended.stderr).toContain(text);
    expect(ended.stderr).not.toMatch(stackLine);
  });

  test.each([
    [['--debug'], {}],
    [[], { LOG_LEVEL: 'debug' }],
  ])('shows the stack trace and its causes when asked to by %j %j', async (args, env) => {
    const { code, stderr } = await run(['-c', config, '--fail', 'bug', ...args], env);
    expect(code).toBe(1);
    expect(stderr).toMatch(stackLine);
    expect(stderr).toContain('Caused by: Error: the cause of it');
  });

  test('writes what nobody expected to its log, too, with the stack trace', async () => {
    const { stdout } = await run(['-c', config, '--fail', 'bug']);
    const last = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;
    expect(last).toMatchObject({ level: 'fatal', program: 'example', cluster: 'prod' });
    expect(JSON.stringify(last['err'])).toContain('x is not a function');
  });

  test('stops on SIGTERM and SIGINT and ends with 0', async () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      let told = false;
      const { code, stdout } = await run(['-c', config], {}, (output, kill) => {
        if (told || !output.includes('listening')) return;
        told = true;
        kill(signal);
      });
      expect(code).toBe(0);
      expect(stdout).toContain(`Told to stop by ${signal}`);
    }
  });

  test('ends at once on a second signal, with the code of a death by it', async () => {
    const sent = new Set<string>();
    const { code } = await run(['-c', config, '--hang'], {}, (output, kill) => {
      for (const word of ['listening', 'stopping']) {
        if (!output.includes(word) || sent.has(word)) continue;
        sent.add(word);
        kill('SIGTERM');
      }
    });
    expect(code).toBe(143);
  });

  test('ends with 0 when it is told to stop while it still waits for Temporal', async () => {
    let told = false;
    const { code, stderr } = await run(['-c', config, '--fail', 'waiting'], {}, (output, kill) => {
      if (told || !output.includes('started')) return;
      told = true;
      kill('SIGTERM');
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  test('names the setting when its port is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const file = join(folder, 'taken.yaml');
    writeFileSync(
      file,
      `cluster: prod\nhttp: { workerPort: ${port} }\npools: [{ name: a, region: eu-west-1, nodeSelector: {}, filter: "Name=tag:a,Values=1" }]\n`,
    );
    const { code, stderr } = await run(['-c', file]);
    taken.close();
    expect(code).toBe(2);
    expect(stderr).toContain(`another program listens on port ${port}`);
    expect(stderr).toContain('http.workerPort');
  });
});
