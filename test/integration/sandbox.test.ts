import { promisify } from 'node:util';
import { exec, execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { DescribeAddressesCommand, EC2Client } from '@aws-sdk/client-ec2';
import { CoreV1Api, KubeConfig, loadAllYaml, type V1Node } from '@kubernetes/client-node';
import { Client, Connection } from '@temporalio/client';
import { openProvider } from '../../clouds/registry.ts';
import { publicIpv4Annotation } from '../../kubernetes/keys.ts';
import { searchAttributes } from '../../workflows/messages.ts';
import { createNode, deleteNode } from '../../sandbox/nodes.ts';
import { ProcessStartError, type ManagedProcess } from '../../sandbox/processes/child-process.ts';
import { startProgram } from '../../sandbox/processes/program.ts';
import { startWorld, type World } from '../../sandbox/world.ts';
import { eventually, processesNaming } from './sandbox-processes.ts';
import { waitFor } from './wait-for.ts';

// Real servers start and stop here, on a machine that may be busy with other suites.
const root = resolve(import.meta.dirname, '../..');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kubeip-sandbox-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function coreApi(kubeconfigFile: string): CoreV1Api {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfigFile);
  return config.makeApiClient(CoreV1Api);
}

describe('a world that runs', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.stop());

  test('Temporal answers a client, knows the search attributes, and serves its UI', async () => {
    const connection = await Connection.connect({ address: world.env.TEMPORAL_ADDRESS ?? '' });
    const client = new Client({ connection, namespace: world.env.TEMPORAL_NAMESPACE ?? '' });
    const names = Object.keys(searchAttributes);
    const query = names.map((name) => `${name} = 'x'`).join(' AND ');

    expect(await client.workflow.count(query)).toMatchObject({ count: 0 });
    await expect(client.workflow.count("NoSuchAttribute = 'x'")).rejects.toThrow();
    expect((await fetch(world.temporal.uiUrl ?? '')).status).toBe(200);
    await connection.close();
  });

  test('EC2 answers the AWS SDK that is configured by the environment alone', async () => {
    const { AWS_ENDPOINT_URL = '', AWS_REGION = '', AWS_ACCESS_KEY_ID = '' } = world.env;
    const secretAccessKey = world.env.AWS_SECRET_ACCESS_KEY ?? '';
    const credentials = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey };
    const ec2 = new EC2Client({ endpoint: AWS_ENDPOINT_URL, region: AWS_REGION, credentials });

    expect((await ec2.send(new DescribeAddressesCommand())).Addresses ?? []).toEqual([]);
    ec2.destroy();
  });

  test('Compute Engine answers the provider that has its address from the configuration, at the address that gcloud is told', async () => {
    const { url, projectId, region } = world.gce;
    world.gce.reserveAddress({ name: 'static-1', labels: { kubeip: 'use' } });
    const provider = await openProvider({ provider: 'gcp', account: projectId, region, endpoint: url });
    const query = { family: 'ipv4', filter: 'labels.kubeip=use', orderBy: '' } as const;

    expect(await provider.listAddresses(query)).toMatchObject([{ id: 'static-1' }]);
    expect(world.env.CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE).toBe(`${url}/compute/v1/`);
    expect(world.env.CLOUDSDK_CORE_PROJECT).toBe(projectId);
    provider.close();
  });

  test('a Node keeps exactly the labels, provider id and taints that it was made with, until it is deleted', async () => {
    const api = coreApi(world.env.KUBECONFIG ?? '');
    const taints = [{ key: 'kubeip', effect: 'NoSchedule', value: 'wait' }];
    const providerID = 'aws:///eu-west-1a/i-0123456789abcdef0';
    const place = { region: 'eu-west-1', zone: 'eu-west-1a' };
    await createNode(world.kubernetes, {
      name: 'node-a',
      labels: { group: 'web' },
      providerID,
      taints,
      ...place,
    });

    const node = await api.readNode({ name: 'node-a' });
    expect(node.spec).toMatchObject({ providerID, taints });
    expect(node.metadata?.labels).toEqual({
      group: 'web',
      'kubernetes.io/hostname': 'node-a',
      'topology.kubernetes.io/region': 'eu-west-1',
      'topology.kubernetes.io/zone': 'eu-west-1a',
    });

    await deleteNode(world.kubernetes, 'node-a');
    await deleteNode(world.kubernetes, 'node-a'); // a second time changes nothing
    await expect(api.readNode({ name: 'node-a' })).rejects.toMatchObject({ code: 404 });
  });

  test('RBAC denies a ServiceAccount all that it was not granted', async () => {
    const account = { namespace: 'kubeip', serviceAccount: 'reader' };
    const rules = [{ apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list'] }];
    const unprivileged = coreApi(await world.kubernetes.kubeconfigFor(account));
    await expect(unprivileged.listNode()).rejects.toMatchObject({ code: 403 });

    const reader = coreApi(await world.kubernetes.kubeconfigFor({ ...account, rules }));
    expect((await reader.listNode()).items).toEqual([]);
    await expect(reader.deleteNode({ name: 'node-a' })).rejects.toMatchObject({ code: 403 });
  });

  test('kubeconfigs are readable by their owner only', async () => {
    const other = await world.kubernetes.kubeconfigFor({ namespace: 'kubeip', serviceAccount: 'other' });
    for (const file of [world.kubernetes.kubeconfigFile, other]) {
      expect(statSync(file).mode & 0o777).toBe(0o600);
    }
  });
});

