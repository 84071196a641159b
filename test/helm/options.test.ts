/** What others build on the chart: each option reaches the objects that it is for, and no others. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { V1Container, V1PodSpec } from '@kubernetes/client-node';
import { chartFolder } from '../../sandbox/processes/chart-release.ts';
import { configMap, container, deployment, only, render, renderChart, type Rendered } from './helm.ts';

const programs = ['worker', 'watcher'] as const;
const pool = { name: 'a', nodeSelector: { matchLabels: { kubeip: 'use' } }, filter: 'Name=tag:a,Values=b' };
const config = { cluster: 'prod', defaults: { region: 'eu-west-1' }, pools: [pool] };
const image = { repository: 'registry.example.com/kubeip-temporal' };
const minimal = { config, image, temporal: { address: 'temporal.example.com:17233' } };
const proxy = [{ name: 'HTTPS_PROXY', value: 'http://proxy.example.com:3128' }];

const podSpec = (object: Rendered): V1PodSpec => object.spec?.template?.spec ?? ({} as V1PodSpec);
const job = (objects: readonly Rendered[]) => only(objects, 'Job', 'kubeip-temporal-prepare');
const testPod = (objects: readonly Rendered[]) =>
  only(objects, 'Pod', 'kubeip-temporal-test') as Rendered & { spec: V1PodSpec };

/** A part of a pod that the values of a program or of the hook set, and where it arrives. */
interface PodOption {
  readonly value: unknown;
  readonly read: (spec: V1PodSpec, main: V1Container | undefined) => unknown;
}

const volume = { name: 'ca', configMap: { name: 'company-ca' } };
const mount = { name: 'ca', mountPath: '/etc/ssl/company' };

/** What a program's pods and those of the hook share. */
const everyPod: Readonly<Record<string, PodOption>> = {
  extraEnv: { value: proxy, read: (_, main) => main?.env },
  envFrom: { value: [{ configMapRef: { name: 'proxy' } }], read: (_, main) => main?.envFrom },
  extraVolumes: { value: [volume], read: (spec) => spec.volumes },
  extraVolumeMounts: { value: [mount], read: (_, main) => main?.volumeMounts },
  priorityClassName: { value: 'system-cluster-critical', read: (spec) => spec.priorityClassName },
  dnsPolicy: { value: 'None', read: (spec) => spec.dnsPolicy },
  dnsConfig: { value: { nameservers: ['10.0.0.2'] }, read: (spec) => spec.dnsConfig },
  hostAliases: {
    value: [{ ip: '10.0.0.7', hostnames: ['temporal.example.com'] }],
    read: (spec) => spec.hostAliases,
  },
  nodeSelector: { value: { tier: 'system' }, read: (spec) => spec.nodeSelector },
  tolerations: { value: [{ key: 'system', operator: 'Exists' }], read: (spec) => spec.tolerations },
  affinity: {
    value: { podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } },
    read: (spec) => spec.affinity,
  },
};

/** What only programs have. */
const programPod: Readonly<Record<string, PodOption>> = {
  initContainers: { value: [{ name: 'wait', image: 'busybox' }], read: (spec) => spec.initContainers },
  extraContainers: { value: [{ name: 'proxy', image: 'envoy' }], read: (spec) => spec.containers },
  lifecycle: { value: { preStop: { sleep: { seconds: 5 } } }, read: (_, main) => main?.lifecycle },
  livenessProbe: { value: { periodSeconds: 7 }, read: (_, main) => main?.livenessProbe },
  readinessProbe: { value: { exec: { command: ['kubeip'] } }, read: (_, main) => main?.readinessProbe },
  startupProbe: { value: { failureThreshold: 900 }, read: (_, main) => main?.startupProbe },
};

/** Lists keep what the chart has of its own; objects, too. */
function expectHeld(found: unknown, value: unknown): void {
  if (Array.isArray(value)) expect(found).toEqual(expect.arrayContaining(value));
  else if (typeof value === 'object') expect(found).toMatchObject(value as object);
  else expect(found).toBe(value);
}

