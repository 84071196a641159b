/** The watch on Nodes, on a real kube-apiserver that goes away and comes back. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { CoreV1Api } from '@kubernetes/client-node';
import { openKubernetes } from '../../kubernetes/client.ts';
import { startNodeInformer } from '../../kubernetes/node-informer.ts';
import { createNode, deleteNode } from '../../sandbox/nodes.ts';
import { startKubernetes, type KubernetesServer } from '../../sandbox/processes/kubernetes.ts';
import { ensureTools } from '../../sandbox/tools/ensure-tools.ts';
import { eventually } from './sandbox-processes.ts';

let dir: string;
let server: KubernetesServer;

async function start(port?: number): Promise<KubernetesServer> {
  const tools = await ensureTools(['kube-apiserver', 'etcd']);
  const binaries = { apiServerBinary: tools['kube-apiserver'], etcdBinary: tools.etcd };
  return startKubernetes({ ...binaries, dir, port });
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'kubeip-informer-'));
  server = await start();
});

afterAll(async () => {
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

test('reports what comes, changes and goes, also after the API server was away', async () => {
  const seen: string[] = [];
  const uids = new Map<string, string>();
  let failures = 0;
  const before = await createNode(server, { name: 'old' });
  const client = openKubernetes(server.kubeConfig);
  const informer = startNodeInformer(
    client,
    {
      onNode: (node, initial) => {
        uids.set(node.name, node.uid);
        seen.push(`${initial ? 'initial' : 'changed'} ${node.name}`);
      },
      onDeleted: (node) => seen.push(`deleted ${node.name}`),
      onError: () => {
        failures += 1;
      },
    },
    { sleep: (_, signal) => new Promise((resolve) => void setTimeout(resolve, signal.aborted ? 0 : 50)) },
  );
  try {
    await informer.synced;
    expect(seen).toEqual(['initial old']);
    expect(informer.isConnected()).toBe(true);

    await createNode(server, { name: 'new' });
    expect(await eventually(() => seen.includes('changed new'))).toBe(true);

    await server.stop();
    expect(await eventually(() => failures > 0 && !informer.isConnected())).toBe(true);
    server = await start(Number(new URL(server.url).port));
    expect(await eventually(() => informer.isConnected())).toBe(true);

    await deleteNode(server, 'new');
    expect(await eventually(() => seen.includes('deleted new'))).toBe(true);

    const core = server.kubeConfig.makeApiClient(CoreV1Api);
    await core.deleteNode({ name: 'old' });
    const again = await createNode(server, { name: 'old' });
    expect(await eventually(() => uids.get('old') === again.metadata?.uid)).toBe(true);
    expect(again.metadata?.uid).not.toBe(before.metadata?.uid);
  } finally {
    await informer.stop();
  }
  const count = seen.length;
  await createNode(server, { name: 'unseen' });
  await server.kubeConfig.makeApiClient(CoreV1Api).listNode();
  expect(seen).toHaveLength(count);
});
