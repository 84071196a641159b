/**
 * IPv6 addresses by the contract of {@link CloudProvider}. EC2 has no Elastic IPs of this family: a pool is what explicit
 * CIDR reservations of subnets hold, of which addresses are assigned to interfaces by name. An interface may have several,
 * EC2 never moves one from its holder, and each serves its own subnet only.
 */
import { AssignIpv6AddressesCommand, UnassignIpv6AddressesCommand } from '@aws-sdk/client-ec2';
import type {
  Address,
  AddressQuery,
  AddressRef,
  Association,
  Instance,
  InstanceRef,
  ReleaseOutcome,
} from '../../model/address.ts';
import {
  type AssociateOptions,
  CloudError,
  DEFAULT_WANT_FREE,
  type ListOptions,
  type ReleaseOptions,
} from '../provider.ts';
import type { AddressFamily, Ec2Access } from './address-family.ts';
import { halfAnswer } from './client.ts';
import { explainDenial } from './errors.ts';
import { createIpv6HolderReader, ipv6Association, type Ipv6HolderReader } from './ipv6-holders.ts';
import { createIpv6PoolReader, isInPool, type Ipv6PoolReader } from './ipv6-pools.ts';
import {
  canonicalIpv6,
  contains,
  firstAddresses,
  formatIpv6,
  formatIpv6Cidr,
  parseIpv6,
} from './ipv6-range.ts';
import { isRefusal, lookAgain, unexplained } from '../refusal.ts';

export class Ipv6Addresses implements AddressFamily {
  readonly #ec2: Ec2Access;
  readonly #pools: Ipv6PoolReader;
  readonly #holders: Ipv6HolderReader;

  constructor(ec2: Ec2Access) {
    this.#ec2 = ec2;
    this.#pools = createIpv6PoolReader(ec2.client, ec2.call, ec2.windowMs);
    this.#holders = createIpv6HolderReader(ec2.client, ec2.call, ec2.windowMs);
  }

  /** In ascending order: all that interfaces have, and the first that are free. */
  async list(query: AddressQuery, options: ListOptions = {}): Promise<Address[]> {
    const pool = await this.#pools.pool({ filter: query.filter, subnet: query.subnet });
    if (pool.ranges.length === 0) return [];
    const { addresses, prefixes } = await this.#holders.inSubnets(pool.subnets);
    const held = [...addresses.keys()].filter((address) => isInPool(pool, address));
    const taken = held.map((address) => ({ first: address, last: address }));
    const notFree = [...pool.keptByEc2, ...prefixes, ...taken];
    const free = firstAddresses(pool.ranges, notFree, options.wantFree ?? DEFAULT_WANT_FREE);
    return [...held, ...free]
      .sort((a, b) => (a < b ? -1 : 1))
      .map((address) => toAddress(formatIpv6(address), addresses.get(address)));
  }

  async networks({ filter, subnet }: AddressQuery): Promise<string[]> {
    return (await this.#pools.pool({ filter, subnet })).ranges.map(formatIpv6Cidr);
  }

  async read(query: AddressQuery, addressId: string): Promise<Address | undefined> {
    const address = parseIpv6(addressId);
    if (address === undefined) return undefined;
    const ip = formatIpv6(address);
    const pool = await this.#pools.pool({ filter: query.filter, subnet: query.subnet });
    if (!isInPool(pool, address)) return undefined;
    return toAddress(ip, await this.#holders.holderOf(ip, pool.subnets));
  }

  /** What is to be replaced goes once the new one is there: an interface may have both. */
  async associate(
    ref: InstanceRef,
    address: AddressRef,
    { replaces }: AssociateOptions = {},
  ): Promise<Association> {
    const association = await this.#associate(ref, address);
    if (replaces !== undefined) await this.#removeReplaced(association, replaces);
    return association;
  }

  async #removeReplaced({ networkInterfaceId = '' }: Association, { id }: AddressRef): Promise<void> {
    const ip = formatIpv6(parseIpv6(id) ?? 0n);
    const present = await this.#holders.ofInterface(networkInterfaceId);
    if (present?.includes(ip) === true) await this.#unassign(networkInterfaceId, ip);
  }

  async #associate(ref: InstanceRef, { id }: AddressRef): Promise<Association> {
    const { instance, operator } = await this.#ec2.findInstance(ref);
    if (!instance.alive) {
      throw new CloudError('NotFound', `Instance ${ref.id} is terminated, so it gets no address.`);
    }
    const address = parseIpv6(id);
    if (address === undefined) throw new CloudError('Invalid', `"${id}" is no IPv6 address.`);
    const ip = formatIpv6(address);
    const own = ipv6Association(instance.networkInterfaceId, ip, instance.id);
    if (instance.publicIps.some((it) => it.ip === ip)) return own;
    const [holder] = await Promise.all([this.#holders.holderOf(ip), this.#checkSubnet(instance, address)]);
    if (holder) return ownOrInUse(instance, ip, holder);
    try {
      await this.#assign(instance, ip);
      return own;
    } catch (error) {
      const explained = explainDenial(error, operator);
      if (!isRefusal(explained)) throw explained;
      return await lookAgain(explained, () => this.#judge(ref, instance, ip, explained));
    }
  }

  /** EC2's answer names what was assigned, which is proof. One that does not is held against what the interface has. */
  async #assign({ networkInterfaceId }: Instance, ip: string): Promise<void> {
    const action = 'ec2:AssignIpv6Addresses';
    const { AssignedIpv6Addresses: assigned = [] } = await this.#ec2.call(action, (options) =>
      this.#ec2.client.send(
        new AssignIpv6AddressesCommand({ NetworkInterfaceId: networkInterfaceId, Ipv6Addresses: [ip] }),
        options,
      ),
    );
    if (assigned.some((it) => canonicalIpv6(it) === ip)) return;
    const present = await this.#holders.ofInterface(networkInterfaceId);
    if (present?.includes(ip) !== true) throw halfAnswer(action);
  }

