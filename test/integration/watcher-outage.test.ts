/** The watcher and the worker while Temporal is away: they wait, and nothing is lost. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { phaseLabel, publicIpv4Annotation } from '../../kubernetes/keys.ts';
import { deleteNode } from '../../sandbox/nodes.ts';
import type { ManagedProcess } from '../../sandbox/processes/child-process.ts';
import { startTemporal, type TemporalServer } from '../../sandbox/processes/temporal.ts';
import { ensureTools } from '../../sandbox/tools/ensure-tools.ts';
import { logLine, type NodeWorld, startNodeWorld, until } from './node-world.ts';

let here: NodeWorld;
let second: TemporalServer | undefined;

beforeAll(async () => {
  here = await startNodeWorld('5s');
  for (let i = 0; i < 3; i++) here.world.ec2.allocateAddress({ tags: { kubeip: 'use' } });
});

afterAll(async () => {
  await here?.stop();
  await second?.stop();
});

async function readiness(program: ManagedProcess, started: string): Promise<number> {
  const url = String(logLine(program, started)?.['http']);
  return (await fetch(`${url}/readyz`)).status;
}

async function assignedTo(node: string): Promise<string | undefined> {
  const { metadata } = await here.readNode(node);
  if (metadata?.labels?.[phaseLabel] !== 'assigned') return undefined;
  return metadata.annotations?.[publicIpv4Annotation];
}

test('an outage of Temporal makes the watcher unready, and what happened meanwhile is made good afterwards', async () => {
  const worker = await here.start('worker');
  const watcher = await here.start('watcher');
  const leaving = await here.addNode('leaving');
  await until('leaving is assigned', async () => (await assignedTo('leaving')) !== undefined);
  expect(await readiness(watcher, 'watcher started')).toBe(200);

  const { temporal, dir } = here.world;
  const port = Number(temporal.address.split(':')[1]);
  await temporal.stop();
  await until('the watcher is not ready', async () => (await readiness(watcher, 'watcher started')) === 503);
  await deleteNode(here.world.kubernetes, 'leaving');
  const { instanceId } = await here.addNode('coming');
  await until('the watcher has tried', () => logLine(watcher, 'node event is tried again') !== undefined);

  const { temporal: binary } = await ensureTools(['temporal']);
  second = await startTemporal({ binary, dir, port });
  await until('the new Node is served', async () => (await assignedTo('coming')) !== undefined);
  await until(
    'the deleted Node’s instance has no address',
    () => !here.world.ec2.addresses().some((address) => address.instanceId === leaving.instanceId),
  );
  expect(here.world.ec2.addresses().filter((address) => address.instanceId === instanceId)).toHaveLength(1);
  await until('the watcher is ready', async () => (await readiness(watcher, 'watcher started')) === 200);
  expect(worker.running()).toBe(true);

  worker.kill('SIGTERM');
  watcher.kill('SIGTERM');
  expect(await worker.exited).toMatchObject({ code: 0 });
  expect(await watcher.exited).toMatchObject({ code: 0 });
});
