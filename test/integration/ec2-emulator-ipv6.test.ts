import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  AssignIpv6AddressesCommand,
  CreateNetworkInterfaceCommand,
  CreateSubnetCidrReservationCommand,
  CreateTagsCommand,
  DeleteSubnetCidrReservationCommand,
  DescribeInstancesCommand,
  DescribeNetworkInterfacesCommand,
  DescribeSubnetsCommand,
  GetSubnetCidrReservationsCommand,
  RunInstancesCommand,
  TerminateInstancesCommand,
  UnassignIpv6AddressesCommand,
} from '@aws-sdk/client-ec2';
import { ManualClock } from '../../sandbox/cloud/clock.ts';
import type { InstanceInfo } from '../../sandbox/ec2/owner.ts';
import { openEmulator, outcomeOf, type EmulatorUnderTest } from './ec2-emulator-client.ts';

let open: EmulatorUnderTest;
let clock: ManualClock;

beforeEach(async () => {
  clock = new ManualClock();
  open = await openEmulator({ clock });
});

afterEach(() => open.close());

const assign = (instance: InstanceInfo, ...ips: string[]) =>
  open.client.send(
    new AssignIpv6AddressesCommand({
      NetworkInterfaceId: instance.networkInterfaceIds[0],
      Ipv6Addresses: ips,
    }),
  );

const unassign = (instance: InstanceInfo, ...ips: string[]) =>
  open.client.send(
    new UnassignIpv6AddressesCommand({
      NetworkInterfaceId: instance.networkInterfaceIds[0],
      Ipv6Addresses: ips,
    }),
  );

/** The addresses of the 16 that a reservation of this prefix has. */
const addressIn = (cidr: string, offset: number) => cidr.replace(/0?\/\d+$/, offset.toString(16));

const interfacesWith = async (ip: string) => {
  const { NetworkInterfaces = [] } = await open.client.send(
    new DescribeNetworkInterfacesCommand({
      Filters: [{ Name: 'ipv6-addresses.ipv6-address', Values: [ip] }],
    }),
  );
  return NetworkInterfaces.map((one) => one.NetworkInterfaceId);
};

const ipv6Subnet = async () => {
  const { Subnets = [] } = await open.client.send(
    new DescribeSubnetsCommand({
      Filters: [
        { Name: 'ipv6-cidr-block-association.state', Values: ['associated'] },
        { Name: 'availability-zone', Values: ['eu-west-1a'] },
      ],
    }),
  );
  const [subnet] = Subnets;
  return {
    subnetId: subnet!.SubnetId!,
    cidr: subnet!.Ipv6CidrBlockAssociationSet![0]!.Ipv6CidrBlock!,
  };
};

describe('subnets', () => {
  test('of the zones have an IPv6 block each, others none', async () => {
    await open.client.send(new CreateNetworkInterfaceCommand({ SubnetId: 'subnet-00000001' }));
    const { Subnets = [] } = await open.client.send(new DescribeSubnetsCommand({}));
    const blocks = Subnets.flatMap(
      (one) => one.Ipv6CidrBlockAssociationSet?.map((it) => it.Ipv6CidrBlock) ?? [],
    );
    expect(new Set(blocks).size).toBe(3);
    expect(blocks.every((block) => /^2001:db8:[0-9a-f:]+::\/64$/.test(block ?? ''))).toBe(true);
    expect(Subnets.find((one) => one.SubnetId === 'subnet-00000001')?.Ipv6CidrBlockAssociationSet).toEqual(
      [],
    );
  });
});

