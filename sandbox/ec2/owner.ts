/**
 * What the account's owner does by hand, beside any client: for tests, the demo and a person's own play. Not subject to
 * latency, limits, faults or permissions; in the journal as `hand`.
 */
import type { Ec2Account } from './account.ts';
import {
  allocateAddress,
  associateAddress,
  disassociateAddress,
  findAddress,
  releaseAddress,
} from './associations.ts';
import { findInstance, launchInstances, onlyInterface, terminateInstance } from './instances.ts';
import {
  attachNetworkInterface,
  createNetworkInterface,
  findNetworkInterface,
  subnetFor,
} from './network-interfaces.ts';
import { publicIpOn } from './public-ip.ts';
import { stateOf, type InstanceState, type RegionState } from './region-state.ts';

export interface RunInstanceOptions {
  /** As `eu-west-1a`; its region is the instance's. Without it: zone a of the emulator's region. */
  readonly zone?: string | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
  /** Whether EC2 gives it a public address by itself. */
  readonly publicIp?: boolean | undefined;
  /** Whether EC2 gives it an IPv6 address by itself, which is of no reservation. */
  readonly ipv6?: boolean | undefined;
  /** Network interfaces in all; those after the first are attached once it runs, as the EKS network plugin does. */
  readonly interfaces?: number | undefined;
}

export interface InstanceInfo {
  readonly instanceId: string;
  readonly region: string;
  readonly zone: string;
  readonly state: InstanceState;
  readonly tags: Readonly<Record<string, string>>;
  /** The first is the primary one. Empty once the instance is terminated. */
  readonly networkInterfaceIds: readonly string[];
  readonly subnetId: string;
  /** Those of the primary interface. */
  readonly ipv6Addresses: readonly string[];
  readonly privateIp?: string;
  readonly publicIp?: string;
  /** True when the public address is an Elastic IP. */
  readonly elastic: boolean;
}

export interface AddressInfo {
  readonly allocationId: string;
  readonly publicIp: string;
  readonly region: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly associationId?: string;
  readonly networkInterfaceId?: string;
  readonly privateIp?: string;
  readonly instanceId?: string;
}

export interface AssociateByHandOptions {
  readonly allocationId: string;
  /** Either an instance: its primary interface, */
  readonly instanceId?: string | undefined;
  /** or an interface. */
  readonly networkInterfaceId?: string | undefined;
  readonly privateIp?: string | undefined;
  /** False: refuse to take the address from another. */
  readonly allowReassociation?: boolean | undefined;
}

/** The owner's hands. All methods throw Ec2Error with EC2's codes. */
export class AccountOwner {
  readonly #account: Ec2Account;
  readonly #defaultRegion: string;

  constructor(account: Ec2Account, defaultRegion: string) {
    this.#account = account;
    this.#defaultRegion = defaultRegion;
  }

