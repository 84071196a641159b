/** Reads Elastic IPs from EC2: a whole pool, or one address of it. */
import { DescribeAddressesCommand, type Address as Ec2Address, type EC2Client } from '@aws-sdk/client-ec2';
import type { Address, Association } from '../../model/address.ts';
import { CloudError, type LeftOut } from '../provider.ts';
import { asError, batchLookups, confirmMissing } from '../batch.ts';
import { compileFilters } from './filter-match.ts';
import { cannotBeSeen, halfAnswer, present, type AwsCall } from './client.ts';
import { groupByDistinctNames, maxFilterValues, parseFilter, type AddressFilter } from './filter.ts';

/** An Elastic IP that can be given to a node, with EC2's own view of it. */
export interface FoundAddress {
  readonly address: Address;
  readonly raw: Ec2Address;
}

export interface AddressReader {
  /** All that match the filter, in EC2's order. Many calls within the window share one list of the region. */
  list(filter: string): Promise<FoundAddress[]>;
  /** One of those that match the filter, undefined if it is not among them. Calls within the window share a request. */
  read(filter: string, allocationId: string): Promise<FoundAddress | undefined>;
  /** One by its id, whatever pool it is of. Shares requests as `read` does. */
  readAny(allocationId: string): Promise<FoundAddress | undefined>;
  /** One of the account's by its public address. */
  readByIp(ip: string): Promise<FoundAddress | undefined>;
}

interface Key {
  /** Empty: no pool, any address. */
  readonly filter: string;
  readonly id: string;
}

const keyOf = ({ filter, id }: Key) => `${id} ${filter}`;

export function createAddressReader(
  client: EC2Client,
  call: AwsCall,
  windowMs: number,
  region: string,
  onLeftOut: (left: LeftOut) => void = () => {},
): AddressReader {
  const said = new Set<string>();
  const found = (all: readonly Ec2Address[]): FoundAddress[] => {
    const ids = all.flatMap((raw) => (isPrivateOnly(raw) ? (raw.AllocationId ?? []) : []));
    const unsaid = ids.filter((id) => !said.has(id));
    for (const id of unsaid) said.add(id);
    if (unsaid.length > 0) {
      onLeftOut({ ids: unsaid, why: 'they have no public IP: they are customer-owned or carrier addresses' });
    }
    return all.flatMap((raw) => toFoundAddress(raw, region) ?? []);
  };
  const describe = async (filters: readonly AddressFilter[]) =>
    found(await describeAddresses(client, call, filters));
  const list = batchLookups<string, FoundAddress[]>({
    windowMs,
    maxKeys: Number.POSITIVE_INFINITY,
    keyOf: (filter) => filter,
    read: (filters) => listPools(filters, describe, () => describeAddresses(client, call, []), found),
  });
  const lookup = batchLookups<Key, FoundAddress>({
    windowMs,
    maxKeys: maxFilterValues,
    keyOf,
    read: (keys) => readByFilter(describe, (id) => describeById(client, call, id, region), keys),
  });
  return {
    list: async (filter) => (await list(filter)) ?? [],
    read: async (filter, id) => (isAllocationId(id) ? lookup({ filter, id }) : undefined),
    readAny: async (id) => (isAllocationId(id) ? lookup({ filter: '', id }) : undefined),
    readByIp: async (ip) => (await describe([{ name: 'public-ip', values: [ip] }]))[0],
  };
}

/** More filters than this are answered by one list of all addresses of the region: each list of its own takes a part of the rate limit. */
const MOST_LISTS = 3;

/** A filter that is wrong, or cannot be listed, fails by itself. */
async function listPools(
  filters: readonly string[],
  describe: (filters: readonly AddressFilter[]) => Promise<FoundAddress[]>,
  describeAll: () => Promise<Ec2Address[]>,
  found: (all: readonly Ec2Address[]) => FoundAddress[],
): Promise<Map<string, FoundAddress[] | Error>> {
  const results = new Map<string, FoundAddress[] | Error>();
  const settle = async (filter: string, work: () => Promise<FoundAddress[]>): Promise<void> => {
    results.set(filter, await work().catch(asError));
  };
  if (filters.length <= MOST_LISTS) {
    await Promise.all(filters.map((filter) => settle(filter, async () => describe(parseFilter(filter)))));
    return results;
  }
  const all = await describeAll();
  await Promise.all(
    filters.map((filter) =>
      settle(filter, async () => {
        const parsed = parseFilter(filter);
        const matches = compileFilters(parsed);
        return matches === undefined ? describe(parsed) : found(all.filter(matches));
      }),
    ),
  );
  return results;
}

