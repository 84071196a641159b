/** The chart in a cluster: a real kube-apiserver takes what helm applies, and the programs live on that alone. */
import { readFileSync } from 'node:fs';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  AppsV1Api,
  BatchV1Api,
  CoreV1Api,
  RbacAuthorizationV1Api,
  type V1Deployment,
  type V1PodTemplateSpec,
} from '@kubernetes/client-node';
import { Connection } from '@temporalio/client';
import { searchAttributeNumbers } from '../../program/search-attributes.ts';
import {
  type ChartRelease,
  createPod,
  installChart,
  startDeployments,
  testChart,
  uninstallChart,
} from '../../sandbox/processes/chart-release.ts';
import { createNode } from '../../sandbox/nodes.ts';
import type { World } from '../../sandbox/world.ts';
import { startTestWorld } from '../shared-kubernetes.ts';

const namespace = 'kubeip-temporal';
const name = 'kubeip-temporal';
const labelSelector = `app.kubernetes.io/instance=${name}`;
const configSelector = `${labelSelector},app.kubernetes.io/component=config`;

let world: World;
let release: ChartRelease;
const values = (interval: string) => ({
  config: {
    cluster: 'prod',
    defaults: { region: 'eu-west-1' },
    pools: [
      {
        name: 'public',
        nodeSelector: { matchLabels: { nodegroup: 'public' } },
        filter: 'Name=tag:kubeip,Values=reserved',
        retries: { interval },
      },
    ],
  },
  temporal: { address: world.temporal.address },
  podAnnotations: { 'example.com/a': 'b' },
});

/** All that this release has asked helm for. */
const spec = (interval: string) => {
  const { kubernetes, dir } = world;
  return { kubernetes, dir, namespace, name, values: values(interval) };
};

beforeAll(async () => {
  world = await startTestWorld({ temporal: true, kubernetes: true });
  release = await installChart(spec('1m'));
}, 900_000);
afterAll(() => world?.stop());

async function deployments(): Promise<V1Deployment[]> {
  const apps = world.kubernetes.kubeConfig.makeApiClient(AppsV1Api);
  return (await apps.listNamespacedDeployment({ namespace, labelSelector })).items;
}

describe('helm install', () => {
  test('runs the Job first, and says what to do next', () => {
    expect(release.jobOutput).toMatch(
      /The configuration of cluster prod is valid\. Pools: public\.\n[^]*Namespace "default" has all search attributes\./,
    );
    expect(release.notes).toContain('kubectl get nodes -L kubeip-temporal.io/phase');
    expect(release.notes).toContain(
      `The worker's ServiceAccount ${namespace}/${name}-worker has no annotation`,
    );
  });

  test('applies Deployments that a Pod can be made of where Pod Security "restricted" is enforced', async () => {
    expect(Object.keys(await startDeployments(spec('1m'))).sort()).toEqual(['watcher', 'worker']);
    const core = world.kubernetes.kubeConfig.makeApiClient(CoreV1Api);
    const { metadata } = await core.readNamespace({ name: namespace });
    expect(metadata?.labels).toMatchObject({ 'pod-security.kubernetes.io/enforce': 'restricted' });
  });

  test('and the API server does look: without its security context the same Pod is refused', async () => {
    for (const { spec: deploymentSpec } of await deployments()) {
      const template = structuredClone(deploymentSpec?.template) as V1PodTemplateSpec;
      for (const container of template.spec?.containers ?? []) delete container.securityContext;
      await expect(createPod(world.kubernetes, namespace, 'lax', template)).rejects.toThrow(
        /violates PodSecurity \W*restricted/,
      );
    }
  });
});

/** What an installation that is refused must leave alone. */
async function untouched(work: () => Promise<void>): Promise<void> {
  const core = world.kubernetes.kubeConfig.makeApiClient(CoreV1Api);
  const state = async () => [
    ...(await deployments()),
    ...(await core.listNamespacedConfigMap({ namespace, labelSelector: configSelector })).items,
  ];
  const versions = async () =>
    (await state()).map(({ metadata }) => [metadata?.name, metadata?.resourceVersion]);
  const before = await versions();
  expect(before).toHaveLength(3);
  await work();
  expect(await versions()).toEqual(before);
}

test('an installation for a Temporal namespace that is not there fails at its Job, which says so, and changes nothing', async () => {
  await untouched(async () => {
    const wrong = { ...values('3m'), temporal: { address: world.temporal.address, namespace: 'nowhere' } };
    await expect(installChart({ ...spec('3m'), values: wrong })).rejects.toThrow(
      /BackoffLimitExceeded[^]*no namespace "nowhere"/,
    );
  });
});