describe.each(programs)('%s.', (name) => {
  const other = programs.find((one) => one !== name) ?? 'worker';

  test.each(Object.entries({ ...everyPod, ...programPod }))(
    '%s reaches its pods and not those of the other program',
    async (option, { value, read }) => {
      const plain = await render([minimal]);
      const objects = await render([minimal, { [name]: { [option]: value } }]);
      const spec = podSpec(deployment(objects, name));
      expectHeld(
        read(
          spec,
          spec.containers.find((one) => one.name === name),
        ),
        value,
      );
      expect(deployment(objects, other)).toEqual(deployment(plain, other));
    },
  );

  test('labels and annotations are the Deployment’s, podLabels and podAnnotations its pods’', async () => {
    const more = {
      labels: { a: '1' },
      annotations: { b: '2' },
      podLabels: { c: '3' },
      podAnnotations: { d: '4' },
    };
    const { metadata, spec } = deployment(await render([minimal, { [name]: more }]), name);
    expect(metadata?.labels).toMatchObject({ a: '1' });
    expect(metadata?.annotations).toEqual({ b: '2' });
    expect(spec?.template?.metadata?.labels).toMatchObject({ c: '3' });
    expect(spec?.template?.metadata?.annotations).toMatchObject({ d: '4' });
    expect(spec?.template?.metadata?.labels).not.toHaveProperty('a');
  });

  test('strategy Recreate comes without the default’s rollingUpdate, which Kubernetes would refuse', async () => {
    const plain = deployment(await render([minimal]), name);
    expect(plain.spec?.['strategy']).toEqual({
      type: 'RollingUpdate',
      rollingUpdate: { maxUnavailable: 0, maxSurge: 1 },
    });
    const objects = await render([minimal, { [name]: { strategy: { type: 'Recreate' } } }]);
    expect(deployment(objects, name).spec?.['strategy']).toEqual({ type: 'Recreate' });
  });

  test('a probe with a handler of its own has that one alone', async () => {
    const exec = { exec: { command: ['kubeip', '--version'] } };
    const objects = await render([minimal, { [name]: { livenessProbe: exec } }]);
    expect(container(deployment(objects, name)).livenessProbe).toMatchObject(exec);
    expect(container(deployment(objects, name)).livenessProbe).not.toHaveProperty('httpGet');
    expect(container(deployment(objects, name)).readinessProbe?.httpGet).toEqual({
      path: '/readyz',
      port: 'http',
    });
  });

  test('podDisruptionBudget takes one of two bounds', async () => {
    const budget = async (more: object) =>
      only(
        await render([minimal, { [name]: { podDisruptionBudget: more } }]),
        'PodDisruptionBudget',
        `kubeip-temporal-${name}`,
      ).spec;
    expect(await budget({})).toMatchObject({
      maxUnavailable: 1,
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
    });
    expect(await budget({ maxUnavailable: '50%' })).toMatchObject({ maxUnavailable: '50%' });
    const least = await budget({ minAvailable: 0 });
    expect(least).toMatchObject({ minAvailable: 0 });
    expect(least).not.toHaveProperty('maxUnavailable');
  });
});

