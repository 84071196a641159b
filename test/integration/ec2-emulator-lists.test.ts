import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  AllocateAddressCommand,
  CreateTagsCommand,
  DeleteTagsCommand,
  DescribeAddressesCommand,
  DescribeInstancesCommand,
  DescribeNetworkInterfacesCommand,
  DescribeSubnetsCommand,
  DescribeTagsCommand,
  paginateDescribeInstances,
  ReleaseAddressCommand,
  type Filter,
} from '@aws-sdk/client-ec2';
import { newClient, openEmulator, outcomeOf, type EmulatorUnderTest } from './ec2-emulator-client.ts';

let open: EmulatorUnderTest;
let held: { allocationId: string; publicIp: string; instanceId: string; networkInterfaceId: string };

beforeAll(async () => {
  open = await openEmulator();
  const { emulator } = open;
  const instance = emulator.runInstance({ tags: { Name: 'holder' }, zone: 'eu-west-1b' });
  const a = emulator.allocateAddress({ tags: { kubeip: 'pool-a', Name: 'first' } });
  emulator.allocateAddress({ tags: { kubeip: 'pool-a', note: 'a=b & <c>' } });
  emulator.allocateAddress({ tags: { kubeip: 'pool-b' } });
  emulator.allocateAddress();
  emulator.associateByHand({ allocationId: a.allocationId, instanceId: instance.instanceId });
  held = {
    allocationId: a.allocationId,
    publicIp: a.publicIp,
    instanceId: instance.instanceId,
    networkInterfaceId: instance.networkInterfaceIds[0] ?? '',
  };
});

afterAll(() => open.close());

const addressesBy = async (...filters: Filter[]): Promise<string[]> => {
  const { Addresses = [] } = await open.client.send(new DescribeAddressesCommand({ Filters: filters }));
  return Addresses.map(({ PublicIp }) => PublicIp ?? '');
};

const filter = (Name: string, ...Values: string[]): Filter => ({ Name, Values });

describe('filters of DescribeAddresses', () => {
  test('find by every property that EC2 documents', async () => {
    const [address] = open.emulator.addresses();
    const found = [
      filter('allocation-id', held.allocationId),
      filter('association-id', address?.associationId ?? ''),
      filter('instance-id', held.instanceId),
      filter('network-interface-id', held.networkInterfaceId),
      filter('network-interface-owner-id', '123456789012'),
      filter('private-ip-address', address?.privateIp ?? ''),
      filter('public-ip', held.publicIp),
      filter('tag:Name', 'first'),
      filter('tag-key', 'Name'),
      filter('tag-value', 'first'),
    ].map((one) => addressesBy(one));
    for (const one of await Promise.all(found)) expect(one).toEqual([held.publicIp]);
    expect(await addressesBy(filter('domain', 'vpc'))).toHaveLength(4);
    expect(await addressesBy(filter('network-border-group', 'eu-west-1'))).toHaveLength(4);
  });

  test('join several filters by AND and the values of one by OR', async () => {
    expect(await addressesBy(filter('tag:kubeip', 'pool-a', 'pool-b'))).toHaveLength(3);
    expect(await addressesBy(filter('tag:kubeip', 'pool-a'), filter('tag-key', 'note'))).toHaveLength(1);
    expect(await addressesBy(filter('tag:kubeip', 'pool-a'), filter('tag:kubeip', 'pool-b'))).toEqual([]);
  });

  test('take wildcards, escaped ones literally, and distinguish upper and lower case', async () => {
    expect(await addressesBy(filter('tag:kubeip', 'pool-?'))).toHaveLength(3);
    expect(await addressesBy(filter('tag:kubeip', '*a'))).toHaveLength(2);
    expect(await addressesBy(filter('tag:kubeip', 'pool-\\?'))).toEqual([]);
    expect(await addressesBy(filter('tag:kubeip', 'POOL-A'))).toEqual([]);
    expect(await addressesBy(filter('tag:note', 'a=b & <c>'))).toHaveLength(1);
  });

  test('are refused when EC2 does not have them, or with more than 200 values', async () => {
    expect(await outcomeOf(addressesBy(filter('colour', 'red')))).toBe('400 InvalidParameterValue');
    await expect(addressesBy(filter('colour', 'red'))).rejects.toThrow("The filter 'colour' is invalid");
    expect(await outcomeOf(addressesBy(filter('constructor', 'x')))).toBe('400 InvalidParameterValue');
    const many = Array.from({ length: 201 }, (_, i) => `v${i}`);
    expect(await outcomeOf(addressesBy(filter('tag:kubeip', ...many)))).toBe('400 FilterLimitExceeded');
    expect(await outcomeOf(addressesBy(filter('tag:kubeip', ...many.slice(1))))).toBe('ok');
  });
});

