/** AWS as the smoke test uses it: a t3.nano, two Elastic IPs, a network interface of no instance, and two IPv6 addresses if there are any. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AllocateAddressCommand,
  CreateNetworkInterfaceCommand,
  DescribeInstancesCommand,
  DescribeSubnetsCommand,
  RunInstancesCommand,
  type Subnet,
} from '@aws-sdk/client-ec2';
import { createAwsProvider } from '../../clouds/aws/aws-provider.ts';
import { resolveAwsAccount } from '../../clouds/aws/account.ts';
import { CloudError, type CloudProvider } from '../../clouds/provider.ts';
import type { AddressRef, InstanceRef } from '../../model/address.ts';
import { SMOKE_TAG, type RunContext, type SmokeCloud, type Stage } from '../cloud.ts';
import { ec2Hand, required, tagsOf, type Ec2Hand } from './connection.ts';
import { ipv4Stage } from './ipv4.ts';
import { reserveIpv6, ipv6Stage } from './ipv6.ts';
import { findLeftovers, removeLeftovers } from './leftovers.ts';
import { ipv4Questions } from './ipv4-questions.ts';
import { ipv6Questions } from './ipv6-questions.ts';

export interface AwsSmokeOptions {
  readonly region: string;
  readonly endpoint?: string | undefined;
  readonly subnet?: string | undefined;
  readonly image?: string | undefined;
  readonly machineType?: string | undefined;
  /** Whether the instance has a public address by itself. @default true */
  readonly autoAddress?: boolean | undefined;
}

/** Amazon Linux, whatever its newest image is ("Find the latest AMI using Systems Manager", Amazon EC2 User Guide). */
const IMAGE = 'resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-minimal-kernel-default-x86_64';
const POLL_MS = 1_000;
const START_MS = 300_000;

/** @throws CloudError `Denied` or `Unavailable` if AWS does not say whose credentials these are */
export async function openAwsSmoke(options: AwsSmokeOptions): Promise<SmokeCloud> {
  const { region, endpoint, machineType = 't3.nano' } = options;
  const account = await resolveAwsAccount({ region, endpoint });
  const hand = ec2Hand({ region, endpoint });
  const opened: CloudProvider[] = [];
  const openProvider = (): CloudProvider => {
    const provider = createAwsProvider({ region, account, endpoint });
    opened.push(provider);
    return provider;
  };
  return {
    name: 'aws',
    title: 'AWS',
    region,
    secrets: [account],
    permissions: /\b(?:ec2|sts|ssm|iam):[A-Za-z0-9]+\b/,
    plan: [
      `one ${machineType} instance (Amazon Linux, the default security group, no key pair)`,
      'two Elastic IPs',
      'one network interface, attached to nothing',
      'where the subnet has IPv6: two CIDR reservations of one address each (free of charge)',
    ],
    // t3.nano 0.0052, two addresses at 0.005, the instance's own at 0.005, 8 GB of gp3 at 0.08 a month.
    dollarsAnHour: 0.022,
    create: (context) => create({ hand, options, openProvider }, context),
    leftovers: (run) => findLeftovers(hand, run),
    remove: (leftovers) => removeLeftovers(hand, leftovers),
    close() {
      hand.client.destroy();
      for (const provider of opened) provider.close();
    },
  };
}

interface Parts {
  readonly hand: Ec2Hand;
  readonly options: AwsSmokeOptions;
  readonly openProvider: () => CloudProvider;
}