describe('no process is left', () => {
  test('of either cloud’s emulator after stop, and no port is open', async () => {
    const world = await startWorld({ ec2: true, gce: true });
    const urls = [world.ec2.url, world.gce.url];
    expect((await Promise.all(urls.map((url) => fetch(url)))).length).toBe(2);
    await world.stop();
    for (const url of urls) await expect(fetch(url)).rejects.toThrow('fetch failed');
  });

  test('after stop, nor a temporary folder', async () => {
    const world = await startWorld({ temporal: true, kubernetes: true });
    expect(processesNaming(world.dir).length).toBeGreaterThanOrEqual(6); // three servers, three supervisors

    await world.stop();
    expect(await eventually(() => processesNaming(world.dir).length === 0)).toBe(true);
    expect(existsSync(world.dir)).toBe(false);
  });

  test('after Ctrl-C in the terminal of `npm run sandbox`, which exits with 0', async () => {
    const sandbox = await runSandbox(folder);
    process.kill(-(sandbox.pid ?? 0), 'SIGINT'); // as a terminal does: the whole foreground group

    expect(await once(sandbox, 'exit')).toEqual([0, null]);
    expect(await eventually(() => processesNaming(folder).length === 0)).toBe(true);
  });

  test('after SIGTERM to npm, which runs a program by a shell that passes no signal on', async () => {
    const config = join(folder, 'kubeip.yaml');
    writeFileSync(
      config,
      'cluster: prod\npools: [{ name: public, region: eu-west-1, nodeSelector: { matchLabels: { a: b } }, filter: "Name=tag-key,Values=a" }]\n',
    );
    // It waits for Temporal, which is not there.
    const npm = spawn('npm', ['run', '--silent', 'watcher', '--', '--config', config], {
      cwd: root,
      env: { ...process.env, TEMPORAL_ADDRESS: '127.0.0.1:9' },
      stdio: 'ignore',
    });
    const isProgram = (line: string) => line.includes('watcher/main.ts') && !line.includes('npm run');
    expect(await eventually(() => processesNaming(config).some(isProgram))).toBe(true);
    npm.kill('SIGTERM');
    await once(npm, 'exit');
    expect(processesNaming(config)).toEqual([]);
  });

  test('after the parent was killed by SIGKILL, and the folder can be used again', async () => {
    const first = await runSandbox(folder);
    expect(processesNaming(folder).length).toBeGreaterThanOrEqual(6);
    const nodes = coreApi(join(folder, 'kubeconfig'));
    await nodes.createNode({ body: { metadata: { name: 'survivor' } } });

    first.kill('SIGKILL');
    await once(first, 'exit');
    expect(await eventually(() => processesNaming(folder).length === 0)).toBe(true);

    const second = await startWorld({ kubernetes: true, dir: folder });
    const { items } = await coreApi(second.kubernetes.kubeconfigFile).listNode();
    await second.stop();
    expect(items.map((node) => node.metadata?.name)).toEqual(['survivor']);
  });

  test('after a start that failed, and the error names the log and shows its end', async () => {
    const broken = join(folder, 'broken-apiserver');
    const body = 'if [ "$1" = --version ]; then echo Kubernetes v1.34.2; exit; fi; echo no such luck; exit 3';
    writeFileSync(broken, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    process.env.KUBEIP_SANDBOX_KUBE_APISERVER = broken;
    const dir = join(folder, 'data');

    const error = await startWorld({ dir }).catch((reason: unknown) => reason);
    delete process.env.KUBEIP_SANDBOX_KUBE_APISERVER;

    expect(error).toBeInstanceOf(ProcessStartError);
    expect((error as Error).message).toBe(
      `kube-apiserver did not start: exit code 3\n  log: ${dir}/kube-apiserver.log\n  | no such luck`,
    );
    expect(readFileSync(join(dir, 'kube-apiserver.log'), 'utf8')).toBe('no such luck\n');
    expect(await eventually(() => processesNaming(dir).length === 0)).toBe(true);
  });
});

test('the Temporal database of an earlier version is continued, with the search attributes of this one', async () => {
  const first = await startWorld({ temporal: true, dir: folder });
  const { address, namespace } = first.temporal;
  const connection = await Connection.connect({ address });
  const { operatorService } = connection;
  const keyword = 2; // as the server numbers it
  await operatorService.removeSearchAttributes({
    namespace,
    searchAttributes: ['KubeipAddress', 'KubeipPoolHash'],
  });
  await operatorService.addSearchAttributes({
    namespace,
    searchAttributes: Object.fromEntries([['KubeipAddress', keyword]]),
  });
  await connection.close();
  await first.stop();

  const second = await startWorld({ temporal: true, dir: folder });
  const again = await Connection.connect({ address: second.temporal.address });
  const { customAttributes } = await again.operatorService.listSearchAttributes({ namespace });
  await again.close();
  await second.stop();
  expect(customAttributes).toMatchObject({ KubeipAddress: 7, KubeipPoolHash: 2, KubeipNode: 2 });
});

test('a fixed port that is taken is an error, not another port', async () => {
  const squatter = createServer().listen(0, '127.0.0.1');
  await once(squatter, 'listening');
  const { port } = squatter.address() as AddressInfo;

  await expect(startWorld({ kubernetes: true, dir: folder, ports: { kubernetes: port } })).rejects.toThrow(
    /kube-apiserver did not start: .*\n.*(.|\n)*address already in use/,
  );
  squatter.close();
  expect(await eventually(() => processesNaming(folder).length === 0)).toBe(true);
});

test('where PostgreSQL is wanted and is not there, what to install is said before anything is built', async () => {
  const nowhere = { ...process.env, KUBEIP_SANDBOX_POSTGRES: '/nowhere' };
  const started = promisify(execFile)(process.execPath, ['sandbox/main.ts', '--temporal', 'postgres'], {
    env: nowhere,
  });
  await expect(started).rejects.toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(
      /^PostgreSQL is needed, and KUBEIP_SANDBOX_POSTGRES names \/nowhere.*Install .*postgresql/,
    ),
  });
});

