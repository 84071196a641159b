/** The documented permissions: with all of them and no others everything works, and without one of them that one is named. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createAwsProvider } from '../../clouds/aws/aws-provider.ts';
import { awsIpv6Permissions, awsPermissions } from '../../clouds/aws/permissions.ts';
import { createGcpProvider } from '../../clouds/gcp/gcp-provider.ts';
import { gcpPermissions, gcpIpv6Permissions } from '../../clouds/gcp/permissions.ts';
import { createOciProvider } from '../../clouds/oci/oci-provider.ts';
import { ociPermissions } from '../../clouds/oci/permissions.ts';
import type { CloudProvider, PermissionProbe } from '../../clouds/provider.ts';
import type { AddressQuery, Family, InstanceRef } from '../../model/address.ts';
import { type Ec2Emulator, startEc2Emulator } from '../../sandbox/ec2/emulator.ts';
import { type GceEmulator, startGceEmulator } from '../../sandbox/gce/emulator.ts';
import { leastOnEc2, leastOnGce, leastOnOci } from '../../sandbox/least-permissions.ts';
import { type OciEmulator, startOciEmulator } from '../../sandbox/oci/emulator.ts';

interface Cloud {
  readonly provider: CloudProvider;
  /** A new instance without an address of the family, and a pool with one. */
  stage(family: Family): { readonly instance: InstanceRef; readonly query: AddressQuery };
  allow(permissions: readonly string[]): void;
}

const OPERATION_MS = 20;

let pools = 0;
let ec2: Ec2Emulator;
let gce: GceEmulator;
let oci: OciEmulator;
let clouds: Record<'aws' | 'gcp' | 'oci', Cloud>;
beforeAll(async () => {
  process.env['AWS_ACCESS_KEY_ID'] = 'test';
  process.env['AWS_SECRET_ACCESS_KEY'] = 'test';
  ec2 = await startEc2Emulator();
  gce = await startGceEmulator({ operationMs: OPERATION_MS });
  oci = await startOciEmulator();
  clouds = { aws: onEc2(ec2), gcp: onGce(gce), oci: onOci(oci) };
});
// A worker remembers for a while where an addition was denied.
beforeEach(() => {
  clouds.gcp.provider.close();
  clouds.gcp = onGce(gce);
});
afterAll(async () => {
  for (const { provider } of Object.values(clouds)) provider.close();
  await ec2.close();
  await gce.close();
  await oci.close();
});

function onEc2(emulator: Ec2Emulator): Cloud {
  const { url: endpoint, region, accountId: account } = emulator;
  const zone = `${region}a`;
  return {
    provider: createAwsProvider({ endpoint, region, account, batchWindowMs: 5 }),
    allow: (allowed) => void emulator.configure({ allowed: [...allowed] }),
    stage: (family) => {
      const tags = { pool: `p${++pools}` };
      if (family === 'ipv4') emulator.allocateAddress({ tags });
      else emulator.reserveIpv6({ zone, prefixLength: 128, tags });
      const { instanceId: id, subnetId: subnet } = emulator.runInstance({ zone });
      const query = { family, filter: `Name=tag:pool,Values=${tags.pool}`, orderBy: '' };
      return {
        instance: { provider: 'aws', id, zone },
        query: family === 'ipv6' ? { ...query, subnet } : query,
      };
    },
  };
}

function onGce(emulator: GceEmulator): Cloud {
  const { url: endpoint, region, projectId: project } = emulator;
  const zone = `${region}-b`;
  return {
    provider: createGcpProvider({ endpoint, project, region, batchWindowMs: 5 }),
    allow: (allowed) => void emulator.configure({ allowed: [...allowed] }),
    stage: (family) => {
      const labels = { pool: `p${++pools}` };
      emulator.reserveAddress({ labels, ipVersion: family === 'ipv4' ? 'IPV4' : 'IPV6' });
      // With an ephemeral IPv4 address that must go first, and without IPv6, so that the stack type must be changed.
      const { name: id } = emulator.insertInstance({ zone });
      const query = { family, filter: `labels.pool=${labels.pool}`, orderBy: '' };
      return { instance: { provider: 'gcp', id, zone, account: project }, query };
    },
  };
}

function onOci(emulator: OciEmulator): Cloud {
  const { url: endpoint, region, compartmentId: compartment, environment: env } = emulator;
  return {
    provider: createOciProvider({ endpoint, region, compartment, env, batchWindowMs: 5, pollMs: 5 }),
    allow: (allowed) => void emulator.configure({ allowed: [...allowed] }),
    stage: (family) => {
      const freeformTags = { pool: `p${++pools}` };
      emulator.reservePublicIp({ freeformTags });
      // With an ephemeral public IP that must go first.
      const { id, availabilityDomain: zone } = emulator.launchInstance();
      const query = { family, filter: `freeformTags.pool=${freeformTags.pool}`, orderBy: '' };
      return { instance: { provider: 'oci', id, zone }, query };
    },
  };
}

