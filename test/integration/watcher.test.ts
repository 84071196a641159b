/** The watcher and the worker as processes, on a real Temporal server, a real kube-apiserver and the EC2 emulator. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { PatchStrategy, setHeaderOptions } from '@kubernetes/client-node';
import {
  addressIdAnnotation,
  phaseLabel,
  poolLabel,
  publicIpv4Annotation,
  retryAnnotation,
} from '../../kubernetes/keys.ts';
import { deleteNode } from '../../sandbox/nodes.ts';
import type { ManagedProcess } from '../../sandbox/processes/child-process.ts';
import { assignIpWorkflowId } from '../../workflows/messages.ts';
import { addressOf } from './assigned-address.ts';
import { logLine, type NodeWorld, startNodeWorld, taintKey, until } from './node-world.ts';

let here: NodeWorld;
let worker: ManagedProcess;
let watcher: ManagedProcess;

beforeAll(async () => {
  // So long that whatever comes in time came from an event, or from the reconcile at a start.
  here = await startNodeWorld('1h');
  for (let i = 0; i < 20; i++) here.world.ec2.allocateAddress({ tags: { kubeip: 'use' } });
  worker = await here.start('worker');
  watcher = await here.start('watcher');
  await until('the watcher is ready', async () => {
    const line = logLine(watcher, 'watcher started');
    return (await fetch(`${String(line?.['http'])}/readyz`)).status === 200;
  });
});

afterAll(async () => {
  await here?.stop();
});

async function assigned(node: string): Promise<string> {
  await until(`${node} is assigned and says so`, async () => {
    const { metadata } = await here.readNode(node);
    return metadata?.labels?.[phaseLabel] === 'assigned';
  });
  return (await here.readNode(node)).metadata?.annotations?.[publicIpv4Annotation] ?? '';
}

function holderOf(ip: string): string | undefined {
  return here.world.ec2.addresses().find((address) => address.publicIp === ip)?.instanceId;
}

async function metricsOf(program: ManagedProcess, name: 'worker' | 'watcher'): Promise<string> {
  const line = logLine(program, `${name} started`);
  return (await fetch(`${String(line?.['http'])}/metrics`)).text();
}

async function isClosed(node: string): Promise<boolean> {
  const { status } = await here.client.workflow.getHandle(assignIpWorkflowId('test', node)).describe();
  return status.name === 'COMPLETED';
}

describe('while the watcher runs', () => {
  test('a Node that appears gets its address, shown on the Node, and loses its taint', async () => {
    const { instanceId, uid } = await here.addNode('first');
    const ip = await assigned('first');
    expect(holderOf(ip)).toBe(instanceId);
    await until('the taint is gone', async () => {
      const taints = (await here.readNode('first')).spec?.taints ?? [];
      return !taints.some((taint) => taint.key === taintKey);
    });
    const { metadata } = await here.readNode('first');
    expect(metadata?.labels?.[poolLabel]).toBe('public');
    expect(metadata?.annotations?.[addressIdAnnotation]).toMatch(/^eipalloc-/);
    const { items } = await here.core.listNamespacedEvent({
      namespace: 'default',
      fieldSelector: `involvedObject.uid=${uid}`,
    });
    expect(items.map((item) => item.reason)).toContain('AddressAssigned');
  });

  test('what the project writes on a Node, and a heartbeat, wake no workflow', async () => {
    await here.addNode('quiet');
    await assigned('quiet');
    const before = await here.signals('quiet', 'nodeChanged');
    const body = { metadata: { annotations: { heartbeat: 'now' } } };
    await here.core.patchNode(
      { name: 'quiet', body },
      setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
    );
    // A later Node that is served shows that the earlier change has been looked at.
    await here.addNode('later');
    await assigned('later');
    expect(await here.signals('quiet', 'nodeChanged')).toBe(before);
  });

  test('a Node of no pool gets no workflow', async () => {
    await here.addNode('unselected', { other: 'label' });
    await here.addNode('selected');
    await assigned('selected');
    await expect(isClosed('unselected')).rejects.toThrow();
  });

  test('a Node whose workflow id would be too long is told by name and length, and hinders no other', async () => {
    const label = 'n'.repeat(63);
    const name = `${label}.${label}.${label}.${'n'.repeat(61)}`;
    // Without the label of its name, which takes 63 characters.
    await here.core.createNode({ body: { metadata: { name, labels: { kubeip: 'use' } } } });
    await here.addNode('short');
    await assigned('short');
    await until('it is told', () => logLine(watcher, 'the node gets no address') !== undefined);
    const line = logLine(watcher, 'the node gets no address');
    expect(line).toMatchObject({ level: 'error', node: name });
    expect(line?.['reason']).toMatch(/268 characters, .* keeps 255 .*cluster test has 4, node n+… has 253/);
    await expect(isClosed(name)).rejects.toThrow();
  });

  test('a Node that is deleted gives its address back', async () => {
    const { instanceId } = await here.addNode('leaving');
    const ip = await assigned('leaving');
    expect(holderOf(ip)).toBe(instanceId);
    await deleteNode(here.world.kubernetes, 'leaving');
    await until('the address is free', () => holderOf(ip) === undefined);
    await until('the workflow is closed', () => isClosed('leaving'));
  });

  test('a Node that leaves its pool by a label keeps its address until it is deleted, and is counted', async () => {
    const { instanceId } = await here.addNode('relabelled');
    const ip = await assigned('relabelled');
    const body = { metadata: { labels: { kubeip: null } } };
    await here.core.patchNode(
      { name: 'relabelled', body },
      setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
    );
    await until('its status says so', async () =>
      (await here.status('relabelled')).message.startsWith('No pool selects node relabelled any more'),
    );
    const { items } = await here.core.listNamespacedEvent({
      namespace: 'default',
      fieldSelector: 'involvedObject.name=relabelled',
    });
    expect(items.map(({ reason }) => reason)).toContain('AddressKept');
    expect(holderOf(ip)).toBe(instanceId);
    watcher.kill('SIGKILL');
    await watcher.exited;
    watcher = await here.start('watcher');
    await until('the watcher counts it', async () =>
      (await metricsOf(watcher, 'watcher')).includes('kubeip_watcher_deselected_nodes 1'),
    );
    await deleteNode(here.world.kubernetes, 'relabelled');
    await until('the address is free', () => holderOf(ip) === undefined);
  });
});

describe('a node that failed for good', () => {
  const phaseOf = async () => (await here.readNode('failing')).metadata?.labels?.[phaseLabel];
  const runId = async () =>
    (await here.client.workflow.getHandle(assignIpWorkflowId('test', 'failing')).describe()).runId;

  test('is counted by the worker, and by what is written on it nobody is woken', async () => {
    here.world.ec2.configure({ denied: ['AssociateAddress'] });
    await here.addNode('failing');
    await until('the Node shows it', async () => (await phaseOf()) === 'failed');
    const first = await runId();
    await until('the worker counts it', async () => {
      const sample = 'kubeip_assignments_total{pool="public",result="failed",reason="Denied"} 1';
      return (await metricsOf(worker, 'worker')).includes(sample);
    });
    here.world.ec2.configure({ denied: [] });
    // A later Node that is served shows that the earlier changes have been looked at.
    await here.addNode('after-failing');
    await assigned('after-failing');
    expect(await runId()).toBe(first);
  });

  test('is shown by a watcher that starts, and not tried before its time', async () => {
    const first = await runId();
    watcher.kill('SIGKILL');
    await watcher.exited;
    watcher = await here.start('watcher');
    await until('the watcher shows it', async () =>
      (await metricsOf(watcher, 'watcher')).includes('kubeip_watcher_failed_nodes{pool="public"} 1'),
    );
    expect(await runId()).toBe(first);
  });

  test('is tried again when a person says so', async () => {
    const sayRetry = (value: string) =>
      here.core.patchNode(
        { name: 'failing', body: { metadata: { annotations: { [retryAnnotation]: value } } } },
        setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
      );
    await sayRetry('1');
    const ip = await assigned('failing');
    expect(holderOf(ip)).toBeDefined();
    const signalled = await here.signals('failing', 'nodeChanged');
    await sayRetry('2');
    await until(
      'a workflow that runs is told as well',
      async () => (await here.signals('failing', 'nodeChanged')) > signalled,
    );
    expect(addressOf(await here.status('failing'))?.ip).toBe(ip);
  });
});

describe('after the watcher was down', () => {
  test('Nodes that came meanwhile are served, and those that went give back, even under a name that came again', async () => {
    await here.addNode('stays');
    const goneInstance = await here.addNode('gone-meanwhile');
    const reborn = await here.addNode('reborn');
    const stays = await assigned('stays');
    const gone = await assigned('gone-meanwhile');
    const first = await assigned('reborn');
    const signalled = await here.signals('stays', 'nodeChanged');

    watcher.kill('SIGKILL');
    await watcher.exited;
    await deleteNode(here.world.kubernetes, 'gone-meanwhile');
    await deleteNode(here.world.kubernetes, 'reborn');
    const again = await here.addNode('reborn');
    const added = await here.addNode('came-meanwhile');

    watcher = await here.start('watcher');
    await until(
      'the deleted Node’s instance has lost the address',
      () => holderOf(gone) !== goneInstance.instanceId,
    );
    expect(holderOf(await assigned('came-meanwhile'))).toBe(added.instanceId);
    await until('the new Node of the old name is served', async () => {
      const { metadata } = await here.readNode('reborn');
      return holderOf(metadata?.annotations?.[publicIpv4Annotation] ?? '') === again.instanceId;
    });
    expect(holderOf(first)).not.toBe(reborn.instanceId);
    expect(addressOf(await here.status('stays'))?.ip).toBe(stays);
    expect(await here.signals('stays', 'nodeChanged')).toBe(signalled);
  });

  test('a second watcher beside the first changes nothing', async () => {
    const second = await here.start('watcher');
    await until('the second watcher has compared', async () => {
      const line = logLine(second, 'watcher started');
      return (await fetch(`${String(line?.['http'])}/readyz`)).status === 200;
    });
    await deleteNode(here.world.kubernetes, 'stays');
    await until('the workflow is closed', () => isClosed('stays'));
    const { instanceId } = await here.addNode('with-two');
    const ip = await assigned('with-two');
    expect(holderOf(ip)).toBe(instanceId);
    const held = here.world.ec2.addresses().filter((address) => address.instanceId === instanceId);
    expect(held).toHaveLength(1);

    second.kill('SIGTERM');
    expect(await second.exited).toMatchObject({ code: 0 });
  });
});