describe('CIDR reservations', () => {
  const reserve = async (input: {
    SubnetId?: string;
    Cidr?: string;
    ReservationType?: 'explicit' | 'prefix';
  }) => {
    const { subnetId, cidr } = await ipv6Subnet();
    const answer = await open.client.send(
      new CreateSubnetCidrReservationCommand({
        SubnetId: subnetId,
        Cidr: cidr.replace('::/64', '::a0/124'),
        ReservationType: 'explicit',
        TagSpecifications: [
          { ResourceType: 'subnet-cidr-reservation', Tags: [{ Key: 'kubeip', Value: 'a' }] },
        ],
        ...input,
      }),
    );
    return answer.SubnetCidrReservation;
  };

  test('are created, listed by filter, tagged and deleted', async () => {
    const { subnetId, cidr } = await ipv6Subnet();
    const created = await reserve({});
    expect(created).toMatchObject({
      SubnetId: subnetId,
      Cidr: cidr.replace('::/64', '::a0/124'),
      ReservationType: 'explicit',
      OwnerId: '123456789012',
      Tags: [{ Key: 'kubeip', Value: 'a' }],
    });
    const id = created?.SubnetCidrReservationId;
    await reserve({ Cidr: cidr.replace('/64', '1:0:0:0/80').replace('::', ':'), ReservationType: 'prefix' });
    const listed = async (name: string, value: string) => {
      const answer = await open.client.send(
        new GetSubnetCidrReservationsCommand({
          SubnetId: subnetId,
          Filters: [{ Name: name, Values: [value] }],
        }),
      );
      expect(answer.SubnetIpv4CidrReservations).toEqual([]);
      return answer.SubnetIpv6CidrReservations?.map((one) => one.SubnetCidrReservationId);
    };
    expect(await listed('reservationType', 'explicit')).toEqual([id]);
    expect(await listed('subnet-id', subnetId)).toHaveLength(2);
    await open.client.send(
      new CreateTagsCommand({ Resources: [id!], Tags: [{ Key: 'kubeip', Value: 'b' }] }),
    );
    expect(await listed('tag:kubeip', 'b')).toEqual([id]);
    await open.client.send(new DeleteSubnetCidrReservationCommand({ SubnetCidrReservationId: id }));
    expect(await listed('tag:kubeip', 'b')).toEqual([]);
    expect(
      await outcomeOf(
        open.client.send(new DeleteSubnetCidrReservationCommand({ SubnetCidrReservationId: id })),
      ),
    ).toBe('400 InvalidSubnetCidrReservationID.NotFound');
  });

  test('are refused where they overlap, are not of the subnet, or are none', async () => {
    const { cidr } = await ipv6Subnet();
    await reserve({});
    const refused = '400 InvalidParameterValue';
    expect(await outcomeOf(reserve({ Cidr: cidr.replace('::/64', '::a8/125') }))).toBe(refused);
    expect(await outcomeOf(reserve({ Cidr: '2001:db8:ffff:ffff::/124' }))).toBe(refused);
    expect(await outcomeOf(reserve({ Cidr: cidr.replace('::/64', '::b1/124') }))).toBe(refused);
    expect(await outcomeOf(reserve({ Cidr: 'fe80/64' }))).toBe(refused);
    expect(await outcomeOf(reserve({ SubnetId: 'subnet-00000009' }))).toBe('400 InvalidSubnetID.NotFound');
    await open.client.send(new CreateNetworkInterfaceCommand({ SubnetId: 'subnet-00000001' }));
    expect(await outcomeOf(reserve({ SubnetId: 'subnet-00000001' }))).toBe(refused);
  });

  test('are not used for automatic assignment', async () => {
    const { cidr } = await ipv6Subnet();
    // All of the subnet but its last 2^62 addresses.
    const part = (first: string) => cidr.replace('::/64', `:${first}::/66`);
    for (const first of ['0', '4000', '8000']) {
      await reserve({ Cidr: first === '0' ? cidr.replace('/64', '/66') : part(first) });
    }
    for (let i = 0; i < 20; i++) {
      const [ip] = open.emulator.runInstance({ ipv6: true }).ipv6Addresses;
      expect(ip).toMatch(/^2001:db8:[0-9a-f]+:[0-9a-f]+:[c-f][0-9a-f]{3}:/);
    }
  });
});

