/**
 * docs/install-eks.md, docs/install-gke.md and docs/migrating-from-kubeip.md are copied into a shell: each is run here by bash. What would
 * need a cloud is recorded in place of being done, and the real command line then judges what it was given.
 */
import { execFile, spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { parse } from 'yaml';
import { loadConfig } from '../../config/config.ts';
import { type AwsCli, ensureAwsCli } from '../../sandbox/tools/aws-cli.ts';
import { ensureTools } from '../../sandbox/tools/ensure-tools.ts';
import { type Call, type Program, walk, type Walk } from './shell-page.ts';

jest.setTimeout(600_000);

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');

const isInstalled = (program: string) =>
  spawnSync(program, ['--help'], { stdio: 'ignore' }).error === undefined;

let cli: AwsCli;
let helm: string;
const pages = ['install-eks.md', 'install-gke.md'] as const;
const migration = 'migrating-from-kubeip.md';
const walks = new Map<string, Walk>();
beforeAll(async () => {
  [cli, { helm }] = await Promise.all([ensureAwsCli(), ensureTools(['helm'])]);
  for (const page of [...pages, migration]) walks.set(page, await walk(page));
}, 900_000);
afterAll(() => {
  for (const { folder } of walks.values()) rmSync(join(folder, '..'), { recursive: true, force: true });
});

function walkOf(page: string): Walk {
  const found = walks.get(page);
  if (found === undefined) throw new Error(`${page} was not run`);
  return found;
}

/** Each once: a loop makes the same call with other numbers. */
function callsOf(page: string, program: Program): Call[] {
  const calls = walkOf(page).calls.filter(([name]) => name === program);
  return [...new Map(calls.map((call) => [call.join(' ').replaceAll(/kubeip-\d/g, ''), call])).values()];
}

/** @returns what a program that cannot reach its server said */
async function complaint(command: string, args: readonly string[], options: object): Promise<string> {
  try {
    await run(command, [...args], options);
    return '';
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    return stdout + stderr || String(error);
  }
}

test.each(['install-eks.md', migration])(
  'aws takes each command of %s: all that fails is the way to AWS',
  async (page) => {
    const calls = callsOf(page, 'aws');
    expect(calls.length).toBeGreaterThan(1);
    const { folder } = walkOf(page);
    const env = {
      PATH: process.env['PATH'],
      HOME: folder,
      ...cli.env,
      AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
      AWS_ACCESS_KEY_ID: 'a',
      AWS_SECRET_ACCESS_KEY: 'b',
      AWS_DEFAULT_REGION: 'eu-west-1',
      AWS_MAX_ATTEMPTS: '1',
      AWS_EC2_METADATA_DISABLED: 'true',
    };
    for (const [, ...args] of calls) {
      const said = await complaint(cli.python, ['-m', 'awscli', ...args], { env, cwd: folder });
      // A password for a registry is asked of AWS, too.
      expect([args.join(' '), said]).toEqual([args.join(' '), expect.stringContaining('Could not connect')]);
    }
  },
);

describe('install-eks.md', () => {
  test('the policies that it makes are for this account, region, VPC and cluster only', () => {
    const eks = walkOf('install-eks.md');
    const made = ['policy.json', 'trust.json', 'trust-irsa.json'].map((name) => eks.read(name));
    for (const text of made) {
      expect(() => JSON.parse(text) as unknown).not.toThrow();
      expect(text).not.toMatch(/123456789012|vpc-0123456789abcdef0|OIDC_ISSUER/);
    }
    expect(made[0]).toContain('arn:aws:ec2:eu-west-1:210987654321:vpc/vpc-00000000000000abc');
    expect(made[0]).toContain('aws:ResourceTag/kubernetes.io/cluster/prod');
    expect(made[1]).toContain('arn:aws:eks:eu-west-1:210987654321:cluster/prod');
    expect(made[2]).toContain('"oidc.eks.eu-west-1.amazonaws.com/id/ABC:sub"');
  });
});

if (isInstalled('gcloud')) {
  test.each(['install-gke.md', migration])('gcloud takes each command of %s', async (page) => {
    const calls = callsOf(page, 'gcloud');
    expect(calls.length).toBeGreaterThan(0);
    const { folder } = walkOf(page);
    const env = { PATH: process.env['PATH'], HOME: folder, CLOUDSDK_CONFIG: folder };
    const lint = async (args: readonly string[]) => {
      const command = ['gcloud', ...args.map((word) => (/^[\w./:=@-]+$/.test(word) ? word : `'${word}'`))];
      const { stdout } = await run(
        'gcloud',
        ['meta', 'lint-gcloud-commands', `--command-string=${command.join(' ')}`],
        { env, cwd: folder },
      );
      return (JSON.parse(stdout) as { success: boolean; error_message?: string }[])[0];
    };
    // The judge itself must be able to say no.
    expect(await lint(['compute', 'addresses', 'create', 'a', '--labelz=b'])).toMatchObject({
      success: false,
    });
    for (const [, ...args] of calls) {
      expect([args.join(' '), await lint(args)]).toEqual([
        args.join(' '),
        expect.objectContaining({ success: true }),
      ]);
    }
  });
}

describe('install-gke.md', () => {
  test('the condition is one of this cluster’s instances', () => {
    const condition = parse(walkOf('install-gke.md').read('condition.yaml')) as Record<string, string>;
    expect(condition['expression']).toBe(
      'resource.type == "compute.googleapis.com/Instance" && resource.name.extract("/instances/{name}").startsWith("gke-prod-")',
    );
  });

  test('each role that it makes is bound to the worker, that of the instances under the condition', () => {
    const calls = callsOf('install-gke.md', 'gcloud').map((call) => call.join(' '));
    const made = calls.flatMap((call) => /iam roles create (\w+)/.exec(call)?.[1] ?? []);
    expect(made).toEqual(['kubeipInstances', 'kubeipAddresses']);
    const member =
      'principal://iam.googleapis.com/projects/987654321/locations/global/workloadIdentityPools/my-project.svc.id.goog/subject/ns/kubeip-temporal/sa/kubeip-temporal-worker';
    const bound = calls.filter((call) => call.includes('add-iam-policy-binding my-project'));
    expect(bound).toHaveLength(2);
    for (const [index, role] of made.entries()) {
      expect(bound[index]).toContain(
        `--role=projects/my-project/roles/${role} --member=${member} --condition`,
      );
    }
    expect(bound[0]).toContain('--condition-from-file=condition.yaml');
  });
});

describe.each(pages)('%s', (page) => {
  test('the image that it pushes is the one that the chart pulls', async () => {
    const [build] = callsOf(page, 'docker').filter(([, ...args]) => args.includes('--push'));
    const tag = build?.[build.indexOf('--tag') + 1];
    expect(build?.slice(1, 3)).toEqual(['buildx', 'build']);
    expect((await rendered(page)).replaceAll('"', '')).toContain(`image: ${tag}\n`);
  });

  test('helm renders the chart with its values, in the cluster and with Temporal Cloud', async () => {
    const config = parse(walkOf(page).read('values.yaml')) as { config: object };
    const file = join(walkOf(page).folder, 'kubeip.yaml');
    writeFileSync(file, JSON.stringify(config.config));
    const { pools } = loadConfig({ file, env: {} });
    expect(pools.map(({ name }) => name)).toEqual(['public']);
    const cloud = join(root, 'deploy/temporal/cloud-api-key-values.yaml');
    expect(await rendered(page)).toContain('value: "temporal-frontend.temporal.svc:7233"');
    expect(await rendered(page, '--values', cloud)).toContain('name: TEMPORAL_API_KEY');
  });

  test('the worker’s account is the one that the chart makes', async () => {
    expect(await rendered(page)).toContain('serviceAccountName: kubeip-temporal-worker');
    const text = walkOf(page)
      .calls.map((call) => call.join(' '))
      .join('\n');
    expect(text).toMatch(/--service-account kubeip-temporal-worker|sa\/kubeip-temporal-worker/);
  });

  test('the namespace is there before the Secret, and both before helm', () => {
    const order = walkOf(page).calls.map((call) => call.join(' '));
    const at = (part: string) => order.findIndex((call) => call.includes(part));
    expect(at('kubectl create namespace kubeip-temporal')).toBeGreaterThan(-1);
    expect(at('kubectl create namespace kubeip-temporal')).toBeLessThan(at('create secret generic'));
    expect(at('create secret generic')).toBeLessThan(at('helm upgrade --install'));
  });
});

if (isInstalled('kubectl')) {
  test.each([...pages, migration])(
    'kubectl takes each command of %s: all that fails is the way to the cluster',
    async (page) => {
      const { folder } = walkOf(page);
      const env = { PATH: process.env['PATH'], HOME: folder, KUBECONFIG: join(folder, 'none') };
      for (const [, ...args] of callsOf(page, 'kubectl')) {
        const before = args.indexOf('--');
        const at = before < 0 ? args.length : before;
        const server = [...args.slice(0, at), '--server=http://127.0.0.1:1', ...args.slice(at)];
        const said = await complaint('kubectl', server, { env, cwd: folder });
        expect([args.join(' '), said]).toEqual([args.join(' '), expect.stringMatching(/127\.0\.0\.1:1/)]);
      }
    },
  );
}

test('temporal takes each command of the migration page: all that fails is the way to the server', async () => {
  const { temporal } = await ensureTools(['temporal']);
  const calls = callsOf(migration, 'temporal');
  expect(calls.length).toBe(2);
  for (const [, ...args] of calls) {
    const said = await complaint(temporal, [...args, '--address', '127.0.0.1:1'], { env: {} });
    expect([args.join(' '), said]).toEqual([args.join(' '), expect.stringMatching(/127\.0\.0\.1:1/)]);
  }
});

test('the migration page installs without a watcher, and takes KubeIP’s permission before it removes it', () => {
  const order = walkOf(migration).calls.map((call) => call.join(' '));
  const at = (part: string) => order.findIndex((call) => call.includes(part));
  const steps = [
    'migrate check',
    'watcher.replicas=0',
    'kubeip plan',
    'kubeip-keeps-addresses',
    'helm uninstall',
  ];
  expect(steps.map(at)).toEqual(steps.map(at).toSorted((a, b) => a - b));
  expect(Math.min(...steps.map(at))).toBeGreaterThan(-1);
});

/** The chart as the page's own `helm upgrade --install` would render it, with Temporal in the cluster. */
async function rendered(page: string, ...more: string[]): Promise<string> {
  const { folder } = walkOf(page);
  const [install] = callsOf(page, 'helm').filter(([, ...args]) => args.includes('--install'));
  const [, , , ...args] = install ?? [];
  const chosen = args.indexOf('deploy/temporal/cloud-api-key-values.yaml');
  if (chosen > 0) args.splice(chosen - 1, 2);
  const { stdout } = await run(helm, ['template', ...args, ...more, '--kube-version', '1.34.0'], {
    cwd: folder,
  });
  return stdout;
}
