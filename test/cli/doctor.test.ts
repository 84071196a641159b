/**
 * `kubeip doctor` against a real worker with the shipped roles and the documented permissions: nothing is amiss. With one of
 * them taken away, it names exactly that one.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  type KubernetesObject,
  KubernetesObjectApi,
  PatchStrategy,
  type V1PolicyRule,
} from '@kubernetes/client-node';
import { stringify } from 'yaml';
import { awsIpv6Permissions, awsPermissions } from '../../clouds/aws/permissions.ts';
import { gcpPermissions, gcpIpv6Permissions } from '../../clouds/gcp/permissions.ts';
import { type OciAction, type OciPermission, ociPermissions } from '../../clouds/oci/permissions.ts';
import type { Check } from '../../cli/commands/doctor-checks.ts';
import { neededRules } from '../../kubernetes/needed-rules.ts';
import { exitCodes } from '../../program/exit-codes.ts';
import { leastOnEc2, leastOnGce, leastOnOci } from '../../sandbox/least-permissions.ts';
import { createNode } from '../../sandbox/nodes.ts';
import type { ManagedProcess } from '../../sandbox/processes/child-process.ts';
import { startProgram } from '../../sandbox/processes/program.ts';
import { applyShippedAccounts, shippedObjects } from '../../sandbox/processes/shipped-accounts.ts';
import type { World } from '../../sandbox/world.ts';
import { startTestWorld } from '../shared-kubernetes.ts';
import { waitFor } from '../integration/wait-for.ts';
import { runKubeip } from './run-kubeip.ts';

/** Each test starts processes, on a machine that may have other things to do. */
/** No kubelet may set it. */
const restrictedLabel = 'node-restriction.kubernetes.io/cloud';

let world: World;
let worker: ManagedProcess;

beforeAll(async () => {
  world = await startTestWorld({ temporal: true, kubernetes: true, ec2: true, gce: true, oci: true });
  const { ec2, gce, oci, kubernetes } = world;
  ec2.configure({ allowed: [...leastOnEc2] });
  gce.configure({ allowed: [...leastOnGce] });
  oci.configure({ allowed: [...leastOnOci] });
  await registerNodes();
  const { worker: kubeconfig } = await applyShippedAccounts(kubernetes);
  worker = await startProgram({
    name: 'worker',
    script: 'worker/main.ts',
    args: ['--config', configFile()],
    env: { ...world.env, KUBECONFIG: kubeconfig },
    logFile: join(world.dir, 'worker.log'),
  });
  await waitFor('the worker', () => worker.output().includes('worker started'), Boolean, 180_000);
}, 900_000);

afterAll(async () => {
  await worker?.stop();
  await world?.stop();
});

/** On each cloud an address that is free, one that a node's instance has, and a node. */
async function registerNodes(): Promise<void> {
  const { ec2, gce, oci, kubernetes } = world;
  const tags = { kubeip: 'use' };
  const { instanceId } = ec2.runInstance({ publicIp: true });
  ec2.allocateAddress({ tags });
  ec2.associateByHand({ allocationId: ec2.allocateAddress({ tags }).allocationId, instanceId });
  ec2.reserveIpv6({ tags });
  gce.insertInstance({ name: 'node-g', stackType: 'IPV4_ONLY' });
  gce.reserveAddress({ labels: tags });
  gce.reserveAddress({ labels: tags, ipVersion: 'IPV6' });
  const { id: instance, providerId } = oci.launchInstance();
  oci.reservePublicIp({ freeformTags: tags });
  oci.assignByHand({ publicIp: oci.reservePublicIp({ freeformTags: tags }).id, instance });
  await createNode(kubernetes, {
    name: 'node-o',
    region: oci.region,
    labels: { [restrictedLabel]: 'oci' },
    providerID: providerId,
  });
  await createNode(kubernetes, {
    name: 'node-e',
    region: ec2.region,
    labels: { cloud: 'aws' },
    providerID: `aws:///${ec2.region}a/${instanceId}`,
  });
  await createNode(kubernetes, {
    name: 'node-g',
    region: gce.region,
    labels: { [restrictedLabel]: 'gcp' },
    providerID: `gce://${gce.projectId}/${gce.region}-b/node-g`,
  });
}