test('so does one with a configuration that only the programs can judge', async () => {
  await untouched(async () => {
    const wrong = structuredClone(values('3m'));
    for (const pool of wrong.config.pools) pool.filter = 'Name=tag:kubeip';
    await expect(installChart({ ...spec('3m'), values: wrong })).rejects.toThrow(
      /BackoffLimitExceeded[^]*pools\[0\]\.filter/,
    );
  });
});

test('helm upgrade with a changed pool rolls both programs, and pods of earlier revisions find their file', async () => {
  const core = world.kubernetes.kubeConfig.makeApiClient(CoreV1Api);
  const state = async () =>
    (await deployments()).map(({ metadata, spec: deploymentSpec }) => ({
      name: metadata?.name,
      generation: metadata?.generation,
      config: deploymentSpec?.template.spec?.volumes?.find((one) => one.name === 'config')?.configMap?.name,
    }));
  const files = async () =>
    (await core.listNamespacedConfigMap({ namespace, labelSelector: configSelector })).items.map(
      ({ metadata }) => metadata?.name,
    );
  const before = await state();
  expect(before).toHaveLength(2);
  await installChart(spec('1m'));
  expect(await state()).toEqual(before);

  await installChart(spec('2m'));
  for (const [index, after] of (await state()).entries()) {
    expect(after.config).not.toBe(before[index]?.config);
    expect(after.generation).toBe((before[index]?.generation ?? 0) + 1);
  }
  expect(await files()).toHaveLength(2);
  expect(await files()).toContain(before[0]?.config);

  // As many as the Deployments remember revisions (3), and the present one.
  for (const interval of ['3m', '4m', '5m', '6m']) await installChart(spec(interval));
  const kept = await files();
  expect(kept).toHaveLength(4);
  expect(kept).not.toContain(before[0]?.config);
  expect(kept).toContain((await state())[0]?.config);
});

test('the file of a configuration that came back, and of pods that still run, is kept however old it is', async () => {
  const { kubernetes, dir } = world;
  const own = { kubernetes, dir, namespace: 'came-back', name: 'came-back' };
  const core = kubernetes.kubeConfig.makeApiClient(CoreV1Api);
  const apps = kubernetes.kubeConfig.makeApiClient(AppsV1Api);
  const watcher = { namespace: own.namespace, name: 'came-back-watcher' };
  /** @returns the ConfigMap that the Deployments name then */
  const install = async (interval: string) => {
    const more = { fullnameOverride: own.name, revisionHistoryLimit: 1, hook: { enabled: false } };
    await installChart({ ...own, values: { ...values(interval), ...more } });
    const { spec: deploymentSpec } = await apps.readNamespacedDeployment(watcher);
    const volumes = deploymentSpec?.template.spec?.volumes ?? [];
    return volumes.find((one) => one.name === 'config')?.configMap?.name ?? '';
  };
  const files = async () => {
    const { items } = await core.listNamespacedConfigMap({ namespace: own.namespace });
    return items.flatMap(({ metadata }) => (metadata?.name?.includes('-config-') ? [metadata.name] : []));
  };
  const first = await install('1m');
  await install('2m');
  expect(await install('1m')).toBe(first);
  await install('3m');
  expect(await files()).toContain(first);

  // A rollout that is stuck: no Deployment names the file any more, but its pods run.
  const { spec: deploymentSpec } = await apps.readNamespacedDeployment(watcher);
  const template = structuredClone(deploymentSpec?.template);
  for (const { configMap } of template?.spec?.volumes ?? []) if (configMap) configMap.name = first;
  const selector = { matchLabels: template?.metadata?.labels ?? {} };
  await apps.createNamespacedReplicaSet({
    namespace: own.namespace,
    body: { metadata: { name: 'came-back-watcher-1' }, spec: { selector, ...(template && { template }) } },
  });
  for (const interval of ['4m', '5m']) await install(interval);
  expect(await files()).toContain(first);
  // It, the present one and the one before.
  expect(await files()).toHaveLength(3);
  await uninstallChart(own);
});

describe('helm test', () => {
  test('fails while no worker polls, with what the doctor says', async () => {
    await expect(testChart(spec('6m'))).rejects.toThrow(/PROBLEM .*kubeip\/cluster\/prod/);
  });
});

