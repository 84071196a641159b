import { traitsOf } from '../clouds/traits.ts';
import type { InstanceIdentity } from './node-identity.ts';
import type { ProviderName } from './scope.ts';

/** No IP is longer, nor the id of an address in any cloud. */
const MAX_ADDRESS_NAME_LENGTH = 253;

/**
 * How people name one address: its IP, or the id that the cloud has for it.
 *
 * @returns whether the text can be one. Whether there is such an address is for the cloud to say
 */
export function isAddressName(text: string): boolean {
  return text.length <= MAX_ADDRESS_NAME_LENGTH && /^[0-9A-Za-z.:/_-]+$/.test(text);
}

/** What is said of a text that is none. */
export const addressNameAdvice =
  'An address is named by its IP or its id: at most 253 letters, digits and ".", ":", "/", "_", "-"';

export type Family = 'ipv4' | 'ipv6';

/** The order in which a pool's families stand wherever they are listed. */
export const families = ['ipv4', 'ipv6'] as const satisfies readonly Family[];

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
  /**
   * Only addresses of this subnet (EC2 subnet id, name of a GCE subnetwork). An IPv6 address serves its own subnet only, so a
   * node's query names the subnet of its instance. Of IPv4 on EC2: of this network border group, where the node is not of the region's own.
   */
  readonly subnet?: string;
}

/**
 * @param subnet of the instance; empty if it is not known
 * @param networkBorderGroup of the instance, if it is not the region's own
 * @returns what of a pool can serve an instance there: an IPv6 address serves its own subnet only, an Elastic IP its own network
 * border group
 */
export function queryOn(query: AddressQuery, subnet: string, networkBorderGroup?: string): AddressQuery {
  if (query.family === 'ipv6') return subnet === '' ? query : { ...query, subnet };
  return networkBorderGroup === undefined ? query : { ...query, subnet: networkBorderGroup };
}

/** @returns whether an address that matches the query can serve the node whose query it is */
export function canServe(
  { family, subnet }: AddressQuery,
  { networkBorderGroup }: Pick<Address, 'networkBorderGroup'>,
): boolean {
  return family === 'ipv6' || networkBorderGroup === subnet;
}

/** One reserved static address: an EIP by its allocation id, a GCE address by its name. */
export interface AddressRef {
  /** EC2 allocation id (`eipalloc-…`), name of a GCE address; of IPv6 on EC2 the address itself, in its canonical form. */
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
  /** Its tags (EC2) or labels (Compute Engine). Absent if it has none, as IPv6 on EC2 never has. */
  readonly tags?: Readonly<Record<string, string>>;
  /** EC2's network border group, if it is not the region's own: the address serves instances of that group only. */
  readonly networkBorderGroup?: string;
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

/**
 * Names an instance within its scope, as search attributes hold it.
 *
 * @returns the EC2 instance id; on GCE, where a name is unique in its zone only, `<zone>/<name>`
 */
export function instanceKey({ provider, id, zone }: Pick<InstanceRef, 'provider' | 'id' | 'zone'>): string {
  return traitsOf(provider).instanceIdsAreUniqueIn === 'zone' ? `${zone}/${id}` : id;
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
  /** The subnet of the primary interface (EC2 subnet id, name of a GCE subnetwork). Empty if it is not known. */
  readonly subnet: string;
  /** EC2's network border group, if it is not the region's own, as of an instance in a Local Zone. */
  readonly networkBorderGroup?: string;
  /** The public addresses of the primary interface: of IPv4 that of its primary private address. */
  readonly publicIps: readonly PublicIp[];
  /** The cloud's name of the Kubernetes cluster that it is a node of, by its tags. Absent: they do not tell. */
  readonly kubernetesCluster?: string;
  /** What tells which Node it is. Absent: the cloud does not tell. Workflows are not told. */
  readonly identity?: InstanceIdentity;
}

/** A public address that an instance was seen with. */
export interface PublicIp {
  readonly ip: string;
  readonly family: Family;
  /**
   * `static`: reserved by the user; another one of the family cannot be associated beside it. `ephemeral`: the cloud's own,
   * which gives way to a static one. `additional`: the interface may have several (IPv6 on EC2), so it is in nobody's way.
   */
  readonly kind: 'static' | 'ephemeral' | 'additional';
  /** Of a static one: it was associated by this program in place of an ephemeral one, as the cloud itself shows (GCE). */
  readonly inPlaceOfEphemeral?: boolean;
}

/** @returns the address of the family that another one would replace, or that is in its way; undefined if there is none */
export function solePublicIp(instance: Pick<Instance, 'publicIps'>, family: Family): PublicIp | undefined {
  return instance.publicIps.find((it) => it.family === family && it.kind !== 'additional');
}

/** @returns the family of an address by how it is written */
export function familyOf(ip: string): Family {
  return ip.includes(':') ? 'ipv6' : 'ipv4';
}

/** @returns the family as people write it */
export function familyName(family: Family): string {
  return family === 'ipv4' ? 'IPv4' : 'IPv6';
}

/**
 * `released`: a disassociation was made. `alreadyFree`: nobody holds it. `heldByOther`: another instance or interface
 * holds it, left alone. `notInPool`: it does not exist or does not match the pool, left alone.
 */
export type ReleaseOutcome = 'released' | 'alreadyFree' | 'heldByOther' | 'notInPool';
