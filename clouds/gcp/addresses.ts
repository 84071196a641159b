/** Reads reserved addresses from Compute Engine: a pool, one address by its name, and which addresses are reserved at all. */
import type { protos } from '@google-cloud/compute';
import {
  type Address,
  type AddressQuery,
  type Association,
  type Family,
  familyOf,
} from '../../model/address.ts';
import type { Scope } from '../../model/scope.ts';
import { batchLookups, resultOf } from '../batch.ts';
import { CloudError } from '../provider.ts';
import { checkKind, halfAnswer, type GcpCall, type GcpClients } from './client.ts';
import { toListFilter } from './filter.ts';
import { canonicalIp } from '../ip.ts';
import { parseOrder } from './order.ts';

type GceAddress = protos.google.cloud.compute.v1.IAddress;

/** A reserved address, with the instance that has it. */
export interface FoundAddress {
  readonly address: Address;
  readonly networkTier: string;
  /** For IPv6, 96: an interface has a whole range. */
  readonly prefixLength: number | undefined;
  /** The name of an IPv6 address's subnetwork, whose instances alone can have it. */
  readonly subnetwork: string | undefined;
  readonly holder: Holder | undefined;
}

export interface Holder {
  readonly zone: string;
  readonly instance: string;
}

export interface AddressReader {
  /** All of the pool, in its order. Calls within the window share a list. */
  list(query: AddressQuery): Promise<FoundAddress[]>;
  /** One of the pool; undefined if it is not among them. Shares lists as `list` does. */
  read(query: AddressQuery, name: string): Promise<FoundAddress | undefined>;
  /** One by its name, as it is now, whatever pool it is of. @throws CloudError `NotFound` */
  get(name: string): Promise<FoundAddress>;
  /** All static addresses of the region, by a list, which may be some seconds old. Calls within the window share it. */
  external(): Promise<ExternalAddresses>;
}

export interface ExternalAddresses {
  /** @returns whether the address is a static one, of whatever use */
  isReserved(ip: string): boolean;
  /** @returns one by its name, if an instance can have it */
  find(name: string): FoundAddress | undefined;
}

const pageSize = 500;
/**
 * Of many nodes at once, those of a second share a list: with the usual window of 50 ms.
 *
 * @param windowMs within which lookups share a call
 */
export const listSpacingMs = (windowMs: number): number => 20 * windowMs;

export function createAddressReader(
  clients: GcpClients,
  call: GcpCall,
  scope: Scope,
  windowMs: number,
): AddressReader {
  const place = { project: scope.account, region: scope.region };

  const listAll = async (filter: string): Promise<GceAddress[]> => {
    const found: GceAddress[] = [];
    let pageToken: string | undefined;
    do {
      const request = { ...place, filter, maxResults: pageSize, ...(pageToken ? { pageToken } : {}) };
      const [items, , page] = await call('compute.addresses.list', (options) =>
        clients.addresses.list(request, { ...options, autoPaginate: false }),
      );
      checkKind(page.kind, 'compute#addressList', 'compute.addresses.list');
      found.push(...items);
      pageToken = page.nextPageToken ?? undefined;
    } while (pageToken);
    return found;
  };
  const listOnce = batchLookups<string, readonly GceAddress[]>({
    windowMs,
    spacingMs: listSpacingMs(windowMs),
    maxKeys: 1000,
    keyOf: (filter) => filter,
    read: async (filters) => {
      const lists = await Promise.allSettled(filters.map(listAll));
      return new Map(filters.map((filter, index) => [filter, resultOf(lists[index])]));
    },
  });
  const list: AddressReader['list'] = async ({ filter, family, orderBy, subnet }) => {
    const order = parseOrder(orderBy);
    const found = (await listOnce(toListFilter(filter, family))) ?? [];
    const ofPool = found.toSorted(order).flatMap((raw) => toFoundAddress(raw, scope) ?? []);
    const isBound = family === 'ipv6' && subnet !== undefined;
    return isBound ? ofPool.filter(({ subnetwork }) => subnetwork === subnet) : ofPool;
  };

  const get: AddressReader['get'] = async (name) => {
    checkName(name);
    const [raw] = await call('compute.addresses.get', (options) =>
      clients.addresses.get({ ...place, address: name }, options),
    );
    checkKind(raw.kind, 'compute#address', 'compute.addresses.get');
    const found = toFoundAddress(raw, scope);
    if (found !== undefined) return found;
    throw raw.status === 'RESERVING'
      ? new CloudError('Unavailable', `Address ${name} is still being reserved.`)
      : new CloudError('Invalid', `Address ${name} is not one that an instance can have.`);
  };
  const listExternal = async (): Promise<readonly GceAddress[]> =>
    (await listOnce('(addressType=EXTERNAL)')) ?? [];
  /**
   * A list that lacks an address is not yet the word that it is not of the pool: the answer may be empty by mistake. An address that
   * exists is in the list of all.
   *
   * @throws CloudError `Unavailable` if it exists, and no list shows it
   */
  const checkUnlisted = async (name: string): Promise<void> => {
    try {
      await get(name);
    } catch (error) {
      if (error instanceof CloudError && (error.kind === 'NotFound' || error.kind === 'Invalid')) return;
      throw error;
    }
    if ((await listExternal()).some((one) => one.name === name)) return;
    throw new CloudError(
      'Unavailable',
      `Address ${name} cannot be seen: it exists, and compute.addresses.list does not show it. Nothing is concluded from that.`,
    );
  };

  return {
    list,
    async read(query, name) {
      const found = (await list(query)).find(({ address }) => address.id === name);
      if (found === undefined) await checkUnlisted(name);
      return found;
    },
    get,
    async external() {
      const all = await listExternal();
      return {
        isReserved: (ip) => all.some(({ address }) => canonicalIp(address ?? '') === canonicalIp(ip)),
        find(name) {
          const raw = all.find((one) => one.name === name);
          return raw && toFoundAddress(raw, scope);
        },
      };
    },
  };
}