test('the first switch to Worker Versioning leaves the unversioned workers, as docs/upgrades.md has it', async () => {
  const { kubernetes, dir } = world;
  const own = { kubernetes, dir, namespace: 'first-switch', name: 'kubeip-temporal' };
  const apps = kubernetes.kubeConfig.makeApiClient(AppsV1Api);
  await installChart({ ...own, values: { ...values('1m'), fullnameOverride: 'first-switch' } });
  const unversioned = { namespace: own.namespace, name: 'first-switch-worker' };
  const deployment = await apps.readNamespacedDeployment(unversioned);
  const page = readFileSync(new URL('../../docs/upgrades.md', import.meta.url), 'utf8');
  const [, key = '', value = ''] = /annotate deployment kubeip-temporal-worker (\S+)=(\w+)/.exec(page) ?? [];
  const { annotations } = deployment.metadata ?? {};
  if (deployment.metadata !== undefined) deployment.metadata.annotations = { ...annotations, [key]: value };
  await apps.replaceNamespacedDeployment({ ...unversioned, body: deployment });

  const versioned = {
    fullnameOverride: 'first-switch',
    worker: { versioning: { enabled: true, buildId: '1' } },
  };
  await installChart({ ...own, values: { ...values('1m'), ...versioned } });
  const { items } = await apps.listNamespacedDeployment({ namespace: own.namespace });
  expect(new Set(items.map((item) => item.metadata?.name))).toEqual(
    new Set(['first-switch-watcher', 'first-switch-worker', 'first-switch-worker-1']),
  );
  await uninstallChart(own);
});

test('without its hook each pod registers first, also where the namespace is new', async () => {
  const { kubernetes, dir, temporal } = world;
  const connection = await Connection.connect({ address: temporal.address });
  await connection.workflowService.registerNamespace({
    namespace: 'unhooked',
    workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
  });
  const other = { kubernetes, dir, namespace: 'unhooked', name: 'unhooked' };
  const unhooked = {
    ...values('1m'),
    temporal: { address: temporal.address, namespace: 'unhooked' },
    hook: { enabled: false },
  };
  expect(await installChart({ ...other, values: unhooked })).toMatchObject({ jobOutput: '' });
  const { items } = await kubernetes.kubeConfig
    .makeApiClient(BatchV1Api)
    .listNamespacedJob({ namespace: 'unhooked' });
  expect(items).toEqual([]);
  expect(Object.keys(await startDeployments(other)).sort()).toEqual(['watcher', 'worker']);
  const listed = await connection.operatorService.listSearchAttributes({ namespace: 'unhooked' });
  await connection.close();
  expect(listed.customAttributes).toMatchObject(searchAttributeNumbers);
  await uninstallChart(other);
});

test('the demo passes with the programs, accounts and configuration that helm installs', async () => {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const args = ['demo/main.ts', '--chart', '--nodes', '8', '--once', '--json'];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root });
  expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({
    nodes: 8,
    assigned: 6,
    released: 1,
    deleted: 1,
    doubleAssigned: 0,
    leaked: 0,
    foreignTouched: 0,
    untrue: 0,
    workerKills: 1,
  });
});

test('helm uninstall takes away what it brought, and touches no Node', async () => {
  const { kubernetes } = world;
  const core = kubernetes.kubeConfig.makeApiClient(CoreV1Api);
  const labels = { 'kubeip-temporal.io/phase': 'assigned' };
  const node = await createNode(kubernetes, { name: 'a', labels });

  const rbac = kubernetes.kubeConfig.makeApiClient(RbacAuthorizationV1Api);
  const own = async (): Promise<unknown[]> => {
    const lists = await Promise.all([
      rbac.listClusterRole({ labelSelector }),
      rbac.listClusterRoleBinding({ labelSelector }),
      rbac.listRoleForAllNamespaces({ labelSelector }),
      rbac.listRoleBindingForAllNamespaces({ labelSelector }),
      core.listNamespacedServiceAccount({ namespace, labelSelector }),
      core.listNamespacedConfigMap({ namespace, labelSelector }),
    ]);
    return [...(await deployments()), ...lists.flatMap(({ items }): unknown[] => items)];
  };
  // Two Deployments, two accounts, three roles with their bindings, and the configurations of four revisions.
  expect(await own()).toHaveLength(14);
  await uninstallChart({ kubernetes, namespace, name });
  expect(await own()).toEqual([]);
  expect((await core.readNode({ name: 'a' })).metadata?.resourceVersion).toBe(node.metadata?.resourceVersion);
});