function configFile(): string {
  const { ec2, gce, oci } = world;
  const bothOf = (filter: string) => ({ ipv4: { filter }, ipv6: { filter } });
  const file = join(world.dir, 'kubeip.yaml');
  const pools = [
    {
      name: 'eks',
      region: ec2.region,
      nodeSelector: { matchLabels: { cloud: 'aws' } },
      addresses: bothOf('Name=tag:kubeip,Values=use'),
    },
    {
      name: 'gke',
      provider: 'gcp',
      region: gce.region,
      account: gce.projectId,
      endpoint: gce.url,
      nodeSelector: { matchLabels: { [restrictedLabel]: 'gcp' } },
      addresses: bothOf('labels.kubeip=use'),
    },
    {
      name: 'oke',
      provider: 'oci',
      region: oci.region,
      account: oci.compartmentId,
      endpoint: oci.url,
      nodeSelector: { matchLabels: { [restrictedLabel]: 'oci' } },
      filter: 'freeformTags.kubeip=use',
    },
  ];
  writeFileSync(
    file,
    stringify({ cluster: 'prod', http: { workerPort: 0 }, audit: { enabled: false }, pools }),
  );
  return file;
}

interface Diagnosis {
  readonly code: number | null;
  readonly stderr: string;
  readonly checks: readonly Check[];
}

/** With access to Temporal, and to nothing else. */
async function doctor(): Promise<Diagnosis> {
  const { TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE } = world.env;
  const env = { TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE };
  const { code, stdout, stderr } = await runKubeip(['doctor', '--cluster', 'prod', '-o', 'json'], env);
  const { checks } = JSON.parse(stdout) as { checks: Check[] };
  return { code, stderr, checks };
}

function withVerdict({ checks }: Diagnosis, verdict: Check['verdict']): string[] {
  return checks.filter((check) => check.verdict === verdict).map(({ what }) => what);
}

/** What has no dry run, or none that changes nothing, and what only another identity could ask. */
const untested = [
  'ec2:AssignIpv6Addresses',
  'ec2:UnassignIpv6Addresses',
  'PRIVATE_IP_ASSIGN_PUBLIC_IP',
  'PRIVATE_IP_UNASSIGN_PUBLIC_IP',
  'PUBLIC_IP_ASSIGN_PRIVATE_IP',
  'PUBLIC_IP_UNASSIGN_PRIVATE_IP',
  'the watcher may get nodes',
  'the watcher may list nodes',
  'the watcher may watch nodes',
  'the watcher may get namespaces/kube-system',
];

test('with all that is documented nothing is amiss; what cannot be tested is listed as such, never as ok', async () => {
  const diagnosis = await doctor();
  expect(withVerdict(diagnosis, 'problem')).toEqual([]);
  expect(diagnosis.stderr).toBe('');
  expect(diagnosis.code).toBe(exitCodes.ok);
  expect(withVerdict(diagnosis, 'untested')).toEqual(untested);
  const ok = withVerdict(diagnosis, 'ok');
  const permissions = {
    ...awsPermissions,
    ...awsIpv6Permissions,
    ...gcpPermissions,
    ...gcpIpv6Permissions,
    ...ociPermissions,
  };
  for (const permission of Object.keys(permissions)) {
    expect([...ok, ...untested]).toContain(permission);
  }
  expect(ok).toEqual(
    expect.arrayContaining(['server', 'versions', 'search attribute KubeipNode', 'kubeip/cluster/prod']),
  );
  const pools = diagnosis.checks.filter(({ area }) => area === 'pools');
  expect(pools.map(({ what, detail }) => `${what}: ${detail}`)).toEqual([
    'eks, ipv4: 2 addresses, 1 of them free',
    expect.stringMatching(/^eks, ipv6: \d+ addresses, \d+ of them free$/),
    'eks, nodeSelector: a kubelet can set cloud on its own Node, and have an address of this pool. Where nodes are not trusted ' +
      'alike, select by a label of node-restriction.kubernetes.io, too',
    'eks, nodes: its nodeSelector matches 1 nodes',
    'gke, ipv4: 1 addresses, 1 of them free',
    'gke, ipv6: 1 addresses, 1 of them free',
    'gke, nodes: its nodeSelector matches 1 nodes',
    'oke, ipv4: 2 addresses, 1 of them free',
    'oke, nodes: its nodeSelector matches 1 nodes',
  ]);
});

