/** The programs as a newcomer starts them, with something wrong: each says what, and what to do, and is gone. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Connection } from '@temporalio/client';
import { stringify } from 'yaml';
import { loadConfig } from '../../config/config.ts';
import { exitCodes } from '../../program/exit-codes.ts';
import { presentError } from '../../program/present-error.ts';
import { searchAttributeCliTypes } from '../../program/search-attributes.ts';
import { startProgram } from '../../sandbox/processes/program.ts';
import type { World } from '../../sandbox/world.ts';
import { startTestWorld } from '../shared-kubernetes.ts';
import { PATIENCE_MS } from './eventually.ts';

const programs = ['worker', 'watcher'] as const;
type Program = (typeof programs)[number];
type Env = Record<string, string | undefined>;

/** As Node.js prints one. */
const stackLine = /^\s+at .+:\d+:\d+\)?$/m;

let world: World;
let files = 0;
beforeAll(async () => {
  world = await startTestWorld({ temporal: true, kubernetes: true, ec2: true, gce: true, oci: true });
  world.ec2.allocateAddress({ tags: { kubeip: 'use' } });
}, 900_000);
afterAll(() => world.stop());
afterEach(() => {
  world.ec2.clearFaults();
  world.ec2.configure({ denied: [] });
  world.gce.configure({ denied: [] });
  world.oci.configure({ denied: [] });
});

interface Ended {
  readonly program: Program;
  readonly code: number | null;
  readonly output: string;
}

async function run(program: Program, args: readonly string[], env: Env = {}): Promise<Ended> {
  const running = await startProgram({
    name: program,
    script: `${program}/main.ts`,
    args,
    env: { ...world.env, ...env },
    logFile: join(world.dir, `${program}-${++files}.log`),
  });
  // One that wrongly goes on is stopped: its exit code says so.
  const timer = setTimeout(() => running.kill('SIGKILL'), PATIENCE_MS);
  const { code } = await running.exited;
  clearTimeout(timer);
  return { program, code, output: running.output() };
}

const goodPool = {
  name: 'public',
  region: 'eu-west-1',
  nodeSelector: { matchLabels: { nodegroup: 'public' } },
  filter: 'Name=tag:kubeip,Values=use',
};

function configWith(pool: object, others: object = {}): string {
  const file = join(world.dir, `config-${++files}.yaml`);
  const http = { workerPort: 0, watcherPort: 0 };
  writeFileSync(
    file,
    stringify({ cluster: 'prod', http, pools: [{ ...goodPool, ...pool }], ...others }, { lineWidth: 0 }),
  );
  return file;
}

function expectMessage(ended: Ended, exitCode: number, ...texts: (string | RegExp)[]): void {
  for (const text of texts) {
    if (typeof text === 'string') expect(ended.output).toContain(text);
    else expect(ended.output).toMatch(text);
  }
  expect(ended.output).toMatch(new RegExp(`^${ended.program}: `, 'm'));
  expect(ended.output).not.toMatch(stackLine);
  expect(ended.code).toBe(exitCode);
}

/** As {@link bothSay}, without a process: what a program shows of an error is one function of it, and `run-program` calls it. */
function bothWouldSay(file: string, env: Env, exitCode: number, ...texts: (string | RegExp)[]): void {
  for (const program of programs) {
    let shown: ReturnType<typeof presentError> | undefined;
    try {
      loadConfig({ file, env: { ...world.env, ...env } });
    } catch (error) {
      shown = presentError(program, error, false);
    }
    expectMessage({ program, code: shown?.exitCode ?? null, output: shown?.text ?? '' }, exitCode, ...texts);
  }
}

/** Both programs at once. */
async function bothSay(
  file: string,
  env: Env,
  exitCode: number,
  ...texts: (string | RegExp)[]
): Promise<void> {
  for (const ended of await Promise.all(programs.map((program) => run(program, ['--config', file], env)))) {
    expectMessage(ended, exitCode, ...texts);
  }
}