  /**
   * @returns the association, if this very instance has the address: an earlier call was applied and its answer lost
   * @throws CloudError what the refusal comes to by what is there now
   */
  async #judge(ref: InstanceRef, instance: Instance, ip: string, refusal: CloudError): Promise<Association> {
    const { networkInterfaceId, subnet } = instance;
    const present = await this.#holders.ofInterface(networkInterfaceId);
    if (present?.includes(ip) === true) return ipv6Association(networkInterfaceId, ip, instance.id);
    const holder = await this.#holders.holderOf(ip, [subnet]);
    if (holder) return ownOrInUse(instance, ip, holder, refusal);
    const now = await this.#ec2.findInstance(ref);
    if (!now.instance.alive) throw new CloudError('NotFound', `Instance ${ref.id} is terminated.`);
    throw unexplained(refusal);
  }

  async #checkSubnet({ id, subnet }: Instance, address: bigint): Promise<void> {
    if (subnet === '') throw halfAnswer('ec2:DescribeInstances');
    const blocks = await this.#pools.blocksOf(subnet);
    if (blocks.some((block) => contains(block, address))) return;
    throw new CloudError(
      'Invalid',
      blocks.length === 0
        ? `Subnet ${subnet} of instance ${id} has no IPv6 CIDR block, so the instance cannot have an IPv6 address.`
        : `${formatIpv6(address)} is not of subnet ${subnet}, which instance ${id} is in. An IPv6 address serves its own subnet only.`,
    );
  }

  /**
   * The interface is the fence: the address is taken from the instance's primary one and from no other. An address that a
   * list, which may be old, shows as free is taken from there all the same where the caller put it there. Not from an
   * instance that is gone: EC2 frees what it had by itself.
   */
  async release(
    ref: InstanceRef,
    { id }: AddressRef,
    query: AddressQuery,
    { association: made }: ReleaseOptions = {},
  ): Promise<ReleaseOutcome> {
    const found = await this.read(query, id);
    if (!found) return 'notInPool';
    const holder = found.association;
    if (!holder && !made) return 'alreadyFree';
    if (holder?.instanceId !== undefined && holder.instanceId !== ref.id) return 'heldByOther';
    const primary = await this.#primaryInterface(ref);
    if (!holder) {
      const isMade = primary !== undefined && made?.networkInterfaceId === primary;
      return isMade ? this.#unassign(primary, found.ip) : 'alreadyFree';
    }
    // An instance that is gone has no interfaces any more to compare.
    const isHolder =
      primary === undefined ? holder.instanceId === ref.id : holder.networkInterfaceId === primary;
    return isHolder ? this.#unassign(holder.networkInterfaceId ?? '', found.ip) : 'heldByOther';
  }

  /** @returns undefined for an instance that is gone */
  async #primaryInterface(ref: InstanceRef): Promise<string | undefined> {
    try {
      const { instance } = await this.#ec2.findInstance(ref);
      return instance.alive ? instance.networkInterfaceId : undefined;
    } catch (error) {
      if (error instanceof CloudError && error.kind === 'NotFound') return undefined;
      throw error;
    }
  }

  async #unassign(networkInterfaceId: string, ip: string): Promise<ReleaseOutcome> {
    try {
      await this.#ec2.call('ec2:UnassignIpv6Addresses', (options) =>
        this.#ec2.client.send(
          new UnassignIpv6AddressesCommand({ NetworkInterfaceId: networkInterfaceId, Ipv6Addresses: [ip] }),
          options,
        ),
      );
      return 'released';
    } catch (error) {
      if (!isRefusal(error)) throw error;
      // Refused because the interface does not have it any more, or is gone? NotFound alone is no proof: EC2 says it for a while of what
      // it has just made ("Eventual consistency in the Amazon EC2 API").
      const present = await lookAgain(error, () => this.#holders.ofInterface(networkInterfaceId));
      if (present?.includes(ip) ?? error.kind !== 'NotFound') throw unexplained(error);
      const holder = await this.#holders.holderOf(ip);
      if (holder?.networkInterfaceId === networkInterfaceId) throw unexplained(error);
      return holder === undefined ? 'alreadyFree' : 'heldByOther';
    }
  }
}

function toAddress(ip: string, association: Association | undefined): Address {
  return { id: ip, ip, family: 'ipv6', ...(association && { association }) };
}

/** @throws CloudError `InUse` if it is not the instance's primary interface that has the address */
function ownOrInUse(instance: Instance, ip: string, holder: Association, refusal?: CloudError): Association {
  if (holder.networkInterfaceId === instance.networkInterfaceId) return holder;
  const who = holder.instanceId ?? holder.networkInterfaceId ?? 'somebody else';
  throw new CloudError('InUse', `${ip} is held by ${who}.`, { code: refusal?.code, cause: refusal });
}
