/** The real programs, when the API server is restored from an older backup: Nodes are missing, and their machines run. */
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { createNode } from '../../sandbox/nodes.ts';
import { RestartableServers } from '../../sandbox/restartable-servers.ts';
import { type Ended, runKubeip, runProcess } from '../cli/run-kubeip.ts';
import { cluster, logLine, type NodeWorld, startNodeWorld, until } from './node-world.ts';

jest.setTimeout(400_000);

let here: NodeWorld;
let servers: RestartableServers;

beforeAll(async () => {
  here = await startNodeWorld('3s', { restarts: true });
  servers = new RestartableServers(here.world);
  const config = parse(readFileSync(here.configFile, 'utf8')) as { pools: object[] };
  const pools = [{ ...config.pools[0], release: { gracePeriod: '10s' } }];
  writeFileSync(here.configFile, stringify({ ...config, pools, releaseBrake: {} }));
  for (let i = 0; i < 8; i++) here.world.ec2.allocateAddress({ tags: { kubeip: 'use' } });
}, 900_000);
afterAll(async () => {
  await here?.stop();
  await servers?.stop();
});

/** @param change of its data, while it is down */
async function restart(change: () => void): Promise<void> {
  await servers.killKubernetes();
  change();
  await servers.restartKubernetes();
}

const holders = () =>
  Object.fromEntries(here.world.ec2.addresses().map(({ publicIp, instanceId }) => [publicIp, instanceId]));

async function phaseOf(node: string): Promise<string> {
  return (await here.status(node)).phase;
}

function kubeip(...args: string[]): Promise<Ended> {
  const { TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE } = here.world.env;
  return runKubeip(args, { TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, KUBEIP_CLUSTER: cluster });
}

async function metricsOfWatcher(watcher: Awaited<ReturnType<NodeWorld['start']>>): Promise<string> {
  return (await fetch(`${String(logLine(watcher, 'watcher started')?.['http'])}/metrics`)).text();
}

test('no address is released until an operator confirms it, and a machine that registers again keeps its own', async () => {
  const early = ['early-0', 'early-1'];
  const late = ['late-0', 'late-1', 'late-2', 'late-3', 'late-4', 'late-5'];
  for (const name of early) await here.addNode(name);
  await restart(() => servers.backUpKubernetes());
  await here.start('worker');
  const first = await here.start('watcher');
  const instances = new Map<string, string>();
  for (const name of late) instances.set(name, (await here.addNode(name)).instanceId);
  for (const name of [...early, ...late]) {
    await until(`${name} is assigned`, async () => (await phaseOf(name)) === 'assigned');
  }
  const before = holders();

  await restart(() => servers.restoreKubernetes());
  for (const name of late) await until(`${name} is held`, async () => (await phaseOf(name)) === 'held');
  expect(holders()).toEqual(before);
  for (const name of early) expect(await phaseOf(name)).toBe('assigned');

  // A watcher that starts knows nothing of it, and concludes nothing else.
  first.kill('SIGKILL');
  await first.exited;
  const second = await here.start('watcher');
  await until('the new watcher shows it', async () =>
    (await metricsOfWatcher(second)).includes('kubeip_watcher_node_workflows{phase="held"} 6'),
  );
  expect(holders()).toEqual(before);
  const status = await kubeip('status');
  expect(status.stdout).toMatch(/^late-0\s+held\s/m);
  expect(status.stderr).toContain('6 nodes are held: their Nodes are gone at once while their instances run');

  // A kubelet that is started again registers its Node, under a new uid.
  const { region } = here.world.ec2;
  const providerID = `aws:///${region}a/${instances.get('late-0')}`;
  const zone = `${region}a`;
  await createNode(here.world.kubernetes, {
    name: 'late-0',
    labels: { kubeip: 'use' },
    providerID,
    region,
    zone,
  });
  await until('late-0 keeps its address', async () => (await phaseOf('late-0')) === 'assigned');
  expect(holders()).toEqual(before);

  const query = `KubeipCluster="${cluster}" AND KubeipNode="late-1" AND KubeipPhase="held" AND ExecutionStatus="Running"`;
  const { cli, address, namespace } = here.world.temporal;
  const signal = ['workflow', 'signal', '--address', address, '--namespace', namespace];
  const batch = await runProcess(cli, [
    ...signal,
    '--query',
    query,
    '--name',
    'confirmRelease',
    '--reason',
    'test',
    '--yes',
  ]);
  expect(batch).toMatchObject({ code: 0 });
  const isFree = (name: string): boolean => !Object.values(holders()).includes(instances.get(name));
  await until('late-1 is released', () => isFree('late-1'));
  await until(
    'visibility knows',
    async () => !(await kubeip('status', '--phase', 'held')).stdout.includes('late-1'),
  );
  expect(['late-2', 'late-3', 'late-4', 'late-5'].filter(isFree)).toEqual([]);

  expect((await kubeip('release')).stderr).toContain('name one node, or give --confirm-mass');
  const asked = await kubeip('release', '--confirm-mass');
  expect(asked.stderr).toContain('Release the addresses of 4 nodes of cluster test, whose Nodes are gone');
  expect(['late-2', 'late-3', 'late-4', 'late-5'].filter(isFree)).toEqual([]);
  const done = await kubeip(
    'release',
    '--confirm-mass',
    '--yes',
    '--reason',
    'they are meant to be gone',
    '-o',
    'json',
  );
  expect(JSON.parse(done.stdout)).toMatchObject({
    nodes: ['late-2', 'late-3', 'late-4', 'late-5'].map((node) => ({ node, phase: 'released' })),
  });
  expect(['late-2', 'late-3', 'late-4', 'late-5'].filter((name) => !isFree(name))).toEqual([]);
  for (const name of [...early, 'late-0']) expect(await phaseOf(name)).toBe('assigned');
});