describe('hook.', () => {
  test.each(Object.entries(everyPod))(
    '%s reaches every container of the Job and of `helm test`, and no program',
    async (option, { value, read }) => {
      const plain = await render([minimal]);
      const objects = await render([minimal, { hook: { [option]: value } }]);
      const pods = [podSpec(job(objects)), testPod(objects).spec];
      for (const spec of pods) {
        for (const one of [...(spec.initContainers ?? []), ...spec.containers])
          expectHeld(read(spec, one), value);
      }
      for (const name of programs) expect(deployment(objects, name)).toEqual(deployment(plain, name));
    },
  );

  test('the Job runs before anything is changed: it checks the configuration, then registers', async () => {
    const objects = await render([minimal]);
    const prepare = job(objects);
    expect(prepare.metadata?.annotations).toMatchObject({ 'helm.sh/hook': 'pre-install,pre-upgrade' });
    expect(podSpec(prepare).initContainers?.map(({ args }) => args)).toEqual([
      ['kubeip', 'config', 'validate', '/etc/kubeip/kubeip.yaml'],
    ]);
    expect(container(prepare).args).toEqual(['worker', '--register-search-attributes']);
    // Its file is there before it, and says what the programs will read.
    const own = only(objects, 'ConfigMap', 'kubeip-temporal-prepare');
    expect(own.data).toEqual(configMap(objects).data);
    const weight = ({ metadata }: Rendered) => Number(metadata?.annotations?.['helm.sh/hook-weight']);
    expect(weight(own)).toBeLessThan(weight(prepare));
  });

  test('without registration it checks the configuration alone', async () => {
    const objects = await render([minimal, { temporal: { registerSearchAttributes: false } }]);
    expect(podSpec(job(objects)).initContainers).toBeUndefined();
    expect(container(job(objects)).args).toContain('validate');
  });

  test('it goes where the worker goes, unless told otherwise', async () => {
    const placed = { worker: everyOption(['nodeSelector', 'tolerations']) };
    expect(podSpec(job(await render([minimal, placed])))).toMatchObject(placed.worker);
    const own = { hook: { nodeSelector: { tier: 'other' } } };
    expect(podSpec(job(await render([minimal, placed, own]))).nodeSelector).toEqual({ tier: 'other' });
  });

  test('enabled: false leaves no hook but the test’s; each pod registers, with the program’s own variables', async () => {
    const more = { hook: { enabled: false }, worker: { extraEnv: proxy } };
    const objects = await render([minimal, more]);
    const hooks = objects.map(({ metadata }) => metadata?.annotations?.['helm.sh/hook']);
    expect(new Set(hooks)).toEqual(new Set([undefined, 'test']));
    for (const name of programs) {
      const [register] = podSpec(deployment(objects, name)).initContainers ?? [];
      expect(register?.args).toEqual(['worker', '--register-search-attributes']);
      expect(register?.env?.map((one) => one.name)).toEqual([
        'KUBEIP_CONFIG',
        'TEMPORAL_ADDRESS',
        'TEMPORAL_NAMESPACE',
        ...(name === 'worker' ? ['HTTPS_PROXY'] : []),
      ]);
    }
    const none = await render([minimal, more, { temporal: { registerSearchAttributes: false } }]);
    for (const name of programs) expect(podSpec(deployment(none, name)).initContainers).toBeUndefined();
  });
});

function everyOption(names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, everyPod[name]?.value]));
}

describe('the ConfigMap', () => {
  const nameOf = async (...more: object[]) => {
    const objects = await render([minimal, ...more]);
    const { metadata } = configMap(objects);
    for (const name of programs) {
      const volumes = podSpec(deployment(objects, name)).volumes ?? [];
      expect(volumes.find((one) => one.name === 'config')?.configMap?.name).toBe(metadata?.name);
    }
    return metadata?.name;
  };

  test('is named by its content: pods of another revision keep their file', async () => {
    const name = await nameOf();
    expect(await nameOf({ worker: { replicas: 7 } })).toBe(name);
    expect(await nameOf({ config: { audit: { interval: '20m' } } })).not.toBe(name);
  });

  test('cannot be changed, and may be kept from pruning', async () => {
    const objects = await render([minimal, { configAnnotations: { keep: 'yes' } }]);
    expect(configMap(objects)).toMatchObject({ immutable: true, metadata: { annotations: { keep: 'yes' } } });
  });
});