describe('a configuration that cannot be used ends both programs with 2, naming file, setting and remedy', () => {
  test.each<[string, object, (string | RegExp)[]]>([
    ['an unknown key', { fitler: 'x' }, [/pools\[0\]\.fitler \(line \d+\).*filter/]],
    [
      'a bad selector',
      { nodeSelector: { matchExpressions: [{ key: 'nodegroup', operator: 'Inn', values: ['a'] }] } },
      [/pools\[0\]\.nodeSelector\.matchExpressions\[0\]\.operator \(line \d+\)/, 'NotIn'],
    ],
    ['a bad filter', { filter: 'tag:kubeip=use' }, [/pools\[0\]\.filter \(line \d+\)/, 'Name=']],
    ['a filter that EC2 does not know', { filter: 'Name=tagg:kubeip,Values=use' }, [/pools\[0\]\.filter/]],
    ['an order by nothing that there is', { orderBy: 'Colour' }, [/pools\[0\]\.orderBy/, 'Tag:']],
    ['a zone for a region', { region: 'eu-west-1a' }, [/pools\[0\]\.region/, 'its region is eu-west-1']],
    ['an unknown cloud', { provider: 'azure' }, [/pools\[0\]\.provider/]],
    [
      'filter beside addresses',
      { addresses: { ipv4: { filter: 'Name=tag:kubeip,Values=use' } } },
      [/pools\[0\]\.filter \(line \d+\)/, 'addresses'],
    ],
    ['a filter of another cloud', { provider: 'gcp' }, [/pools\[0\]\.filter/, 'a filter of AWS']],
  ])('%s', (_, pool, texts) => {
    const file = configWith(pool);
    bothWouldSay(file, {}, exitCodes.configuration, file, ...texts);
  });

  test('a missing region, by the programs themselves', async () => {
    const file = configWith({ region: undefined });
    const env = { AWS_REGION: undefined, AWS_DEFAULT_REGION: undefined };
    await bothSay(file, env, exitCodes.configuration, /pools\[0\]\.region/, 'is missing', 'AWS_REGION');
  });

  test('a file that is not there, and no configuration at all', async () => {
    await bothSay(
      '/nowhere/kubeip.yaml',
      {},
      exitCodes.configuration,
      '/nowhere/kubeip.yaml',
      'no such file',
    );
    for (const ended of await Promise.all(programs.map((program) => run(program, [])))) {
      expectMessage(ended, exitCodes.configuration, 'FILTER');
    }
  });

  test('an option that there is not', async () => {
    const ended = await run('worker', ['--confg', 'x']);
    expect(ended).toMatchObject({ code: exitCodes.configuration });
    expect(ended.output).toContain('Did you mean --config?');
  });

  test('a port that is taken', async () => {
    const { port } = new URL(world.ec2.url);
    const file = configWith({}, { http: { workerPort: Number(port), watcherPort: Number(port) } });
    await bothSay(file, {}, exitCodes.configuration, `port ${port}`, 'http.');
  });
});

describe('Temporal', () => {
  test('that does not answer ends both programs with 3', async () => {
    const env = { TEMPORAL_ADDRESS: '127.0.0.1:9' };
    const texts = ['No Temporal server answers at 127.0.0.1:9', 'TEMPORAL_ADDRESS', 'npm run sandbox'];
    await bothSay(configWith({}), env, exitCodes.temporal, ...texts);
  });

  test('without the namespace ends both with the command that creates it', async () => {
    const env = { TEMPORAL_NAMESPACE: 'missing' };
    await bothSay(configWith({}), env, exitCodes.temporal, 'temporal operator namespace create');
  });

  test('without the search attributes ends both with the commands that register them', async () => {
    const connection = await Connection.connect({ address: world.temporal.address });
    await connection.workflowService.registerNamespace({
      namespace: 'bare',
      workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
    });
    await connection.close();
    const commands = Object.entries(searchAttributeCliTypes).map(
      ([name, type]) => `search-attribute create --namespace bare --name ${name} --type ${type}\n`,
    );
    await bothSay(configWith({}), { TEMPORAL_NAMESPACE: 'bare' }, exitCodes.temporal, ...commands);
  });
});