describe('addresses by name', () => {
  test('are found by allocation id and by address, and a filter narrows them', async () => {
    const read = (input: object) => open.client.send(new DescribeAddressesCommand(input));
    const named = await read({ AllocationIds: [held.allocationId] });
    expect(named.Addresses).toHaveLength(1);
    const byIp = await read({ PublicIps: [held.publicIp] });
    expect(byIp.Addresses?.[0]?.AllocationId).toBe(held.allocationId);
    const none = await read({ AllocationIds: [held.allocationId], Filters: [filter('tag:kubeip', 'x')] });
    expect(none.Addresses).toEqual([]);
    expect(await outcomeOf(read({ AllocationIds: ['eipalloc-00000001'] }))).toBe(
      '400 InvalidAllocationID.NotFound',
    );
    expect(await outcomeOf(read({ PublicIps: ['198.51.100.7'] }))).toBe('400 InvalidAddress.NotFound');
    expect(await outcomeOf(read({ PublicIps: ['nonsense'] }))).toBe('400 InvalidAddress.Malformed');
  });

  test('are allocated with tags up to the quota, and released only while they are free', async () => {
    const tagged = await open.client.send(
      new AllocateAddressCommand({
        TagSpecifications: [{ ResourceType: 'elastic-ip', Tags: [{ Key: 'fresh', Value: '' }] }],
      }),
    );
    expect(await addressesBy(filter('tag:fresh', ''))).toEqual([tagged.PublicIp]);
    const release = (AllocationId: string | undefined) =>
      outcomeOf(open.client.send(new ReleaseAddressCommand({ AllocationId })));
    expect(await release(held.allocationId)).toBe('400 InvalidIPAddress.InUse');
    expect(await release(tagged.AllocationId)).toBe('ok');
    expect(await release(tagged.AllocationId)).toBe('400 InvalidAllocationID.NotFound');
    open.emulator.configure({ addressQuota: 4 });
    expect(await outcomeOf(open.client.send(new AllocateAddressCommand({})))).toBe(
      '400 AddressLimitExceeded',
    );
    open.emulator.configure({ addressQuota: null });
  });
});

describe('DescribeInstances', () => {
  test('shows owner, zone, state, primary interface and association', async () => {
    const { Reservations } = await open.client.send(
      new DescribeInstancesCommand({ InstanceIds: [held.instanceId] }),
    );
    expect(Reservations).toMatchObject([
      {
        OwnerId: '123456789012',
        Instances: [
          {
            InstanceId: held.instanceId,
            Placement: { AvailabilityZone: 'eu-west-1b' },
            State: { Name: 'running', Code: 16 },
            PublicIpAddress: held.publicIp,
            Tags: [{ Key: 'Name', Value: 'holder' }],
            NetworkInterfaces: [
              {
                NetworkInterfaceId: held.networkInterfaceId,
                Attachment: { DeviceIndex: 0, Status: 'attached', DeleteOnTermination: true },
                Association: { PublicIp: held.publicIp, IpOwnerId: '123456789012' },
                PrivateIpAddresses: [{ Primary: true, Association: { PublicIp: held.publicIp } }],
              },
            ],
          },
        ],
      },
    ]);
  });

  test('says of an auto-assigned address that it is of Amazon', async () => {
    const { instanceId } = open.emulator.runInstance({ publicIp: true });
    const { Reservations } = await open.client.send(
      new DescribeInstancesCommand({ InstanceIds: [instanceId] }),
    );
    const [networkInterface] = Reservations?.[0]?.Instances?.[0]?.NetworkInterfaces ?? [];
    expect(networkInterface?.Association?.IpOwnerId).toBe('amazon');
  });

  test('gives pages that the SDK follows, each instance once', async () => {
    const ids = new Set(
      Array.from({ length: 12 }, () => open.emulator.runInstance({ tags: { page: 'yes' } }).instanceId),
    );
    const seen: string[] = [];
    const sizes: number[] = [];
    const pages = paginateDescribeInstances(
      { client: open.client, pageSize: 5 },
      { Filters: [filter('tag:page', 'yes'), filter('instance-state-name', 'running')] },
    );
    for await (const page of pages) {
      const instances = (page.Reservations ?? []).flatMap((one) => one.Instances ?? []);
      sizes.push(instances.length);
      seen.push(...instances.map((one) => one.InstanceId ?? ''));
    }
    expect(sizes).toEqual([5, 5, 2]);
    expect(new Set(seen)).toEqual(ids);
  });

  test.each<[string, object, string]>([
    ['an unknown id', { InstanceIds: ['i-00000001'] }, '400 InvalidInstanceID.NotFound'],
    ['a malformed id', { InstanceIds: ['node-1'] }, '400 InvalidInstanceID.Malformed'],
    ['an unknown filter', { Filters: [filter('size', 'big')] }, '400 InvalidParameterValue'],
    ['too small a page', { MaxResults: 4 }, '400 InvalidParameterValue'],
    ['a strange token', { MaxResults: 5, NextToken: 'x' }, '400 InvalidNextToken'],
    ['ids and pages', { InstanceIds: ['i-00000001'], MaxResults: 5 }, '400 InvalidParameterCombination'],
  ])('answers %s with an error', async (_, input, outcome) => {
    expect(await outcomeOf(open.client.send(new DescribeInstancesCommand(input)))).toBe(outcome);
  });

  test('finds instances through their interfaces', async () => {
    const { Reservations } = await open.client.send(
      new DescribeInstancesCommand({
        Filters: [filter('network-interface.association.public-ip', held.publicIp)],
      }),
    );
    expect(Reservations?.[0]?.Instances?.[0]?.InstanceId).toBe(held.instanceId);
  });
});