describe('AssignIpv6Addresses and UnassignIpv6Addresses', () => {
  test('give named addresses beside the automatic one, show them in every list, and take them back', async () => {
    const instance = open.emulator.runInstance({ ipv6: true });
    const { cidr } = open.emulator.reserveIpv6({ tags: { kubeip: 'a' } });
    const ip = addressIn(cidr, 1);
    const answer = await assign(instance, ip.toUpperCase());
    expect(answer).toMatchObject({
      NetworkInterfaceId: instance.networkInterfaceIds[0],
      AssignedIpv6Addresses: [ip],
    });
    const all = [...instance.ipv6Addresses, ip].map((Ipv6Address) =>
      expect.objectContaining({ Ipv6Address }),
    );
    const { Reservations } = await open.client.send(
      new DescribeInstancesCommand({ InstanceIds: [instance.instanceId] }),
    );
    expect(Reservations?.[0]?.Instances?.[0]?.NetworkInterfaces?.[0]?.Ipv6Addresses).toEqual(all);
    expect(await interfacesWith(ip)).toEqual(instance.networkInterfaceIds);
    expect(open.emulator.ipv6Addresses()).toMatchObject([
      { ip: instance.ipv6Addresses[0], instanceId: instance.instanceId },
      { ip, instanceId: instance.instanceId, reservation: { cidr, tags: { kubeip: 'a' } } },
    ]);
    expect((await unassign(instance, ip)).UnassignedIpv6Addresses).toEqual([ip]);
    expect(await interfacesWith(ip)).toEqual([]);
    expect(await outcomeOf(unassign(instance, ip))).toBe('400 InvalidParameterValue');
  });

  test('choose addresses themselves where only a number is asked for', async () => {
    const instance = open.emulator.runInstance();
    const { AssignedIpv6Addresses } = await open.client.send(
      new AssignIpv6AddressesCommand({
        NetworkInterfaceId: instance.networkInterfaceIds[0],
        Ipv6AddressCount: 3,
      }),
    );
    expect(new Set(AssignedIpv6Addresses).size).toBe(3);
    expect(open.emulator.instances()[0]?.ipv6Addresses).toEqual(AssignedIpv6Addresses);
  });

  test('never move an address, nor assign it twice', async () => {
    const [holder, other] = [open.emulator.runInstance(), open.emulator.runInstance()];
    const ip = addressIn(open.emulator.reserveIpv6().cidr, 1);
    await assign(holder, ip);
    expect(await outcomeOf(assign(other, ip))).toBe('400 InvalidIPAddress.InUse');
    expect(await outcomeOf(assign(holder, ip))).toBe('400 InvalidIPAddress.InUse');
    expect(await outcomeOf(unassign(other, ip))).toBe('400 InvalidParameterValue');
    expect(await interfacesWith(ip)).toEqual(holder.networkInterfaceIds);
  });

  test('refuse what is not of the subnet, what EC2 keeps, what is too much, and what is no request', async () => {
    const instance = open.emulator.runInstance();
    const elsewhere = addressIn(open.emulator.reserveIpv6({ zone: 'eu-west-1b' }).cidr, 1);
    const { cidr } = await ipv6Subnet();
    const refused = '400 InvalidParameterValue';
    expect(await outcomeOf(assign(instance, elsewhere))).toBe(refused);
    expect(await outcomeOf(assign(instance, cidr.replace('/64', '3')))).toBe(refused);
    expect(await outcomeOf(assign(instance, cidr.replace('::/64', ':ffff:ffff:ffff:ffff')))).toBe(refused);
    expect(await outcomeOf(assign(instance, '10.0.0.1'))).toBe(refused);
    expect(await outcomeOf(assign(instance))).toBe('400 MissingParameter');
    const eleven = Array.from({ length: 11 }, (_, index) => cidr.replace('/64', `1${index}`));
    expect(await outcomeOf(assign(instance, ...eleven))).toBe('400 PrivateIpAddressLimitExceeded');
    expect(await outcomeOf(assign({ ...instance, networkInterfaceIds: ['eni-00000001'] }, elsewhere))).toBe(
      '400 InvalidNetworkInterfaceID.NotFound',
    );
    const created = await open.client.send(
      new CreateNetworkInterfaceCommand({ SubnetId: 'subnet-00000001' }),
    );
    const withoutIpv6 = [created.NetworkInterface!.NetworkInterfaceId!];
    expect(await outcomeOf(assign({ ...instance, networkInterfaceIds: withoutIpv6 }, elsewhere))).toBe(
      refused,
    );
    expect(open.emulator.ipv6Addresses()).toEqual([]);
  });

  test('end with the instance, and the journal shows who had the address when', async () => {
    const [first, second] = [open.emulator.runInstance(), open.emulator.runInstance()];
    const ip = addressIn(open.emulator.reserveIpv6().cidr, 1);
    await assign(first, ip);
    await open.client.send(new TerminateInstancesCommand({ InstanceIds: [first.instanceId] }));
    open.emulator.assignIpv6ByHand({ ip, instanceId: second.instanceId });
    open.emulator.unassignIpv6ByHand(ip);
    const events = open.emulator.journal().filter(({ allocationId }) => allocationId === ip);
    expect(events.map(({ cause, instanceId, by }) => [cause, instanceId, by])).toEqual([
      ['associated', first.instanceId, 'api'],
      ['terminated', null, 'api'],
      ['associated', second.instanceId, 'hand'],
      ['disassociated', null, 'hand'],
    ]);
  });

  test('come with a launch, named or by number', async () => {
    const { cidr, subnetId } = open.emulator.reserveIpv6();
    const ip = addressIn(cidr, 1);
    const launch = (input: object) =>
      open.client.send(new RunInstancesCommand({ ImageId: 'ami-1', MinCount: 1, MaxCount: 1, ...input }));
    const named = (input: object = {}) =>
      launch({
        NetworkInterfaces: [{ DeviceIndex: 0, SubnetId: subnetId, Ipv6Addresses: [{ Ipv6Address: ip }] }],
        ...input,
      });
    expect(await outcomeOf(named({ MaxCount: 2 }))).toBe('400 InvalidParameterCombination');
    expect((await named()).Instances?.[0]?.NetworkInterfaces?.[0]?.Ipv6Addresses).toMatchObject([
      { Ipv6Address: ip },
    ]);
    expect(await outcomeOf(named())).toBe('400 InvalidIPAddress.InUse');
    expect((await launch({ Ipv6AddressCount: 1 })).Instances?.[0]?.Ipv6Address).toMatch(/^2001:db8:/);
  });

  test('have rate limits of their own, and lists may be old', async () => {
    const instance = open.emulator.runInstance();
    const ips = Array.from({ length: 2 }, (_, i) => addressIn(open.emulator.reserveIpv6().cidr, i));
    open.emulator.configure({ limits: 'published', staleListsMs: 1000 });
    expect(await interfacesWith(ips[0]!)).toEqual([]);
    for (let i = 0; i < 50; i++) {
      await assign(instance, ips[0]!);
      await unassign(instance, ips[0]!);
    }
    for (let i = 0; i < 50; i++) await outcomeOf(unassign(instance, ips[0]!));
    expect(await outcomeOf(unassign(instance, ips[0]!))).toBe('503 RequestLimitExceeded');
    expect(await outcomeOf(assign(instance, ips[0]!))).toBe('ok');
    expect(await interfacesWith(ips[0]!)).toEqual([]);
    clock.advance(1001);
    expect(await interfacesWith(ips[0]!)).toEqual(instance.networkInterfaceIds);
  });
});
