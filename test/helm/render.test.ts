/** What the chart makes of values. That a cluster takes it: install.test.ts. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { loadConfig } from '../../config/config.ts';
import { defaults } from '../../config/defaults.ts';
import { chartFolder } from '../../sandbox/processes/chart-release.ts';
import { shippedObjects } from '../../sandbox/processes/shipped-accounts.ts';
import { configMap, container, deployment, helm, only, render, type Rendered } from './helm.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const eks = join(chartFolder, 'ci/eks-values.yaml');
const gke = join(chartFolder, 'ci/gke-values.yaml');
const oke = join(chartFolder, 'ci/oke-values.yaml');
const everything = join(chartFolder, 'ci/everything-values.yaml');
const apiKey = join(root, 'deploy/temporal/cloud-api-key-values.yaml');
const mtls = join(root, 'deploy/temporal/cloud-mtls-values.yaml');

const programs = ['worker', 'watcher'] as const;
const pool = { name: 'a', nodeSelector: { matchLabels: { kubeip: 'use' } }, filter: 'Name=tag:a,Values=b' };
const config = { cluster: 'prod', defaults: { region: 'eu-west-1' }, pools: [pool] };
const image = { repository: 'registry.example.com/kubeip-temporal' };
const minimal = { config, image, temporal: { address: 'temporal:7233' } };

test.each([
  ['eks', [eks]],
  ['gke', [gke]],
  ['oke', [oke]],
  ['everything', [everything]],
  ['Temporal Cloud, API key', [eks, apiKey]],
  ['Temporal Cloud, mTLS', [gke, mtls]],
])('helm lint finds nothing in the values for %s', async (_, values) => {
  expect(await helm(['lint', '--strict', chartFolder], values)).toContain('0 chart(s) failed');
});

describe('identities', () => {
  const accounts = (objects: Rendered[]) =>
    Object.fromEntries(
      programs.map((name) => [
        name,
        only(objects, 'ServiceAccount', `kubeip-temporal-${name}`).metadata?.annotations,
      ]),
    );

  test('a role by IRSA is that of the worker alone', async () => {
    expect(accounts(await render([eks]))).toEqual({
      worker: { 'eks.amazonaws.com/role-arn': 'arn:aws:iam::123456789012:role/kubeip-worker' },
    });
  });

  test('and so is a Google service account', async () => {
    expect(accounts(await render([gke]))).toEqual({
      worker: { 'iam.gke.io/gcp-service-account': 'kubeip-worker@my-project.iam.gserviceaccount.com' },
    });
  });

  test("OKE's workload identity needs no annotation, but a variable, and a way to the API server's other port", async () => {
    const objects = await render([oke]);
    expect(accounts(objects)).toEqual({ worker: undefined, watcher: undefined });
    const [worker, watcher] = programs.map((name) => container(deployment(objects, name)));
    expect(worker?.env).toContainEqual({ name: 'OCI_CLI_AUTH', value: 'oke_workload_identity' });
    expect(watcher?.env).not.toContainEqual(expect.objectContaining({ name: 'OCI_CLI_AUTH' }));
    const egressOf = (name: string) =>
      JSON.stringify(only(objects, 'NetworkPolicy', `kubeip-temporal-${name}`).spec);
    expect(egressOf('worker')).toContain('12250');
    expect(egressOf('watcher')).not.toContain('12250');
  });

  test('an account that is there already is used, bound and not made', async () => {
    const account = { serviceAccount: { create: false, name: 'mine' } };
    const objects = await render([minimal, { worker: account }]);
    expect(deployment(objects, 'worker').spec?.template?.spec?.serviceAccountName).toBe('mine');
    expect(objects.filter(({ kind }) => kind === 'ServiceAccount')).toHaveLength(1);
    expect(only(objects, 'ClusterRoleBinding', 'kubeip-temporal-worker').subjects).toEqual([
      { kind: 'ServiceAccount', name: 'mine', namespace: 'kubeip-temporal' },
    ]);
  });

  test('the roles are those of deploy/kubernetes/rbac.yaml, no more and no less', async () => {
    const rights = (objects: readonly Rendered[]) =>
      objects
        .filter(({ kind = '' }) => /Role|ServiceAccount/.test(kind))
        .map(({ kind, metadata, rules, roleRef, subjects }) => ({
          kind,
          name: metadata?.name,
          namespace: metadata?.namespace,
          rules,
          roleRef,
          subjects,
        }))
        .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
    expect(rights(await render([minimal]))).toEqual(rights(shippedObjects()));
  });
});

describe('the connection to Temporal', () => {
  /** Of both programs and of the Job, which must not differ. */
  async function connection(values: (string | object)[]) {
    const objects = await render(values);
    const job = only(objects, 'Job');
    const all = [deployment(objects, 'worker'), deployment(objects, 'watcher'), job];
    const [first, ...others] = all.map((object) => ({
      env: container(object).env?.filter(({ name }) => /^TEMPORAL_(?!DEPLOYMENT|WORKER)/.test(name)),
      mounts: container(object).volumeMounts?.filter(({ name }) => name.startsWith('temporal')),
      volumes: object.spec?.template?.spec?.volumes?.filter(({ name }) => name.startsWith('temporal')),
    }));
    for (const other of others) expect(other).toEqual(first);
    return first;
  }

  test('to a server in the cluster needs address and namespace', async () => {
    expect(await connection([eks])).toMatchObject({
      env: [
        { name: 'TEMPORAL_ADDRESS', value: 'temporal-frontend.temporal.svc:7233' },
        { name: 'TEMPORAL_NAMESPACE', value: 'default' },
      ],
      volumes: [],
    });
  });

  test('to Temporal Cloud by an API key takes the key from its Secret', async () => {
    expect(await connection([eks, apiKey])).toMatchObject({
      env: [
        { name: 'TEMPORAL_ADDRESS', value: 'eu-west-1.aws.api.temporal.io:7233' },
        { name: 'TEMPORAL_NAMESPACE', value: 'kubeip.a1b2c' },
        {
          name: 'TEMPORAL_API_KEY',
          valueFrom: { secretKeyRef: { name: 'temporal-cloud', key: 'api-key' } },
        },
      ],
    });
  });

  test('to Temporal Cloud by mTLS mounts certificate and key, and names them', async () => {
    expect(await connection([gke, mtls])).toMatchObject({
      env: [
        { name: 'TEMPORAL_ADDRESS', value: 'kubeip.a1b2c.tmprl.cloud:7233' },
        { name: 'TEMPORAL_NAMESPACE', value: 'kubeip.a1b2c' },
        { name: 'TEMPORAL_TLS', value: 'true' },
        { name: 'TEMPORAL_TLS_CLIENT_CERT_PATH', value: '/etc/kubeip-temporal-client/tls.crt' },
        { name: 'TEMPORAL_TLS_CLIENT_KEY_PATH', value: '/etc/kubeip-temporal-client/tls.key' },
      ],
      mounts: [{ name: 'temporal-client', mountPath: '/etc/kubeip-temporal-client', readOnly: true }],
      volumes: [{ name: 'temporal-client', secret: { secretName: 'temporal-cloud-mtls' } }],
    });
  });

  test('to a server with an authority of its own names its file and the server', async () => {
    expect((await connection([everything]))?.env).toEqual(
      expect.arrayContaining([
        { name: 'TEMPORAL_TLS_SERVER_NAME', value: 'temporal.example.com' },
        { name: 'TEMPORAL_TLS_SERVER_CA_CERT_PATH', value: '/etc/kubeip-temporal-ca/root.pem' },
      ]),
    );
  });

  test('makes no Secret', async () => {
    for (const values of [[eks, apiKey], [gke, mtls], [everything]]) {
      expect((await render(values)).filter(({ kind }) => kind === 'Secret')).toEqual([]);
    }
  });
});

