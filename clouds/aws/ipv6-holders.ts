/** Reads from EC2 which network interfaces have which IPv6 addresses. */
import {
  DescribeNetworkInterfacesCommand,
  type EC2Client,
  type Filter,
  type NetworkInterface,
} from '@aws-sdk/client-ec2';
import type { Association } from '../../model/address.ts';
import { batchLookups } from '../batch.ts';
import { halfAnswer, present, type AwsCall } from './client.ts';
import { maxFilterValues } from './filter.ts';
import { canonicalIpv6, formatIpv6, parseIpv6, parseIpv6Cidr, type Ipv6Range } from './ipv6-range.ts';

/** What interfaces have of some subnets. */
export interface Ipv6Use {
  readonly addresses: ReadonlyMap<bigint, Association>;
  /** Prefixes that are delegated to interfaces: all their addresses are taken. */
  readonly prefixes: readonly Ipv6Range[];
}

export interface Ipv6HolderReader {
  /** Everything that the interfaces in these subnets have. */
  inSubnets(subnetIds: readonly string[]): Promise<Ipv6Use>;
  /**
   * Who has the address (in canonical form); undefined if nobody does. Calls within the window share a request.
   *
   * Which text form EC2's filter compares is in no document, so one that finds nothing is no proof.
   *
   * @param subnets where the address can be: what a filter does not find is looked for among all that their interfaces have
   */
  holderOf(ip: string, subnets?: readonly string[]): Promise<Association | undefined>;
  /** The addresses that an interface has, in canonical form. Undefined if there is no such interface. */
  ofInterface(networkInterfaceId: string): Promise<readonly string[] | undefined>;
}

export function createIpv6HolderReader(client: EC2Client, call: AwsCall, windowMs: number): Ipv6HolderReader {
  const describe = (name: string, values: readonly string[]) =>
    describeInterfaces(client, call, { Name: name, Values: [...values] });
  const inSubnets: Ipv6HolderReader['inSubnets'] = async (subnetIds) => {
    const interfaces: NetworkInterface[] = [];
    for (let i = 0; i < subnetIds.length; i += maxFilterValues) {
      interfaces.push(...(await describe('subnet-id', subnetIds.slice(i, i + maxFilterValues))));
    }
    return {
      addresses: new Map(interfaces.flatMap(associationsOf)),
      prefixes: interfaces.flatMap(prefixesOf),
    };
  };
  const byFilter = batchLookups<string, Association>({
    windowMs,
    maxKeys: maxFilterValues,
    keyOf: (ip) => ip,
    read: async (ips) => {
      const interfaces = await describe('ipv6-addresses.ipv6-address', ips);
      return new Map(interfaces.flatMap(associationsOf).map(([ip, found]) => [formatIpv6(ip), found]));
    },
  });
  /** Callers within the window share the list of a subnet, which may be long. */
  const bySubnets = batchLookups<string, Ipv6Use>({
    windowMs,
    maxKeys: maxFilterValues,
    keyOf: (subnets) => subnets,
    read: async (keys) =>
      new Map(await Promise.all(keys.map(async (key) => [key, await inSubnets(key.split(' '))] as const))),
  });
  return {
    inSubnets,
    async holderOf(ip, subnets = []) {
      const found = await byFilter(ip);
      if (found !== undefined || subnets.length === 0) return found;
      const use = await bySubnets(subnets.toSorted().join(' '));
      return use?.addresses.get(parseIpv6(ip) ?? -1n);
    },
    async ofInterface(networkInterfaceId) {
      const found = await describe('network-interface-id', [networkInterfaceId]);
      const nic = found.find((one) => one.NetworkInterfaceId === networkInterfaceId);
      return nic && associationsOf(nic).map(([address]) => formatIpv6(address));
    },
  };
}

/** EC2 has no id for it: that of the interface and the address are one. */
export function ipv6Association(
  networkInterfaceId: string,
  ip: string,
  instanceId: string | undefined,
): Association {
  return {
    id: `${networkInterfaceId}/${ip}`,
    ...(instanceId === undefined ? {} : { instanceId }),
    networkInterfaceId,
  };
}

async function describeInterfaces(
  client: EC2Client,
  call: AwsCall,
  filter: Filter,
): Promise<NetworkInterface[]> {
  const action = 'ec2:DescribeNetworkInterfaces';
  const found: NetworkInterface[] = [];
  let token: string | undefined;
  do {
    const page = await call(action, () =>
      client.send(
        new DescribeNetworkInterfacesCommand({
          Filters: [filter],
          MaxResults: 1000,
          // What an AWS service operates may be hidden, and has addresses all the same.
          IncludeManagedResources: true,
          ...(token === undefined ? {} : { NextToken: token }),
        }),
      ),
    );
    found.push(...present(page.NetworkInterfaces, action));
    token = page.NextToken === '' ? undefined : page.NextToken;
  } while (token !== undefined);
  return found;
}

function associationsOf(nic: NetworkInterface): (readonly [bigint, Association])[] {
  const { NetworkInterfaceId: id = '', Attachment: attachment } = nic;
  return (nic.Ipv6Addresses ?? []).map(({ Ipv6Address: text = '' }) => {
    const [address, ip] = [parseIpv6(text), canonicalIpv6(text)];
    // Left out, it would be taken for free.
    if (address === undefined || ip === undefined || id === '') {
      throw halfAnswer('ec2:DescribeNetworkInterfaces');
    }
    return [address, ipv6Association(id, ip, attachment?.InstanceId || undefined)] as const;
  });
}

function prefixesOf(nic: NetworkInterface): Ipv6Range[] {
  return (nic.Ipv6Prefixes ?? []).flatMap(({ Ipv6Prefix }) => parseIpv6Cidr(Ipv6Prefix ?? '') ?? []);
}