describe('tags', () => {
  test('are put on, replaced, found, and taken off', async () => {
    const { allocationId } = open.emulator.allocateAddress();
    const Resources = [allocationId];
    await open.client.send(new CreateTagsCommand({ Resources, Tags: [{ Key: 'k', Value: 'one' }] }));
    await open.client.send(new CreateTagsCommand({ Resources, Tags: [{ Key: 'k', Value: 'two' }] }));
    expect(await addressesBy(filter('tag:k', 'one'))).toEqual([]);
    const { Tags } = await open.client.send(
      new DescribeTagsCommand({ Filters: [filter('resource-id', allocationId)] }),
    );
    expect(Tags).toEqual([{ ResourceId: allocationId, ResourceType: 'elastic-ip', Key: 'k', Value: 'two' }]);
    await open.client.send(new DeleteTagsCommand({ Resources, Tags: [{ Key: 'k', Value: 'other' }] }));
    expect(await addressesBy(filter('tag:k', 'two'))).toHaveLength(1);
    await open.client.send(new DeleteTagsCommand({ Resources, Tags: [{ Key: 'k' }] }));
    expect(await addressesBy(filter('tag-key', 'k'))).toEqual([]);
  });

  test('are refused on what does not exist, and with a reserved key, on none of the resources', async () => {
    const { allocationId } = open.emulator.allocateAddress();
    const tag = (Resources: string[], Key: string) =>
      outcomeOf(open.client.send(new CreateTagsCommand({ Resources, Tags: [{ Key, Value: 'x' }] })));
    expect(await tag([allocationId, 'i-00000001'], 'half')).toBe('400 InvalidInstanceID.NotFound');
    expect(await tag([allocationId], 'aws:own')).toBe('400 InvalidParameterValue');
    expect(await tag(['vol-1'], 'half')).toBe('400 InvalidID');
    expect(await addressesBy(filter('tag-key', 'half'))).toEqual([]);
  });
});

describe('regions', () => {
  test('come from the signature and share nothing', async () => {
    const other = newClient(open.emulator, 'us-east-1');
    const { PublicIp } = await other.send(new AllocateAddressCommand({}));
    const { Addresses } = await other.send(new DescribeAddressesCommand({}));
    expect(Addresses?.map((one) => one.PublicIp)).toEqual([PublicIp]);
    expect(await addressesBy(filter('public-ip', PublicIp ?? ''))).toEqual([]);
    other.destroy();
  });

  test('have subnets and interfaces to find', async () => {
    const { Subnets } = await open.client.send(new DescribeSubnetsCommand({}));
    expect(Subnets?.map((one) => one.AvailabilityZone)).toContain('eu-west-1a');
    const { NetworkInterfaces } = await open.client.send(
      new DescribeNetworkInterfacesCommand({
        Filters: [filter('attachment.instance-id', held.instanceId), filter('status', 'in-use')],
      }),
    );
    expect(NetworkInterfaces).toMatchObject([
      {
        NetworkInterfaceId: held.networkInterfaceId,
        Association: { AllocationId: held.allocationId, PublicIp: held.publicIp },
      },
    ]);
  });
});