describe('Kubernetes', () => {
  test('that is not configured ends both programs with 4', async () => {
    const env = { KUBECONFIG: undefined, HOME: world.dir };
    await bothSay(
      configWith({}),
      env,
      exitCodes.kubernetes,
      'No Kubernetes cluster is configured',
      'KUBECONFIG',
    );
  });

  test('that does not answer ends both with the address and where it comes from', async () => {
    const file = join(world.dir, 'kubeconfig-of-nowhere');
    const content = readFileSync(world.kubernetes.kubeconfigFile, 'utf8');
    writeFileSync(file, content.replaceAll(world.kubernetes.url, 'https://127.0.0.1:9'));
    const texts = ['https://127.0.0.1:9 does not answer', `KUBECONFIG (${file})`];
    await bothSay(configWith({}), { KUBECONFIG: file }, exitCodes.kubernetes, ...texts);
  });

  test('that lets nobody list Nodes ends both with the rule that is missing', async () => {
    const file = await world.kubernetes.kubeconfigFor({ namespace: 'kubeip', serviceAccount: 'powerless' });
    const texts = ['resources ["nodes"]', 'verbs ["list"]'];
    await bothSay(configWith({}), { KUBECONFIG: file }, exitCodes.kubernetes, ...texts);
  });
});

describe('EC2 ends the worker with 5', () => {
  const worker = (env: Env = {}, ...args: string[]): Promise<Ended> =>
    run('worker', ['--config', configWith({}), ...args], env);

  test('when a permission is missing, and names it', async () => {
    world.ec2.configure({ denied: ['DescribeAddresses'] });
    const texts = ['Pool public', 'ec2:DescribeAddresses', 'IAM role'];
    expectMessage(await worker(), exitCodes.cloud, ...texts);
  });

  test('when the credentials are wrong', async () => {
    world.ec2.addFaults({ kind: 'error', action: 'GetCallerIdentity', code: 'InvalidClientTokenId' });
    expectMessage(await worker(), exitCodes.cloud, 'does not accept the credentials', 'AWS_ACCESS_KEY_ID');
  });

  test('when there are no credentials', async () => {
    const env = {
      AWS_ACCESS_KEY_ID: undefined,
      AWS_SECRET_ACCESS_KEY: undefined,
      HOME: world.dir,
    };
    expectMessage(await worker(env), exitCodes.cloud, 'no AWS credentials were found', 'IRSA');
  });

  test('when nothing answers, and says where it looked', async () => {
    const texts = ['no answer from', 'AWS_ENDPOINT_URL'];
    expectMessage(await worker({ AWS_ENDPOINT_URL: 'http://127.0.0.1:9' }), exitCodes.cloud, ...texts);
  });

  test('with a stack trace where --debug asks for it', async () => {
    world.ec2.configure({ denied: ['DescribeAddresses'] });
    const ended = await worker({}, '--debug');
    expect(ended.output).toMatch(stackLine);
    expect(ended.code).toBe(exitCodes.cloud);
  });
});

test('Compute Engine that denies a call ends the worker with 5, naming the permission', async () => {
  const { url, region, projectId } = world.gce;
  const onGcp = { provider: 'gcp', region, account: projectId, endpoint: url, filter: 'labels.kubeip=use' };
  world.gce.configure({ denied: ['addresses.list'] });
  const ended = await run('worker', ['--config', configWith(onGcp)]);
  expectMessage(ended, exitCodes.cloud, 'Pool public (gcp, europe-west1)', 'compute.addresses.list');
});

describe('Oracle Cloud ends the worker with 5, where it says that something is not there or not allowed', () => {
  const worker = (account: string): Promise<Ended> => {
    const { url: endpoint, region } = world.oci;
    const onOci = { provider: 'oci', region, account, endpoint, filter: 'freeformTags.kubeip=use' };
    return run('worker', ['--config', configWith(onOci)]);
  };

  test('a compartment that is not there', async () => {
    const ended = await worker('ocid1.compartment.oc1..aaaaaaaanone');
    const texts = ['there is no compartment ocid1.compartment.oc1..aaaaaaaanone', 'PUBLIC_IP_READ'];
    expectMessage(ended, exitCodes.cloud, 'Pool public (oci, eu-frankfurt-1)', ...texts);
  });

  test('a permission that is missing', async () => {
    world.oci.configure({ denied: ['PUBLIC_IP_READ'] });
    const ended = await worker(world.oci.compartmentId);
    expectMessage(ended, exitCodes.cloud, 'ListPublicIps was refused', 'lacks PUBLIC_IP_READ');
  });
});

test.each(programs)(
  '%s --help says what it is, its options and an example, and ends with 0',
  async (program) => {
    const { code, output } = await run(program, ['--help']);
    expect(output).toMatch(new RegExp(`^Usage: npm run ${program} -- `));
    for (const text of ['--config <file>', 'KUBEIP_CONFIG', '--debug', 'Example: ']) {
      expect(output).toContain(text);
    }
    expect(code).toBe(0);
  },
);