describe('a NetworkPolicy for each program', () => {
  interface Rule {
    readonly ports: readonly { readonly port: number | string }[];
    readonly to?: readonly object[];
  }
  const rules = (objects: readonly Rendered[], name: string) =>
    only(objects, 'NetworkPolicy', name).spec as { ingress?: Rule[]; egress: Rule[] } & Record<
      string,
      object
    >;
  const ports = ({ egress }: { egress: Rule[] }) => [
    ...new Set(egress.flatMap((rule) => rule.ports.map(({ port }) => port))),
  ];

  test('lets Temporal be reached at its port, and the cloud’s credentials by the worker alone', async () => {
    const objects = await render([minimal]);
    const worker = rules(objects, 'kubeip-temporal-worker');
    const watcher = rules(objects, 'kubeip-temporal-watcher');
    expect(ports(worker)).toEqual([53, 17_233, 443, 6443, 80, 988]);
    expect(ports(watcher)).toEqual([53, 17_233, 443, 6443]);
    expect(JSON.stringify(watcher)).not.toContain('169.254');
    expect(watcher['podSelector']).toEqual({
      matchLabels: {
        'app.kubernetes.io/name': 'kubeip-temporal',
        'app.kubernetes.io/instance': 'kubeip-temporal',
        'app.kubernetes.io/component': 'watcher',
      },
    });
    for (const { ingress } of [worker, watcher])
      expect(ingress).toEqual([
        { ports: [{ protocol: 'TCP', port: 'http' }], from: [{ namespaceSelector: {} }] },
      ]);
  });

  test.each(['prepare', 'test'])(
    'lets the pod of “%s” reach Temporal and nothing else',
    async (component) => {
      const objects = await render([minimal]);
      const policy = rules(objects, `kubeip-temporal-${component}`);
      expect(ports(policy)).toEqual([53, 17_233]);
      expect(policy.ingress).toBeUndefined();
      const labels =
        component === 'test'
          ? testPod(objects).metadata?.labels
          : job(objects).spec?.template?.metadata?.labels;
      expect(labels).toMatchObject((policy['podSelector'] as { matchLabels: object }).matchLabels);
    },
  );

  test('may name where the Kubernetes API, Temporal and the cloud are', async () => {
    const to = (cidr: string) => [{ ipBlock: { cidr } }];
    const networkPolicy = {
      kubernetesApi: { ports: [443], to: to('10.0.0.1/32') },
      cloudApi: { ports: [8443], to: to('10.0.1.0/24') },
      temporal: { to: to('10.0.2.0/24') },
    };
    const objects = await render([
      minimal,
      { networkPolicy, watcher: { extraEgress: [{ to: to('10.9.0.0/16') }] } },
    ]);
    const watcher = rules(objects, 'kubeip-temporal-watcher').egress.slice(1);
    expect(watcher.map((rule) => rule.to)).toEqual([to('10.0.2.0/24'), to('10.0.0.1/32'), to('10.9.0.0/16')]);
    const worker = rules(objects, 'kubeip-temporal-worker').egress;
    expect(worker).toContainEqual({ ports: [{ protocol: 'TCP', port: 8443 }], to: to('10.0.1.0/24') });
    expect(JSON.stringify(worker)).not.toContain('10.9.0.0');
  });
});

describe('monitoring', () => {
  test('takes relabelings and a timeout', async () => {
    const more = {
      enabled: true,
      annotations: { a: 'b' },
      interval: '30s',
      scrapeTimeout: '20s',
      relabelings: [{ targetLabel: 'cluster', replacement: 'prod' }],
      metricRelabelings: [{ sourceLabels: ['__name__'], regex: 'nodejs_.*', action: 'drop' }],
    };
    const objects = await render([minimal, { monitoring: { serviceMonitor: more, podMonitor: more } }]);
    const { enabled: _, annotations, ...endpoint } = more;
    for (const [kind, key] of [
      ['ServiceMonitor', 'endpoints'],
      ['PodMonitor', 'podMetricsEndpoints'],
    ] as const) {
      const monitor = only(objects, kind);
      expect(monitor.metadata?.annotations).toEqual(annotations);
      expect(monitor.spec?.[key]).toEqual([{ port: 'http', path: '/metrics', ...endpoint }]);
    }
  });

  test('has a PodMonitoring for GKE’s managed Prometheus, whose metrics have the label of the others', async () => {
    const objects = await render([minimal, { monitoring: { podMonitoring: { enabled: true } } }]);
    expect(only(objects, 'PodMonitoring')).toMatchObject({
      apiVersion: 'monitoring.googleapis.com/v1',
      spec: {
        targetLabels: {
          fromPod: [{ from: 'app.kubernetes.io/component', to: 'app_kubernetes_io_component' }],
        },
        endpoints: [{ port: 'http', path: '/metrics', interval: '30s' }],
      },
    });
  });
});

