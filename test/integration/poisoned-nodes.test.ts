/**
 * Nodes that are not as they should be, as far as a real kube-apiserver takes them, among good ones: the watcher and the
 * worker as processes. The good ones are served, and each of the others shows why it is not.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { V1Node } from '@kubernetes/client-node';
import {
  messageAnnotation,
  phaseLabel,
  pinnedAnnotations,
  publicIpv4Annotation,
} from '../../kubernetes/keys.ts';
import type { ManagedProcess } from '../../sandbox/processes/child-process.ts';
import { type NodeWorld, startNodeWorld, until } from './node-world.ts';

interface Poison {
  readonly name: string;
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
  /** @default that of a new instance */
  readonly providerID?: string | undefined;
  /** What its status, or its annotation, says. */
  readonly shows: RegExp;
}

const pin = pinnedAnnotations.ipv4;
const longName = `long.${'x'.repeat(50)}.${'y'.repeat(60)}.${'z'.repeat(60)}.${'w'.repeat(60)}`;

/** They have no address, and say why. */
const poisoned: readonly Poison[] = [
  { name: 'no-provider-id', providerID: undefined, shows: /no spec\.providerID/ },
  {
    name: 'azure',
    providerID: 'azure:///subscriptions/1/resourceGroups/g/vm-0',
    shows: /cloud that is not supported/,
  },
  { name: 'no-cloud', providerID: 'kind://docker/kind/node', shows: /cloud that is not supported/ },
  {
    name: 'fargate',
    providerID: 'aws:///eu-west-1a/5ac1e2-0f/fargate-ip-10-0-0-1.eu-west-1.compute.internal',
    shows: /not an EC2 instance/,
  },
  { name: 'wildcard', providerID: 'aws:///eu-west-1a/i-*', shows: /not an EC2 instance/ },
  { name: 'traversal', providerID: 'gce://p/../../zones/z/instances/i', shows: /not a GCE instance/ },
  {
    name: 'other-cloud',
    providerID: 'gce://project-1/europe-west1-b/node-1',
    shows: /is on gcp, but its pool/,
  },
  { name: 'unicode', providerID: 'aws:///eu-west-1a/ï-012–3😀\u202e', shows: /not an EC2 instance/ },
  { name: 'huge-provider-id', providerID: `aws:///${'x'.repeat(100_000)}`, shows: /not an EC2 instance/ },
  { name: 'unknown-instance', providerID: 'aws:///eu-west-1a/i-0fffffffffffffff0', shows: /does not exist/ },
  {
    name: 'elsewhere',
    labels: { 'topology.kubernetes.io/region': 'us-east-1' },
    shows: /is in region us-east-1/,
  },
  {
    name: 'pinned-to-nothing',
    annotations: { [pin]: '../../../etc/passwd' },
    shows: /is not an address of pool/,
  },
  { name: 'pinned-to-a-prototype', annotations: { [pin]: '__proto__' }, shows: /is not an address of pool/ },
];

/** Odd, but no reason to be left without an address. */
const odd: readonly Omit<Poison, 'shows'>[] = [
  { name: 'pinned-to-all', annotations: { [pin]: 'eipalloc-*' } },
  { name: 'garbage-pin', annotations: { [pin]: `not an\naddress ${'ü'.repeat(50_000)}` } },
  { name: 'unicode-annotations', annotations: { 'example.com/note': '😀\u0000\ufeff\u202e"\\'.repeat(200) } },
  { name: 'ten-kilobytes', annotations: { 'example.com/blob': 'x'.repeat(10_000) }, labels: manyLabels(150) },
  { name: 'annotations-nearly-full', annotations: { 'example.com/blob': 'x'.repeat(240_000) } },
  { name: longName },
];

const good = ['good-1', 'good-2', 'good-3', 'good-4', 'good-5'];

let here: NodeWorld;
let worker: ManagedProcess;
let watcher: ManagedProcess;
beforeAll(async () => {
  here = await startNodeWorld('5s');
  for (let n = 0; n < 12; n++) here.world.ec2.allocateAddress({ tags: { kubeip: 'use' } });
  worker = await here.start('worker');
}, 900_000);
afterAll(() => here?.stop());

/** About 10 kB. */
function manyLabels(count: number): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, n) => [`example.com/label-${n}`, 'v'.repeat(50)]),
  );
}

async function add({ name, labels, annotations, ...rest }: Omit<Poison, 'shows'>): Promise<void> {
  const { ec2 } = here.world;
  const { instanceId, zone } = ec2.runInstance({ publicIp: true });
  const providerID = 'providerID' in rest ? rest.providerID : `aws:///${zone}/${instanceId}`;
  const body: V1Node = {
    metadata: {
      name,
      labels: { kubeip: 'use', 'topology.kubernetes.io/region': ec2.region, ...labels },
      ...(annotations && { annotations }),
    },
    spec: providerID === undefined ? {} : { providerID },
  };
  await here.core.createNode({ body });
}

async function expectAssigned(name: string): Promise<void> {
  await until(`${name} is assigned`, async () => {
    const { metadata } = await here.readNode(name);
    return metadata?.labels?.[phaseLabel] === 'assigned' && !!metadata.annotations?.[publicIpv4Annotation];
  });
}

describe('poisoned nodes', () => {
  test('keep no other from its address, and show why they have none', async () => {
    // Half of them are there before the watcher begins, half come after; the good ones stand behind them.
    for (const it of poisoned.slice(0, 7)) await add(it);
    for (const name of good.slice(0, 2)) await add({ name });
    watcher = await here.start('watcher');
    for (const it of [...poisoned.slice(7), ...odd]) await add(it);
    for (const name of good.slice(2)) await add({ name });
    // One that the watch shows without any label is none of its business.
    await here.core.createNode({ body: { metadata: { name: 'without-labels' } } });

    for (const name of good) await expectAssigned(name);
    for (const { name } of odd) await expectAssigned(name);
    for (const { name, shows } of poisoned) {
      await until(`${name} shows ${String(shows)}`, async () => {
        const { metadata } = await here.readNode(name);
        const shown = metadata?.annotations?.[messageAnnotation] ?? (await here.status(name)).message;
        return shows.test(shown) && shown.length <= 2_000;
      });
      const { metadata } = await here.readNode(name);
      expect(metadata?.annotations?.[publicIpv4Annotation]).toBeUndefined();
    }
    await expect(here.status('without-labels')).rejects.toThrow(/not found/i);
  });

  test('leave watcher and worker running, which serve whoever comes next', async () => {
    await add({ name: 'next' });
    await expectAssigned('next');
    for (const program of [worker, watcher]) {
      expect(program.output()).not.toMatch(/TypeError|RangeError|unhandled/i);
      expect(program.running()).toBe(true);
    }
  });
});
