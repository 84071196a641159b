/** The activities of a cluster's task queue, on a real kube-apiserver and the Compute Engine emulator. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { CoreV1Api, PatchStrategy, setHeaderOptions } from '@kubernetes/client-node';
import { Client, Connection } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { pino } from 'pino';
import { createClusterActivities } from '../../activities/cluster-activities.ts';
import type { ClusterActivities, Discovery, PublishInput } from '../../activities/contract.ts';
import { openProvider } from '../../clouds/registry.ts';
import type { CloudProvider } from '../../clouds/provider.ts';
import { type Config, loadConfig } from '../../config/config.ts';
import { connectKubernetes } from '../../kubernetes/client.ts';
import {
  addressIdAnnotation,
  pinnedAnnotations,
  publicIpv4Annotation,
  publicIpv6Annotation,
} from '../../kubernetes/keys.ts';
import { WrongClusterError } from '../../program/cluster-identity.ts';
import { createNode } from '../../sandbox/nodes.ts';
import type { World } from '../../sandbox/world.ts';
import { startTestWorld } from '../shared-kubernetes.ts';

const yaml = `
cluster: test
defaults: { provider: gcp, region: europe-west1, account: sandbox-project }
pools:
  - name: game
    nodeSelector: {}
    taintKey: example.com/no-address
    pins: annotation
    addresses: { ipv4: { filter: labels.kubeip=use }, ipv6: { filter: labels.kubeip=use, orderBy: name } }
    require: any
`;

let world: World;
let config: Config;
let provider: CloudProvider;
let core: CoreV1Api;
let activities: ClusterActivities;
let log: string[];

beforeAll(async () => {
  world = await startTestWorld({ kubernetes: true, gce: true });
  core = world.kubernetes.kubeConfig.makeApiClient(CoreV1Api);
  config = loadYaml(yaml);
  const { projectId, region, url } = world.gce;
  provider = await openProvider({ provider: 'gcp', account: projectId, region, endpoint: url });
  const lines = new Writable({
    write(chunk: Buffer, _, done) {
      log.push(chunk.toString());
      done();
    },
  });
  activities = createClusterActivities({
    config,
    kubernetes: await connectKubernetes(world.kubernetes.kubeConfig),
    identity: { clusterUid: 'own', mismatch: new AbortController().signal, check: async () => {}, confirm },
    providers: new Map([['game', provider]]),
    // Nothing here asks Temporal.
    client: new Client({ connection: Connection.lazy() }),
    onSurvey: () => {},
    logger: pino({}, lines),
  });
});
beforeEach(() => {
  log = [];
});
afterAll(async () => {
  provider?.close();
  await world?.stop();
});

/** There is no Temporal: a workflow that was started for another cluster is told by its uid alone. */
async function confirm(startedUnder: string | undefined): Promise<void> {
  if (startedUnder === 'another') throw new WrongClusterError('this is another cluster');
}

function loadYaml(text: string): Config {
  const folder = mkdtempSync(join(tmpdir(), 'kubeip-activities-'));
  const file = join(folder, 'kubeip.yaml');
  writeFileSync(file, text);
  const loaded = loadConfig({ file, env: {} });
  rmSync(folder, { recursive: true });
  return loaded;
}

async function newNode(name: string): Promise<{ name: string; uid: string }> {
  const { zone, region, providerId: providerID } = world.gce.insertInstance({ name, stackType: 'IPV4_IPV6' });
  const taints = [{ key: 'example.com/no-address', effect: 'NoSchedule' }];
  const { metadata } = await createNode(world.kubernetes, { name, zone, region, providerID, taints });
  return { name, uid: metadata?.uid ?? '' };
}

async function annotate(name: string, annotations: Record<string, string>): Promise<void> {
  const body = { metadata: { annotations } };
  await core.patchNode({ name, body }, setHeaderOptions('Content-Type', PatchStrategy.MergePatch));
}

function discover(name: string): Promise<Discovery> {
  return new MockActivityEnvironment().run(() => activities.discover({ name }));
}

function publish(input: PublishInput): Promise<'taintPending' | undefined> {
  return new MockActivityEnvironment().run(() => activities.publish(input));
}

describe('in a cluster that is not the workflow’s', () => {
  const run = <T>(work: () => Promise<T>): Promise<T> => new MockActivityEnvironment().run(work);
  const gone = { name: 'nowhere', uid: 'u-nowhere' };
  const wrong = { type: 'WrongCluster', nonRetryable: false, message: 'this is another cluster' };

  test('a Node that is not there is not said to be gone or without heirs, and nothing counts as written', async () => {
    const clusterUid = 'another';
    const publishing = { node: gone, clusterUid, key: 'k', phase: 'released', addresses: [] } as const;
    await expect(run(() => activities.discover({ ...gone, clusterUid }))).rejects.toMatchObject(wrong);
    await expect(run(() => activities.publish(publishing))).rejects.toMatchObject(wrong);
    const heirless = { instance: { provider: 'gcp', id: 'nowhere', zone: 'z' }, uid: gone.uid } as const;
    await expect(run(() => activities.findHeirs({ ...heirless, clusterUid }))).rejects.toMatchObject(wrong);
    expect(await run(() => activities.findHeirs({ ...heirless, clusterUid: 'own' }))).toEqual([]);
  });

  test('a Node of the name with another uid is not said to have taken it over', async () => {
    const node = await createNode(world.kubernetes, { name: 'of-both' });
    const uid = node.metadata?.uid ?? '';
    const other = { name: 'of-both', uid: 'u-other', clusterUid: 'another' };
    await expect(run(() => activities.discover(other))).rejects.toMatchObject(wrong);
    // Its own Node shows that it is the right one.
    expect(await run(() => activities.discover({ ...other, uid }))).toMatchObject({ node: { uid } });
  });

  test('in its own, a Node that is not there is gone', async () => {
    expect(await run(() => activities.discover({ ...gone, clusterUid: 'own' }))).toEqual({ kind: 'gone' });
  });
});

