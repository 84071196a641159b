/** Reads IPv6 pools from EC2: the reserved ranges that match a filter, in one subnet or in all. */
import {
  DescribeSubnetsCommand,
  GetSubnetCidrReservationsCommand,
  type EC2Client,
  type Subnet,
} from '@aws-sdk/client-ec2';
import { batchLookups } from '../batch.ts';
import { CloudError } from '../provider.ts';
import { halfAnswer, present, type AwsCall } from './client.ts';
import { groupByDistinctNames, maxFilterValues, parseFilter, type AddressFilter } from './filter.ts';
import { contains, parseIpv6Cidr, type Ipv6Range } from './ipv6-range.ts';

/** An IPv6 pool: what of a subnet, or of all, is reserved for it. */
export interface Ipv6Pool {
  /** The subnets that have a part of it. */
  readonly subnets: readonly string[];
  readonly ranges: readonly Ipv6Range[];
  /** What EC2 keeps of the subnets, and gives to nobody. */
  readonly keptByEc2: readonly Ipv6Range[];
}

export interface Ipv6PoolKey {
  readonly filter: string;
  /** Without it: all subnets of the region. */
  readonly subnet: string | undefined;
}

export interface Ipv6PoolReader {
  /** A pool without a range is empty, as is that of a subnet which does not exist. Calls within the window share requests. */
  pool(key: Ipv6PoolKey): Promise<Ipv6Pool>;
  /** The IPv6 blocks of a subnet: none if it has no IPv6 or does not exist. Shares requests as `pool` does. */
  blocksOf(subnetId: string): Promise<readonly Ipv6Range[]>;
}

/** How many subnets are asked about at once where a query names none. */
const subnetsAtOnce = 10;

const emptyPool: Ipv6Pool = { subnets: [], ranges: [], keptByEc2: [] };

export function createIpv6PoolReader(client: EC2Client, call: AwsCall, windowMs: number): Ipv6PoolReader {
  const lookupBlocks = batchLookups<string, readonly Ipv6Range[]>({
    windowMs,
    maxKeys: maxFilterValues,
    keyOf: (subnetId) => subnetId,
    read: (ids) => readBlocks(client, call, [{ name: 'subnet-id', values: ids }]),
  });
  const blocksOf = async (subnetId: string) => (await lookupBlocks(subnetId)) ?? [];

  const readPool = async ({ filter, subnet }: Ipv6PoolKey): Promise<Ipv6Pool> => {
    const filters = parseFilter(filter, 'ipv6');
    if (subnet === undefined) {
      const blocks = await readBlocks(client, call, []);
      return readPoolOf([...blocks], (id) => readRanges(client, call, id, filters));
    }
    const [blocks, ranges] = await Promise.all([blocksOf(subnet), readRanges(client, call, subnet, filters)]);
    return readPoolOf([[subnet, blocks]], async () => ranges);
  };
  const lookupPool = batchLookups<Ipv6PoolKey, Ipv6Pool>({
    windowMs,
    maxKeys: maxFilterValues,
    keyOf: poolKey,
    read: async (keys) => {
      const read = async (key: Ipv6PoolKey) =>
        [poolKey(key), await readPool(key).catch((error: Error) => error)] as const;
      return new Map(await Promise.all(keys.map(read)));
    },
  });
  return { blocksOf, pool: async (key) => (await lookupPool(key)) ?? emptyPool };
}

/** Whether EC2 may give the address to a node of the pool. */
export function isInPool({ ranges, keptByEc2 }: Ipv6Pool, address: bigint): boolean {
  const isIn = (list: readonly Ipv6Range[]) => list.some((range) => contains(range, address));
  return isIn(ranges) && !isIn(keptByEc2);
}

const poolKey = ({ filter, subnet }: Ipv6PoolKey) => `${subnet ?? ''} ${filter}`;

async function readPoolOf(
  subnets: readonly (readonly [string, readonly Ipv6Range[]])[],
  rangesOf: (subnetId: string) => Promise<Ipv6Range[]>,
): Promise<Ipv6Pool> {
  const parts: (readonly [string, readonly Ipv6Range[], Ipv6Range[]])[] = [];
  for (let i = 0; i < subnets.length; i += subnetsAtOnce) {
    const some = subnets.slice(i, i + subnetsAtOnce);
    parts.push(
      ...(await Promise.all(some.map(async ([id, blocks]) => [id, blocks, await rangesOf(id)] as const))),
    );
  }
  const used = parts.filter(([, , ranges]) => ranges.length > 0);
  return {
    subnets: used.map(([id]) => id),
    ranges: used.flatMap(([, , ranges]) => ranges),
    keptByEc2: used.flatMap(([, blocks]) => blocks.flatMap(keptOf)),
  };
}