test('the HorizontalPodAutoscaler takes a behavior and more metrics', async () => {
  const behavior = { scaleDown: { stabilizationWindowSeconds: 600 } };
  const memory = { type: 'Resource', resource: { name: 'memory', target: { type: 'Utilization' } } };
  const hpa = { enabled: true, behavior, extraMetrics: [memory] };
  const { spec } = only(
    await render([minimal, { worker: { autoscaling: { hpa } } }]),
    'HorizontalPodAutoscaler',
  );
  expect(spec).toMatchObject({ behavior, metrics: [{ resource: { name: 'cpu' } }, memory] });
});

test('revisionHistoryLimit is that of both Deployments', async () => {
  const objects = await render([minimal, { revisionHistoryLimit: 1 }]);
  for (const name of programs) expect(deployment(objects, name).spec?.['revisionHistoryLimit']).toBe(1);
});

test('namespaceOverride moves every object that has a namespace, but the Role for Events of Nodes', async () => {
  const objects = await render([minimal, { namespaceOverride: 'network' }]);
  const elsewhere = objects.filter(({ metadata }) => metadata?.namespace !== 'network');
  expect(elsewhere.map(({ kind, metadata }) => `${kind} ${metadata?.namespace ?? '-'}`).sort()).toEqual([
    'ClusterRole -',
    'ClusterRole -',
    'ClusterRoleBinding -',
    'ClusterRoleBinding -',
    'Role default',
    'RoleBinding default',
  ]);
  for (const binding of objects.filter(({ kind = '' }) => kind.endsWith('Binding'))) {
    expect(binding.subjects).toEqual([expect.objectContaining({ namespace: 'network' })]);
  }
});

test('commonAnnotations reach every object', async () => {
  const more = {
    commonAnnotations: { owner: 'network' },
    monitoring: {
      serviceMonitor: { enabled: true },
      podMonitor: { enabled: true },
      podMonitoring: { enabled: true },
      prometheusRule: { enabled: true },
      dashboards: { enabled: true },
    },
    worker: { autoscaling: { keda: { enabled: true } } },
    temporal: { apiKey: { secretName: 'key' } },
  };
  const objects = await render([minimal, more]);
  expect(objects.length).toBeGreaterThan(20);
  const own = objects.filter(({ metadata }) => metadata?.annotations?.['helm.sh/hook'] !== 'test');
  for (const object of own) {
    expect([object.kind, object.metadata?.name, object.metadata?.annotations]).toEqual([
      object.kind,
      object.metadata?.name,
      expect.objectContaining({ owner: 'network' }),
    ]);
  }
});

test('extraObjects are objects or text, and templates in them are filled in', async () => {
  const object = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });
  const extraObjects = [
    object('{{ .Release.Name }}-a'),
    JSON.stringify(object('{{ .Values.config.cluster }}-b')),
  ];
  const objects = await render([minimal, { extraObjects }]);
  expect(only(objects, 'ConfigMap', 'kubeip-temporal-a')).toEqual(object('kubeip-temporal-a'));
  expect(only(objects, 'ConfigMap', 'prod-b')).toEqual(object('prod-b'));
});

test('`helm test` runs the doctor with the configuration of the programs, and is no selected pod of theirs', async () => {
  const objects = await render([minimal]);
  const { metadata, spec } = testPod(objects);
  expect(metadata?.annotations).toMatchObject({ 'helm.sh/hook': 'test' });
  expect(spec.containers.map(({ args }) => args)).toEqual([['kubeip', 'doctor']]);
  expect(spec.volumes).toContainEqual({
    name: 'config',
    configMap: { name: configMap(objects).metadata?.name },
  });
  expect(metadata?.labels).not.toHaveProperty(['app.kubernetes.io/instance']);
});

test.each([...programs, 'hook'])(
  'a volume of %s with a name of the chart’s own is refused, and the message names it',
  async (part) => {
    const values = { [part]: { extraVolumes: [{ name: 'config', emptyDir: {} }] } };
    await expect(render([minimal, values])).rejects.toThrow(`${part}.extraVolumes has a volume "config"`);
  },
);

