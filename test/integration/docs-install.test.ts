/**
 * docs/install-eks.md, install-gke.md, install-oke.md and migrating-from-kubeip.md are copied into a shell: each is run here by bash. What would
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
import { writeApiKey } from '../../sandbox/oci/api-key.ts';
import { ensureOciCli, type OciCli } from '../../sandbox/tools/oci-cli.ts';
import { blocksOf, type Call, type Choices, type Program, walk, type Walk } from './shell-page.ts';

jest.setTimeout(600_000);

const run = promisify(execFile);

const isInstalled = (program: string) =>
  spawnSync(program, ['--help'], { stdio: 'ignore' }).error === undefined;

let cli: AwsCli;
let ociCli: OciCli;
let helm: string;
const pages = ['install-eks.md', 'install-gke.md'] as const;
const oke = 'install-oke.md';
const migration = 'migrating-from-kubeip.md';

/** What a page lets its reader choose: Temporal Cloud and the first kind of identity, or a trial and the second kind. */
const alternatives: Readonly<Record<string, readonly [Choices, ...Choices[]]>> = {
  'install-eks.md': [{ temporalCloud: true, without: ['OIDC_ISSUER'] }, { without: ['pod-identity'] }],
  'install-gke.md': [
    { temporalCloud: true, without: ['service-accounts create'] },
    { without: ['MEMBER=principal:'] },
  ],
  [oke]: [{}],
  [migration]: [{}],
};
const walks = new Map<string, Walk[]>();
beforeAll(async () => {
  [cli, ociCli, { helm }] = await Promise.all([ensureAwsCli(), ensureOciCli(), ensureTools(['helm'])]);
  for (const [page, choices] of Object.entries(alternatives))
    walks.set(page, await Promise.all(choices.map((choice) => walk(page, choice))));
}, 900_000);
afterAll(() => {
  for (const { folder } of [...walks.values()].flat())
    rmSync(join(folder, '..'), { recursive: true, force: true });
});

/** @param alternative which of {@link alternatives} */
function walkOf(page: string, alternative = 0): Walk {
  const found = walks.get(page)?.[alternative];
  if (found === undefined) throw new Error(`${page} was not run`);
  return found;
}

/** Each once: a loop makes the same call with other numbers, and alternatives have most calls in common. */
function callsOf(page: string, program: Program): Call[] {
  const calls = (walks.get(page) ?? []).flatMap((one) => one.calls).filter(([name]) => name === program);
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
    const made = ['policy.json', 'trust.json'].map((name) => walkOf('install-eks.md').read(name));
    made.push(walkOf('install-eks.md', 1).read('trust.json'));
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

const googleAccount = 'kubeip-worker@my-project.iam.gserviceaccount.com';

describe('install-gke.md', () => {
  test('the nodes of the programs’ pool may pull the image, as Compute Engine’s default account if as no other', () => {
    const calls = callsOf('install-gke.md', 'gcloud').map((call) => call.join(' '));
    expect(calls.filter((call) => call.includes('artifactregistry.reader'))).toEqual([
      expect.stringContaining('--member=serviceAccount:987654321-compute@developer.gserviceaccount.com'),
    ]);
  });

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
    for (const [alternative, account] of [member, `serviceAccount:${googleAccount}`].entries()) {
      const bound = walkOf('install-gke.md', alternative)
        .calls.map((call) => call.join(' '))
        .filter((call) => call.includes('add-iam-policy-binding my-project'));
      expect(bound).toHaveLength(2);
      for (const [index, role] of made.entries()) {
        expect(bound[index]).toContain(
          `--role=projects/my-project/roles/${role} --member=${account} --condition`,
        );
      }
      expect(bound[0]).toContain('--condition-from-file=condition.yaml');
    }
  });
});

describe('install-oke.md', () => {
  test('oci takes each command: all that fails is the way to Oracle Cloud', async () => {
    const calls = callsOf(oke, 'oci');
    expect(calls.length).toBeGreaterThan(4);
    const ids = { tenancyId: 'ocid1.tenancy.oc1..t', userId: 'ocid1.user.oc1..u', region: 'eu-frankfurt-1' };
    const key = writeApiKey(ids);
    const { folder } = walkOf(oke);
    const env = {
      PATH: process.env['PATH'],
      HOME: folder,
      ...ociCli.env,
      OCI_CLI_CONFIG_FILE: key.configFile,
    };
    for (const [, ...args] of calls) {
      const command = [...ociCli.arguments, '--endpoint', 'http://127.0.0.1:1', '--no-retry', ...args];
      const said = await complaint(ociCli.python, command, { env, cwd: folder });
      expect([args.join(' '), said]).toEqual([args.join(' '), expect.stringMatching(/RequestException/)]);
    }
    key.remove();
  });

  test('the chart’s network policy lets the worker reach what gives it its credentials', async () => {
    expect(await rendered(oke)).toMatch(/port: 12250/);
  });

  test('the policy that it makes is for the worker of this cluster alone, in these compartments', () => {
    const made = callsOf(oke, 'oci').filter((call) => call.includes('policy'));
    const names = made.map((call) => call.at(-1)?.replace('file://', '') ?? '');
    expect(names).toEqual(['nodes.json', 'addresses.json']);
    for (const name of names) {
      const statements = JSON.parse(walkOf(oke).read(name)) as string[];
      expect(statements).toEqual([
        expect.stringContaining("request.principal.cluster_id = 'ocid1.cluster.oc1.eu-frankfurt-1.aaaa'"),
      ]);
      expect(statements[0]).toContain('in compartment id ocid1.compartment.oc1..aaaa where');
      expect(statements[0]).not.toMatch(/NODES|ADDRESSES|'CLUSTER'/);
    }
  });
});

