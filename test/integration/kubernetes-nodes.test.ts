/** What kubernetes/ promises, on a real kube-apiserver. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  CoreV1Api,
  KubeConfig,
  PatchStrategy,
  setHeaderOptions,
  type V1Taint,
} from '@kubernetes/client-node';
import { connectKubernetes, openKubernetes, type KubernetesClient } from '../../kubernetes/client.ts';
import { createNodeEvent } from '../../kubernetes/events.ts';
import { KubernetesError } from '../../kubernetes/errors.ts';
import { markNode, removeTaint, type NodeIdentity } from '../../kubernetes/node-writer.ts';
import { listNodes, readNode } from '../../kubernetes/nodes.ts';
import { createNode, deleteNode } from '../../sandbox/nodes.ts';
import type { World } from '../../sandbox/world.ts';
import { startTestWorld } from '../shared-kubernetes.ts';

const ourKey = 'kubeip.example/no-address';
const ourTaint: V1Taint = { key: ourKey, value: 'true', effect: 'NoSchedule' };

let world: World;
let client: KubernetesClient;
let core: CoreV1Api;

beforeAll(async () => {
  world = await startTestWorld({ kubernetes: true, temporal: false, ec2: false });
  client = await connectKubernetes(world.kubernetes.kubeConfig);
  core = world.kubernetes.kubeConfig.makeApiClient(CoreV1Api);
});

afterAll(async () => {
  await world?.stop();
});

async function newNode(name: string, taints: V1Taint[] = []): Promise<{ name: string; uid: string }> {
  const node = await createNode(world.kubernetes, {
    name,
    taints,
    labels: { team: 'a', 'kubernetes.io/hostname': name.slice(0, 63).replace(/[.-]+$/, '') },
  });
  return { name, uid: node.metadata?.uid ?? '' };
}

describe('marks on a Node', () => {
  test('labels and annotations are set and removed without touching others', async () => {
    const node = await newNode('marked');
    expect(await markNode(client, node, { labels: { 'x.io/a': '1' }, annotations: { 'x.io/b': '2' } })).toBe(
      'written',
    );
    expect(await markNode(client, node, { labels: { 'x.io/a': null }, annotations: { 'x.io/c': '3' } })).toBe(
      'written',
    );
    const view = await readNode(client, 'marked');
    expect(view?.labels).toMatchObject({ team: 'a' });
    expect(view?.labels).not.toHaveProperty(['x.io/a']);
    expect(view?.annotations).toMatchObject({ 'x.io/b': '2', 'x.io/c': '3' });
  });

  test('a Node that was created again under the name is left alone', async () => {
    const first = await newNode('reborn', [ourTaint]);
    await deleteNode(world.kubernetes, 'reborn');
    await newNode('reborn', [ourTaint]);
    const marks = { labels: { 'x.io/a': '1' }, annotations: {} };
    expect(await markNode(client, first, marks)).toBe('gone');
    expect(await removeTaint(client, first, ourTaint.key)).toBe('gone');
    const view = await readNode(client, 'reborn');
    expect(view?.labels).not.toHaveProperty(['x.io/a']);
    expect(view?.taints.map((taint) => taint.key)).toEqual([ourTaint.key]);
  });

  test('a Node that is gone is no error', async () => {
    const node = { name: 'never-was', uid: '00000000-0000-0000-0000-000000000000' };
    expect(await markNode(client, node, { labels: {}, annotations: {} })).toBe('gone');
    expect(await removeTaint(client, node, ourTaint.key)).toBe('gone');
    expect(await readNode(client, 'never-was')).toBeUndefined();
  });
});

describe('the removal of a taint', () => {
  test('loses none of the taints that others add at the same time', async () => {
    const node = await newNode('contended', [ourTaint]);
    const keys = Array.from({ length: 12 }, (_, i) => `other.example/t${i}`);
    await Promise.all([
      removeTaintAtLast(node),
      ...keys.map((key) => addTaint(node.name, { key, effect: 'NoSchedule' })),
      removeTaintAtLast(node),
    ]);
    const view = await readNode(client, node.name);
    expect(view?.taints.map((taint) => taint.key).toSorted()).toEqual(keys.toSorted());
  });

  test('takes away every effect of the key, and a second time changes nothing', async () => {
    const node = await newNode('two-effects', [ourTaint, { key: ourKey, effect: 'NoExecute' }]);
    expect(await removeTaint(client, node, ourTaint.key)).toBe('written');
    const once = await readNode(client, node.name);
    expect(once?.taints).toEqual([]);
    expect(await removeTaint(client, node, ourTaint.key)).toBe('written');
    expect((await readNode(client, node.name))?.resourceVersion).toBe(once?.resourceVersion);
  });
});

/** As an activity does: whoever finds the Node written by others all the time tries again. */
async function removeTaintAtLast(node: NodeIdentity): Promise<void> {
  for (;;) {
    try {
      await removeTaint(client, node, ourTaint.key);
      return;
    } catch (error) {
      if (!(error instanceof KubernetesError) || error.kind !== 'Conflict') throw error;
    }
  }
}

/** As another controller would: read, add, write on condition that nobody wrote in between. */
async function addTaint(name: string, taint: V1Taint): Promise<void> {
  for (;;) {
    const node = await core.readNode({ name });
    const taints = [...(node.spec?.taints ?? []), taint];
    try {
      await core.patchNode(
        { name, body: { metadata: { resourceVersion: node.metadata?.resourceVersion }, spec: { taints } } },
        setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
      );
      return;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 409)) throw error;
    }
  }
}

