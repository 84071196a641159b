/** Addresses for EC2 instances, by the contract of {@link CloudProvider}: Elastic IPs, and IPv6 addresses of reserved ranges. */
import { EC2Client } from '@aws-sdk/client-ec2';
import {
  type AddressQuery,
  type AddressRef,
  type Family,
  familyOf,
  type Instance,
  type InstanceRef,
} from '../../model/address.ts';
import type { PermissionCheck } from '../../model/permission-check.ts';
import type { Scope } from '../../model/scope.ts';
import type {
  AssociateOptions,
  CloudProvider,
  LeftOut,
  ListOptions,
  PermissionProbe,
  ReleaseOptions,
} from '../provider.ts';
import type { AddressFamily, Ec2Access } from './address-family.ts';
import { checkAwsPermissions } from './check-permissions.ts';
import { awsClientConfig, createAwsCall, type AwsClientOptions } from './client.ts';
import { ElasticIps } from './elastic-ips.ts';
import { parseFilter } from './filter.ts';
import { createInstanceReader } from './instances.ts';
import { Ipv6Addresses } from './ipv6-addresses.ts';
import { parseOrder } from './order.ts';

export interface AwsProviderOptions extends AwsClientOptions {
  /** The account that the pools and the nodes are of: 12 digits. */
  readonly account: string;
  /** How long a lookup waits for others to share its request. @default 20 */
  readonly batchWindowMs?: number | undefined;
  /** Told once about each address that matches a filter and can be given to no node. Must not throw. */
  readonly onLeftOut?: ((left: LeftOut) => void) | undefined;
}

/** @returns the provider of one account and region. Makes no call yet. */
export function createAwsProvider(options: AwsProviderOptions): CloudProvider {
  return new AwsProvider(options);
}

class AwsProvider implements CloudProvider {
  readonly scope: Scope;
  readonly #ec2: Ec2Access;
  readonly #families: Readonly<Record<Family, AddressFamily>>;

  constructor(options: AwsProviderOptions) {
    const windowMs = options.batchWindowMs ?? 50;
    this.scope = { provider: 'aws', account: options.account, region: options.region };
    const client = new EC2Client(awsClientConfig(options));
    const call = createAwsCall(options, client);
    const findInstance = createInstanceReader(client, call, this.scope, windowMs);
    this.#ec2 = { client, call, findInstance, windowMs };
    this.#families = {
      ipv4: new ElasticIps(this.#ec2, options.region, options.onLeftOut),
      ipv6: new Ipv6Addresses(this.#ec2),
    };
  }

  validateQuery({ filter, orderBy, family }: AddressQuery): void {
    parseFilter(filter, family);
    parseOrder(orderBy, family);
  }

  async findInstance(ref: InstanceRef): Promise<Instance> {
    return (await this.#ec2.findInstance(ref)).instance;
  }

  async listAddresses(query: AddressQuery, options?: ListOptions) {
    this.validateQuery(query);
    return this.#families[query.family].list(query, options);
  }

  async listNetworks(query: AddressQuery) {
    this.validateQuery(query);
    return this.#families[query.family].networks(query);
  }

  async readAddress(query: AddressQuery, addressId: string) {
    this.validateQuery(query);
    return this.#families[query.family].read(query, addressId);
  }

  async associate(ref: InstanceRef, address: AddressRef, options?: AssociateOptions) {
    return this.#families[familyOf(address.ip)].associate(ref, address, options);
  }

  async release(ref: InstanceRef, address: AddressRef, query: AddressQuery, options?: ReleaseOptions) {
    this.validateQuery(query);
    return this.#families[query.family].release(ref, address, query, options);
  }

  /**
   * EC2 gives an instance its auto-assigned IPv4 address back by itself, and never takes it before the static one is there.
   * An IPv6 address replaces none.
   */
  async restoreEphemeral() {
    return 'notNeeded' as const;
  }

  async checkPermissions(probe: PermissionProbe): Promise<PermissionCheck[]> {
    return checkAwsPermissions(this.#ec2, (query) => this.#families[query.family].list(query), probe);
  }

  close(): void {
    this.#ec2.client.destroy();
  }
}