describe('the configuration', () => {
  const examples = readdirSync(join(root, 'examples')).filter((name) => name.endsWith('.yaml'));

  /** What a program reads of the rendered ConfigMap. */
  async function mounted(given: object): Promise<string> {
    const objects = await render([{ ...minimal, config: given, avoidPoolNodes: false }]);
    return configMap(objects).data?.['kubeip.yaml'] ?? '';
  }

  test.each(examples)('of examples/%s reaches the programs as it is', async (name) => {
    const file = join(root, 'examples', name);
    const given = { cluster: 'prod', ...(parse(readFileSync(file, 'utf8')) as object) };
    const folder = mkdtempSync(join(tmpdir(), 'kubeip-config-'));
    try {
      const here = join(folder, 'given.yaml');
      writeFileSync(here, JSON.stringify(given));
      const there = join(folder, 'mounted.yaml');
      // The chart refuses what only shells have: a host that no probe reaches, a port that nobody knows.
      writeFileSync(there, await mounted(given));
      expect(loadConfig({ file: there, env: {} })).toEqual(loadConfig({ file: here, env: {} }));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test.each([
    ['aws', eks],
    ['gcp', gke],
    ['oci', oke],
  ])('of the values for %s is taken by the programs', async (provider, values) => {
    const folder = mkdtempSync(join(tmpdir(), 'kubeip-config-'));
    try {
      const file = join(folder, 'mounted.yaml');
      writeFileSync(file, configMap(await render([values])).data?.['kubeip.yaml'] ?? '');
      const { pools, notices } = loadConfig({ file, env: {} });
      expect([notices, [...new Set(pools.map((one) => one.provider))]]).toEqual([[], [provider]]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('keeps text that looks like something else', async () => {
    const filters = [
      'yes',
      'null',
      '~',
      '0x1F',
      '0o14',
      '1e3',
      '1_000',
      '12:30',
      '2026-01-01',
      '.5',
      '=',
      'a: b',
      '# a',
    ];
    const given = {
      ...config,
      pools: filters.map((filter, index) => ({ ...pool, name: `p${index}`, filter })),
    };
    expect(parse(await mounted(given))).toEqual(given);
  });

  test('that changes rolls both programs, and another value rolls the one', async () => {
    const templates = async (more: object) => {
      const objects = await render([minimal, more]);
      return programs.map((name) => JSON.stringify(deployment(objects, name).spec?.template));
    };
    const [worker, watcher] = await templates({});
    const [changedWorker, changedWatcher] = await templates({ config: { audit: { interval: '20m' } } });
    expect([changedWorker === worker, changedWatcher === watcher]).toEqual([false, false]);
    const [otherWorker, otherWatcher] = await templates({ worker: { priorityClassName: 'x' } });
    expect([otherWorker === worker, otherWatcher === watcher]).toEqual([false, true]);
    expect(await templates({ worker: { replicas: 5 } })).toEqual([worker, watcher]);
  });

  test("says the ports, and without a word they are the programs' own", async () => {
    const ports = (objects: Rendered[]) =>
      programs.map((name) => container(deployment(objects, name)).ports?.[0]?.containerPort);
    expect(ports(await render([minimal]))).toEqual([defaults.http.workerPort, defaults.http.watcherPort]);
    expect(ports(await render([everything]))).toEqual([9090, defaults.http.watcherPort]);
  });
});

describe("Node.js's options", () => {
  const options = async (...values: (string | object)[]) =>
    (['worker', 'watcher'] as const).map(
      async (name) =>
        container(deployment(await render(values), name)).env?.find(({ name: key }) => key === 'NODE_OPTIONS')
          ?.value,
    );

  test('keep the space for new objects small, and may be others or none', async () => {
    const small = '--max-semi-space-size=4';
    expect(await Promise.all(await options(minimal))).toEqual([small, small]);
    const others = { worker: { nodeOptions: '' }, watcher: { nodeOptions: '--max-old-space-size=800' } };
    expect(await Promise.all(await options(minimal, others))).toEqual([
      undefined,
      '--max-old-space-size=800',
    ]);
  });
});

describe('Worker Versioning', () => {
  const versioned = { worker: { versioning: { enabled: true }, autoscaling: { hpa: { enabled: true } } } };
  const selectorOf = ({ spec }: Rendered) =>
    (spec as unknown as { selector: { matchLabels: Record<string, string> } }).selector.matchLabels;

  test('each version has a Deployment of its own, which an upgrade leaves there, and pods of its own', async () => {
    const tags = ['1.3.0', '1.4.0+Build_7'];
    const workers = await Promise.all(
      tags.map(async (tag) => {
        const objects = await render([minimal, versioned, { worker: { versioning: { buildId: tag } } }]);
        const build = tag === '1.3.0' ? '1-3-0' : '1-4-0-build-7';
        const worker = deployment(objects, 'worker');
        expect(worker.metadata?.name).toBe(`kubeip-temporal-worker-${build}`);
        expect(only(objects, 'HorizontalPodAutoscaler').spec).toMatchObject({
          scaleTargetRef: { name: worker.metadata?.name },
        });
        expect(worker.metadata?.annotations).toEqual({ 'helm.sh/resource-policy': 'keep' });
        expect(container(worker).env).toEqual(
          expect.arrayContaining([{ name: 'TEMPORAL_WORKER_BUILD_ID', value: tag }]),
        );
        expect(worker.spec?.template?.metadata?.labels).toMatchObject(selectorOf(worker));
        return worker;
      }),
    );
    expect(new Set(workers.map((worker) => selectorOf(worker)['kubeip-temporal.io/build'])).size).toBe(2);
  });

  test('versions that begin alike have names of their own, within what a name may be', async () => {
    const nameOf = async (buildId: string) => {
      const objects = await render([minimal, versioned, { worker: { versioning: { buildId } } }]);
      const worker = deployment(objects, 'worker');
      expect(selectorOf(worker)['kubeip-temporal.io/build']).toMatch(/^[a-z0-9]([a-z0-9-]{0,14}[a-z0-9])?$/);
      return worker.metadata?.name ?? '';
    };
    // Sixteen characters are the most that stays as it is.
    expect(await nameOf('1.4.0-rc.2024060')).toBe('kubeip-temporal-worker-1-4-0-rc-2024060');
    const alike = ['1.4.0-rc.20240601', '1.4.0-rc.20240602', '1.4.0_rc.20240601'];
    const names = await Promise.all(alike.map(nameOf));
    expect(new Set(names).size).toBe(3);
    for (const name of names) expect(name).toMatch(/^kubeip-temporal-worker-1-4-0-rc-2-[0-9a-f]{5}$/);
    // The tenth is a dash.
    expect(await nameOf('1.40.0-rc.20240601')).toMatch(/^kubeip-temporal-worker-1-40-0-rc-[0-9a-f]{5}$/);
  });

  test('without it there is one Deployment, which an upgrade replaces', async () => {
    const worker = deployment(await render([minimal]), 'worker');
    expect(worker.metadata?.name).toBe('kubeip-temporal-worker');
    expect(worker.metadata?.annotations ?? {}).not.toHaveProperty(['helm.sh/resource-policy']);
    expect(selectorOf(worker)).not.toHaveProperty(['kubeip-temporal.io/build']);
  });
});

describe('with everything switched on', () => {
  test('a worker is versioned, scaled, placed and labelled', async () => {
    const objects = await render([everything]);
    const worker = deployment(objects, 'worker');
    const { env, image } = container(worker);
    expect(worker.spec).not.toHaveProperty('replicas');
    expect(image).toBe(
      'registry.example.com/kubeip-temporal@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef',
    );
    expect(env).toEqual(
      expect.arrayContaining([
        { name: 'TEMPORAL_WORKER_BUILD_ID', value: '0123456789ab' },
        { name: 'HTTPS_PROXY', value: 'http://proxy.example.com:3128' },
      ]),
    );
    expect(worker.spec?.template).toMatchObject({
      metadata: {
        labels: { team: 'network', 'example.com/tier': 'worker' },
        annotations: { 'example.com/note': 'worker' },
      },
      spec: {
        terminationGracePeriodSeconds: 120,
        priorityClassName: 'system-cluster-critical',
        nodeSelector: { 'kubernetes.io/os': 'linux' },
        imagePullSecrets: [{ name: 'registry' }],
        topologySpreadConstraints: [
          { labelSelector: { matchLabels: { 'app.kubernetes.io/component': 'worker' } } },
        ],
      },
    });
    expect(container(deployment(objects, 'watcher')).env?.map(({ name }) => name)).not.toContain(
      'TEMPORAL_WORKER_BUILD_ID',
    );
    for (const kind of ['HorizontalPodAutoscaler', 'ServiceMonitor', 'PodMonitor', 'PodMonitoring'])
      only(objects, kind);
    const own = objects.filter(({ metadata }) => metadata?.name !== 'kubeip-temporal-more');
    for (const object of own) expect(object.metadata?.labels).toMatchObject({ team: 'network' });
  });

  test('there is a rule and a dashboard for each file that the chart has of them', async () => {
    const objects = await render([everything]);
    const files = readdirSync(join(chartFolder, 'files'), { recursive: true }).map(String);
    const rules = objects.filter(({ kind }) => kind === 'PrometheusRule');
    expect(rules).toHaveLength(files.filter((file) => file === 'alerts.yaml').length);
    const alerts = readFileSync(join(chartFolder, 'files/alerts.yaml'), 'utf8');
    const url = 'https://example.com/runbook.md';
    for (const rule of rules) {
      expect(rule.spec).toEqual(
        parse(alerts.replaceAll('runbook_url: docs/runbook.md#', `runbook_url: ${url}#`)),
      );
    }
    const dashboards = files.filter((file) => file.endsWith('.json'));
    const maps = objects.filter(({ metadata }) => metadata?.labels?.['grafana_dashboard'] === '1');
    expect(maps).toHaveLength(dashboards.length);
    for (const { data = {} } of maps) {
      for (const [name, text] of Object.entries(data)) {
        const file = readFileSync(join(chartFolder, 'files/dashboards', name), 'utf8');
        expect(JSON.parse(text)).toEqual(JSON.parse(file));
      }
    }
  });

  test('KEDA asks for the backlog of the task queue, with the same credentials', async () => {
    const keda = { worker: { autoscaling: { keda: { enabled: true } } } };
    const objects = await render([eks, apiKey, keda]);
    expect(only(objects, 'ScaledObject').spec).toMatchObject({
      triggers: [
        {
          metadata: { endpoint: 'eu-west-1.aws.api.temporal.io:7233', taskQueue: 'kubeip/cluster/prod' },
          authenticationRef: { name: 'kubeip-temporal-worker' },
        },
      ],
    });
    expect(only(objects, 'TriggerAuthentication').spec).toEqual({
      secretTargetRef: [{ parameter: 'apiKey', name: 'temporal-cloud', key: 'api-key' }],
    });
  });

  test('KEDA gets certificate, key and authority for mTLS, and none of them where Temporal speaks plain text', async () => {
    const keda = { worker: { autoscaling: { keda: { enabled: true } } } };
    const secret = 'temporal-cloud-mtls';
    const authority = { temporal: { tls: { caSecretName: 'authority' } } };
    expect(only(await render([gke, mtls, authority, keda]), 'TriggerAuthentication').spec).toEqual({
      secretTargetRef: [
        { parameter: 'cert', name: secret, key: 'tls.crt' },
        { parameter: 'key', name: secret, key: 'tls.key' },
        { parameter: 'ca', name: 'authority', key: 'ca.crt' },
      ],
    });
    const plain = await render([minimal, keda]);
    expect(plain.filter(({ kind }) => kind === 'TriggerAuthentication')).toEqual([]);
    expect(JSON.stringify(only(plain, 'ScaledObject'))).not.toContain('authenticationRef');
  });
});

describe('values that will not do are refused, and the message names them:', () => {
  const keda = { worker: { autoscaling: { keda: { enabled: true } } } };
  const withPool = (more: object) => ({ config: { ...config, pools: [{ ...pool, ...more }] } });

  test.each<[string, object, RegExp]>([
    ['no configuration', {}, /'\/config': missing properties 'cluster', 'pools'/],
    ['no pools', { cluster: 'prod' }, /'\/config': missing property 'pools'/],
    ['no cluster', { pools: [pool] }, /'\/config': missing property 'cluster'/],
    [
      'a pool without addresses',
      { cluster: 'prod', pools: [{ name: 'a', nodeSelector: {} }] },
      /missing property 'filter'/,
    ],
  ])('%s', async (_, given, message) => {
    await expect(render([{ ...minimal, config: given }])).rejects.toThrow(message);
  });

  test.each<[string, object, RegExp]>([
    ['a misspelt key of a pool', withPool({ fitler: 'x' }), /'\/config\/pools\/0'.*'fitler' not allowed/],
    [
      'a duration without unit',
      withPool({ retries: { interval: '5' } }),
      /retries\/interval': '5' does not match/,
    ],
    ['an account that is a number', withPool({ account: 123 }), /account': got number, want string/],
    ['a misspelt value', { wroker: {} }, /'wroker' not allowed/],
    ['a misspelt value further in', { worker: { replica: 1 } }, /'\/worker'.*'replica' not allowed/],
    ['an address that is a URL', { temporal: { address: 'https://temporal:7233' } }, /'\/temporal\/address'/],
    ['no image', { image: { repository: '' } }, /image\.repository is not set\. A released chart has it/],
    ['no address', { temporal: { address: '' } }, /temporal\.address is not set\. Write host:port/],
    ['a role that is none', { worker: { identity: { awsRoleArn: 'kubeip' } } }, /awsRoleArn': 'kubeip'/],
    ['any free port', { config: { http: { workerPort: 0 } } }, /config\.http\.workerPort is 0/],
    [
      'a host that no probe reaches',
      { config: { http: { host: '127.0.0.1' } } },
      /config\.http\.host is 127\.0\.0\.1/,
    ],
    [
      'two that scale',
      { worker: { autoscaling: { hpa: { enabled: true }, keda: { enabled: true } } } },
      /Choose one/,
    ],
    ...['enabled', 'serverName'].map((key): [string, object, RegExp] => [
      `KEDA, which would ask in plain text, with temporal.tls.${key}`,
      { ...keda, temporal: { tls: { [key]: key === 'enabled' ? true : 'temporal.example.com' } } },
      /keda\.enabled .* neither temporal\.tls\.clientSecretName nor temporal\.apiKey\.secretName.*hpa/,
    ]),
    ...[{}, { apiKey: { secretName: 'a' } }].map((more): [string, object, RegExp] => [
      `KEDA, which would not read the authority, with ${JSON.stringify(more)}`,
      { ...keda, temporal: { tls: { caSecretName: 'authority' }, ...more } },
      /keda\.enabled .* temporal\.tls\.caSecretName .* temporal\.tls\.clientSecretName.*hpa/,
    ]),
    [
      'an API key and a certificate',
      { temporal: { apiKey: { secretName: 'a' }, tls: { clientSecretName: 'b' } } },
      /Choose one/,
    ],
    [
      'a pool of every node',
      withPool({ nodeSelector: {} }),
      /Pool "a" selects every node .* set avoidPoolNodes to false/,
    ],
  ])('%s', async (_, values, message) => {
    await expect(render([minimal, values])).rejects.toThrow(message);
  });

  test.each([
    ['20s', 29, false],
    ['20s', 30, true],
    ['1m30s', 99, false],
    ['1m30s', 100, true],
    ['0', 10, true],
  ])('a shutdown of %s in a grace period of %i s: taken is %s', async (shutdownGraceTime, seconds, taken) => {
    const values = {
      // The programs' own default is not said.
      config:
        shutdownGraceTime === defaults.worker.shutdownGraceTime ? {} : { worker: { shutdownGraceTime } },
      worker: { terminationGracePeriodSeconds: seconds },
    };
    const result = render([minimal, values]);
    if (taken) await result;
    else await expect(result).rejects.toThrow(`terminationGracePeriodSeconds is ${seconds}, too short for`);
  });
});
