import type { ProviderName } from './scope.ts';

export type Family = 'ipv4' | 'ipv6';

/** Which reserved addresses make up a pool, in the provider's own filter and order syntax. */
export interface AddressQuery {
  readonly family: Family;
  /**
   * AWS: `Name=tag:kubeip,Values=a,b;Name=…`. GCP: `labels.kubeip=reserved;…`. Never empty: a pool without a filter would
   * be the whole account.
   */
  readonly filter: string;
  /**
   * AWS: `Tag:<key>` or a field name such as `PublicIp`. GCP: `name` or `creationTimestamp desc`. Empty: the provider's
   * own order.
   */
  readonly orderBy: string;
}

/** One reserved static address: an EIP by its allocation id, a GCE address by its name. */
export interface AddressRef {
  /** EC2 allocation id (`eipalloc-…`), name of a GCE address. */
  readonly id: string;
  readonly ip: string;
}

/** The binding of an address to a network interface, as the provider shows it. */
export interface Association {
  /**
   * EC2 association id: new for each association, so it fences a release. GCE has no such id: the path of the resource
   * that uses the address (`zones/europe-west1-b/instances/node-a`).
   */
  readonly id: string;
  /** Absent when an interface without an instance holds the address. */
  readonly instanceId?: string;
  readonly networkInterfaceId?: string;
}

export interface Address extends AddressRef {
  readonly family: Family;
  /** Absent: the address is free. */
  readonly association?: Association;
}

/** Points to one cloud instance, as `spec.providerID` of a Node names it. */
export interface InstanceRef {
  readonly provider: ProviderName;
  /** EC2 instance id, name of a GCE instance. */
  readonly id: string;
  readonly zone: string;
  /** GCP project, as the providerID names it. AWS names none. */
  readonly account?: string;
}

/** A cloud instance as far as its public address is concerned. */
export interface Instance extends InstanceRef {
  /** AWS account id (owner of the reservation), GCP project id. */
  readonly account: string;
  readonly region: string;
  /** False once the instance is shutting down or terminated (GCE: stopped). */
  readonly alive: boolean;
  /** The primary network interface (EC2: device index 0; GCE: `<zone>/<instance>/nic0`). Empty, as `privateIp`, if an instance that is gone has none. */
  readonly networkInterfaceId: string;
  readonly privateIp: string;
  /** The public address on the primary interface's primary private address. */
  readonly publicIp?: {
    readonly ip: string;
    /** True for an Elastic IP, false for an auto-assigned one, which an association may replace. */
    readonly static: boolean;
  };
  /** As `publicIp`, for IPv6: the external address of a dual-stack interface. */
  readonly publicIpv6?: {
    readonly ip: string;
    readonly static: boolean;
  };
}

/**
 * `released`: a disassociation was made. `alreadyFree`: nobody holds it. `heldByOther`: another instance or interface
 * holds it, left alone. `notInPool`: it does not exist or does not match the pool, left alone.
 */
export type ReleaseOutcome = 'released' | 'alreadyFree' | 'heldByOther' | 'notInPool';