  runInstance(options: RunInstanceOptions = {}): InstanceInfo {
    const zone = options.zone ?? `${this.#defaultRegion}a`;
    const region = this.#account.region(/^[a-z]{2}(?:-[a-z]+)+-\d/.exec(zone)?.[0] ?? zone);
    const place = subnetFor(region, undefined, zone);
    const primary = {
      deviceIndex: 0,
      deleteOnTermination: true,
      create: { autoAssign: options.publicIp ?? false, ...(options.ipv6 === true && { ipv6: { count: 1 } }) },
    };
    const [launched] = launchInstances(this.#account, region, {
      count: 1,
      ...place,
      imageId: 'ami-00000000000000000',
      instanceType: 'm5.large',
      clientToken: '',
      tags: new Map(Object.entries(options.tags ?? {})),
      networkInterfaceTags: new Map(),
      networkInterfaces: [primary],
      by: 'hand',
    });
    const instanceId = launched?.instanceId ?? '';
    for (let deviceIndex = 1; deviceIndex < (options.interfaces ?? 1); deviceIndex++) {
      const secondary = createNetworkInterface(this.#account, region, { ...place, by: 'hand' });
      const instance = findInstance(region, instanceId);
      attachNetworkInterface(this.#account, region, secondary, instance, {
        deviceIndex,
        deleteOnTermination: true,
        by: 'hand',
      });
    }
    return this.#instanceInfo(region, instanceId);
  }

  terminateInstance(instanceId: string): void {
    const region = this.#regionWith((one) => one.instances.has(instanceId));
    terminateInstance(this.#account, region, instanceId, 'hand');
  }

  allocateAddress(
    options: {
      readonly tags?: Readonly<Record<string, string>> | undefined;
      readonly region?: string | undefined;
      /** Of a Local Zone, as `eu-west-1-lon-1`. Without it: the region's. */
      readonly networkBorderGroup?: string | undefined;
    } = {},
  ): AddressInfo {
    const region = this.#account.region(options.region ?? this.#defaultRegion);
    const tags = new Map(Object.entries(options.tags ?? {}));
    const { allocationId } = allocateAddress(this.#account, region, tags, 'hand', options.networkBorderGroup);
    return addressInfo(region, allocationId);
  }

  /** Gives an address back to AWS that nobody has. */
  releaseAddress(allocationId: string): void {
    const region = this.#regionWith((one) => one.addresses.has(allocationId));
    releaseAddress(this.#account, region, findAddress(region, allocationId), 'hand');
  }

  /** @returns the association id */
  associateByHand(options: AssociateByHandOptions): string {
    const region = this.#regionWith((one) => one.addresses.has(options.allocationId));
    const { instanceId, networkInterfaceId } = options;
    const primary =
      instanceId === undefined ? undefined : findInstance(region, instanceId).networkInterfaceIds[0];
    const target = networkInterfaceId ?? primary;
    return associateAddress(this.#account, region, {
      address: findAddress(region, options.allocationId),
      networkInterface:
        target === undefined
          ? onlyInterface(region, findInstance(region, instanceId ?? ''))
          : findNetworkInterface(region, target),
      privateIp: options.privateIp,
      allowReassociation: options.allowReassociation ?? true,
      by: 'hand',
    });
  }

  /** Frees an address, by its allocation id or its association id. */
  disassociateByHand(id: string): void {
    const region = this.#regionWith((one) => one.addresses.has(id) || one.allocationByAssociation.has(id));
    const address = findAddress(region, region.allocationByAssociation.get(id) ?? id);
    disassociateAddress(this.#account, region, address, 'disassociated', 'hand');
  }

  /** All addresses as they are now, of one region or of all, in the order of allocation. */
  addresses(regionName?: string): AddressInfo[] {
    return this.#regions(regionName).flatMap((region) =>
      [...region.addresses.keys()].map((allocationId) => addressInfo(region, allocationId)),
    );
  }

  /** All instances as they are now, the terminated ones included while EC2 still lists them. */
  instances(regionName?: string): InstanceInfo[] {
    return this.#regions(regionName).flatMap((region) =>
      [...region.instances.keys()].map((instanceId) => this.#instanceInfo(region, instanceId)),
    );
  }

  #regions(name: string | undefined): RegionState[] {
    const names = name === undefined ? this.#account.regionNames() : [name];
    return names.map((one) => this.#account.region(one));
  }

  /** The region where something is; where nothing is, the default one, whose error then says what is missing. */
  #regionWith(has: (region: RegionState) => boolean): RegionState {
    return this.#regions(undefined).find(has) ?? this.#account.region(this.#defaultRegion);
  }

  #instanceInfo(region: RegionState, instanceId: string): InstanceInfo {
    const { accountId, clock } = this.#account;
    const { zone, tags, networkInterfaceIds, subnetId, ...instance } = findInstance(region, instanceId);
    const [primaryId] = networkInterfaceIds;
    const primary = primaryId === undefined ? undefined : region.networkInterfaces.get(primaryId);
    const [privateIp] = primary?.privateIps ?? [];
    const found = primary && publicIpOn(region.live(clock.now()), primary, primary.privateIps[0], accountId);
    return {
      instanceId,
      region: region.region,
      zone,
      state: stateOf({ zone, tags, networkInterfaceIds, subnetId, ...instance }, clock.now()),
      tags: Object.fromEntries(tags),
      networkInterfaceIds,
      subnetId,
      ipv6Addresses: primary?.ipv6Addresses ?? [],
      ...(privateIp === undefined ? {} : { privateIp }),
      ...(found === undefined ? {} : { publicIp: found.publicIp }),
      elastic: found?.allocationId !== undefined,
    };
  }
}

function addressInfo(region: RegionState, allocationId: string): AddressInfo {
  const { publicIp, tags, association } = findAddress(region, allocationId);
  const holder = association && region.networkInterfaces.get(association.networkInterfaceId);
  const instanceId = holder?.attachment?.instanceId;
  return {
    allocationId,
    publicIp,
    region: region.region,
    tags: Object.fromEntries(tags),
    ...association,
    ...(instanceId === undefined ? {} : { instanceId }),
  };
}