describe('labels and annotations', () => {
  /** Keys that the chart has itself, and `team` at every place. */
  const overlapping = {
    commonLabels: { 'app.kubernetes.io/part-of': 'platform', 'helm.sh/chart': 'mine', team: 'common' },
    commonAnnotations: { 'helm.sh/resource-policy': 'keep', team: 'common' },
    podAnnotations: { team: 'common' },
    configAnnotations: { team: 'own' },
    hook: {
      annotations: { team: 'own', 'helm.sh/hook-weight': '7' },
      podLabels: { team: 'own' },
      podAnnotations: { team: 'own' },
    },
    ...Object.fromEntries(
      programs.map((name) => [
        name,
        {
          labels: { team: 'own' },
          annotations: { team: 'own' },
          podLabels: { team: 'own' },
          podAnnotations: { team: 'own', 'kubectl.kubernetes.io/default-container': 'proxy' },
        },
      ]),
    ),
    monitoring: Object.fromEntries(
      ['serviceMonitor', 'podMonitor', 'podMonitoring', 'prometheusRule', 'dashboards'].map((name) => [
        name,
        { enabled: true, labels: { team: 'own' }, annotations: { team: 'own' } },
      ]),
    ),
  };
  const isMonitoring = ({ kind = '', metadata }: Rendered) =>
    /Monitor|Rule$/.test(kind) || metadata?.name === 'kubeip-temporal-kubeip-temporal';

  test('of one object win over common ones, and no key is there twice', async () => {
    const objects = await render([minimal, overlapping]);
    const own = [deployment(objects, 'worker'), deployment(objects, 'watcher')];
    const monitoring = objects.filter(isMonitoring);
    expect(monitoring).toHaveLength(5);
    for (const { metadata } of [...own, ...monitoring]) {
      expect(metadata?.labels).toMatchObject({ team: 'own', 'app.kubernetes.io/part-of': 'platform' });
      expect(metadata?.annotations).toMatchObject({ team: 'own' });
    }
    const pods = [...own, job(objects)].map(({ spec }) => spec?.template?.metadata);
    for (const metadata of [...pods, testPod(objects).metadata]) {
      expect(metadata?.labels).toMatchObject({ team: 'own' });
      expect(metadata?.annotations).toMatchObject({ team: 'own' });
    }
    expect(pods[0]?.annotations).toMatchObject({ 'kubectl.kubernetes.io/default-container': 'proxy' });
    expect(job(objects).metadata?.annotations).toMatchObject({ team: 'own', 'helm.sh/hook-weight': '0' });
    expect(only(objects, 'ServiceAccount', 'kubeip-temporal-worker').metadata?.labels).toMatchObject({
      team: 'common',
      'app.kubernetes.io/component': 'worker',
    });
  });

  test('leave every selector the pods that it is for', async () => {
    const selected = async (...more: object[]) => {
      const objects = await render([minimal, ...more]);
      const pods = [
        ...[deployment(objects, 'worker'), deployment(objects, 'watcher'), job(objects)].map(
          ({ spec }) => spec?.template?.metadata?.labels,
        ),
        testPod(objects).metadata?.labels,
      ];
      return objects.flatMap(({ kind, metadata, spec }) => {
        const { matchLabels } = (spec?.['podSelector'] ?? spec?.['selector'] ?? {}) as {
          matchLabels?: Record<string, string>;
        };
        if (matchLabels === undefined || kind === 'ServiceMonitor') return [];
        const matches = pods.map((labels) =>
          Object.entries(matchLabels).every(([key, value]) => labels?.[key] === value),
        );
        return [[kind, metadata?.name, matches]];
      });
    };
    const monitoring = { monitoring: { podMonitor: { enabled: true } } };
    const plain = await selected(monitoring);
    expect(plain).toHaveLength(9);
    const { monitoring: _, ...more } = overlapping;
    expect(await selected(monitoring, more)).toEqual(plain);
  });

  test.each([
    ['commonLabels', 'app.kubernetes.io/name'],
    ['commonLabels', 'app.kubernetes.io/instance'],
    ['commonLabels', 'app.kubernetes.io/component'],
    ['worker.labels', 'app.kubernetes.io/component'],
    ['worker.podLabels', 'kubeip-temporal.io/build'],
    ['watcher.podLabels', 'app.kubernetes.io/instance'],
    ['hook.podLabels', 'app.kubernetes.io/name'],
    ['hook.podLabels', 'app.kubernetes.io/part-of'],
    ['monitoring.dashboards.labels', 'app.kubernetes.io/component'],
  ])('in %s cannot be %s, by which the chart’s own selectors go', async (path, key) => {
    const values = path
      .split('.')
      .reduceRight<object>((inner, name) => ({ [name]: inner }), { [key]: 'mine' });
    await expect(render([minimal, values])).rejects.toThrow(`${path} has the label ${key}`);
  });
});

