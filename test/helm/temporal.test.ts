/** deploy/temporal: the manifest for one small server, as it stands, and the values for others. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  AppsV1Api,
  CoreV1Api,
  KubernetesObjectApi,
  PatchStrategy,
  type KubernetesObject,
  type V1StatefulSet,
} from '@kubernetes/client-node';
import { Connection } from '@temporalio/client';
import { parse, parseAllDocuments } from 'yaml';
import { searchAttributeCliTypes, searchAttributeNumbers } from '../../program/search-attributes.ts';
import { createPod, installChart } from '../../sandbox/processes/chart-release.ts';
import { type ManagedProcess, startProcess } from '../../sandbox/processes/child-process.ts';
import { isolatedEnvironment } from '../../sandbox/processes/environment.ts';
import { loopback, withPorts } from '../../sandbox/processes/ports.ts';
import { waitUntilReady } from '../../sandbox/processes/readiness.ts';
import { tools } from '../../sandbox/tools/catalog.ts';
import { ensureTools } from '../../sandbox/tools/ensure-tools.ts';
import type { World } from '../../sandbox/world.ts';
import { startTestWorld } from '../shared-kubernetes.ts';

const folder = fileURLToPath(new URL('../../deploy/temporal/', import.meta.url));
const objects = parseAllDocuments(readFileSync(`${folder}small.yaml`, 'utf8')).map(
  (document) => document.toJS() as KubernetesObject,
);
const statefulSet = objects.find(({ kind }) => kind === 'StatefulSet') as V1StatefulSet;

describe('the small server', () => {
  let world: World;
  let dir: string;
  let server: ManagedProcess;
  let address: string;
  beforeAll(async () => {
    world = await startTestWorld({ kubernetes: true });
    dir = mkdtempSync(join(tmpdir(), 'kubeip-temporal-small-'));
    ({ server, address } = await startSmallServer(dir));
  }, 900_000);
  afterAll(async () => {
    await server?.stop();
    await world?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  test('is taken by the API server, and its pod by Pod Security "restricted"', async () => {
    const api = KubernetesObjectApi.makeApiClient(world.kubernetes.kubeConfig);
    for (const object of objects) {
      await api.patch(object, undefined, undefined, 'test', true, PatchStrategy.ServerSideApply);
    }
    const { kubeConfig } = world.kubernetes;
    const namespace = await kubeConfig.makeApiClient(CoreV1Api).readNamespace({ name: 'temporal' });
    expect(namespace.metadata?.labels).toMatchObject({ 'pod-security.kubernetes.io/enforce': 'restricted' });
    const applied = await kubeConfig
      .makeApiClient(AppsV1Api)
      .readNamespacedStatefulSet({ namespace: 'temporal', name: 'temporal' });
    // The claim's volume is the StatefulSet controller's to add.
    const template = structuredClone(applied.spec?.template);
    template?.spec?.volumes?.push({ name: 'data', persistentVolumeClaim: { claimName: 'data-temporal-0' } });
    const pod = await createPod(world.kubernetes, 'temporal', 'temporal', template);
    expect(pod.spec?.containers[0]?.args).toEqual(statefulSet.spec?.template.spec?.containers[0]?.args);
  });

  test('answers its probe', async () => {
    const probe = statefulSet.spec?.template.spec?.containers[0]?.readinessProbe?.grpc;
    const connection = await Connection.connect({ address });
    const { status } = await connection.healthService.check({ service: probe?.service ?? '' });
    await connection.close();
    expect(status).toBe(1); // SERVING ("GRPC Health Checking Protocol")
  });

  test('ends the polls of a worker that stops, so that no task is handed to it', async () => {
    const connection = await Connection.connect({ address });
    const { namespaceInfo } = await connection.workflowService.describeNamespace({ namespace: 'default' });
    await connection.close();
    expect(namespaceInfo?.capabilities).toMatchObject({ workerPollCompleteOnShutdown: true });
  });

  test('gets its search attributes from the chart’s Job, and the next Job finds them', async () => {
    const { kubernetes } = world;
    const release = {
      kubernetes,
      dir,
      namespace: 'kubeip-temporal',
      name: 'kubeip-temporal',
      values: {
        config: {
          cluster: 'a',
          pools: [
            {
              name: 'a',
              region: 'eu-west-1',
              nodeSelector: { matchLabels: { kubeip: 'use' } },
              filter: 'Name=tag:a,Values=b',
            },
          ],
        },
        temporal: { address },
      },
    };
    const first = await installChart(release);
    const names = Object.keys(searchAttributeNumbers);
    expect(first.jobOutput).toContain(`Registered in namespace "default": ${names.join(', ')}.`);
    const connection = await Connection.connect({ address });
    const listed = await connection.operatorService.listSearchAttributes({ namespace: 'default' });
    await connection.close();
    expect(listed.customAttributes).toMatchObject(searchAttributeNumbers);
    expect((await installChart(release)).jobOutput).toContain('has all search attributes');
  });

  test('keeps its data in the file on the volume', async () => {
    await server.stop();
    ({ server, address } = await startSmallServer(dir));
    const connection = await Connection.connect({ address });
    const listed = await connection.operatorService.listSearchAttributes({ namespace: 'default' });
    await connection.close();
    expect(listed.customAttributes).toMatchObject(searchAttributeNumbers);
  });
});

test('the image of the small server is the Temporal CLI that everything here is tried with', () => {
  const wheel = tools.temporal.sources.find(({ kind }) => kind === 'wheel');
  const version = wheel?.kind === 'wheel' ? wheel.requirement.split('==')[1] : undefined;
  expect(statefulSet.spec?.template.spec?.containers[0]?.image).toBe(`temporalio/temporal:${version}`);
});

/** The `temporal` command with the manifest's arguments, but for what this machine must give: host, ports and folder. */
async function startSmallServer(dir: string): Promise<{ server: ManagedProcess; address: string }> {
  const { temporal } = await ensureTools(['temporal']);
  const container = statefulSet.spec?.template.spec?.containers[0];
  const mountPath = container?.volumeMounts?.find(({ name }) => name === 'data')?.mountPath ?? '';
  expect(container?.args).toEqual(
    expect.arrayContaining(['0.0.0.0', '7233', '8233', `${mountPath}/temporal.db`]),
  );
  return withPorts([undefined, undefined], async ([port = 0, uiPort = 0]) => {
    const here: Readonly<Record<string, string>> = {
      '0.0.0.0': loopback,
      '7233': String(port),
      '8233': String(uiPort),
      [`${mountPath}/temporal.db`]: join(dir, 'temporal.db'),
    };
    const server = await startProcess({
      name: 'small Temporal server',
      command: temporal,
      args: (container?.args ?? []).map((argument) => here[argument] ?? argument),
      env: isolatedEnvironment(),
      logFile: join(dir, 'temporal.log'),
    });
    const address = `${loopback}:${port}`;
    await waitUntilReady(server, async () => {
      const connection = await Connection.connect({ address, connectTimeout: 1_000 });
      try {
        await connection.workflowService.describeNamespace({ namespace: 'default' });
        return true;
      } finally {
        await connection.close();
      }
    });
    return { server, address };
  });
}

test('the values for PostgreSQL hold no password, and the address that the small server has, too', () => {
  const text = readFileSync(`${folder}postgresql-values.yaml`, 'utf8');
  const { server } = parse(text) as {
    server: { config: { persistence: { datastores: Record<string, { sql: Record<string, unknown> }> } } };
  };
  const stores = Object.values(server.config.persistence.datastores);
  expect(stores.map(({ sql }) => sql['databaseName'])).toEqual(['temporal', 'temporal_visibility']);
  for (const { sql } of stores) {
    expect(sql).not.toHaveProperty('password');
    expect(sql).toMatchObject({ existingSecret: 'temporal-postgresql', manageSchema: true });
  }
  const service = objects.find(({ kind }) => kind === 'Service');
  expect(service?.metadata).toMatchObject({ name: 'temporal-frontend', namespace: 'temporal' });
});

test('the commands for Temporal Cloud name every search attribute with its type', () => {
  const readme = readFileSync(`${folder}README.md`, 'utf8');
  const named = [...readme.matchAll(/--sa "(\w+)=(\w+)"/g)].map(([, name, type]) => [name, type]);
  expect(Object.fromEntries(named)).toEqual(searchAttributeCliTypes);
});