/** All that a worker does for a node, from its discovery to the end. */
async function live(cloud: Cloud, family: Family): Promise<void> {
  const { provider } = cloud;
  const { instance, query } = cloud.stage(family);
  await provider.findInstance(instance);
  const [address] = await provider.listAddresses(query);
  if (address === undefined) throw new Error('the pool is empty');
  const association = await provider.associate(instance, address, { requestKey: `k${pools}` });
  expect((await provider.readAddress(query, address.id))?.association?.instanceId).toBe(instance.id);
  const options = { association, requestKey: `k${pools}` };
  expect(await provider.release(instance, address, query, options)).toBe('released');
  await provider.restoreEphemeral(instance, family, { requestKey: `r${pools}` });
}

const least = { aws: leastOnEc2, gcp: leastOnGce, oci: leastOnOci };

/** For many nodes at once, and for those without an ephemeral address. */
const withoutWhich = ['compute.instances.list', 'compute.addresses.get'];

/** Neither has a dry run, so their absence is found out, and their presence is not. */
const withoutDryRun = ['ec2:AssignIpv6Addresses', 'ec2:UnassignIpv6Addresses'];

/** A pool with a free address and one that a node has, which the check has to try on. */
async function probeOf(cloud: Cloud, family: Family): Promise<PermissionProbe> {
  const { instance, query } = cloud.stage(family);
  const [address] = await cloud.provider.listAddresses(query);
  if (address === undefined) throw new Error('the pool is empty');
  await cloud.provider.associate(instance, address, { requestKey: `p${pools}` });
  return { queries: [query], instances: [instance] };
}

describe.each([
  ['aws', 'ipv4', Object.keys(awsPermissions)],
  ['aws', 'ipv6', ['ec2:DescribeInstances', ...Object.keys(awsIpv6Permissions)]],
  ['gcp', 'ipv4', Object.keys(gcpPermissions)],
  ['gcp', 'ipv6', Object.keys({ ...gcpPermissions, ...gcpIpv6Permissions })],
] as const)('the check of permissions on %s, %s', (name, family, permissions) => {
  let probe: PermissionProbe;
  beforeAll(async () => {
    clouds[name].allow(least[name]);
    probe = await probeOf(clouds[name], family);
  });

  test('finds every one granted where the documented ones are, or says that it cannot tell', async () => {
    clouds[name].allow(least[name]);
    const checks = await clouds[name].provider.checkPermissions(probe);
    expect(checks.map(({ permission }) => permission).toSorted()).toEqual([...permissions].toSorted());
    for (const { permission, result } of checks) {
      expect([permission, result]).toEqual([
        permission,
        withoutDryRun.includes(permission) ? 'untestable' : 'granted',
      ]);
    }
  });

  test.each(permissions)('names %s, and no other, where it is missing', async (permission) => {
    const emulated = permission.replace(/^(ec2:|compute\.)/, '');
    clouds[name].allow(least[name].filter((one) => one !== emulated));
    const checks = await clouds[name].provider.checkPermissions(probe);
    const missing = checks.filter(({ result }) => result === 'missing');
    expect(missing).toEqual([{ permission, result: 'missing', detail: expect.stringContaining(permission) }]);
  });

  test('changes nothing', async () => {
    clouds[name].allow(least[name]);
    const before = JSON.stringify([ec2.addresses(), ec2.ipv6Addresses(), gce.addresses(), gce.instances()]);
    await clouds[name].provider.checkPermissions(probe);
    expect(JSON.stringify([ec2.addresses(), ec2.ipv6Addresses(), gce.addresses(), gce.instances()])).toBe(
      before,
    );
  });
});

test('a permission that there is nothing to try on is untestable, not granted', async () => {
  clouds.aws.allow(least.aws);
  const query = { family: 'ipv4', filter: 'Name=tag:pool,Values=none', orderBy: '' } as const;
  clouds.aws.allow(least.aws.filter((one) => one !== 'AssociateAddress'));
  const onAws = await clouds.aws.provider.checkPermissions({ queries: [query], instances: [] });
  expect(onAws.find(({ permission }) => permission === 'ec2:AssociateAddress')).toEqual({
    permission: 'ec2:AssociateAddress',
    result: 'untestable',
    detail: expect.stringContaining('Name=tag:pool,Values=none and a node'),
  });
  clouds.gcp.allow(least.gcp);
  const onGcp = await clouds.gcp.provider.checkPermissions({
    queries: [{ ...query, filter: 'labels.pool=none' }],
    instances: [],
  });
  const granted = onGcp.filter(({ result }) => result === 'granted').map(({ permission }) => permission);
  expect(granted).toEqual(['compute.instances.list', 'compute.addresses.list', 'compute.zoneOperations.get']);
});

