/** The demo's account on EC2: Elastic IPs, and reserved ranges of IPv6 in the nodes' subnets. */
import { DescribeAddressesCommand, EC2Client, paginateDescribeNetworkInterfaces } from '@aws-sdk/client-ec2';
import { contains, parseIpv6, parseIpv6Cidr } from '../clouds/aws/ipv6-range.ts';
import type { Family } from '../model/address.ts';
import type { Ec2Emulator } from '../sandbox/ec2/emulator.ts';
import {
  type DemoCloud,
  type GroupPlan,
  type HeldAddress,
  type NodeGroup,
  planGroups,
  type StagedPool,
  type StageOptions,
} from './cloud.ts';

/** Allocates addresses and launches instances, as the account's owner would. */
export function stageEc2(ec2: Ec2Emulator, options: StageOptions): DemoCloud {
  const { region } = ec2;
  const plans = planGroups('aws', [`${region}a`, `${region}b`], options);
  const groups = plans.map((plan) => stageGroup(ec2, plan));
  addBystander(ec2, options.families);
  return {
    provider: 'aws',
    title: 'EC2',
    region,
    // The SDK finds the emulator by its own variables.
    settings: {},
    groups,
    ask: async () => ({ held: await askForHeld(ec2), external: new Map() }),
    journal: () => ec2.journal(),
    calls: () => ec2.calls(),
    terminate: ({ instance }) => ec2.terminateInstance(instance),
  };
}

/** An instance that is no node, with addresses that are of no pool: they must never be touched. */
function addBystander(ec2: Ec2Emulator, families: readonly Family[]): void {
  const { instanceId } = ec2.runInstance({
    tags: { Name: 'bystander' },
    ipv6: families.includes('ipv6'),
  });
  if (!families.includes('ipv4')) return;
  const { allocationId } = ec2.allocateAddress({ tags: { owner: 'somebody else' } });
  ec2.associateByHand({ allocationId, instanceId });
}

function stageGroup(ec2: Ec2Emulator, { name, nodes, addresses }: GroupPlan): NodeGroup {
  const { ipv4, ipv6 } = addresses;
  const filter = `Name=tag:kubeip,Values=${name}`;
  return {
    name,
    nodes: new Map(
      nodes.map((node) => {
        const { instanceId: instance } = ec2.runInstance({
          zone: node.zone,
          publicIp: true,
          tags: { Name: node.name },
        });
        return [
          node.name,
          { instance, zone: node.zone, providerID: `aws:///${node.zone}/${instance}` },
        ] as const;
      }),
    ),
    filters: {
      ...(ipv4 === undefined ? {} : { ipv4: filter }),
      ...(ipv6 === undefined ? {} : { ipv6: filter }),
    },
    pools: [
      ...(ipv4 === undefined ? [] : [allocate(ec2, name, ipv4)]),
      ...(ipv6 === undefined ? [] : reserveRanges(ec2, name, nodes, nodes.length - ipv6)),
    ],
  };
}

function allocate(ec2: Ec2Emulator, name: string, size: number): StagedPool {
  const ids = new Set(
    Array.from({ length: size }, () => ec2.allocateAddress({ tags: { kubeip: name } }).allocationId),
  );
  return { family: 'ipv4', size, includes: (id) => ids.has(id) };
}

/**
 * One range for each zone that has nodes of the group, since a range serves its own subnet only. Its size is a power of two:
 * enough for the nodes of its zone, or, where some are to wait, less than that by so many at least.
 */
function reserveRanges(
  ec2: Ec2Emulator,
  name: string,
  nodes: GroupPlan['nodes'],
  lacking: number,
): StagedPool[] {
  const zones = [...new Set(nodes.map(({ zone }) => zone))];
  return zones.map((zone) => {
    const count = nodes.filter((node) => node.zone === zone).length;
    const bits = lacking > 0 ? Math.floor(Math.log2(count - lacking)) : Math.ceil(Math.log2(count));
    const tags = { kubeip: name };
    const range = parseIpv6Cidr(ec2.reserveIpv6({ zone, prefixLength: 128 - bits, tags }).cidr);
    const includes = (id: string): boolean => {
      const address = parseIpv6(id);
      return range !== undefined && address !== undefined && contains(range, address);
    };
    return { family: 'ipv6', size: 2 ** bits, zone, includes };
  });
}

/** By the unmodified SDK. */
async function askForHeld(ec2: Ec2Emulator): Promise<HeldAddress[]> {
  const client = new EC2Client({
    region: ec2.region,
    endpoint: ec2.url,
    credentials: { accessKeyId: 'demo', secretAccessKey: 'demo' },
  });
  try {
    const { Addresses = [] } = await client.send(new DescribeAddressesCommand({}));
    const held: HeldAddress[] = Addresses.flatMap(
      ({ AllocationId: id = '', PublicIp: ip = '', InstanceId: instance }) =>
        instance ? [{ id, ip, family: 'ipv4', instance }] : [],
    );
    for await (const page of paginateDescribeNetworkInterfaces({ client, pageSize: 1_000 }, {})) {
      for (const { Attachment, Ipv6Addresses = [] } of page.NetworkInterfaces ?? []) {
        const instance = Attachment?.InstanceId;
        if (instance === undefined) continue;
        for (const { Ipv6Address: ip = '' } of Ipv6Addresses) {
          held.push({ id: ip, ip, family: 'ipv6', instance });
        }
      }
    }
    return held;
  } finally {
    client.destroy();
  }
}
