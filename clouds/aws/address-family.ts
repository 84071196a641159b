/** What the two address families of EC2 have in common, for the provider that hands each call to one of them. */
import type { EC2Client } from '@aws-sdk/client-ec2';
import type {
  Address,
  AddressQuery,
  AddressRef,
  Association,
  InstanceRef,
  ReleaseOutcome,
} from '../../model/address.ts';
import type { AssociateOptions, ListOptions, ReleaseOptions } from '../provider.ts';
import type { AwsCall } from './client.ts';
import type { FoundInstance } from './instances.ts';

/** One family's part of {@link CloudProvider}. Queries have been validated, and are of the family. */
export interface AddressFamily {
  list(query: AddressQuery, options?: ListOptions): Promise<Address[]>;
  /** As {@link CloudProvider.listNetworks}. */
  networks(query: AddressQuery): Promise<string[]>;
  read(query: AddressQuery, addressId: string): Promise<Address | undefined>;
  associate(ref: InstanceRef, address: AddressRef, options?: AssociateOptions): Promise<Association>;
  release(
    ref: InstanceRef,
    address: AddressRef,
    query: AddressQuery,
    options?: ReleaseOptions,
  ): Promise<ReleaseOutcome>;
}

/** The way to EC2 that both share. */
export interface Ec2Access {
  readonly client: EC2Client;
  readonly call: AwsCall;
  readonly findInstance: (ref: InstanceRef) => Promise<FoundInstance>;
  /** How long a lookup waits for others to share its request. */
  readonly windowMs: number;
}
