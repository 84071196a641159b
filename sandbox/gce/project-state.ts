/**
 * What exists in the project. Records are never changed but replaced, so a shallow copy of the maps is a snapshot.
 */
import { createHash } from 'node:crypto';

export type Labels = ReadonlyMap<string, string>;
export type IpVersion = 'IPV4' | 'IPV6';
export type NetworkTier = 'PREMIUM' | 'STANDARD';
export const stackTypes = ['IPV4_ONLY', 'IPV4_IPV6', 'IPV6_ONLY'] as const;
export type StackType = (typeof stackTypes)[number];
export type AccessConfigType = 'ONE_TO_ONE_NAT' | 'DIRECT_IPV6';

/** A static address: regional, EXTERNAL or INTERNAL. */
export interface AddressRecord {
  /** The order of creation. */
  readonly sequence: number;
  readonly id: string;
  readonly region: string;
  readonly name: string;
  readonly description: string;
  readonly address: string;
  readonly addressType: 'EXTERNAL' | 'INTERNAL';
  readonly ipVersion: IpVersion;
  readonly networkTier?: NetworkTier;
  /** The subnetwork of an IPv6 or an internal address. */
  readonly subnetwork?: string;
  readonly labels: Labels;
  /** Milliseconds. */
  readonly createdAt: number;
  /** Who has it. Absent: RESERVED. */
  readonly user?: AddressUser;
}

export interface AddressUser {
  readonly zone: string;
  readonly instance: string;
  readonly networkInterface: string;
  /** The emulator's own name for this binding: new for each. */
  readonly bindingId: string;
}

export interface AccessConfigRecord {
  readonly type: AccessConfigType;
  readonly name: string;
  /** IPv4 address, or the first of an IPv6 /96. */
  readonly ip: string;
  readonly networkTier: NetworkTier;
  readonly publicPtrDomainName?: string;
}

export interface NetworkInterfaceRecord {
  readonly name: string;
  readonly network: string;
  readonly subnetwork: string;
  readonly networkIp: string;
  readonly stackType: StackType;
  /** At most one of each type. */
  readonly accessConfigs: readonly AccessConfigRecord[];
  /** Grows with every change; its hash is the fingerprint. */
  readonly revision: number;
}

/** "VM instance lifecycle" (Compute Engine documentation). A stopped instance is TERMINATED. */
export const instanceStatuses = [
  'PROVISIONING',
  'STAGING',
  'RUNNING',
  'STOPPING',
  'SUSPENDING',
  'SUSPENDED',
  'REPAIRING',
  'TERMINATED',
] as const;
export type InstanceStatus = (typeof instanceStatuses)[number];

export interface InstanceRecord {
  readonly sequence: number;
  readonly id: string;
  readonly zone: string;
  readonly name: string;
  readonly machineType: string;
  readonly status: InstanceStatus;
  readonly labels: Labels;
  readonly createdAt: number;
  /** The first is nic0, the primary one. */
  readonly networkInterfaces: readonly NetworkInterfaceRecord[];
}

/** What lists are made from: the present, or a snapshot of it. Keys are {@link addressKey} and {@link instanceKey}. */
export interface ProjectView {
  readonly addresses: ReadonlyMap<string, AddressRecord>;
  readonly instances: ReadonlyMap<string, InstanceRecord>;
}

export class ProjectState implements ProjectView {
  readonly addresses = new Map<string, AddressRecord>();
  readonly instances = new Map<string, InstanceRecord>();
  /** The static address of each region and IP. */
  readonly addressKeyByIp = new Map<string, string>();
  #sequence = 0;

  nextSequence(): number {
    this.#sequence += 1;
    return this.#sequence;
  }

  snapshot(): ProjectView {
    return { addresses: new Map(this.addresses), instances: new Map(this.instances) };
  }

  /** Puts a record in, or in the place of the one of its name. */
  putAddress(address: AddressRecord): void {
    const key = addressKey(address.region, address.name);
    this.addresses.set(key, address);
    this.addressKeyByIp.set(addressKey(address.region, address.address), key);
  }

  removeAddress(address: AddressRecord): void {
    this.addresses.delete(addressKey(address.region, address.name));
    this.addressKeyByIp.delete(addressKey(address.region, address.address));
  }

  putInstance(instance: InstanceRecord): void {
    this.instances.set(instanceKey(instance.zone, instance.name), instance);
  }

  /** @returns the static address of a region that has this IP */
  addressByIp(region: string, ip: string): AddressRecord | undefined {
    const key = this.addressKeyByIp.get(addressKey(region, ip));
    return key === undefined ? undefined : this.addresses.get(key);
  }
}

export function addressKey(region: string, nameOrIp: string): string {
  return `${region}/${nameOrIp}`;
}

export function instanceKey(zone: string, name: string): string {
  return `${zone}/${name}`;
}

/** Resources can be named by their numbers too. @returns the one with this number */
export function byId<Item extends { readonly id: string }>(
  items: ReadonlyMap<string, Item>,
  id: string,
  isHere: (item: Item) => boolean,
): Item | undefined {
  return /^\d+$/.test(id) ? [...items.values()].find((one) => one.id === id && isHere(one)) : undefined;
}

export function fingerprintOf(networkInterface: NetworkInterfaceRecord): string {
  return shortHash(`${networkInterface.name} ${networkInterface.networkIp} ${networkInterface.revision}`);
}

export function labelFingerprintOf(labels: Labels): string {
  return shortHash(JSON.stringify([...labels].sort(([a], [b]) => (a < b ? -1 : 1))));
}

/** Eight bytes in base64, as Compute Engine's fingerprints are. */
function shortHash(text: string): string {
  return createHash('sha256').update(text).digest().subarray(0, 8).toString('base64');
}