describe.each([...pages, oke])('%s', (page) => {
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
    const inCluster = await rendered(page, page === oke ? 0 : 1);
    expect(inCluster).toContain('value: "temporal-frontend.temporal.svc:7233"');
    expect(inCluster).not.toContain('name: TEMPORAL_API_KEY');
  });

  test('the worker’s account is the one that the chart makes', async () => {
    expect(await rendered(page)).toContain('serviceAccountName: kubeip-temporal-worker');
    const calls = walkOf(page).calls.map((call) => call.join(' '));
    const text = [...calls, ...(page === oke ? [walkOf(oke).read('nodes.json')] : [])].join('\n');
    expect(text).toMatch(/service.account( = '| )kubeip-temporal-worker|sa\/kubeip-temporal-worker/);
  });
});

describe.each(pages)('%s', (page) => {
  test('with Temporal Cloud the programs have its address, namespace and the key of the Secret that was made', async () => {
    const made = callsOf(page, 'kubectl').find((call) => call.includes('secret'));
    expect(made?.slice(-2)).toEqual(['temporal-cloud', '--from-literal=api-key=key']);
    const objects = await rendered(page);
    expect(objects).toMatch(
      /name: TEMPORAL_ADDRESS\s+value: "[a-z0-9-]+\.(aws|gcp)\.api\.temporal\.io:7233"/,
    );
    expect(objects).toMatch(/name: TEMPORAL_NAMESPACE\s+value: "?kubeip\.a1b2c"?/);
    expect(objects).toMatch(
      /name: TEMPORAL_API_KEY\s+valueFrom:\s+secretKeyRef: \{ name: "temporal-cloud", key: "api-key" \}/,
    );
  });

  test('the identity that the chart is told is that of the second alternative', async () => {
    const identity = /eks\.amazonaws\.com\/role-arn|iam\.gke\.io\/gcp-service-account/;
    expect(await rendered(page)).not.toMatch(identity);
    const account =
      page === 'install-eks.md' ? 'arn:aws:iam::210987654321:role/kubeip-worker-prod' : googleAccount;
    expect(await rendered(page, 1)).toMatch(new RegExp(`(?:${identity.source}): "?${account}`));
  });

  test('the namespace is there before the Secret, and both before helm', () => {
    const order = walkOf(page).calls.map((call) => call.join(' '));
    const at = (part: string) => order.findIndex((call) => call.includes(part));
    expect(at('kubectl create namespace kubeip-temporal')).toBeGreaterThan(-1);
    expect(at('kubectl create namespace kubeip-temporal')).toBeLessThan(at('create secret generic'));
    expect(at('create secret generic')).toBeLessThan(at('helm upgrade --install'));
  });
});

test.each([...pages, oke])('%s: names of the reader’s own reach every command and file', async (page) => {
  const samples = new Map<string, string>();
  for (const line of blocksOf(page).join('\n').split('\n')) {
    if (!line.startsWith('export ')) continue;
    for (const [, name = '', value = ''] of line.matchAll(/ ([A-Z_]+)=([^\s$'"]+)(?= |$)/g))
      samples.set(name, value);
  }
  expect(samples.size).toBeGreaterThan(4);
  const own = Object.fromEntries(
    [...samples.keys()].map((name) => [name, `own-${name.toLowerCase().replaceAll('_', '-')}`]),
  );
  const reader = await walk(page, { names: own });
  const text = [...reader.calls.map((call) => call.join(' ')), reader.read('values.yaml')].join('\n');
  rmSync(join(reader.folder, '..'), { recursive: true });
  for (const value of Object.values(own)) expect(text).toContain(value);
  // What is also a word of the commands, or of the configuration.
  const words = text.replaceAll(/name: public$|kubeip-temporal|namespace: default/gm, '');
  for (const value of samples.values())
    expect(words).not.toMatch(new RegExp(`(?<![\\w.-])${value}(?![\\w-])`));
});

if (isInstalled('kubectl')) {
  test.each([...pages, oke, migration])(
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

/** The chart as the page's own `helm upgrade --install` would render it. */
async function rendered(page: string, alternative = 0): Promise<string> {
  const { folder, calls } = walkOf(page, alternative);
  const install = calls.find((call) => call[0] === 'helm' && call.includes('--install'));
  const [, , , ...args] = install ?? [];
  const { stdout } = await run(helm, ['template', ...args, '--kube-version', '1.34.0'], { cwd: folder });
  return stdout;
}
