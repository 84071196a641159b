/** Anything that speaks EC2's protocol, as a backend for Elastic IPs: every act goes over the wire, by the unmodified AWS SDK. */
import { randomUUID } from 'node:crypto';
import {
  AllocateAddressCommand,
  AssociateAddressCommand,
  DescribeAddressesCommand,
  DescribeSubnetsCommand,
  DisassociateAddressCommand,
  type EC2Client,
  type Tag,
} from '@aws-sdk/client-ec2';
import type { AwsProviderOptions } from '../../clouds/aws/aws-provider.ts';
import type { CloudProvider } from '../../clouds/provider.ts';
import type { AddressRef, InstanceRef } from '../../model/address.ts';
import type { CloudBackend } from './cloud-backend.ts';
import {
  connectEc2,
  instanceHands,
  nameOf,
  required,
  type Ec2Connection,
  type Ec2Endpoint,
} from './ec2-connection.ts';

export interface Ec2Backend extends CloudBackend, Pick<Ec2Connection, 'client' | 'calls'> {
  readonly openProvider: (options?: Partial<AwsProviderOptions>) => CloudProvider;
  /** Reserves an address with these tags. */
  readonly reserveTagged: (tags: Readonly<Record<string, string>>) => Promise<AddressRef>;
}

export async function openEc2Backend(endpoint: Ec2Endpoint): Promise<Ec2Backend> {
  const connection = connectEc2(endpoint);
  const { client, provider } = connection;
  const subnet = await firstSubnet(client);
  const hands = createHands(client, provider, subnet.id);
  return {
    ...connection,
    ...hands,
    unknownInstance: { provider: 'aws', id: 'i-0fffffffffffffff0', zone: subnet.zone },
    unknownAddress: { id: 'eipalloc-0fffffffffffffff0', ip: '198.51.100.1' },
    createPool: () => ({ family: 'ipv4', filter: `Name=tag:pool,Values=${randomUUID()}`, orderBy: '' }),
    reserve: (pool) => hands.reserveTagged(pool === undefined ? {} : { pool: nameOf(pool) }),
  };
}

async function firstSubnet(client: EC2Client): Promise<{ id: string; zone: string }> {
  const { Subnets: subnets = [] } = await client.send(new DescribeSubnetsCommand({}));
  const { SubnetId: id, AvailabilityZone: zone } = subnets[0] ?? {};
  if (id === undefined || zone === undefined) throw new Error('the cloud has no subnet');
  return { id, zone };
}

/** What a person does in the console. */
function createHands(client: EC2Client, provider: CloudProvider, subnetId: string) {
  const instances = instanceHands(client, subnetId, { AssociatePublicIpAddress: true });
  const attach = (address: AddressRef, networkInterfaceId: string) =>
    client.send(
      new AssociateAddressCommand({
        AllocationId: address.id,
        NetworkInterfaceId: networkInterfaceId,
        AllowReassociation: true,
      }),
    );
  const describe = async (address: AddressRef) =>
    (await client.send(new DescribeAddressesCommand({ AllocationIds: [address.id] }))).Addresses?.[0];

  return {
    createInstance: instances.createInstance,
    terminate: instances.terminate,
    async reserveTagged(tags: Readonly<Record<string, string>>): Promise<AddressRef> {
      const list = Object.entries(tags).map(([Key, Value]): Tag => ({ Key, Value }));
      const made = await client.send(
        new AllocateAddressCommand({
          Domain: 'vpc',
          ...(list.length === 0 ? {} : { TagSpecifications: [{ ResourceType: 'elastic-ip', Tags: list }] }),
        }),
      );
      return { id: required(made.AllocationId, 'allocation id'), ip: required(made.PublicIp, 'public ip') };
    },
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
      const AssociationId = required((await describe(address))?.AssociationId, 'association id');
      await client.send(new DisassociateAddressCommand({ AssociationId }));
    },
    async holderOf(address: AddressRef) {
      const found = await describe(address);
      return found?.AssociationId ? found.NetworkInterfaceId : undefined;
    },
  };
}