test('a data folder that a sandbox uses is refused to another one', async () => {
  const world = await startWorld({ ec2: true, dir: folder });
  await expect(startWorld({ ec2: true, dir: folder })).rejects.toThrow(/is used by another sandbox/);
  await world.stop();
  await (await startWorld({ ec2: true, dir: folder })).stop();
});

describe('a program of the project as a process', () => {
  const scripts = {
    'waits.ts': `process.on('SIGTERM', () => { console.log('bye'); process.exit(7); });
      console.log('up', process.env.GREETING, process.env.AWS_PROFILE ?? 'no profile'); setInterval(() => {}, 1000);`,
    'stubborn.ts': `process.on('SIGTERM', () => {}); console.log('up'); setInterval(() => {}, 1000);`,
    'parent.ts': `import { spawn } from 'node:child_process';
      spawn(process.execPath, [import.meta.dirname + '/stubborn.ts'], { stdio: 'inherit' });
      setInterval(() => {}, 1000);`,
  };

  async function start(name: keyof typeof scripts): Promise<ManagedProcess> {
    const script = join(folder, name);
    writeFileSync(script, scripts[name]);
    const logFile = join(folder, 'logs', `${name}.log`);
    const program = await startProgram({ name, script, logFile, env: { GREETING: 'hello' } });
    expect(await eventually(() => program.output().includes('up'))).toBe(true);
    return program;
  }

  test("has the given environment, and not the caller's cloud settings", async () => {
    process.env.AWS_PROFILE = 'production';
    const program = await start('waits.ts');
    delete process.env.AWS_PROFILE;

    expect(program.output()).toBe('up hello no profile\n');
    expect(await program.stop()).toEqual({ code: 7, signal: null });
    expect(program.output()).toContain('bye');
    expect(program.running()).toBe(false);
  });

  test('dies at once of SIGKILL, and says so', async () => {
    const program = await start('waits.ts');
    program.kill('SIGKILL');

    expect(await program.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(() => process.kill(program.pid, 0)).toThrow('ESRCH');
  });

  test('that ignores SIGTERM is killed after the grace time', async () => {
    const program = await start('stubborn.ts');
    expect(await program.stop(200)).toEqual({ code: null, signal: 'SIGKILL' });
  });

  test('takes its own children with it', async () => {
    writeFileSync(join(folder, 'stubborn.ts'), scripts['stubborn.ts']);
    const program = await start('parent.ts');
    process.kill(program.pid, 'SIGKILL'); // this one only

    await program.exited;
    expect(await eventually(() => processesNaming(folder).length === 0)).toBe(true);
  });

  test('does not outlive its supervisor', async () => {
    const program = await start('waits.ts');
    process.kill(program.supervisorPid, 'SIGKILL');

    expect(await program.exited).toEqual({ code: null, signal: null });
    expect(await eventually(() => processesNaming(folder).length === 0)).toBe(true);
  });
});

test('an example, by what `npm run sandbox -- --example` says: the Node of each cloud shows its address', async () => {
  let said = '';
  const sandbox = await runSandbox(folder, ['--example'], (text) => (said += text));
  expect(await eventually(() => said.includes('npm run kubeip -- status'))).toBe(true);
  const exports = [...said.matchAll(/^ {2}export (\w+)=(.*)$/gm)].map(([, name = '', value]) => [
    name,
    value,
  ]);
  const told = (pattern: RegExp): string => pattern.exec(said)?.[1] ?? '';
  const config = told(/npm run worker -- --config (\S+)/);
  const start = (name: string): Promise<ManagedProcess> =>
    startProgram({
      name,
      script: `${name}/main.ts`,
      args: ['--config', config],
      env: Object.fromEntries(exports),
      logFile: join(folder, `${name}.log`),
    });
  const programs = [await start('worker'), await start('watcher')];
  const api = coreApi(join(folder, 'kubeconfig'));
  for (const body of loadAllYaml(readFileSync(told(/kubectl apply -f (\S+)/), 'utf8'))) {
    await api.createNode({ body });
  }

  const assigned = async (): Promise<string[]> => {
    const { items } = await api.listNode();
    const isShown = (node: V1Node): boolean =>
      node.metadata?.annotations?.[publicIpv4Annotation] !== undefined;
    return items.filter(isShown).map((node) => node.metadata?.name ?? '');
  };
  const all = ['aws-node', 'gcp-node', 'oci-node'];
  await waitFor('all three are assigned', assigned, (names) => names.length === all.length, 120_000);
  expect((await assigned()).sort()).toEqual(all);
  const status = await promisify(exec)(told(/^ {2}(npm run kubeip -- .*)$/m), {
    cwd: root,
    env: { ...process.env, ...Object.fromEntries(exports) },
  });
  for (const name of all) expect(status.stdout).toContain(`${name} `);

  await Promise.all(programs.map((program) => program.stop(25_000)));
  sandbox.kill('SIGINT');
  expect(await once(sandbox, 'exit')).toEqual([0, null]);
});

/** `npm run sandbox` in a process group of its own, up and ready. */
async function runSandbox(
  data: string,
  more: readonly string[] = [],
  hear: (text: string) => void = () => {},
): Promise<ChildProcess> {
  const sandbox = spawn(process.execPath, ['sandbox/main.ts', '--data', data, ...more], {
    cwd: root,
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  sandbox.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
    hear(chunk.toString());
  });
  expect(await eventually(() => output.includes('describe-addresses'))).toBe(true);
  return sandbox;
}
