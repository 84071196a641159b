/** Anything that speaks EC2's protocol, as a backend for IPv6: a pool's address is a reserved range of one address. */
import { randomUUID } from 'node:crypto';
import {
  AssignIpv6AddressesCommand,
  CreateSubnetCidrReservationCommand,
  CreateTagsCommand,
  DescribeNetworkInterfacesCommand,
  DescribeSubnetsCommand,
  UnassignIpv6AddressesCommand,
  type EC2Client,
} from '@aws-sdk/client-ec2';
import type { AwsProviderOptions } from '../../clouds/aws/aws-provider.ts';
import { canonicalIp } from '../../clouds/ip.ts';
import type { CloudProvider } from '../../clouds/provider.ts';
import type { AddressQuery, AddressRef, InstanceRef } from '../../model/address.ts';
import type { CloudBackend } from './cloud-backend.ts';
import {
  connectEc2,
  instanceHands,
  nameOf,
  required,
  type Ec2Connection,
  type Ec2Endpoint,
} from './ec2-connection.ts';

export interface Ipv6Subnet {
  readonly id: string;
  readonly zone: string;
  /** What its addresses begin with, as `2001:db8:1:2::`. It is a /64. */
  readonly base: string;
}

export interface Ec2Ipv6Backend extends CloudBackend, Pick<Ec2Connection, 'client' | 'calls'> {
  readonly openProvider: (options?: Partial<AwsProviderOptions>) => CloudProvider;
  /** Where instances and pools are, and another one. */
  readonly subnet: Ipv6Subnet;
  readonly otherSubnet: Ipv6Subnet;
  readonly createInstance: (options?: { autoAssignedIp?: boolean; subnet?: string }) => Promise<InstanceRef>;
  /** Reserves a range: what follows the subnet's base, as `a0/124`. */
  readonly reserveRange: (
    range: string,
    options?: {
      readonly tags?: Readonly<Record<string, string>>;
      readonly type?: 'explicit' | 'prefix';
      readonly in?: Ipv6Subnet;
    },
  ) => Promise<void>;
}

/** @param makeSubnets for a cloud that begins without two IPv6 subnets */
export async function openEc2Ipv6Backend(
  endpoint: Ec2Endpoint,
  makeSubnets: (client: EC2Client) => Promise<void> = async () => {},
): Promise<Ec2Ipv6Backend> {
  const connection = connectEc2(endpoint);
  const { client, provider } = connection;
  await makeSubnets(client);
  const [subnet, otherSubnet] = await ipv6Subnets(client);
  if (subnet === undefined || otherSubnet === undefined) throw new Error('the cloud has no IPv6 subnets');
  const instances = instanceHands(client, subnet.id, { Ipv6AddressCount: 1 });
  const reserveRange = rangeHand(client, subnet);
  let reserved = 0;
  return {
    ...connection,
    ...attachingHands(client, provider, instances),
    createInstance: instances.createInstance,
    terminate: instances.terminate,
    subnet,
    otherSubnet,
    assignedKind: 'additional',
    unknownInstance: { provider: 'aws', id: 'i-0fffffffffffffff0', zone: subnet.zone },
    unknownAddress: { id: `${subnet.base}ffff:1`, ip: `${subnet.base}ffff:1` },
    createPool: () => poolOf(randomUUID(), subnet),
    async reserve(pool) {
      reserved += 1;
      const suffix = `e:${reserved.toString(16)}`;
      await reserveRange(`${suffix}/128`, pool && { tags: { pool: nameOf(pool) } });
      return { id: subnet.base + suffix, ip: subnet.base + suffix };
    },
    reserveRange,
  };
}

export function poolOf(name: string, subnet: Ipv6Subnet): AddressQuery {
  return { family: 'ipv6', filter: `Name=tag:pool,Values=${name}`, orderBy: '', subnet: subnet.id };
}

async function ipv6Subnets(client: EC2Client): Promise<Ipv6Subnet[]> {
  const { Subnets: subnets = [] } = await client.send(new DescribeSubnetsCommand({}));
  return subnets.flatMap((subnet) => {
    const { SubnetId: id, AvailabilityZone: zone, Ipv6CidrBlockAssociationSet: blocks = [] } = subnet;
    const block = blocks[0]?.Ipv6CidrBlock?.replace('/64', '');
    if (id === undefined || zone === undefined || block === undefined) return [];
    // moto draws its blocks by lot, and writes the zeros that a group begins with.
    return [{ id, zone, base: canonicalIp(block) }];
  });
}

function rangeHand(client: EC2Client, subnet: Ipv6Subnet): Ec2Ipv6Backend['reserveRange'] {
  return async (range, { tags = {}, type = 'explicit', in: where = subnet } = {}) => {
    const made = await client.send(
      new CreateSubnetCidrReservationCommand({
        SubnetId: where.id,
        Cidr: where.base + range,
        ReservationType: type,
      }),
    );
    // Not with its creation, of which moto forgets the tags.
    const list = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
    const id = required(made.SubnetCidrReservation?.SubnetCidrReservationId, 'reservation id');
    if (list.length > 0) await client.send(new CreateTagsCommand({ Resources: [id], Tags: list }));
  };
}

/** What a person does in the console. An address that has a holder must be taken from it first. */
function attachingHands(
  client: EC2Client,
  provider: CloudProvider,
  instances: ReturnType<typeof instanceHands>,
) {
  const holderOf = async ({ ip }: AddressRef) => {
    const { NetworkInterfaces: all = [] } = await client.send(new DescribeNetworkInterfacesCommand({}));
    return all.find((one) => one.Ipv6Addresses?.some(({ Ipv6Address }) => Ipv6Address === ip))
      ?.NetworkInterfaceId;
  };
  const detach = async (address: AddressRef, NetworkInterfaceId: string) => {
    await client.send(new UnassignIpv6AddressesCommand({ NetworkInterfaceId, Ipv6Addresses: [address.ip] }));
  };
  const attach = async (address: AddressRef, NetworkInterfaceId: string) => {
    const holder = await holderOf(address);
    if (holder !== undefined) await detach(address, holder);
    await client.send(new AssignIpv6AddressesCommand({ NetworkInterfaceId, Ipv6Addresses: [address.ip] }));
  };
  return {
    holderOf,
    async attachByHand(address: AddressRef, instance: InstanceRef, on: 'primary' | 'secondary' = 'primary') {
      const target =
        on === 'primary'
          ? (await provider.findInstance(instance)).networkInterfaceId
          : await instances.createSecondaryInterface(instance);
      await attach(address, target);
    },
    async attachToLooseInterface(address: AddressRef) {
      await attach(address, await instances.createInterface());
    },
    async detachByHand(address: AddressRef) {
      await detach(address, required(await holderOf(address), 'a holder'));
    },
  };
}