describe('names exactly the permission that was taken away', () => {
  const expectProblem = (diagnosis: Diagnosis, what: string): void => {
    expect(withVerdict(diagnosis, 'problem')).toEqual([what]);
    expect(diagnosis.code).toBe(exitCodes.problemsFound);
    expect(diagnosis.stderr).toBe(`kubeip: 1 problem: ${what}.\n`);
  };

  test.each(Object.keys({ ...awsPermissions, ...awsIpv6Permissions }))('%s', async (permission) => {
    world.ec2.configure({ denied: [permission.replace('ec2:', '')] });
    try {
      expectProblem(await doctor(), permission);
    } finally {
      world.ec2.configure({ denied: [] });
    }
  });

  test.each(Object.keys({ ...gcpPermissions, ...gcpIpv6Permissions }))('%s', async (permission) => {
    world.gce.configure({ denied: [permission.replace('compute.', '')] });
    try {
      expectProblem(await doctor(), permission);
    } finally {
      world.gce.configure({ denied: [] });
    }
  });

  // Oracle Cloud says the same of each permission that an operation takes: they are named together.
  test.each(Object.keys(ociPermissions) as OciPermission[])('%s', async (permission) => {
    world.oci.configure({ denied: [permission] });
    try {
      const diagnosis = await doctor();
      const problems = withVerdict(diagnosis, 'problem');
      expect(problems).toContain(permission);
      const refused: readonly OciAction[] = ociPermissions[permission];
      const taken = (Object.keys(ociPermissions) as OciPermission[]).filter((one) =>
        ociPermissions[one].some((action) => refused.includes(action)),
      );
      // A list that is refused says nothing of its pool.
      const lists = refused.includes('ListPublicIps') ? ['oke, ipv4'] : [];
      expect(problems.filter((one) => !taken.some((name) => name === one))).toEqual(lists);
      expect(diagnosis.code).toBe(exitCodes.problemsFound);
    } finally {
      world.oci.configure({ denied: [] });
    }
  });

  test.each(neededRules.worker)(
    'the worker may $verb $resource',
    async ({ verb, resource, name, namespace }) => {
      await applyRules((rules) => without(rules, verb, resource));
      const object = name === undefined ? resource : `${resource}/${name}`;
      const what = `the worker may ${verb} ${object}${namespace === undefined ? '' : ` in ${namespace}`}`;
      try {
        // The API server takes over a changed role within a moment.
        const diagnosis = await waitFor('the role', doctor, ({ code }) => code !== exitCodes.ok);
        expectProblem(diagnosis, what);
      } finally {
        await applyRules((rules) => rules);
        await waitFor('the role again', doctor, ({ code }) => code === exitCodes.ok);
      }
    },
  );
});

interface Role extends KubernetesObject {
  readonly rules?: V1PolicyRule[];
}

async function applyRules(change: (rules: V1PolicyRule[]) => V1PolicyRule[]): Promise<void> {
  const api = KubernetesObjectApi.makeApiClient(world.kubernetes.kubeConfig);
  const roles = (shippedObjects() as Role[]).filter(
    ({ rules, metadata }) => rules !== undefined && metadata?.name === 'kubeip-temporal-worker',
  );
  for (const role of roles) {
    const body = { ...role, rules: change(role.rules ?? []) };
    await api.patch(body, undefined, undefined, 'sandbox', true, PatchStrategy.ServerSideApply);
  }
}

function without(rules: V1PolicyRule[], verb: string, resource: string): V1PolicyRule[] {
  return rules
    .map((rule) =>
      rule.resources?.includes(resource)
        ? Object.assign({}, rule, { verbs: rule.verbs.filter((one) => one !== verb) })
        : rule,
    )
    .filter(({ verbs }) => verbs.length > 0);
}

test('a worker that is gone is a problem, and what it would have told is not taken for ok', async () => {
  const { TEMPORAL_ADDRESS } = world.env;
  await worker.stop();
  // The server remembers a poller for a while; that nobody takes the task shows at once.
  const gone = await runKubeip(['doctor', '--cluster', 'prod', '--timeout', '3s'], { TEMPORAL_ADDRESS });
  expect(gone.code).toBe(exitCodes.problemsFound);
  expect(gone.stdout).toContain('permissions, pools and nodes were not looked at');
  const never = await runKubeip(['doctor', '--cluster', 'staging'], { TEMPORAL_ADDRESS });
  expect(never.code).toBe(exitCodes.problemsFound);
  expect(never.stdout).toMatch(/PROBLEM\s+kubeip\/cluster\/staging: no worker has polled in the last five/);
  expect(never.stdout).toContain('permissions, pools and nodes were not looked at');
  expect(never.stdout).not.toContain('ec2:');
});