describe('Events on a Node', () => {
  test('the same key is the same Event, another key another one', async () => {
    const node = await newNode('eventful');
    const event = {
      node,
      key: 'run-1/1',
      type: 'Normal',
      reason: 'AddressAssigned',
      message: 'x'.repeat(2_000),
    } as const;
    await createNodeEvent(client, event);
    await createNodeEvent(client, event);
    await createNodeEvent(client, { ...event, key: 'run-1/2', message: 'second' });
    const { items } = await core.listNamespacedEvent({
      namespace: 'default',
      fieldSelector: `involvedObject.uid=${node.uid}`,
    });
    expect(items).toHaveLength(2);
    expect(new Set(items.map((item) => item.message))).toEqual(new Set(['second', `${'x'.repeat(1_023)}…`]));
    expect(items[0]).toMatchObject({
      reason: 'AddressAssigned',
      reportingComponent: 'kubeip-temporal',
      involvedObject: { kind: 'Node', name: 'eventful' },
    });
  });

  test('what is said again in the same words is counted, each occurrence once', async () => {
    const node = await newNode('repeated');
    const event = {
      node,
      type: 'Warning',
      reason: 'WaitingForAddress',
      message: 'Pool a is empty.',
    } as const;
    const said = (key: string): Promise<void> => createNodeEvent(client, { ...event, key });
    for (const key of ['run-1/1', 'run-1/1', 'run-1/2', 'run-1/2']) await said(key);
    await Promise.all(['run-2/1', 'run-2/2', 'run-2/3'].map(said));
    await createNodeEvent(client, { ...event, type: 'Normal', key: 'run-3/1' });
    const { items } = await core.listNamespacedEvent({
      namespace: 'default',
      fieldSelector: `involvedObject.uid=${node.uid}`,
    });
    const counts = new Map(items.map(({ type, count }) => [type, count]));
    expect([items.length, counts.get('Normal'), counts.get('Warning')]).toEqual([2, 1, 5]);
    const warning = items.find(({ type }) => type === 'Warning');
    expect(warning?.lastTimestamp?.getTime()).toBeGreaterThanOrEqual(
      warning?.firstTimestamp?.getTime() ?? NaN,
    );
  });

  test('a Node name of the greatest length gets Events, too', async () => {
    const name = Array.from({ length: 4 }, () => 'n'.repeat(62)).join('.');
    const node = await newNode(name);
    await createNodeEvent(client, { node, key: 'k', type: 'Warning', reason: 'R', message: 'm' });
    const { items } = await core.listNamespacedEvent({
      namespace: 'default',
      fieldSelector: `involvedObject.uid=${node.uid}`,
    });
    expect(items).toHaveLength(1);
  });
});

describe('lists', () => {
  test('all pages of Nodes are read', async () => {
    const names = Array.from({ length: 510 }, (_, i) => `page-${String(i).padStart(3, '0')}`);
    for (let i = 0; i < names.length; i += 30) {
      await Promise.all(names.slice(i, i + 30).map((name) => newNode(name)));
    }
    const found = new Set((await listNodes(client)).map((node) => node.name));
    expect(names.filter((name) => !found.has(name))).toEqual([]);
  });
});

describe('what RBAC does not allow', () => {
  test('names the rule that is missing', async () => {
    const account = {
      namespace: 'kubeip',
      serviceAccount: 'reader',
      rules: [{ apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list'] }],
    };
    const kubeConfig = new KubeConfig();
    kubeConfig.loadFromFile(await world.kubernetes.kubeconfigFor(account));
    const reader = await connectKubernetes(kubeConfig);
    const node = await newNode('guarded');
    await expect(markNode(reader, node, { labels: { a: 'b' }, annotations: {} })).rejects.toMatchObject({
      name: 'KubernetesError',
      kind: 'Denied',
      message: expect.stringContaining('resources ["nodes"], verbs ["patch"]'),
    });
    await expect(
      createNodeEvent(reader, { node, key: 'k', type: 'Normal', reason: 'R', message: 'm' }),
    ).rejects.toMatchObject({ kind: 'Denied', message: expect.stringContaining('verbs ["create"]') });
  });

  test('a ServiceAccount without any right is refused at the first call', async () => {
    const kubeConfig = new KubeConfig();
    kubeConfig.loadFromFile(
      await world.kubernetes.kubeconfigFor({ namespace: 'kubeip', serviceAccount: 'nobody' }),
    );
    await expect(connectKubernetes(kubeConfig)).rejects.toMatchObject({
      kind: 'Denied',
      message: expect.stringContaining('resources ["nodes"], verbs ["list"]'),
    });
  });
});

describe('a cluster that cannot be had', () => {
  test('is named with its address', async () => {
    const kubeConfig = new KubeConfig();
    kubeConfig.loadFromClusterAndUser(
      { name: 'c', server: 'https://127.0.0.1:1', skipTLSVerify: true },
      { name: 'u' },
    );
    await expect(connectKubernetes(kubeConfig)).rejects.toMatchObject({
      name: 'KubernetesUnavailableError',
      message: expect.stringContaining('https://127.0.0.1:1'),
    });
  });

  test('a kubeconfig without a current context is explained', () => {
    expect(() => openKubernetes(new KubeConfig())).toThrow(/no usable current context/);
  });
});
