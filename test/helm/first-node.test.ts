/**
 * From nothing to a node with an address, by the values of docs/install-eks.md and docs/install-gke.md: helm installs them on a real
 * kube-apiserver, and the programs run as its Deployments say. Only what names the cloud is the emulator's.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { CoreV1Api } from '@kubernetes/client-node';
import { Connection } from '@temporalio/client';
import { parse } from 'yaml';
import { phaseLabel, publicIpv4Annotation } from '../../kubernetes/keys.ts';
import { createNode } from '../../sandbox/nodes.ts';
import {
  installChart,
  startDeployments,
  testChart,
  uninstallChart,
} from '../../sandbox/processes/chart-release.ts';
import type { ManagedProcess } from '../../sandbox/processes/child-process.ts';
import { lastingPorts } from '../../sandbox/processes/ports.ts';
import { startProgram } from '../../sandbox/processes/program.ts';
import type { World } from '../../sandbox/world.ts';
import { walk } from '../integration/shell-page.ts';
import { waitFor } from '../integration/wait-for.ts';
import { startTestWorld } from '../shared-kubernetes.ts';

let world: World;
beforeAll(async () => {
  world = await startTestWorld({ temporal: true, kubernetes: true, ec2: true, gce: true });
}, 900_000);
afterAll(() => world?.stop());

interface PageValues {
  readonly config: { readonly cluster: string; readonly pools: readonly [Record<string, unknown>] };
}

/** What a reader of the page has in place of its example names. */
interface Place {
  readonly pool: Record<string, unknown>;
  readonly env: Readonly<Record<string, string>>;
  readonly node: Parameters<typeof createNode>[1];
  /** Of the reserved address. */
  readonly ip: () => string | undefined;
}

function onEc2(): Place {
  const { ec2 } = world;
  const { publicIp } = ec2.allocateAddress({ tags: { kubeip: 'reserved' } });
  const { instanceId, zone } = ec2.runInstance({ publicIp: true });
  return {
    pool: { account: ec2.accountId, region: ec2.region },
    env: { ...ec2.environment, AWS_EC2_METADATA_DISABLED: 'true' },
    node: {
      name: 'eks-1',
      providerID: `aws:///${zone}/${instanceId}`,
      region: ec2.region,
      labels: { 'eks.amazonaws.com/nodegroup': 'public' },
    },
    ip: () => publicIp,
  };
}

function onGce(): Place {
  const { gce } = world;
  const { name, address } = gce.reserveAddress({ labels: { kubeip: 'reserved' } });
  expect(name).not.toBe('');
  const { providerId } = gce.insertInstance({ name: 'gke-prod-public-1' });
  return {
    pool: { account: gce.projectId, region: gce.region, endpoint: gce.url },
    env: {},
    node: {
      name: 'gke-prod-public-1',
      providerID: providerId,
      region: gce.region,
      labels: { 'cloud.google.com/gke-nodepool': 'public' },
    },
    ip: () => address,
  };
}

test.each([
  ['install-eks.md', onEc2],
  ['install-gke.md', onGce],
])(
  'by %s, a node of the public group gets the reserved address, and `helm test` finds nothing wrong',
  async (page, at) => {
    const { read, folder } = await walk(page).then((it) => ({
      read: (name: string) => it.read(name),
      folder: it.folder,
    }));
    const values = parse(read('values.yaml')) as PageValues;
    rmSync(join(folder, '..'), { recursive: true });
    const place = at();
    const [workerPort, watcherPort] = await lastingPorts(2);
    const name = page.replace(/\W/g, '-').slice(0, 11);
    const cluster = name;
    const release = { kubernetes: world.kubernetes, dir: world.dir, namespace: name, name };
    // Of its own: the doctor looks at every scope of the namespace.
    const connection = await Connection.connect({ address: world.temporal.address });
    await connection.workflowService.registerNamespace({
      namespace: name,
      workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
    });
    await connection.close();
    await installChart({
      ...release,
      values: {
        ...values,
        config: {
          ...values.config,
          cluster,
          pools: [{ ...values.config.pools[0], ...place.pool }],
          http: { workerPort, watcherPort },
        },
        temporal: { address: world.temporal.address, namespace: name },
        worker: { extraEnv: Object.entries(place.env).map(([key, value]) => ({ name: key, value })) },
      },
    });
    await createNode(world.kubernetes, place.node);
    const programs: ManagedProcess[] = [];
    try {
      for (const [component, program] of Object.entries(await startDeployments(release))) {
        const logFile = join(world.dir, `${name}-${component}.log`);
        programs.push(await startProgram({ ...program, logFile }));
      }
      const core = world.kubernetes.kubeConfig.makeApiClient(CoreV1Api);
      const node = await waitFor(
        'its address',
        () => core.readNode({ name: place.node.name }),
        ({ metadata }) => metadata?.labels?.[phaseLabel] === 'assigned',
      );
      expect(node.metadata?.annotations?.[publicIpv4Annotation]).toBe(place.ip());
      expect(await testChart(release)).toMatch(/ok +public, ipv4: 1 address/);
    } finally {
      await Promise.all(programs.map((program) => program.stop()));
      await uninstallChart(release);
    }
  },
);
