/** Elastic IPs: the IPv4 addresses of pools, by the contract of {@link CloudProvider}. */
import { AssociateAddressCommand, DisassociateAddressCommand } from '@aws-sdk/client-ec2';
import {
  type Address,
  type AddressQuery,
  type AddressRef,
  type Association,
  type Instance,
  type InstanceRef,
  type ReleaseOutcome,
  solePublicIp,
} from '../../model/address.ts';
import { type AssociateOptions, CloudError, type LeftOut, type ReleaseOptions } from '../provider.ts';
import { isRefusal, lookAgain, unexplained } from '../refusal.ts';
import { createAddressReader, type AddressReader, type FoundAddress } from './addresses.ts';
import { halfAnswer } from './client.ts';
import { explainDenial } from './errors.ts';
import type { AddressFamily, Ec2Access } from './address-family.ts';
import { parseOrder } from './order.ts';

export class ElasticIps implements AddressFamily {
  readonly #ec2: Ec2Access;
  readonly #addresses: AddressReader;

  constructor(ec2: Ec2Access, region: string, onLeftOut?: (left: LeftOut) => void) {
    this.#ec2 = ec2;
    this.#addresses = createAddressReader(ec2.client, ec2.call, ec2.windowMs, region, onLeftOut);
  }

  async list(query: AddressQuery): Promise<Address[]> {
    const order = parseOrder(query.orderBy);
    const found = await this.#addresses.list(query.filter);
    if (order) found.sort((a, b) => order(a.raw, b.raw));
    return found.map(({ address }) => address);
  }

  async networks(query: AddressQuery): Promise<string[]> {
    return (await this.list(query)).map(({ ip }) => `${ip}/32`);
  }

