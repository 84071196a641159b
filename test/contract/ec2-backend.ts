/** Anything that speaks EC2's protocol, as a backend: every act goes over the wire, by the unmodified AWS SDK. */
import { randomUUID } from 'node:crypto';
import {
  AllocateAddressCommand,
  AssociateAddressCommand,
  AttachNetworkInterfaceCommand,
  CreateNetworkInterfaceCommand,
  DescribeAddressesCommand,
  DescribeSubnetsCommand,
  DisassociateAddressCommand,
  EC2Client,
  RunInstancesCommand,
  TerminateInstancesCommand,
  waitUntilInstanceTerminated,
  type Tag,
} from '@aws-sdk/client-ec2';
import { createAwsProvider, type AwsProviderOptions } from '../../clouds/aws/aws-provider.ts';
import type { AwsCallEvent } from '../../clouds/aws/client.ts';
import type { CloudProvider } from '../../clouds/provider.ts';
import type { AddressQuery, AddressRef, InstanceRef } from '../../model/address.ts';
import type { CloudBackend } from './cloud-backend.ts';

export interface Ec2Backend extends CloudBackend {
  readonly client: EC2Client;
  /** Calls of all providers that were opened, finished ones. */
  readonly calls: AwsCallEvent[];
  readonly openProvider: (options?: Partial<AwsProviderOptions>) => CloudProvider;
  /** Reserves an address with these tags. */
  readonly reserveTagged: (tags: Readonly<Record<string, string>>) => Promise<AddressRef>;
}

export interface Ec2Endpoint {
  readonly endpoint: string;
  readonly region: string;
  readonly account: string;
  /** Stops the server. */
  readonly stop: () => Promise<void>;
}

const imageId = 'ami-12345678';

export async function openEc2Backend({ endpoint, region, account, stop }: Ec2Endpoint): Promise<Ec2Backend> {
  // The providers under test take theirs from the environment, as a worker does.
  process.env['AWS_ACCESS_KEY_ID'] = 'test';
  process.env['AWS_SECRET_ACCESS_KEY'] = 'test';
  const client = new EC2Client({ region, endpoint });
  const opened: CloudProvider[] = [];
  const calls: AwsCallEvent[] = [];
  const openProvider: Ec2Backend['openProvider'] = (options) => {
    const onCall = (event: AwsCallEvent) => calls.push(event);
    const provider = createAwsProvider({ endpoint, region, account, batchWindowMs: 5, onCall, ...options });
    opened.push(provider);
    return provider;
  };
  const provider = openProvider();
  const subnet = await firstSubnet(client);
  const hands = createHands(client, provider, subnet.id);
  return {
    client,
    calls,
    provider,
    openProvider,
    ...hands,
    unknownInstance: { provider: 'aws', id: 'i-0fffffffffffffff0', zone: subnet.zone },
    unknownAddress: { id: 'eipalloc-0fffffffffffffff0', ip: '198.51.100.1' },
    createPool: () => poolNamed(randomUUID()),
    reserve: (pool) => hands.reserveTagged(pool === undefined ? {} : { pool: nameOf(pool) }),
    async close() {
      client.destroy();
      for (const provider of opened) provider.close();
      await stop();
    },
  };
}

function poolNamed(name: string): AddressQuery {
  return { family: 'ipv4', filter: `Name=tag:pool,Values=${name}`, orderBy: '' };
}

function nameOf(pool: AddressQuery): string {
  return pool.filter.slice(pool.filter.lastIndexOf('=') + 1);
}

async function firstSubnet(client: EC2Client): Promise<{ id: string; zone: string }> {
  const { Subnets: subnets = [] } = await client.send(new DescribeSubnetsCommand({}));
  const { SubnetId: id, AvailabilityZone: zone } = subnets[0] ?? {};
  if (id === undefined || zone === undefined) throw new Error('the cloud has no subnet');
  return { id, zone };
}

/** What a person does in the console. */
function createHands(client: EC2Client, provider: CloudProvider, subnetId: string) {
  const createInterface = async () => {
    const made = await client.send(new CreateNetworkInterfaceCommand({ SubnetId: subnetId }));
    return required(made.NetworkInterface?.NetworkInterfaceId, 'interface id');
  };
  const createSecondaryInterface = async (instance: InstanceRef) => {
    const networkInterfaceId = await createInterface();
    await client.send(
      new AttachNetworkInterfaceCommand({
        InstanceId: instance.id,
        NetworkInterfaceId: networkInterfaceId,
        DeviceIndex: 1,
      }),
    );
    return networkInterfaceId;
  };
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
    async createInstance({
      autoAssignedIp = false,
    }: { autoAssignedIp?: boolean } = {}): Promise<InstanceRef> {
      const run = await client.send(
        new RunInstancesCommand({
          ImageId: imageId,
          InstanceType: 't3.micro',
          MinCount: 1,
          MaxCount: 1,
          NetworkInterfaces: [
            {
              DeviceIndex: 0,
              SubnetId: subnetId,
              AssociatePublicIpAddress: autoAssignedIp,
              DeleteOnTermination: true,
            },
          ],
        }),
      );
      const instance = run.Instances?.[0];
      return {
        provider: 'aws',
        id: required(instance?.InstanceId, 'instance id'),
        zone: required(instance?.Placement?.AvailabilityZone, 'zone'),
      };
    },
    async terminate(instance: InstanceRef) {
      await client.send(new TerminateInstancesCommand({ InstanceIds: [instance.id] }));
      await waitUntilInstanceTerminated(
        { client, maxWaitTime: 10, minDelay: 1 },
        { InstanceIds: [instance.id] },
      );
    },
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
          : await createSecondaryInterface(instance);
      await attach(address, target);
    },
    async attachToLooseInterface(address: AddressRef) {
      await attach(address, await createInterface());
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

function required(value: string | undefined, what: string): string {
  if (value === undefined) throw new Error(`EC2 answered without ${what}`);
  return value;
}
