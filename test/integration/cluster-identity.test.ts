/** Which cluster a name stands for, on a real Temporal server without a worker. */
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import {
  type ClusterIdentity,
  openClusterIdentity,
  WrongClusterError,
} from '../../program/cluster-identity.ts';
import { acceptCluster, readClusterRecord } from '../../program/cluster-record.ts';
import { startWorld, type World } from '../../sandbox/world.ts';
import { clusterWorkflowId } from '../../workflows/messages.ts';
import { waitFor } from './wait-for.ts';

let world: World;
let client: Client;
beforeAll(async () => {
  world = await startWorld({ temporal: true });
  const connection = await Connection.connect({ address: world.temporal.address });
  client = new Client({ connection, namespace: world.temporal.namespace });
}, 900_000);
afterAll(async () => {
  await client?.connection.close();
  await world?.stop();
});

let cluster = '';
let clusters = 0;
beforeEach(() => {
  cluster = `cluster-${++clusters}`;
});

/** @param uid what the API server says, or what says it now */
function open(uid: string | (() => string)): Promise<ClusterIdentity> {
  const readUid = () => Promise.resolve(typeof uid === 'string' ? uid : uid());
  const server = 'https://api.example:6443';
  return openClusterIdentity({ client, namespace: 'default', cluster, server, readUid });
}

async function refusalOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => undefined,
    (refusal: unknown) => refusal,
  );
  expect(error).toBeInstanceOf(WrongClusterError);
  return String(error);
}

test('the first program makes the name stand for its cluster; all others of that cluster may start', async () => {
  expect((await open('a')).clusterUid).toBe('a');
  await open('a');
  expect(await readClusterRecord(client, cluster)).toMatchObject({
    clusterUid: 'a',
    accepted: false,
    running: true,
  });
});

test('of two clusters that start at once under one name, one is refused', async () => {
  const opened = await Promise.allSettled([open('a'), open('b')]);
  expect(opened.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
});

test('a program of another cluster is refused with both uids, each explanation and the commands', async () => {
  await open('a');
  const said = await refusalOf(open('b'));
  expect(said).toMatch(/the cluster with the uid a \(since 20/);
  expect(said).toContain('https://api.example:6443 has the uid b');
  expect(said).toContain('The kubeconfig is wrong');
  expect(said).toContain(`A second cluster was named "${cluster}"`);
  expect(said).toContain('The cluster was rebuilt');
  expect(said).toContain(`kubeip --cluster ${cluster} cluster accept b`);
  expect(said).toContain(`temporal workflow start --workflow-id cluster/${cluster} `);
});

test('once another cluster is accepted, programs of the former one find out and are refused', async () => {
  const former = await open('a');
  await acceptCluster(client, cluster, 'b');
  await open('b');
  expect(former.mismatch.aborted).toBe(false);
  await refusalOf(former.check());
  expect(former.mismatch.reason).toBeInstanceOf(WrongClusterError);
  await refusalOf(open('a'));
});

test('a program finds out that its API server has become that of another cluster', async () => {
  let uid = 'a';
  const identity = await open(() => uid);
  uid = 'b';
  await refusalOf(identity.confirm('a'));
  expect(identity.mismatch.aborted).toBe(true);
});

test('a workflow that was started under another uid is not judged, unless an operator accepted this one', async () => {
  const identity = await open('b');
  await identity.confirm('b');
  await identity.confirm(undefined);
  const said = await refusalOf(identity.confirm('a'));
  expect(said).toContain('nothing is released');
  expect(said).toContain(`kubeip --cluster ${cluster} cluster accept b`);
  // The program itself is right.
  expect(identity.mismatch.aborted).toBe(false);
  await acceptCluster(client, cluster, 'b');
  await identity.confirm('a');
});

test('a record whose workflow was terminated by hand still counts, and runs again', async () => {
  await open('a');
  await acceptCluster(client, cluster, 'b');
  await client.workflow.getHandle(clusterWorkflowId(cluster)).terminate('by hand');
  await refusalOf(open('a'));
  await open('b');
  expect(await readClusterRecord(client, cluster)).toMatchObject({
    clusterUid: 'b',
    accepted: true,
    running: true,
  });
});

test('a program that runs tells an emptied Temporal its cluster again', async () => {
  const identity = await open('a');
  await client.connection.workflowService.deleteWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: clusterWorkflowId(cluster) },
  });
  // The server deletes in the background.
  await waitFor(
    'the record to be gone',
    () => readClusterRecord(client, cluster),
    (kept) => kept === undefined,
  );
  await identity.check();
  await refusalOf(open('b'));
});
