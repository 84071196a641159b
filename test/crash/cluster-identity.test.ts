/** The programs as processes, and the cluster that they find under their name. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, jest, test } from '@jest/globals';
import { queryWorkflow } from '../../program/query-workflow.ts';
import { exitCodes } from '../../program/exit-codes.ts';
import { readClusterRecord } from '../../program/cluster-record.ts';
import type { ManagedProcess } from '../../sandbox/processes/child-process.ts';
import { RestartableServers } from '../../sandbox/restartable-servers.ts';
import { clusterStatusQuery, clusterWorkflowId } from '../../workflows/messages.ts';
import { clusterName, MistakeWorld, type Snapshot } from '../chaos/mistakes/mistake-world.ts';
import { runProcess } from '../cli/run-kubeip.ts';
import { pressUntilContinued } from '../integration/press-until-continued.ts';
import { writeWorkflowBundle } from '../workflow-bundle.ts';
import { eventually } from './eventually.ts';

jest.setTimeout(600_000);

let dir: string;
let bundleFile: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'kubeip-identity-'));
  bundleFile = await writeWorkflowBundle(join(dir, 'workflows.js'));
}, 900_000);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

let world: MistakeWorld;
let configFile: string;
let programs: ManagedProcess[];
let before: Snapshot;
/** Two nodes of `prod` have an address. */
beforeEach(async () => {
  world = await MistakeWorld.start(bundleFile);
  configFile = world.configure();
  programs = await world.startBoth({ configFile });
  before = await world.assignedNodes(2);
});
afterEach(() => world?.stop({ keepLogs: false }));

async function stopAll(which: readonly ManagedProcess[]): Promise<void> {
  await Promise.all(which.map((program) => program.stop()));
}

async function exitCodesOf(which: readonly ManagedProcess[]): Promise<(number | null)[]> {
  return Promise.all(which.map(async ({ exited }) => (await exited).code));
}

const bothRefused = [exitCodes.wrongCluster, exitCodes.wrongCluster];

test('a rebuilt cluster is refused until the command of the refusal accepts it; then the old nodes’ addresses are released', async () => {
  await stopAll(programs);
  const rebuilt = await world.startCluster('rebuilt');
  const refused = await world.start('watcher', { configFile, cluster: rebuilt });
  expect((await refused.exited).code).toBe(exitCodes.wrongCluster);
  expect(world.lostSince(before)).toEqual([]);

  // The `temporal` command, as it is printed. It takes no worker.
  const command = /or: (temporal .*)$/m.exec(refused.output())?.[1] ?? '';
  const script = command.replace(/^temporal /, `'${world.world.temporal.cli}' `);
  const ended = await runProcess('sh', ['-c', script], world.world.env);
  expect(ended).toMatchObject({ code: 0 });

  await world.startBoth({ configFile, cluster: rebuilt });
  // Of the old cluster's two names one is there again, on another machine.
  const { instanceId } = await world.addNode('node-1', { cluster: rebuilt });
  await eventually('the new node has an address', () => world.addressOf(instanceId) !== undefined);
  await eventually('the old nodes have none', () =>
    before.holdings.every(({ instanceId: old }) => world.addressOf(old) === undefined),
  );

  const former = await Promise.all([
    world.start('worker', { configFile }),
    world.start('watcher', { configFile }),
  ]);
  expect(await exitCodesOf(former)).toEqual(bothRefused);
});

test('programs that run stop acting once their name stands for another cluster', async () => {
  const other = '5c1b6b1e-9f0e-4e0b-8f3c-2f1f0a4d7c11';
  const unconfirmed = await world.kubeip('cluster', 'accept', other);
  expect(unconfirmed.code).toBe(exitCodes.notConfirmed);
  expect(unconfirmed.stderr).toContain('2 of its nodes have an address');
  expect(programs.every((program) => program.running())).toBe(true);

  const accepted = await world.kubeip('cluster', 'accept', other, '--yes', '-o', 'json');
  expect(accepted).toMatchObject({ code: 0 });
  expect(JSON.parse(accepted.stdout)).toMatchObject({ clusterUid: other, accepted: true });
  expect(await exitCodesOf(programs)).toEqual(bothRefused);
  expect(programs.map((program) => program.output()).join('\n')).toContain(`with the uid ${other}`);
  expect(world.lostSince(before)).toEqual([]);

  // Said again, it changes nothing.
  const again = await world.kubeip('cluster', 'accept', other, '-o', 'json');
  expect(again.stdout).toBe(accepted.stdout);
});

test('where the record was deleted and a wrong cluster comes first, its worker does not judge the nodes', async () => {
  const right = (await readClusterRecord(world.client, clusterName))?.clusterUid ?? '';
  await stopAll(programs);
  await world.client.connection.workflowService.deleteWorkflowExecution({
    namespace: world.world.temporal.namespace,
    workflowExecution: { workflowId: clusterWorkflowId(clusterName) },
  });
  await eventually(
    'the record is gone',
    async () => (await readClusterRecord(world.client, clusterName)) === undefined,
  );

  const empty = await world.startCluster('empty');
  const wrong = await world.startBoth({ configFile, cluster: empty });
  await eventually(
    'the nodes say why they cannot be judged, or an address is lost',
    async () => {
      if (world.lostSince(before).length > 0) return true;
      const { message } = await world.status('node-1');
      return message.includes(`was started for the cluster with the uid ${right}`);
    },
    { lastSeen: () => wrong.map((program) => program.output().slice(-1_000)) },
  );
  expect(world.lostSince(before)).toEqual([]);
  await stopAll(wrong);

  expect(await world.kubeip('cluster', 'accept', right, '--yes')).toMatchObject({ code: 0 });
  await world.startBoth({ configFile });
  for (const node of ['node-1', 'node-2']) await world.waitUntilAssigned(node);
  expect(world.lostSince(before)).toEqual([]);
});

test('an emptied Temporal is told the cluster anew, and no node loses its address', async () => {
  const servers = new RestartableServers(world.world);
  const known = await readClusterRecord(world.client, clusterName);
  await servers.killTemporal();
  servers.wipeTemporal();
  await servers.restartTemporal();
  await world.startBoth({ configFile });
  expect(await readClusterRecord(world.client, clusterName)).toMatchObject({
    clusterUid: known?.clusterUid,
    accepted: false,
  });
  for (const node of ['node-1', 'node-2']) await world.waitUntilAssigned(node);
  expect(world.lostSince(before)).toEqual([]);
  await servers.stop();
});

test('the record survives a flood of signals, which makes its workflow continue as new', async () => {
  const handle = world.client.workflow.getHandle(clusterWorkflowId(clusterName));
  const known = await readClusterRecord(world.client, clusterName);
  await pressUntilContinued(handle, () => handle.signal('nonsense', 'x'));
  const { clusterUid, accepted, running } = (await readClusterRecord(world.client, clusterName)) ?? {};
  expect({ clusterUid, accepted, running }).toEqual({
    clusterUid: known?.clusterUid,
    accepted: false,
    running: true,
  });
  expect(await queryWorkflow(handle, clusterStatusQuery)).toMatchObject({ clusterUid, accepted });
});