async function create({ hand, options, openProvider }: Parts, context: RunContext): Promise<Stage> {
  const { run, signal, say } = context;
  const subnet = await chooseSubnet(hand, options.subnet);
  const SubnetId = required(subnet.SubnetId, 'a subnet id');
  const addresses = [await allocate(hand, run), await allocate(hand, run)] as const;
  say(`two Elastic IPs: ${addresses.map(({ ip }) => ip).join(', ')}`);
  signal.throwIfAborted();
  const instance = await launch(hand, options, SubnetId, run);
  say(`instance ${instance.id} in ${instance.zone}`);
  const loose = await createLooseInterface(hand, SubnetId, run);
  const provider = openProvider();
  await untilRunning(hand, instance, signal);
  const { networkInterfaceId } = await provider.findInstance(instance);
  const hasAutoAddress = options.autoAddress !== false;
  const parts = { hand, provider, openProvider, instance, networkInterfaceId, loose, run, hasAutoAddress };
  const block = subnet.Ipv6CidrBlockAssociationSet?.[0]?.Ipv6CidrBlock;
  const reserved = block === undefined ? undefined : await reserveIpv6(hand, SubnetId, block, run);
  const v4 = ipv4Stage(parts, addresses);
  const v6 = reserved && ipv6Stage(parts, SubnetId, reserved);
  return {
    provider,
    openProvider,
    families: v6 === undefined ? [v4] : [v4, v6],
    ...(v6 === undefined && {
      withoutIpv6: `subnet ${SubnetId} has no IPv6 block; name one that has with --subnet.`,
    }),
    questions: [
      ...ipv4Questions(parts, addresses),
      ...(v6 === undefined ? [] : ipv6Questions(parts, v6.addresses)),
    ],
  };
}

/** A default subnet has an internet gateway. One with IPv6 asks more questions. */
async function chooseSubnet(hand: Ec2Hand, wanted: string | undefined): Promise<Subnet> {
  const input = wanted === undefined ? {} : { SubnetIds: [wanted] };
  const { Subnets: all = [] } = await hand.call('DescribeSubnets', (client) =>
    client.send(new DescribeSubnetsCommand(input)),
  );
  const usable = wanted === undefined ? all.filter(({ DefaultForAz }) => DefaultForAz === true) : all;
  const hasIpv6 = ({ Ipv6CidrBlockAssociationSet: blocks = [] }: Subnet) => blocks.length > 0;
  const chosen = usable.find(hasIpv6) ?? usable[0];
  if (chosen !== undefined) return chosen;
  throw new CloudError(
    'Invalid',
    'The region has no default subnet: name one whose VPC has an internet gateway with --subnet.',
  );
}

async function allocate(hand: Ec2Hand, run: string): Promise<AddressRef> {
  const made = await hand.call('AllocateAddress', (client) =>
    client.send(new AllocateAddressCommand({ Domain: 'vpc', TagSpecifications: tagsOf(run, 'elastic-ip') })),
  );
  return { id: required(made.AllocationId, 'an allocation id'), ip: required(made.PublicIp, 'an address') };
}

async function launch(
  hand: Ec2Hand,
  { image = IMAGE, machineType = 't3.nano', autoAddress = true }: AwsSmokeOptions,
  SubnetId: string,
  run: string,
): Promise<InstanceRef> {
  const answer = await hand.call('RunInstances', (client) =>
    client.send(
      new RunInstancesCommand({
        ImageId: image,
        InstanceType: machineType as 't3.nano',
        MinCount: 1,
        MaxCount: 1,
        ClientToken: `${SMOKE_TAG}-${run}`,
        NetworkInterfaces: [
          { DeviceIndex: 0, SubnetId, AssociatePublicIpAddress: autoAddress, DeleteOnTermination: true },
        ],
        TagSpecifications: tagsOf(run, 'instance', 'volume'),
      }),
    ),
  );
  const [made] = answer.Instances ?? [];
  return {
    provider: 'aws',
    id: required(made?.InstanceId, 'an instance id'),
    zone: required(made?.Placement?.AvailabilityZone, 'a zone'),
  };
}

async function createLooseInterface(hand: Ec2Hand, SubnetId: string, run: string): Promise<string> {
  const made = await hand.call('CreateNetworkInterface', (client) =>
    client.send(
      new CreateNetworkInterfaceCommand({ SubnetId, TagSpecifications: tagsOf(run, 'network-interface') }),
    ),
  );
  return required(made.NetworkInterface?.NetworkInterfaceId, 'an interface id');
}

async function untilRunning(hand: Ec2Hand, { id }: InstanceRef, signal: AbortSignal): Promise<void> {
  const until = Date.now() + START_MS;
  for (;;) {
    const { Reservations: [reservation] = [] } = await hand.call('DescribeInstances', (client) =>
      client.send(new DescribeInstancesCommand({ Filters: [{ Name: 'instance-id', Values: [id] }] })),
    );
    if (reservation?.Instances?.[0]?.State?.Name === 'running') return;
    if (Date.now() > until) throw new CloudError('Unavailable', `Instance ${id} does not start.`);
    await sleep(POLL_MS, undefined, { signal });
  }
}
