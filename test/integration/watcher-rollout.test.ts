/** Watcher and worker are stopped and come back: with another configuration, or to a Node that was changed meanwhile. */
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { PatchStrategy, setHeaderOptions } from '@kubernetes/client-node';
import { parse, stringify } from 'yaml';
import { loadConfig } from '../../config/config.ts';
import { pinnedAnnotations, publicIpv4Annotation } from '../../kubernetes/keys.ts';
import type { ManagedProcess } from '../../sandbox/processes/child-process.ts';
import { addressOf } from './assigned-address.ts';
import { type NodeWorld, startNodeWorld, taintKey, until } from './node-world.ts';

let here: NodeWorld;
let worker: ManagedProcess;
let watcher: ManagedProcess;

beforeAll(async () => {
  // So long that whatever comes in time came from an event, or from the reconcile at a start.
  here = await startNodeWorld('1h');
  for (let i = 0; i < 4; i++) here.world.ec2.allocateAddress({ tags: { kubeip: 'use', team: 'a' } });
  worker = await here.start('worker');
});
beforeEach(async () => {
  watcher = await here.start('watcher');
});
afterAll(() => here?.stop());

async function assigned(node: string): Promise<string> {
  await here.addNode(node);
  await until(`${node} is assigned and has lost its taint`, async () => {
    const { metadata, spec } = await here.readNode(node);
    const isTainted = (spec?.taints ?? []).some(({ key }) => key === taintKey);
    return metadata?.annotations?.[publicIpv4Annotation] !== undefined && !isTainted;
  });
  return (await here.readNode(node)).metadata?.annotations?.[publicIpv4Annotation] ?? '';
}

/** The pool that the node's workflow shows in visibility. */
async function shownPool(node: string): Promise<{ hash: unknown; phase: unknown }> {
  const query = `KubeipNode = '${node}' AND ExecutionStatus = 'Running'`;
  for await (const { searchAttributes } of here.client.workflow.list({ query })) {
    return { hash: searchAttributes['KubeipPoolHash']?.[0], phase: searchAttributes['KubeipPhase']?.[0] };
  }
  throw new Error(`no workflow runs for ${node}`);
}

function changePool(change: object): string | undefined {
  const config = parse(readFileSync(here.configFile, 'utf8')) as { pools: object[] };
  writeFileSync(here.configFile, stringify({ ...config, pools: [{ ...config.pools[0], ...change }] }));
  return loadConfig({ file: here.configFile, env: here.world.env }).pools[0]?.hash;
}

test('a changed pool reaches a workflow that runs, and its node keeps an address that is still of the pool', async () => {
  const before = loadConfig({ file: here.configFile, env: here.world.env }).pools[0]?.hash;
  const ip = await assigned('kept');
  await until('the pool is shown', async () => (await shownPool('kept')).hash === before);
  const signalled = await here.signals('kept', 'nodeChanged');

  await Promise.all([worker.stop(), watcher.stop()]);
  const after = changePool({ filter: 'Name=tag:team,Values=a' });
  expect(after).not.toBe(before);
  worker = await here.start('worker');
  watcher = await here.start('watcher');
  await until('the changed pool is shown', async () => (await shownPool('kept')).hash === after);
  expect(await shownPool('kept')).toMatchObject({ phase: 'assigned' });
  expect(addressOf(await here.status('kept'))?.ip).toBe(ip);
  expect(await here.signals('kept', 'nodeChanged')).toBeGreaterThan(signalled);
  await watcher.stop();
});

test('a taint that came back while no watcher ran is removed again', async () => {
  await assigned('tainted-again');
  await until('visibility knows it', async () => (await shownPool('tainted-again')).phase === 'assigned');
  await watcher.stop();
  const body = { spec: { taints: [{ key: taintKey, effect: 'NoSchedule' }] } };
  await here.core.patchNode(
    { name: 'tainted-again', body },
    setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
  );

  watcher = await here.start('watcher');
  await until('the taint is gone', async () => {
    const { spec } = await here.readNode('tainted-again');
    return !(spec?.taints ?? []).some(({ key }) => key === taintKey);
  });
  await watcher.stop();
});

test('an address that a Node is pinned to is told to its workflow', async () => {
  await assigned('pinned-later');
  const signalled = await here.signals('pinned-later', 'nodeChanged');
  const body = { metadata: { annotations: { [pinnedAnnotations.ipv4]: '203.0.113.7' } } };
  await here.core.patchNode(
    { name: 'pinned-later', body },
    setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
  );
  await until(
    'the workflow is told',
    async () => (await here.signals('pinned-later', 'nodeChanged')) > signalled,
  );
  await watcher.stop();
});