  async read(query: AddressQuery, addressId: string): Promise<Address | undefined> {
    return (await this.#addresses.read(query.filter, addressId))?.address;
  }

  /**
   * What is to be replaced needs no call: EC2 ends its association when the instance is given another address. If EC2 refuses that,
   * the old association is ended first, and the instance has no Elastic IP for as long as a call takes.
   */
  async associate(
    ref: InstanceRef,
    address: AddressRef,
    options: AssociateOptions = {},
  ): Promise<Association> {
    const { replaces } = options;
    const { instance, operator } = await this.#ec2.findInstance(ref);
    if (!instance.alive) {
      throw new CloudError('NotFound', `Instance ${ref.id} is terminated, so it gets no address.`);
    }
    const present = solePublicIp(instance, 'ipv4');
    if (present?.kind === 'static') {
      const held = await this.#addresses.readAny(address.id);
      if (held && isHeldBy(held, instance)) return associationOf(held);
      const isInTheWay = present.ip !== address.ip && present.ip !== replaces?.ip;
      if (isInTheWay) throw await this.#refusal(instance, present.ip);
    }
    if (instance.privateIp === '') {
      throw new CloudError(
        'Unavailable',
        `EC2 shows no private IPv4 address of instance ${ref.id}, without which it can have no Elastic IP.`,
      );
    }
    try {
      return await this.#send(instance, address);
    } catch (error) {
      const explained = explainDenial(error, operator);
      if (!isRefusal(explained)) throw explained;
      return await lookAgain(explained, () => this.#judge(ref, instance, address, explained, replaces));
    }
  }

  /**
   * An instance loses its present Elastic IP without a word when it is given another, so the call is not made.
   * EC2's lists are some seconds old: one that was just released may still show, which passes by itself.
   */
  async #refusal(instance: Instance, heldIp: string): Promise<CloudError> {
    const held = await this.#addresses.readByIp(heldIp);
    if (held && !isHeldBy(held, instance)) {
      return new CloudError(
        'Unavailable',
        `EC2's answers do not agree yet on whether instance ${instance.id} has the Elastic IP ${heldIp}.`,
      );
    }
    return new CloudError(
      'ForeignAddress',
      `Instance ${instance.id} already has the Elastic IP ${heldIp}, which was not assigned for its pool; it is left alone. Disassociate it to have one of the pool.`,
    );
  }

  async #send({ id, networkInterfaceId, privateIp }: Instance, address: AddressRef): Promise<Association> {
    const answer = await this.#ec2.call('ec2:AssociateAddress', (options) =>
      this.#ec2.client.send(
        new AssociateAddressCommand({
          AllocationId: address.id,
          // Not InstanceId, which EC2 refuses for an instance with more than one interface.
          NetworkInterfaceId: networkInterfaceId,
          PrivateIpAddress: privateIp,
          // Without it EC2 takes the address from whoever has it.
          AllowReassociation: false,
        }),
        options,
      ),
    );
    if (!answer.AssociationId) throw halfAnswer('ec2:AssociateAddress');
    return { id: answer.AssociationId, instanceId: id, networkInterfaceId };
  }

  /**
   * @param before the instance as it was before the call
   * @returns the association, if this very instance has the address: an earlier call was applied and its answer lost
   * @throws CloudError what the refusal comes to by what is there now
   */
  async #judge(
    ref: InstanceRef,
    before: Instance,
    address: AddressRef,
    refusal: CloudError,
    replaces: AddressRef | undefined,
  ): Promise<Association> {
    const holder = await this.#addresses.readAny(address.id);
    if (holder && isHeldBy(holder, before)) return associationOf(holder);
    const { code, kind } = refusal;
    const inUse = () =>
      new CloudError('InUse', `${address.ip} (${address.id}) is held by ${holderOf(holder)}.`, {
        code,
        cause: refusal,
      });
    if (holder?.address.association !== undefined) throw inUse();
    if (holder === undefined) {
      const message = `${address.ip} (${address.id}) is no address of this account (any more). ${refusal.message}`;
      throw new CloudError('NotFound', message, { code, cause: refusal });
    }
    const { instance } = await this.#ec2.findInstance(ref);
    if (!instance.alive) throw new CloudError('NotFound', `Instance ${ref.id} is terminated.`, { code });
    const [wanted, place] = [holder.address.networkBorderGroup, instance.networkBorderGroup];
    if (wanted !== place) {
      const of = (group: string | undefined) => group ?? "the region's own";
      throw new CloudError(
        'Invalid',
        `${address.ip} (${address.id}) is of network border group ${of(wanted)}, instance ${ref.id} of ${of(place)}. An Elastic IP serves its own group only. ${refusal.message}`,
        { code, isOfPair: true, cause: refusal },
      );
    }
    const present = solePublicIp(instance, 'ipv4');
    if (present?.kind === 'static' && present.ip !== address.ip) {
      if (present.ip !== replaces?.ip) throw await this.#refusal(instance, present.ip);
      if (kind !== 'Denied') return await this.#replace(instance, address, replaces);
    }
    throw kind === 'InUse' ? inUse() : unexplained(refusal);
  }

  /** The way of an EC2 that gives an interface no second Elastic IP: the old one goes first, and comes back if the new one is refused. */
  async #replace(instance: Instance, address: AddressRef, replaced: AddressRef): Promise<Association> {
    const held = await this.#addresses.readAny(replaced.id);
    if (held && isHeldBy(held, instance)) await this.#disassociate(replaced.id, associationOf(held).id, true);
    try {
      return await this.#send(instance, address);
    } catch (error) {
      // If this fails too, the caller's way back is a call for the old address: its failure would hide the reason.
      if (isRefusal(error)) await this.#send(instance, replaced).catch(() => undefined);
      throw isRefusal(error) ? unexplained(error) : error;
    }
  }

  /**
   * The list may be old: an association that the caller made is ended by its id even if the address shows as free. Not that
   * of an instance that is gone: EC2 ends it by itself, and the call would draw on the rate limit of those that wait.
   */
  async release(
    ref: InstanceRef,
    address: AddressRef,
    query: AddressQuery,
    { association: made }: ReleaseOptions = {},
  ): Promise<ReleaseOutcome> {
    const found = await this.#addresses.read(query.filter, address.id);
    if (!found) return 'notInPool';
    const { association: seen } = found.address;
    if (!seen) {
      if (made === undefined || !(await this.#isAlive(ref))) return 'alreadyFree';
      return this.#disassociate(address.id, made.id, false);
    }
    if (await this.#isHolder(ref, found)) return this.#disassociate(address.id, seen.id, true);
    return 'heldByOther';
  }

  /**
   * An association's id is new each time, so this cannot touch one made since for another instance.
   *
   * @param isShown whether EC2's list has shown the association: then one that it does not show any more is over
   */
  async #disassociate(addressId: string, associationId: string, isShown: boolean): Promise<ReleaseOutcome> {
    try {
      await this.#ec2.call('ec2:DisassociateAddress', (options) =>
        this.#ec2.client.send(new DisassociateAddressCommand({ AssociationId: associationId }), options),
      );
      return 'released';
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const found = await lookAgain(error, () => this.#addresses.readAny(addressId));
      const now = found?.address.association;
      // NotFound alone is no proof: EC2 says it for a while of what it has just made ("Eventual consistency in the Amazon EC2 API").
      const isOver = isShown || error.kind === 'NotFound';
      if (isOver && now === undefined) return 'alreadyFree';
      if (now !== undefined && now.id !== associationId) return 'heldByOther';
      throw unexplained(error);
    }
  }

  async #isAlive(ref: InstanceRef): Promise<boolean> {
    try {
      return (await this.#ec2.findInstance(ref)).instance.alive;
    } catch (error) {
      if (error instanceof CloudError && error.kind === 'NotFound') return false;
      throw error;
    }
  }

  /** Whether the instance holds the address as its node's: on its primary interface, if that can still be known. */
  async #isHolder(ref: InstanceRef, found: FoundAddress): Promise<boolean> {
    const holder = found.address.association?.instanceId;
    if (holder !== undefined && holder !== ref.id) return false;
    try {
      const { instance } = await this.#ec2.findInstance(ref);
      // An instance that is gone has no interfaces any more to compare.
      return isHeldBy(found, instance) || (!instance.alive && holder === ref.id);
    } catch (error) {
      if (error instanceof CloudError && error.kind === 'NotFound') return holder === ref.id;
      throw error;
    }
  }
}

/** On the instance's primary interface, and on that interface's primary private address as far as EC2 shows it. */
function isHeldBy({ raw, address }: FoundAddress, { networkInterfaceId, privateIp }: Instance): boolean {
  if (address.association?.networkInterfaceId !== networkInterfaceId) return false;
  return !raw.PrivateIpAddress || privateIp === '' || raw.PrivateIpAddress === privateIp;
}

function associationOf({ address }: FoundAddress): Association {
  if (!address.association)
    throw new CloudError('Unavailable', `${address.ip} (${address.id}) has no association.`);
  return address.association;
}

function holderOf(found: FoundAddress | undefined): string {
  const association = found?.address.association;
  return association?.instanceId ?? association?.networkInterfaceId ?? 'somebody else';
}
