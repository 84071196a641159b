/** What a kubelet may do to Nodes, by the real Node authorizer and NodeRestriction: what SECURITY.md says of it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { CoreV1Api, PatchStrategy, setHeaderOptions } from '@kubernetes/client-node';
import { pinnedAnnotations, pinnedLabels } from '../../kubernetes/keys.ts';
import { isSetByKubelets } from '../../kubernetes/kubelet-labels.ts';
import { createNode, deleteNode } from '../../sandbox/nodes.ts';
import { type KubernetesServer, startKubernetes } from '../../sandbox/processes/kubernetes.ts';
import { ensureTools } from '../../sandbox/tools/ensure-tools.ts';

const name = 'kubelet-a';
const another = 'aws:///eu-west-1a/i-0aaaaaaaaaaaaaaaa';
const own = { name, labels: { nodegroup: 'game' }, providerID: another };

let dir: string;
let server: KubernetesServer;
let kubelet: CoreV1Api;
beforeAll(async () => {
  const tools = await ensureTools(['kube-apiserver', 'etcd']);
  dir = mkdtempSync(join(tmpdir(), 'kubeip-kubelet-'));
  server = await startKubernetes({
    apiServerBinary: tools['kube-apiserver'],
    etcdBinary: tools.etcd,
    dir,
    kubelets: [name],
  });
  kubelet = server.kubeConfigOfKubelet(name).makeApiClient(CoreV1Api);
}, 900_000);
afterAll(async () => {
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});
beforeEach(() => deleteNode(server, name));

function patch(body: object): Promise<unknown> {
  return kubelet.patchNode({ name, body }, setHeaderOptions('Content-Type', PatchStrategy.MergePatch));
}

const forbidden = { code: 403 };
const asKubelet = () => ({ kubeConfig: server.kubeConfigOfKubelet(name) });

describe('a kubelet', () => {
  test('may register its Node with the providerID of any machine, and not delete it', async () => {
    await createNode(asKubelet(), own);
    await expect(kubelet.deleteNode({ name })).rejects.toMatchObject(forbidden);
  });

  test('may fill in a providerID that is not set yet, and not change one that is', async () => {
    await createNode(asKubelet(), { name });
    await patch({ spec: { providerID: another } });
    await expect(
      patch({ spec: { providerID: 'aws:///eu-west-1a/i-0bbbbbbbbbbbbbbbb' } }),
    ).rejects.toMatchObject({ code: 422 });
  });

  test('may change the annotations and most labels of its own Node, so pin itself and choose its pool', async () => {
    await createNode(asKubelet(), own);
    await patch({ metadata: { annotations: { [pinnedAnnotations.ipv4]: '203.0.113.7' } } });
    await patch({ metadata: { labels: { nodegroup: 'prod' } } });
    await patch({ metadata: { labels: { nodegroup: null } } });
  });

  test('may not remove a taint of its Node', async () => {
    await createNode(asKubelet(), {
      ...own,
      taints: [{ key: 'example.com/no-address', effect: 'NoSchedule' }],
    });
    await expect(patch({ spec: { taints: null } })).rejects.toMatchObject(forbidden);
  });

  test('may not touch the Node of another', async () => {
    await expect(createNode(asKubelet(), { name: 'kubelet-b' })).rejects.toMatchObject(forbidden);
  });

  test.each([
    'nodegroup',
    'eks.amazonaws.com/nodegroup',
    'cloud.google.com/gke-nodepool',
    'karpenter.sh/nodepool',
    'kubernetes.io/hostname',
    'topology.kubernetes.io/zone',
    'node.kubernetes.io/pool',
    'kubelet.kubernetes.io/pool',
    'a.kubelet.kubernetes.io/pool',
    'kubeip-temporal.io/pool',
    'node-role.kubernetes.io/pool',
    'kubernetes.io/pool',
    'example.k8s.io/pool',
    'node-restriction.kubernetes.io/pool',
    'example.node-restriction.kubernetes.io/pool',
    pinnedLabels.ipv4,
    pinnedLabels.ipv6,
  ])('is taken by doctor to be able to set the label %s exactly if it is', async (key) => {
    await createNode(asKubelet(), { name });
    const isSet = await patch({ metadata: { labels: { [key]: 'x' } } }).then(
      () => true,
      (error: unknown) => {
        expect(error).toMatchObject(forbidden);
        return false;
      },
    );
    expect(isSet).toBe(isSetByKubelets(key));
  });
});

test('a kubelet may set no label by which a Node is pinned', () => {
  expect(Object.values(pinnedLabels).map(isSetByKubelets)).toEqual([false, false]);
});