describe('discover', () => {
  test('finds the query of each family, of IPv6 for the instance’s own subnet, and the hash that the watcher knows', async () => {
    const node = await newNode('plain');
    expect(await discover('plain')).toMatchObject({
      kind: 'ready',
      node,
      instance: { id: 'plain', subnet: 'default' },
      pool: {
        name: 'game',
        scope: provider.scope,
        queries: [
          { family: 'ipv4', filter: 'labels.kubeip=use', orderBy: '' },
          { family: 'ipv6', filter: 'labels.kubeip=use', orderBy: 'name', subnet: 'default' },
        ],
        require: 'any',
        hash: config.pools[0]?.hash,
      },
      pinned: {},
    });
  });

  test('tells of the addresses that annotations pin, and logs one that can be no address', async () => {
    await newNode('pinned');
    await annotate('pinned', {
      [pinnedAnnotations.ipv4]: ' static-1 ',
      [pinnedAnnotations.ipv6]: 'not an address',
    });
    expect(await discover('pinned')).toMatchObject({ kind: 'ready', pinned: { ipv4: 'static-1' } });
    expect(await discover('pinned')).toMatchObject({
      pinned: { ipv4: 'static-1' },
      pinnedBy: { ipv4: 'annotation' },
      ignoredPins: [{ annotation: pinnedAnnotations.ipv6, why: 'malformed' }],
    });
    expect(await discover('pinned')).not.toHaveProperty('pinned.ipv6');
    expect(log.join('')).toContain(pinnedAnnotations.ipv6);
    expect(log.join('')).not.toContain(pinnedAnnotations.ipv4);
  });
});

describe('publish', () => {
  const ipv4 = { id: 'static-4', ip: '203.0.113.7' };
  const ipv6 = { id: 'static-6', ip: '2001:db8::7' };
  const annotationsOf = async (name: string) => (await core.readNode({ name })).metadata?.annotations;
  const taintsOf = async (name: string) =>
    ((await core.readNode({ name })).spec?.taints ?? []).map(({ key }) => key);

  test('shows both addresses with their ids, and takes away what the node has no more', async () => {
    const node = await newNode('published');
    const input = { node, key: 'k', pool: 'game', taintKey: 'example.com/no-address' };
    await publish({ ...input, phase: 'waiting', addresses: [ipv4] });
    expect(await annotationsOf('published')).toMatchObject({ [publicIpv4Annotation]: ipv4.ip });
    expect(await taintsOf('published')).toContain('example.com/no-address');

    await publish({ ...input, phase: 'assigned', addresses: [ipv4, ipv6] });
    expect(await annotationsOf('published')).toMatchObject({
      [publicIpv4Annotation]: ipv4.ip,
      [publicIpv6Annotation]: ipv6.ip,
      [addressIdAnnotation]: 'static-4,static-6',
    });
    expect(await taintsOf('published')).not.toContain('example.com/no-address');

    await publish({ ...input, phase: 'assigned', addresses: [ipv6] });
    const left = await annotationsOf('published');
    expect(left).toMatchObject({ [publicIpv6Annotation]: ipv6.ip, [addressIdAnnotation]: 'static-6' });
    expect(left).not.toHaveProperty([publicIpv4Annotation]);

    await publish({ ...input, phase: 'released', addresses: [] });
    const none = await annotationsOf('published');
    for (const annotation of [publicIpv4Annotation, publicIpv6Annotation, addressIdAnnotation]) {
      expect(none ?? {}).not.toHaveProperty([annotation]);
    }
  });

  test('lifts the taint of a node that gave up where the pool’s policy says so, once and for all', async () => {
    const node = await newNode('gave-up');
    const taintKey = 'example.com/no-address';
    const input = { node, key: 'k', pool: 'game', taintKey, addresses: [] };
    const gaveUp = { ...input, taintPolicy: 'assignedOrGaveUp' } as const;
    await publish({ ...input, phase: 'failed' });
    await publish({ ...input, phase: 'failed', taintPolicy: 'assigned' });
    await publish({ ...gaveUp, phase: 'waiting' });
    await publish({ ...gaveUp, phase: 'released' });
    expect(await taintsOf('gave-up')).toContain(taintKey);

    await publish({ ...gaveUp, phase: 'failed' });
    const others = await taintsOf('gave-up');
    expect(others).not.toContain(taintKey);
    // A repeated failure, another try, and its success find it gone.
    await publish({ ...gaveUp, phase: 'failed' });
    await publish({ ...gaveUp, phase: 'waiting' });
    await publish({ ...gaveUp, phase: 'assigned', addresses: [ipv4] });
    expect(await taintsOf('gave-up')).toEqual(others);
    expect(await annotationsOf('gave-up')).toMatchObject({ [publicIpv4Annotation]: ipv4.ip });
  });
});