/** The name goes into the path of a URL. */
function checkName(name: string): void {
  if (/^[a-z](?:[-a-z0-9]*[a-z0-9])?$/.test(name)) return;
  throw new CloudError('NotFound', `"${name}" is no name of an address.`);
}

/**
 * @returns undefined for what cannot be given to a node: internal ones, those of load balancers and of Cloud NAT
 * @throws CloudError `Unavailable` if something is missing that Compute Engine always says
 */
function toFoundAddress(raw: GceAddress, scope: Scope): FoundAddress | undefined {
  const { name: id, address, status, addressType, ipv6EndpointType, purpose } = raw;
  if (status === 'RESERVING') return undefined;
  if (!id || !address || !status) throw halfAnswer('compute.addresses.list');
  if (addressType === 'INTERNAL' || ipv6EndpointType === 'NETLB' || purpose === 'NAT_AUTO') return undefined;
  const ip = canonicalIp(address);
  const family: Family = familyOf(ip);
  const user = raw.users?.[0];
  const holder = user === undefined ? undefined : holderOf(user, scope);
  const association = status === 'RESERVED' ? undefined : associationOf(user, holder);
  const tags = Object.keys(raw.labels ?? {}).length > 0 && { tags: raw.labels ?? {} };
  return {
    address: { id, ip, family, ...tags, ...(association && { association }) },
    networkTier: raw.networkTier ?? '',
    prefixLength: raw.prefixLength || undefined,
    subnetwork: raw.subnetwork?.replace(/^.*\//, '') || undefined,
    holder,
  };
}

function associationOf(user: string | undefined, holder: Holder | undefined): Association {
  if (holder !== undefined) return associationWith(holder);
  return { id: user?.replace(/^.*\/(?=(?:zones|regions|global)\/)/, '') ?? 'unknown' };
}

/** Compute Engine has no id for an association: it is named by who has the address. */
export function associationWith({ zone, instance }: Holder, networkInterfaceId?: string): Association {
  return {
    id: `zones/${zone}/instances/${instance}`,
    instanceId: instance,
    ...(networkInterfaceId === undefined ? {} : { networkInterfaceId }),
  };
}

/** @returns undefined for a forwarding rule, a router, or an instance of another project */
function holderOf(user: string, scope: Scope): Holder | undefined {
  const link = /\/projects\/([^/]+)\/zones\/([^/]+)\/instances\/([^/]+)$/.exec(user);
  const [, project, zone, instance] = link ?? [];
  if (project !== scope.account || zone === undefined || instance === undefined) return undefined;
  return { zone, instance };
}
