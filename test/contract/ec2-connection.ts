/** The way to anything that speaks EC2's protocol, and a hand that launches and ends instances there: for both families. */
import {
  AttachNetworkInterfaceCommand,
  CreateNetworkInterfaceCommand,
  EC2Client,
  RunInstancesCommand,
  TerminateInstancesCommand,
  waitUntilInstanceTerminated,
  type InstanceNetworkInterfaceSpecification,
} from '@aws-sdk/client-ec2';
import { createAwsProvider, type AwsProviderOptions } from '../../clouds/aws/aws-provider.ts';
import type { AwsCallEvent } from '../../clouds/aws/client.ts';
import type { AwsAction } from '../../clouds/aws/permissions.ts';
import type { CloudProvider } from '../../clouds/provider.ts';
import type { AddressQuery, InstanceRef } from '../../model/address.ts';

export interface Ec2Endpoint {
  readonly endpoint: string;
  readonly region: string;
  readonly account: string;
  /** Stops the server. */
  readonly stop: () => Promise<void>;
}

export interface Ec2Connection {
  readonly client: EC2Client;
  readonly provider: CloudProvider;
  /** Calls of all providers that were opened, finished ones. */
  readonly calls: AwsCallEvent[];
  readonly openProvider: (options?: Partial<AwsProviderOptions>) => CloudProvider;
  readonly close: () => Promise<void>;
}

const imageId = 'ami-12345678';

export function connectEc2({ endpoint, region, account, stop }: Ec2Endpoint): Ec2Connection {
  // The providers under test take theirs from the environment, as a worker does.
  process.env['AWS_ACCESS_KEY_ID'] = 'test';
  process.env['AWS_SECRET_ACCESS_KEY'] = 'test';
  const client = new EC2Client({ region, endpoint });
  const opened: CloudProvider[] = [];
  const calls: AwsCallEvent[] = [];
  const openProvider: Ec2Connection['openProvider'] = (options) => {
    const onCall = (event: AwsCallEvent) => calls.push(event);
    const provider = createAwsProvider({ endpoint, region, account, batchWindowMs: 5, onCall, ...options });
    opened.push(provider);
    return provider;
  };
  return {
    client,
    calls,
    provider: openProvider(),
    openProvider,
    async close() {
      client.destroy();
      for (const provider of opened) provider.close();
      await stop();
    },
  };
}

/** @param ofAutoAssigned what makes EC2 give an interface an address of the family by itself */
export function instanceHands(
  client: EC2Client,
  subnetId: string,
  ofAutoAssigned: InstanceNetworkInterfaceSpecification,
) {
  const createInterface = async () => {
    const made = await client.send(new CreateNetworkInterfaceCommand({ SubnetId: subnetId }));
    return required(made.NetworkInterface?.NetworkInterfaceId, 'interface id');
  };
  return {
    createInterface,
    createSecondaryInterface: async (instance: InstanceRef) => {
      const networkInterfaceId = await createInterface();
      await client.send(
        new AttachNetworkInterfaceCommand({
          InstanceId: instance.id,
          NetworkInterfaceId: networkInterfaceId,
          DeviceIndex: 1,
        }),
      );
      return networkInterfaceId;
    },
    createInstance: async ({
      autoAssignedIp = false,
      subnet = subnetId,
    }: { autoAssignedIp?: boolean; subnet?: string } = {}): Promise<InstanceRef> => {
      const primary: InstanceNetworkInterfaceSpecification = {
        DeviceIndex: 0,
        SubnetId: subnet,
        AssociatePublicIpAddress: false,
        DeleteOnTermination: true,
        ...(autoAssignedIp && ofAutoAssigned),
      };
      const run = await client.send(
        new RunInstancesCommand({
          ImageId: imageId,
          InstanceType: 't3.micro',
          MinCount: 1,
          MaxCount: 1,
          NetworkInterfaces: [primary],
        }),
      );
      const instance = run.Instances?.[0];
      return {
        provider: 'aws',
        id: required(instance?.InstanceId, 'instance id'),
        zone: required(instance?.Placement?.AvailabilityZone, 'zone'),
      };
    },
    terminate: async (instance: InstanceRef) => {
      await client.send(new TerminateInstancesCommand({ InstanceIds: [instance.id] }));
      await waitUntilInstanceTerminated(
        { client, maxWaitTime: 10, minDelay: 1 },
        { InstanceIds: [instance.id] },
      );
    },
  };
}

/** The actions that are called meanwhile, in the order of their answers. */
export async function callsDuring<T>(
  { calls }: Pick<Ec2Connection, 'calls'>,
  act: () => Promise<T>,
): Promise<[T, AwsAction[]]> {
  const before = calls.length;
  const result = await act();
  return [result, calls.slice(before).map(({ action }) => action)];
}

/** The pool's name in a filter `Name=tag:pool,Values=<name>`. */
export function nameOf(pool: AddressQuery): string {
  return pool.filter.slice(pool.filter.lastIndexOf('=') + 1);
}

export function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`EC2 answered without ${what}`);
  return value;
}
