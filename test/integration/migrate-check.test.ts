/** `kubeip migrate check` as a process, against a real kube-apiserver: needs no Temporal, and prints a file that is valid. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { AppsV1Api, RbacAuthorizationV1Api } from '@kubernetes/client-node';
import { loadConfig } from '../../config/config.ts';
import { exitCodes } from '../../program/exit-codes.ts';
import { createNode } from '../../sandbox/nodes.ts';
import type { World } from '../../sandbox/world.ts';
import { runKubeip } from '../cli/run-kubeip.ts';
import { startTestWorld } from '../shared-kubernetes.ts';
import { clusterWith, ofAManifest } from '../unit/kubeip-shapes.ts';

let world: World;
beforeAll(async () => {
  world = await startTestWorld({ kubernetes: true });
}, 900_000);
afterAll(() => world?.stop());

const check = (...args: string[]) =>
  runKubeip(['migrate', 'check', '--cluster', 'prod', ...args], {
    KUBECONFIG: world.kubernetes.kubeconfigFile,
  });

test('without KubeIP it says so; with it, it prints the file and what differs', async () => {
  expect(await check()).toMatchObject({
    code: exitCodes.notFound,
    stdout: '',
    stderr: expect.stringContaining('No DaemonSet of KubeIP'),
  });

  const { kubeConfig } = world.kubernetes;
  const { daemonSets, roles = [], bindings = [] } = clusterWith(ofAManifest);
  const apps = kubeConfig.makeApiClient(AppsV1Api);
  const rbac = kubeConfig.makeApiClient(RbacAuthorizationV1Api);
  for (const body of daemonSets) {
    await apps.createNamespacedDaemonSet({ namespace: body.metadata?.namespace ?? '', body });
  }
  for (const body of roles) await rbac.createClusterRole({ body });
  for (const body of bindings) await rbac.createClusterRoleBinding({ body });
  const region = { 'topology.kubernetes.io/region': 'eu-west-1' };
  const providerID = 'aws:///eu-west-1a/i-0123456789abcdef0';
  await createNode(world.kubernetes, { name: 'node-a', labels: { kubeip: 'use', ...region }, providerID });
  await createNode(world.kubernetes, { name: 'node-b', labels: region, providerID });

  const { code, stdout, stderr } = await check();
  expect({ code, stderr }).toMatchObject({ code: exitCodes.ok, stderr: expect.stringContaining('node-a') });
  expect(stderr).toContain('DaemonSet default/kubeip-agent releases its address when its pod ends');
  const folder = mkdtempSync(join(tmpdir(), 'kubeip-migrate-'));
  const file = join(folder, 'kubeip.yaml');
  writeFileSync(file, stdout);
  const { cluster, pools } = loadConfig({ file, env: {} });
  rmSync(folder, { recursive: true });
  expect([cluster, pools[0]?.region, pools[0]?.taintKey]).toEqual([
    'prod',
    'eu-west-1',
    'kubeip.com/not-ready',
  ]);
  expect(JSON.parse((await check('-o', 'json')).stdout)).toMatchObject({
    problems: [],
    nodes: [{ node: 'node-a' }],
  });
});
