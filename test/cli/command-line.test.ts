/** What the command line does without any server: help, exit codes, configuration, completion in a real bash. */
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { exitCodes } from '../../program/exit-codes.ts';
import { terminalCharacters } from '../unit/hostile-text.ts';
import { mainFile, runKubeip, runProcess, startKubeip } from './run-kubeip.ts';

/** Each test starts processes, on a machine that may have other things to do. */
const minimal = fileURLToPath(new URL('../../examples/minimal.yaml', import.meta.url));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kubeip-cli-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const commands = [
  'status',
  'describe',
  'pools',
  'plan',
  'doctor',
  'release',
  'assign',
  'move',
  'pin',
  'unpin',
  'audit',
  'lock show',
  'lock release',
  'cluster show',
  'cluster accept',
  'config validate',
  'config schema',
];

test('every command has help with an example, and ends with 0', async () => {
  for (const command of commands) {
    const { code, stdout } = await runKubeip([...command.split(' '), '--help']);
    expect(code).toBe(exitCodes.ok);
    expect(stdout).toMatch(new RegExp(`^Usage: kubeip ${command}`));
    expect(stdout).toContain(`Examples:\n  kubeip ${command}`);
  }
  const { stdout } = await runKubeip(['--help']);
  const ofPrograms: readonly number[] = [exitCodes.kubernetes, exitCodes.cloud, exitCodes.wrongCluster];
  for (const code of Object.values(exitCodes).filter((one) => !ofPrograms.includes(one))) {
    expect(stdout).toMatch(new RegExp(`(^|\\s)${code}  \\w`, 'm'));
  }
});

test.each<[string, string[], NodeJS.ProcessEnv, number, string]>([
  ['an unknown command', ['frobnicate'], {}, 2, "unknown command 'frobnicate'"],
  ['a bad output format', ['status', '-o', 'xml'], {}, 2, 'Allowed choices are table, wide, json, yaml'],
  ['a bad timeout', ['plan', '--timeout', 'soon'], {}, 2, 'such as 30s or 2m'],
  ['an interval that no timer takes', ['status', '--watch', '--interval', '600h'], {}, 2, 'at most 24h'],
  ['a move to nowhere', ['move', 'node-a'], {}, 2, "'--address <address>' not specified"],
  [
    'an address that is none',
    ['pin', 'node-a', '--address', 'a\u001b[31mb'],
    {},
    2,
    '253 letters, digits and',
  ],
  ['an empty address', ['move', 'node-a', '--address', ''], {}, 2, 'An address is named by its IP or its id'],
  [
    'a phase that no list has',
    ['status', '--cluster', 'a', '--phase', 'associating'],
    { TEMPORAL_ADDRESS: '127.0.0.1:9' },
    2,
    'Allowed choices are waiting, discovering, assigned, held, released, failed.',
  ],
  ['no cluster', ['status'], {}, 2, '--cluster or KUBEIP_CLUSTER'],
  ['a bad cluster', ['status'], { KUBEIP_CLUSTER: "a'b" }, 2, `"a'b" (KUBEIP_CLUSTER) is not a cluster name`],
  ['no file', ['status', '--config', '/nowhere.yaml'], {}, 2, '/nowhere.yaml'],
  ['no server', ['status', '--cluster', 'a'], { TEMPORAL_ADDRESS: '127.0.0.1:9' }, 3, '127.0.0.1:9'],
])('%s ends with its exit code and one message', async (_, args, env, exitCode, text) => {
  const { code, stdout, stderr } = await runKubeip(args, env);
  expect(code).toBe(exitCode);
  expect(stderr).toContain(text);
  expect(stdout).toBe('');
  expect(stderr).not.toMatch(/^\s+at .+:\d+:\d+\)?$/m);
  expect(stderr).not.toMatch(terminalCharacters);
});

test.each([[['config', 'schema']], [['--help']], [['config', 'validate', minimal]]])(
  'what cannot be written ends with 1 and a message: %j',
  async (args) => {
    const command = [process.execPath, mainFile, ...args].map((word) => `'${word}'`).join(' ');
    const { code, stderr } = await runProcess('sh', ['-c', `${command} > /dev/full`], {
      AWS_REGION: 'eu-west-1',
    });
    expect(code).toBe(exitCodes.failure);
    if (args[0] !== '--help') expect(stderr).toMatch(/^kubeip: Standard output cannot be written: ENOSPC/);
  },
);

test.each(['SIGINT', 'SIGTERM'] as const)(
  'one %s ends a command that waits for a server, with 130',
  async (signal) => {
    const server = createServer();
    const connected = once(server, 'connection');
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const waiting = startKubeip(['release', 'node-a', '--yes', '--cluster', 'a'], {
      TEMPORAL_ADDRESS: `127.0.0.1:${port}`,
    });
    const [socket] = (await connected) as [Socket];
    waiting.interrupt(signal);
    expect(await waiting.ended).toBe(exitCodes.interrupted);
    expect(waiting.errors()).toBe(
      `kubeip: Interrupted by ${signal}. Nothing had been sent that changes anything.\n`,
    );
    socket.destroy();
    server.close();
  },
);