describe('as a conditional subchart', () => {
  /** A parent with the chart under its condition, and with another subchart that has KubeIP's own template names. */
  async function renderParent(values: object): Promise<Rendered[]> {
    const parent = mkdtempSync(join(tmpdir(), 'kubeip-parent-'));
    try {
      cpSync(chartFolder, join(parent, 'charts/kubeip-temporal'), { recursive: true });
      const condition = 'kubeip-temporal.enabled';
      const chart = (name: string, more: object) =>
        JSON.stringify({ apiVersion: 'v2', name, version: '1.0.0', ...more });
      const dependencies = [{ name: 'kubeip-temporal', version: '0.1.0', condition }];
      writeFileSync(join(parent, 'Chart.yaml'), chart('platform', { dependencies }));
      mkdirSync(join(parent, 'charts/zz/templates'), { recursive: true });
      writeFileSync(join(parent, 'charts/zz/Chart.yaml'), chart('zz', {}));
      const clash =
        '{{- define "kubeip.fullname" }}clash{{ end }}{{- define "kubeip.labels" }}clash{{ end }}';
      writeFileSync(join(parent, 'charts/zz/templates/_helpers.tpl'), clash);
      return await renderChart(parent, [values]);
    } finally {
      rmSync(parent, { recursive: true });
    }
  }

  test('it makes the same objects under the parent’s values', async () => {
    const shown = (objects: Rendered[]) =>
      objects.map(({ kind, metadata }) => `${kind} ${metadata?.name}`).sort();
    const global = { domain: 'example.com' };
    const objects = await renderParent({ global, 'kubeip-temporal': { enabled: true, ...minimal } });
    expect(shown(objects)).toEqual(shown(await render([minimal])));
  });

  test.each<[string, readonly string[]]>([
    ['volumes', ['extraVolumes', 'extraVolumeMounts']],
    ['a proxy', ['extraEnv', 'envFrom', 'dnsPolicy', 'dnsConfig', 'hostAliases']],
    ['scheduling', ['nodeSelector', 'tolerations', 'affinity', 'priorityClassName']],
  ])('with %s every pod has them as it has without a parent', async (_, names) => {
    const options = everyOption(names);
    const values = { ...minimal, worker: options, watcher: options, hook: options };
    const objects = await renderParent({ 'kubeip-temporal': { enabled: true, ...values } });
    const pods = [
      ...programs.map((name) => podSpec(deployment(objects, name))),
      podSpec(job(objects)),
      testPod(objects).spec,
    ];
    for (const spec of pods) {
      for (const name of names) {
        const option = everyPod[name];
        expectHeld(option?.read(spec, spec.containers[0]), option?.value);
      }
    }
    const specs = (all: readonly Rendered[]) => all.map(({ kind, spec }) => ({ kind, spec }));
    expect(specs(objects)).toEqual(expect.arrayContaining(specs(await render([values]))));
  });

  test('and nothing when it is switched off, also without a configuration', async () => {
    expect(await renderParent({ 'kubeip-temporal': { enabled: false } })).toEqual([]);
  });

  test('no template has a name that another chart may define', () => {
    const folder = join(chartFolder, 'templates');
    const names = readdirSync(folder)
      .flatMap((file) => (file.includes('.') ? [readFileSync(join(folder, file), 'utf8')] : []))
      .flatMap((text) => [...text.matchAll(/define "([^"]+)"/g)].map(([, name]) => name));
    expect(names.length).toBeGreaterThan(10);
    expect(names.filter((name) => !name?.startsWith('kubeip-temporal.'))).toEqual([]);
  });
});
