/** Reads reserved public IPs from OCI: a pool, one by its OCID, and what a private IP has. */
import type { Address, AddressQuery, Association } from '../../model/address.ts';
import { batchLookups } from '../batch.ts';
import { ifThere, isNotFound } from '../present-state.ts';
import { CloudError } from '../provider.ts';
import type { OciApi, PublicIp, Versioned } from './api.ts';
import { halfAnswer } from './errors.ts';
import { matchesTags, parseFilter } from './filter.ts';
import type { Holder, HolderReader } from './holders.ts';
import { parseOrder } from './order.ts';
import { tagsOf } from './tags.ts';

export interface PublicIpReader {
  /** All of the pool, in its order. Calls within the window share a list. */
  list(query: AddressQuery): Promise<Address[]>;
  /** One by its OCID, as it is now; undefined if it does not exist or is not of the pool. */
  read(query: AddressQuery, id: string): Promise<Versioned<PublicIp> | undefined>;
  /** One by its OCID, as it is now, whatever pool it is of. @throws CloudError `NotFound`; `Invalid` if it is not a reserved one */
  get(id: string): Promise<Versioned<PublicIp>>;
  /** The public IP of a private IP, of whatever kind, also one on its way there or off; undefined if it has none. */
  of(privateIpId: string): Promise<Versioned<PublicIp> | undefined>;
  /** The reserved ones of the compartment, by a list, which may be some seconds old. Calls within the window share it. */
  reserved(): Promise<readonly PublicIp[]>;
  toAddress(publicIp: PublicIp): Promise<Address>;
}

/** States in which a public IP ends. It is of no pool then. */
const ENDING_STATES = ['TERMINATING', 'TERMINATED'];
/** States in which nothing has it, and nothing is about to. */
const FREE_STATES = ['AVAILABLE', 'UNASSIGNED'];

/** @returns whether nothing has the public IP, and none is about to */
export function isFree({ lifecycleState, assignedEntityId }: PublicIp): boolean {
  return FREE_STATES.includes(lifecycleState) && !assignedEntityId;
}

/** @returns whether the public IP ends, or has ended */
export function isEnding({ lifecycleState }: PublicIp): boolean {
  return ENDING_STATES.includes(lifecycleState);
}

/** Lists that are asked for by many nodes at once follow each other so far apart. With the usual window, a second. */
const listSpacingMs = (windowMs: number): number => 20 * windowMs;

export function createPublicIpReader(
  api: OciApi,
  holders: HolderReader,
  compartment: string,
  windowMs: number,
): PublicIpReader {
  const listOnce = batchLookups<string, readonly PublicIp[]>({
    windowMs,
    spacingMs: listSpacingMs(windowMs),
    maxKeys: 1000,
    keyOf: (key) => key,
    read: async () => new Map([[compartment, await listReserved(api, compartment)]]),
  });
  const reserved = async (): Promise<readonly PublicIp[]> => (await listOnce(compartment)) ?? [];
  const toAddresses = async (publicIps: readonly PublicIp[]): Promise<Address[]> => {
    const found = await holders.holdersOf(publicIps.flatMap((one) => privateIpIdOf(one) ?? []));
    return publicIps.map((one) => toAddress(one, found.get(privateIpIdOf(one) ?? '')));
  };
  /**
   * OCI answers 404 also to a caller that lacks the permission: then the list fails.
   *
   * @throws CloudError `NotFound`; `Denied`; `Unavailable` if the list shows it
   */
  const explainMissing = async (id: string, error: CloudError): Promise<never> => {
    const listed = (await listReserved(api, compartment)).some((one) => one.id === id && !isEnding(one));
    if (!listed) throw error;
    throw new CloudError(
      'Unavailable',
      `Public IP ${id} cannot be seen: ListPublicIps shows it, and GetPublicIp does not. Nothing is concluded from that.`,
    );
  };
  const get: PublicIpReader['get'] = async (id) => {
    checkId(id);
    let found: Versioned<PublicIp>;
    try {
      found = await api.getPublicIp(id);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      return await explainMissing(id, error);
    }
    if (isEnding(found.value)) throw new CloudError('NotFound', `Public IP ${id} is being deleted.`);
    if (found.value.lifetime === 'RESERVED') return found;
    throw new CloudError('Invalid', `Public IP ${id} is not a reserved one.`);
  };
  return {
    reserved,
    get,
    async list({ filter, family, orderBy }) {
      const conditions = parseFilter(filter, family);
      const order = parseOrder(orderBy);
      const ofPool = (await reserved()).filter((one) => !isEnding(one) && matchesTags(conditions, one));
      return await toAddresses(ofPool.toSorted(order));
    },
    async read({ filter, family }, id) {
      const conditions = parseFilter(filter, family);
      try {
        const found = await get(id);
        const isOfPool = found.value.compartmentId === compartment && matchesTags(conditions, found.value);
        return isOfPool ? found : undefined;
      } catch (error) {
        const isOfNoPool = error instanceof CloudError && ['NotFound', 'Invalid'].includes(error.kind);
        if (isOfNoPool) return undefined;
        throw error;
      }
    },
    async of(privateIpId) {
      return await ifThere(api.getPublicIpByPrivateIp(privateIpId));
    },
    async toAddress(publicIp) {
      const [address] = await toAddresses([publicIp]);
      if (address === undefined) throw halfAnswer('GetPublicIp');
      return address;
    },
  };
}

/** @throws CloudError `Denied` where the compartment is not there, or the caller may not list its public IPs */
async function listReserved(api: OciApi, compartment: string): Promise<PublicIp[]> {
  try {
    return await api.listReservedPublicIps(compartment);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    throw new CloudError(
      'Denied',
      `ListPublicIps was refused: there is no compartment ${compartment}, or its policy lacks PUBLIC_IP_READ; docs/permissions.md has the statements (${error.message})`,
      { code: error.code, cause: error },
    );
  }
}

/** The OCID goes into the path of a URL. */
function checkId(id: string): void {
  if (/^ocid1\.publicip\.[\w.-]+$/.test(id)) return;
  throw new CloudError('NotFound', `"${id}" is no OCID of a public IP.`);
}

/** @returns the private IP that the public IP is assigned to, or about to be; undefined for a NAT gateway */
export function privateIpIdOf({ assignedEntityId, assignedEntityType }: PublicIp): string | undefined {
  return assignedEntityId && assignedEntityType !== 'NAT_GATEWAY' ? assignedEntityId : undefined;
}

/** @throws CloudError `Unavailable` if it lacks the address, which OCI always says of a reserved one */
function toAddress(publicIp: PublicIp, holder: Holder = {}): Address {
  const { id, ipAddress: ip } = publicIp;
  if (!ip) throw halfAnswer('ListPublicIps');
  const tags = tagsOf(publicIp);
  const association = associationOf(publicIp, holder);
  return {
    id,
    ip,
    family: 'ipv4',
    ...(Object.keys(tags).length > 0 && { tags }),
    ...(association && { association }),
  };
}

/** OCI has no id for an association: it is named by the private IP that has the address. */
function associationOf(publicIp: PublicIp, { vnicId, instanceId }: Holder): Association | undefined {
  if (isFree(publicIp)) return undefined;
  return {
    id: publicIp.assignedEntityId || publicIp.lifecycleState,
    ...(instanceId !== undefined && { instanceId }),
    ...(vnicId !== undefined && { networkInterfaceId: vnicId }),
  };
}