test('the cluster is found in the configuration file, whatever else is wrong with that', async () => {
  const file = join(folder, 'cluster-only.yaml');
  writeFileSync(file, 'cluster: from-file\npools: []\n');
  const env = { TEMPORAL_ADDRESS: '127.0.0.1:9' };
  expect(await runKubeip(['status', '--config', file], env)).toMatchObject({ code: exitCodes.temporal });
});

describe('config', () => {
  test('validate says that a file is valid, and all that is wrong with another', async () => {
    const env = { AWS_REGION: 'eu-west-1' };
    const good = await runKubeip(['config', 'validate', minimal], env);
    expect(good).toMatchObject({ code: exitCodes.ok });
    expect(good.stdout).toContain('is valid');
    const file = join(folder, 'bad.yaml');
    writeFileSync(file, 'cluster: a\npools:\n  - name: p\n    region: eu-west-1a\n    fitler: x\n');
    const bad = await runKubeip(['config', 'validate', file], env);
    expect(bad).toMatchObject({ code: exitCodes.configuration, stdout: '' });
    for (const text of ['fitler', 'nodeSelector', file]) expect(bad.stderr).toContain(text);
  });

  test('validate refuses what is no file, at once, and takes the output of a program', async () => {
    const env = { AWS_REGION: 'eu-west-1' };
    const bash = (script: string) =>
      runProcess(
        'bash',
        ['-c', script.replaceAll('VALIDATE', `'${process.execPath}' '${mainFile}' config validate`)],
        env,
      );
    const pipe = join(folder, 'pipe');
    const named = await bash(`mkfifo '${pipe}'; VALIDATE '${pipe}'`);
    expect(named).toMatchObject({ code: exitCodes.configuration, stdout: '' });
    expect(named.stderr).toContain('it is a named pipe. Name a file');
    expect((await bash('VALIDATE /dev/zero')).stderr).toContain('a terminal or another device');
    expect((await bash(`VALIDATE '${folder}'`)).stderr).toContain('it is a folder');
    for (const given of [`<(sleep 0.3; cat '${minimal}')`, `/dev/stdin < '${minimal}'`]) {
      expect(await bash(`VALIDATE ${given}`)).toMatchObject({ code: exitCodes.ok });
    }
    expect(await bash(`cat '${minimal}' | VALIDATE /dev/stdin`)).toMatchObject({ code: exitCodes.ok });
    const endless = await bash('VALIDATE <(yes)');
    expect(endless).toMatchObject({ code: exitCodes.configuration });
    expect(endless.stderr).toContain('too large (more than 1 MiB, at most 1 MiB)');
  });

  test('schema prints the JSON Schema', async () => {
    const { stdout } = await runKubeip(['config', 'schema']);
    expect(JSON.parse(stdout)).toMatchObject({ title: 'kubeip-temporal configuration' });
  });
});

describe('completion', () => {
  test.each(['bash', 'zsh', 'fish', 'powershell'])('there is a script for %s', async (shell) => {
    const { code, stdout } = await runKubeip(['completion', shell]);
    expect(code).toBe(exitCodes.ok);
    expect(stdout).toContain('kubeip');
    expect(stdout).toMatch(/complete ['"]?--/);
  });

  test('a real bash completes commands, options and their values', async () => {
    const program = join(folder, 'kubeip');
    writeFileSync(program, `#!/bin/sh\nexec "${process.execPath}" "${mainFile}" "$@"\n`);
    chmodSync(program, 0o755);
    // What readline does when somebody presses the key: the words, the one that the cursor is in, and the function.
    const script = `
      source <(kubeip completion bash)
      compopt() { :; } # readline's own, which answers only while it completes
      key() {
        COMP_WORDS=("$@"); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); COMP_LINE="$*"; COMP_POINT=\${#COMP_LINE}; COMPREPLY=()
        $(complete -p kubeip | sed -n 's/.*-F \\([^ ]*\\).*/\\1/p')
        echo "$*: \${COMPREPLY[*]}"
      }
      key kubeip sta
      key kubeip lock ''
      key kubeip status --out
      key kubeip status --output ''
    `;
    const { stdout, stderr } = await runProcess('bash', ['--norc', '-c', script], {
      PATH: `${folder}:${process.env['PATH']}`,
    });
    expect(stderr).toBe('');
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^kubeip sta: status\s*$/);
    expect(lines[1]).toMatch(/^kubeip lock : show.* release|^kubeip lock : release.* show/);
    expect(lines[2]).toMatch(/--output/);
    for (const format of ['table', 'wide', 'json', 'yaml']) expect(lines[3]).toContain(format);
  });
});

test.each(['--version', '-V'])('%s prints the version of the package', async (flag) => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  expect(await runKubeip([flag])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
});