/** The first four addresses and the last one ("Subnet CIDR blocks", Amazon VPC User Guide). */
function keptOf({ first, last }: Ipv6Range): Ipv6Range[] {
  return [
    { first, last: first + 3n },
    { first: last, last },
  ];
}

/** @returns the IPv6 blocks of the subnets that have any */
async function readBlocks(
  client: EC2Client,
  call: AwsCall,
  filters: readonly AddressFilter[],
): Promise<Map<string, readonly Ipv6Range[]>> {
  const found = new Map<string, readonly Ipv6Range[]>();
  let token: string | undefined;
  do {
    const page = await call('ec2:DescribeSubnets', () =>
      client.send(
        new DescribeSubnetsCommand({
          ...(filters.length > 0 && { Filters: toEc2Filters(filters) }),
          MaxResults: 1000,
          ...(token === undefined ? {} : { NextToken: token }),
        }),
      ),
    );
    for (const subnet of present(page.Subnets, 'ec2:DescribeSubnets')) {
      const blocks = blocksIn(subnet);
      if (!subnet.SubnetId) throw halfAnswer('ec2:DescribeSubnets');
      if (blocks.length > 0) found.set(subnet.SubnetId, blocks);
    }
    token = page.NextToken === '' ? undefined : page.NextToken;
  } while (token !== undefined);
  return found;
}

/** Without those that are being taken from the subnet, or could not be given to it. */
function blocksIn(subnet: Subnet): Ipv6Range[] {
  return (subnet.Ipv6CidrBlockAssociationSet ?? []).flatMap(({ Ipv6CidrBlock, Ipv6CidrBlockState }) => {
    if (/^(disassociat|fail)/.test(Ipv6CidrBlockState?.State ?? '')) return [];
    const block = parseIpv6Cidr(Ipv6CidrBlock ?? '');
    if (block === undefined) throw halfAnswer('ec2:DescribeSubnets');
    return [block];
  });
}

/** Where a filter name is repeated, the answers of several calls are intersected. */
async function readRanges(
  client: EC2Client,
  call: AwsCall,
  subnetId: string,
  filters: readonly AddressFilter[],
): Promise<Ipv6Range[]> {
  const [first, ...others] = await Promise.all(
    groupByDistinctNames(filters).map((group) => readReservations(client, call, subnetId, group)),
  );
  return [...(first ?? [])].flatMap(([id, range]) => (others.every((other) => other.has(id)) ? [range] : []));
}

/** Explicit reservations only: EC2 assigns prefixes of the others by itself. */
async function readReservations(
  client: EC2Client,
  call: AwsCall,
  subnetId: string,
  filters: readonly AddressFilter[],
): Promise<Map<string, Ipv6Range>> {
  const action = 'ec2:GetSubnetCidrReservations';
  const found = new Map<string, Ipv6Range>();
  let token: string | undefined;
  do {
    const command = new GetSubnetCidrReservationsCommand({
      SubnetId: subnetId,
      Filters: toEc2Filters(filters),
      ...(token === undefined ? {} : { NextToken: token }),
    });
    const page = await call(action, () => client.send(command)).catch(noneIfNotFound);
    if (page === undefined) return new Map();
    for (const one of present(page.SubnetIpv6CidrReservations, action)) {
      const { SubnetCidrReservationId: id, ReservationType: type } = one;
      const range = parseIpv6Cidr(one.Cidr ?? '');
      if (!id || !type || range === undefined) throw halfAnswer(action);
      if (type === 'explicit') found.set(id, range);
    }
    token = page.NextToken === '' ? undefined : page.NextToken;
  } while (token !== undefined);
  return found;
}

/** A subnet that is deleted has no reservations. */
function noneIfNotFound(error: unknown): undefined {
  if (error instanceof CloudError && error.kind === 'NotFound') return undefined;
  throw error;
}

function toEc2Filters(filters: readonly AddressFilter[]) {
  return filters.map(({ name, values }) => ({ Name: name, Values: [...values] }));
}