/** Oracle Cloud answers as for what does not exist: what is missing is one of those that the refused operation takes. */
describe('the check of permissions on Oracle Cloud', () => {
  const permissions = Object.keys(ociPermissions) as (keyof typeof ociPermissions)[];
  let probe: PermissionProbe;
  beforeAll(async () => {
    clouds.oci.allow(least.oci);
    probe = await probeOf(clouds.oci, 'ipv4');
  });

  /** Of an assignment or an unassignment: no try that changes nothing is sure to ask for them. */
  const untestable = permissions.filter((permission) => /_(ASSIGN|UNASSIGN)_/.test(permission));

  test('finds every one granted where the documented ones are, or cannot tell, and changes nothing', async () => {
    clouds.oci.allow(least.oci);
    const before = JSON.stringify([oci.publicIps(), oci.instances()]);
    const checks = await clouds.oci.provider.checkPermissions(probe);
    expect(checks.map(({ permission, result }) => [permission, result])).toEqual(
      permissions.map((permission) => [
        permission,
        untestable.includes(permission) ? 'untestable' : 'granted',
      ]),
    );
    expect(JSON.stringify([oci.publicIps(), oci.instances()])).toBe(before);
  });

  test.each(untestable)(
    'does not say that %s is granted where a try does not ask for it',
    async (permission) => {
      clouds.oci.allow(least.oci.filter((one) => one !== permission));
      oci.configure({ updatePublicIpNeeds: 'used' });
      const checks = await clouds.oci.provider.checkPermissions(probe);
      oci.configure({ updatePublicIpNeeds: 'all' });
      expect(checks.find((one) => one.permission === permission)).toMatchObject({
        result: 'untestable',
        detail: expect.stringContaining('assigns nothing'),
      });
    },
  );

  test.each(permissions)(
    'says that %s is missing, and no other than those of its operations',
    async (permission) => {
      clouds.oci.allow(least.oci.filter((one) => one !== permission));
      const checks = await clouds.oci.provider.checkPermissions(probe);
      const missing = checks.filter(({ result }) => result === 'missing');
      expect(missing.map((it) => it.permission)).toContain(permission);
      const actions: readonly string[] = ociPermissions[permission];
      for (const other of missing) {
        const shared = ociPermissions[other.permission as typeof permission].filter((one) =>
          actions.includes(one),
        );
        expect([other.permission, shared.length > 0]).toEqual([other.permission, true]);
        expect(other.detail).toContain(other.permission);
      }
    },
  );
});

describe.each([
  ['aws', 'ipv4', Object.keys(awsPermissions)],
  ['aws', 'ipv6', Object.keys(awsIpv6Permissions)],
  ['gcp', 'ipv4', Object.keys(gcpPermissions)],
  ['gcp', 'ipv6', Object.keys(gcpIpv6Permissions)],
  ['oci', 'ipv4', Object.keys(ociPermissions)],
] as const)('on %s, %s', (name, family, permissions) => {
  test('a node gets its address and gives it back with the documented permissions alone', async () => {
    clouds[name].allow(least[name]);
    await live(clouds[name], family);
  });

  const isNeeded = (permission: string) => !withoutWhich.includes(permission);

  test.each(permissions.filter(isNeeded))(
    '%s is needed, and named when it is missing',
    async (permission) => {
      const emulated = permission.replace(/^(ec2:|compute\.)/, '');
      clouds[name].allow(least[name].filter((one) => one !== emulated));
      // An operation that is done when its call is answered needs no permission to wait for it, on a busy machine too.
      gce.configure({ operationMs: permission === 'compute.zoneOperations.get' ? 5_000 : OPERATION_MS });
      await expect(live(clouds[name], family)).rejects.toMatchObject({
        name: 'CloudError',
        kind: 'Denied',
        message: expect.stringContaining(permission),
      });
    },
  );

  const others = permissions.filter((permission) => !isNeeded(permission));
  if (others.length > 0) {
    test.each(others)(
      'a single node with an ephemeral address gets its own without %s',
      async (permission) => {
        const emulated = permission.replace(/^(ec2:|compute\.)/, '');
        clouds[name].allow(least[name].filter((one) => one !== emulated));
        gce.configure({ operationMs: OPERATION_MS });
        await live(clouds[name], family);
      },
    );
  }
});
