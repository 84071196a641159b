/**
 * docs/migrating-from-kubeip.md, played: nodes that KubeIP gave their addresses to are taken over with what they have, and
 * lose it neither on the way here nor on the way back.
 */
import { DisassociateAddressCommand } from '@aws-sdk/client-ec2';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { phaseLabel, publicIpv4Annotation } from '../../kubernetes/keys.ts';
import { newClient } from './ec2-emulator-client.ts';
import { type Harness, openHarness } from './harness.ts';
import { expectSound } from './soundness.ts';
import type { TestNode } from './test-nodes.ts';
import { waitFor } from './wait-for.ts';

const taintKey = 'kubeip.com/not-ready';
const taints = [{ key: taintKey, effect: 'NoSchedule' }];

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness({
    pools: [{ name: 'eks', taintKey }, { name: 'gke', provider: 'gcp', taintKey }, { name: 'back' }],
  });
}, 900_000);
afterEach(() => expectSound(harness));
afterAll(() => harness?.close());

/** Changes that any client made, at either cloud. */
function changes(): number {
  return harness.facts().flatMap(({ journal }) => journal.filter(({ by }) => by === 'api')).length;
}

/** A node as KubeIP left it: with an address of the pool, and without its taint. */
async function servedByKubeip(name: string, pool: string, cloud: 'aws' | 'gcp'): Promise<TestNode> {
  const node = await harness.nodes.make(name, { pool, cloud });
  if (cloud === 'aws') {
    const [allocationId = ''] = harness.reserve(pool);
    harness.ec2.associateByHand({ allocationId, instanceId: node.instanceId });
  } else {
    const [address = ''] = harness.reserveOnGce(pool);
    harness.gce.attachByHand({ address, instance: node.instanceId });
  }
  return node;
}

test.each(['aws', 'gcp'] as const)(
  'nodes that have their address already are taken over on %s without a change at the cloud',
  async (cloud) => {
    const pool = cloud === 'aws' ? 'eks' : 'gke';
    const nodes = [
      await servedByKubeip(`${pool}-1`, pool, cloud),
      await servedByKubeip(`${pool}-2`, pool, cloud),
    ];
    const had = nodes.map((node) => externalIp(node, cloud));
    const before = changes();

    await Promise.all(nodes.map((node) => harness.tellChanged(node)));
    const statuses = await Promise.all(nodes.map((node) => harness.waitUntilAssigned(node)));
    expect(statuses.map(({ address }) => address.ip)).toEqual(had);
    expect(changes()).toBe(before);

    for (const [index, node] of nodes.entries()) {
      const shown = await waitFor(
        'the Node',
        () => harness.nodes.read(node),
        ({ metadata }) => metadata?.labels?.[phaseLabel] === 'assigned',
      );
      expect(shown.metadata?.annotations?.[publicIpv4Annotation]).toBe(had[index]);
    }
  },
);

test('a node that KubeIP had not served yet gets an address, and loses the taint', async () => {
  harness.reserve('eks');
  const node = await harness.addNode('eks-3', { pool: 'eks', taints });
  await harness.waitUntilAssigned(node);
  await waitFor(
    'the taint to go',
    () => harness.nodes.read(node),
    ({ spec }) => (spec?.taints ?? []).every(({ key }) => key !== taintKey),
  );
});

test('KubeIP takes no address along when it ends, once its role may not disassociate', async () => {
  const node = await servedByKubeip('eks-4', 'eks', 'aws');
  const address = harness.ec2.addresses().find(({ instanceId }) => instanceId === node.instanceId);
  const client = newClient(harness.ec2);
  harness.ec2.configure({ denied: ['DisassociateAddress'] });
  // What KubeIP's agent does on SIGTERM with RELEASE_ON_EXIT=true.
  const release = client.send(
    new DisassociateAddressCommand({ AssociationId: address?.associationId ?? '' }),
  );
  await expect(release).rejects.toMatchObject({ name: 'UnauthorizedOperation' });
  harness.ec2.configure({ denied: [] });
  client.destroy();

  expect(harness.elasticIpOf(node.instanceId)).toBe(address?.publicIp);
  await harness.tellChanged(node);
  expect((await harness.waitUntilAssigned(node)).address.ip).toBe(address?.publicIp);
});

test('who goes back stops the programs and terminates the workflows, and every node keeps its address', async () => {
  harness.reserve('back');
  const node = await harness.addNode('back-1', { pool: 'back' });
  const { address } = await harness.waitUntilAssigned(node);
  const before = changes();

  await harness.stopWorkers();
  await harness.handle(node).terminate('back to KubeIP');
  expect(harness.elasticIpOf(node.instanceId)).toBe(address.ip);

  // And here again: it is taken over as what KubeIP had given.
  await harness.startWorkers();
  await harness.tellChanged(node);
  expect((await harness.waitUntilAssigned(node)).address.ip).toBe(address.ip);
  expect(changes()).toBe(before);
});

function externalIp(node: TestNode, cloud: 'aws' | 'gcp'): string | undefined {
  if (cloud === 'aws') return harness.elasticIpOf(node.instanceId);
  const instance = harness.gce.instances().find(({ name }) => name === node.instanceId);
  return instance?.externalIps[0]?.ip;
}