/** One request per filter and as many ids as EC2 takes; a filter whose request fails does not fail the others. */
async function readByFilter(
  describe: (filters: readonly AddressFilter[]) => Promise<FoundAddress[]>,
  describeOne: (id: string) => Promise<FoundAddress | undefined>,
  keys: readonly Key[],
): Promise<Map<string, FoundAddress | Error>> {
  const results = new Map<string, FoundAddress | Error>();
  const readSome = async (filter: string, filters: readonly AddressFilter[], ids: readonly string[]) => {
    try {
      const some = await describe([...filters, { name: 'allocation-id', values: ids }]);
      for (const found of some) results.set(keyOf({ filter, id: found.address.id }), found);
      const missing = ids.filter((id) => !results.has(keyOf({ filter, id })));
      if (filter !== '') {
        // One that the account has does not match the filter.
        if (some.length === 0 && missing[0] !== undefined) await describeOne(missing[0]);
        return;
      }
      const shown = new Map<string, FoundAddress | Error>(some.map((found) => [found.address.id, found]));
      await confirmMissing(missing, shown, describeOne);
      for (const [id, found] of shown) results.set(keyOf({ filter, id }), found);
    } catch (error) {
      for (const id of ids) results.set(keyOf({ filter, id }), asError(error));
    }
  };
  const requests: Promise<void>[] = [];
  for (const [filter, same] of Map.groupBy(keys, (key) => key.filter)) {
    const filters = filter === '' ? [] : parseFilter(filter);
    const room = maxFilterValues - filters.reduce((sum, { values }) => sum + values.length, 0);
    const ids = same.map((key) => key.id);
    for (let i = 0; i < ids.length; i += room)
      requests.push(readSome(filter, filters, ids.slice(i, i + room)));
  }
  await Promise.all(requests);
  return results;
}

/**
 * An answer that lacks an address is not yet the word that there is none: it may be empty, or cut, by mistake. Asked for one by its id, EC2 either
 * shows the address or refuses with InvalidAllocationID.NotFound.
 *
 * @returns undefined if EC2 says that there is no such address, or it is not one for nodes
 * @throws CloudError `Unavailable` if it says neither
 */
async function describeById(
  client: EC2Client,
  call: AwsCall,
  id: string,
  region: string,
): Promise<FoundAddress | undefined> {
  const action = 'ec2:DescribeAddresses';
  try {
    const answer = await call(action, () =>
      client.send(new DescribeAddressesCommand({ AllocationIds: [id] })),
    );
    const raw = present(answer.Addresses, action).find(({ AllocationId }) => AllocationId === id);
    if (raw !== undefined) return toFoundAddress(raw, region);
  } catch (error) {
    if (error instanceof CloudError && error.kind === 'NotFound') return undefined;
    throw error;
  }
  throw cannotBeSeen(action, `address ${id}`);
}

/** DescribeAddresses has no pages. Where a filter name is repeated, the answers of several calls are intersected. */
async function describeAddresses(
  client: EC2Client,
  call: AwsCall,
  filters: readonly AddressFilter[],
): Promise<Ec2Address[]> {
  const answers = await Promise.all(
    groupByDistinctNames(filters).map((group) =>
      call('ec2:DescribeAddresses', () =>
        client.send(
          new DescribeAddressesCommand({
            Filters: group.map(({ name, values }) => ({ Name: name, Values: [...values] })),
          }),
        ),
      ),
    ),
  );
  const [first, ...others] = answers.map((answer) => present(answer.Addresses, 'ec2:DescribeAddresses'));
  const inAll = others.map((addresses) => new Set(addresses.map((address) => address.AllocationId)));
  return (first ?? []).filter((raw) => inAll.every((ids) => ids.has(raw.AllocationId)));
}

/** Of an Outpost, or of a carrier's network: no address of the internet. One such record must not fail the list. */
function isPrivateOnly({ PublicIp, CustomerOwnedIp, CarrierIp }: Ec2Address): boolean {
  return !PublicIp && Boolean(CustomerOwnedIp || CarrierIp);
}

/**
 * @returns undefined for what cannot be given to a node: EC2-Classic's, those that AWS services hold for themselves, and those without a
 * public IP
 * @throws CloudError `Unavailable` if something is missing that EC2 always says: held, it would be taken for free
 */
function toFoundAddress(raw: Ec2Address, region: string): FoundAddress | undefined {
  const { AllocationId: id, Domain: domain = 'vpc', ServiceManaged: service } = raw;
  if (domain === 'standard' || service !== undefined || isPrivateOnly(raw)) return undefined;
  const ip = raw.PublicIp;
  const isHeld = Boolean(raw.InstanceId || raw.NetworkInterfaceId);
  const isWhole = !isHeld || (raw.AssociationId && raw.NetworkInterfaceId);
  if (!id || !ip || !isWhole) throw halfAnswer('ec2:DescribeAddresses');
  const association = associationOf(raw);
  const named = (raw.Tags ?? []).map(({ Key = '', Value = '' }) => [Key, Value] as const);
  const tags = named.length > 0 && { tags: Object.fromEntries(named) };
  const { NetworkBorderGroup: group = region } = raw;
  const place = group !== region && { networkBorderGroup: group };
  return { raw, address: { id, ip, family: 'ipv4', ...tags, ...place, ...(association && { association }) } };
}

/** An address is free if it has no association id; an interface without an instance may hold it. */
function associationOf(raw: Ec2Address): Association | undefined {
  if (!raw.AssociationId) return undefined;
  return {
    id: raw.AssociationId,
    ...(raw.InstanceId ? { instanceId: raw.InstanceId } : {}),
    ...(raw.NetworkInterfaceId ? { networkInterfaceId: raw.NetworkInterfaceId } : {}),
  };
}

/** The id goes into a filter, where a wildcard would match other addresses. */
function isAllocationId(id: string): boolean {
  return /^eipalloc-[0-9a-z]+$/.test(id);
}
