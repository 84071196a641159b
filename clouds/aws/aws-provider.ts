/** Elastic IPs for EC2 instances, by the contract of {@link CloudProvider}. */
import { AssociateAddressCommand, DisassociateAddressCommand, EC2Client } from '@aws-sdk/client-ec2';
import {
  type AddressQuery,
  type AddressRef,
  type Association,
  type Instance,
  type InstanceRef,
  type ReleaseOutcome,
  solePublicIp,
} from '../../model/address.ts';
import type { Scope } from '../../model/scope.ts';
import { CloudError, type CloudProvider } from '../provider.ts';
import { createAddressReader, type AddressReader, type FoundAddress } from './addresses.ts';
import { awsClientConfig, createAwsCall, type AwsCall, type AwsClientOptions } from './client.ts';
import { managedResourceAdvice } from './errors.ts';
import { parseFilter } from './filter.ts';
import { createInstanceReader, type FoundInstance } from './instances.ts';
import { parseOrder } from './order.ts';

export interface AwsProviderOptions extends AwsClientOptions {
  /** The account that the pools and the nodes are of: 12 digits. */
  readonly account: string;
  /** How long a lookup waits for others to share its request. @default 20 */
  readonly batchWindowMs?: number | undefined;
}

/** @returns the provider of one account and region. Makes no call yet. */
export function createAwsProvider(options: AwsProviderOptions): CloudProvider {
  return new AwsProvider(options);
}

class AwsProvider implements CloudProvider {
  readonly scope: Scope;
  readonly #client: EC2Client;
  readonly #call: AwsCall;
  readonly #addresses: AddressReader;
  readonly #findInstance: (ref: InstanceRef) => Promise<FoundInstance>;

  constructor(options: AwsProviderOptions) {
    const windowMs = options.batchWindowMs ?? 20;
    this.scope = { provider: 'aws', account: options.account, region: options.region };
    this.#client = new EC2Client(awsClientConfig(options));
    this.#call = createAwsCall(options);
    this.#addresses = createAddressReader(this.#client, this.#call, windowMs);
    this.#findInstance = createInstanceReader(this.#client, this.#call, this.scope, windowMs);
  }

  validateQuery(query: AddressQuery): void {
    checkFamily(query);
    parseFilter(query.filter);
    parseOrder(query.orderBy);
  }

  async findInstance(ref: InstanceRef): Promise<Instance> {
    return (await this.#findInstance(ref)).instance;
  }

  async listAddresses(query: AddressQuery) {
    checkFamily(query);
    const order = parseOrder(query.orderBy);
    const found = await this.#addresses.list(query.filter);
    if (order) found.sort((a, b) => order(a.raw, b.raw));
    return found.map(({ address }) => address);
  }

  async readAddress(query: AddressQuery, addressId: string) {
    this.validateQuery(query);
    return (await this.#addresses.read(query.filter, addressId))?.address;
  }

  async associate(ref: InstanceRef, address: AddressRef): Promise<Association> {
    const { instance, operator } = await this.#findInstance(ref);
    if (!instance.alive) {
      throw new CloudError('NotFound', `Instance ${ref.id} is terminated, so it gets no address.`);
    }
    const present = solePublicIp(instance, 'ipv4');
    if (present?.kind === 'static') {
      const held = await this.#addresses.readAny(address.id);
      if (held && isHeldBy(held, instance)) return associationOf(held);
      if (present.ip !== address.ip) throw await this.#refusal(instance, present.ip);
    }
    try {
      return await this.#associate(instance, address);
    } catch (error) {
      throw explainDenial(error, operator);
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

  async #associate(instance: Instance, address: AddressRef): Promise<Association> {
    try {
      const answer = await this.#call('ec2:AssociateAddress', () =>
        this.#client.send(
          new AssociateAddressCommand({
            AllocationId: address.id,
            // Not InstanceId, which EC2 refuses for an instance with more than one interface.
            NetworkInterfaceId: instance.networkInterfaceId,
            PrivateIpAddress: instance.privateIp,
            // Without it EC2 takes the address from whoever has it.
            AllowReassociation: false,
          }),
        ),
      );
      if (answer.AssociationId) {
        return {
          id: answer.AssociationId,
          instanceId: instance.id,
          networkInterfaceId: instance.networkInterfaceId,
        };
      }
    } catch (error) {
      if (!(error instanceof CloudError) || error.kind !== 'InUse') throw error;
    }
    // Taken. By this very instance, if an earlier call was applied and its answer lost.
    const holder = await this.#addresses.readAny(address.id);
    if (holder && isHeldBy(holder, instance)) return associationOf(holder);
    throw new CloudError('InUse', `${address.ip} (${address.id}) is held by ${holderOf(holder)}.`, {
      code: 'Resource.AlreadyAssociated',
    });
  }

  async release(ref: InstanceRef, address: AddressRef, query: AddressQuery): Promise<ReleaseOutcome> {
    this.validateQuery(query);
    const found = await this.#addresses.read(query.filter, address.id);
    if (!found) return 'notInPool';
    const { association } = found.address;
    if (!association) return 'alreadyFree';
    if (!(await this.#isHolder(ref, found))) return 'heldByOther';
    try {
      // The association's id is new each time, so this cannot touch one made since for another instance.
      await this.#call('ec2:DisassociateAddress', () =>
        this.#client.send(new DisassociateAddressCommand({ AssociationId: association.id })),
      );
      return 'released';
    } catch (error) {
      if (error instanceof CloudError && error.kind === 'NotFound') return 'alreadyFree';
      throw error;
    }
  }

  /** Whether the instance holds the address as its node's: on its primary interface, if that can still be known. */
  async #isHolder(ref: InstanceRef, found: FoundAddress): Promise<boolean> {
    const holder = found.address.association?.instanceId;
    if (holder !== undefined && holder !== ref.id) return false;
    try {
      const { instance } = await this.#findInstance(ref);
      // An instance that is gone has no interfaces any more to compare.
      return isHeldBy(found, instance) || (!instance.alive && holder === ref.id);
    } catch (error) {
      if (error instanceof CloudError && error.kind === 'NotFound') return holder === ref.id;
      throw error;
    }
  }

  /** EC2 gives an instance its auto-assigned address back by itself, and never takes it before the static one is there. */
  async restoreEphemeral() {
    return 'notNeeded' as const;
  }

  close(): void {
    this.#client.destroy();
  }
}

function checkFamily(query: AddressQuery): void {
  if (query.family !== 'ipv4') {
    throw new CloudError(
      'Invalid',
      'IPv6 pools are not supported on AWS yet: there are no IPv6 Elastic IPs. Use family ipv4.',
    );
  }
}

/** On the instance's primary interface, and on that interface's primary private address. */
function isHeldBy({ raw, address }: FoundAddress, instance: Instance): boolean {
  return (
    address.association?.networkInterfaceId === instance.networkInterfaceId &&
    (!raw.PrivateIpAddress || raw.PrivateIpAddress === instance.privateIp)
  );
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

/** EC2's denial on a managed interface reads as a missing permission, which would send the reader the wrong way. */
function explainDenial(error: unknown, operator: string | undefined): unknown {
  if (!(error instanceof CloudError) || error.kind !== 'Denied' || operator === undefined) return error;
  return new CloudError('Denied', `${managedResourceAdvice}. Operator: ${operator}. ${error.message}`, {
    code: error.code,
    cause: error,
  });
}
