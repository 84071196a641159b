/**
 * What the project's owner does by hand, beside any client: for tests, the demo and a person's own play. Not subject to
 * latency, operations, limits, faults or permissions; in the journal as `hand`.
 */
import { addAccessConfig, dropConfig, type AccessConfigRequest } from './access-configs.ts';
import { deleteAddress, findAddress, reserveAddress, setAddressLabels } from './addresses.ts';
import { resourceNotFound } from './gce-error.ts';
import type { GceProject } from './gce-project.ts';
import {
  createInstance,
  findInstance,
  instancePath,
  removeInstance,
  setStackType,
  setStatus,
} from './instances.ts';
import { findInterface } from './network-interfaces.ts';
import { checkRegion, checkZone } from './places.ts';
import type {
  AttachOptions,
  GceAddressInfo,
  GceInstanceInfo,
  InsertInstanceOptions,
  InstanceName,
  ReserveAddressOptions,
} from './owner-types.ts';
import type {
  AccessConfigType,
  AddressRecord,
  InstanceRecord,
  InstanceStatus,
  StackType,
} from './project-state.ts';

/** The owner's hands. All methods throw GceError with Compute Engine's reasons. */
export class ProjectOwner {
  readonly #project: GceProject;
  readonly #region: string;
  #made = 0;

  constructor(project: GceProject, region: string) {
    this.#project = project;
    this.#region = region;
  }

  insertInstance(options: InsertInstanceOptions = {}): GceInstanceInfo {
    const { externalIp = true, networkTier, stackType = 'IPV4_ONLY', subnetwork = 'default' } = options;
    const zone = options.zone ?? `${this.#region}-b`;
    checkZone(zone);
    const accessConfigs: AccessConfigRequest[] = [
      ...(externalIp && stackType !== 'IPV6_ONLY'
        ? [{ type: 'ONE_TO_ONE_NAT' as const, name: options.accessConfigName ?? 'external-nat', networkTier }]
        : []),
      ...(stackType !== 'IPV4_ONLY' ? [{ type: 'DIRECT_IPV6' as const, name: 'external-ipv6' }] : []),
    ];
    const instance = createInstance(
      this.#project,
      {
        zone,
        name: options.name ?? this.#newName('node'),
        machineType: 'e2-medium',
        labels: new Map(Object.entries(options.labels ?? {})),
        networkInterfaces: Array.from({ length: options.interfaces ?? 1 }, (_, index) => ({
          network: index === 0 ? 'default' : `network-${index}`,
          subnetwork: index === 0 ? subnetwork : `network-${index}`,
          stackType: index === 0 ? stackType : 'IPV4_ONLY',
          accessConfigs: index === 0 ? accessConfigs : [],
        })),
      },
      'hand',
    );
    return this.#instanceInfo(instance);
  }

  deleteInstance(name: string, zone?: string): void {
    removeInstance(this.#project, this.#find({ instance: name, zone }), 'hand');
  }

  /** Stops, suspends or resumes an instance, or shows it on the way. */
  setStatusByHand({ status, ...name }: InstanceName & { readonly status: InstanceStatus }): void {
    setStatus(this.#project, this.#find(name), status);
  }

  reserveAddress(options: ReserveAddressOptions = {}): GceAddressInfo {
    const { addressType = 'EXTERNAL', ipVersion = 'IPV4', region = this.#region } = options;
    checkRegion(region);
    const made = reserveAddress(
      this.#project,
      {
        region,
        name: options.name ?? this.#newName('address'),
        description: '',
        addressType,
        ipVersion,
        networkTier: options.networkTier,
        labels: new Map(Object.entries(options.labels ?? {})),
        ...(ipVersion === 'IPV6'
          ? { ipv6EndpointType: 'VM', subnetwork: options.subnetwork ?? 'default' }
          : {}),
      },
      'hand',
    );
    return addressInfo(made);
  }

  /** Gives an address back that nobody has. */
  deleteAddress(name: string, region = this.#region): void {
    deleteAddress(this.#project, findAddress(this.#project, region, name), 'hand');
  }

  /** Puts labels in the place of those that an address has. */
  setAddressLabels(name: string, labels: Readonly<Record<string, string>>, region = this.#region): void {
    const address = findAddress(this.#project, region, name);
    setAddressLabels(this.#project, address, new Map(Object.entries(labels)));
  }

  /** Attaches an address, whoever had it, in the place of what the interface had. */
  attachByHand(options: AttachOptions): void {
    const project = this.#project;
    const address = findAddress(project, options.region ?? this.#region, options.address);
    const nic = options.networkInterface ?? 'nic0';
    const type = typeOf(address);
    const previous = address.user?.instance;
    if (address.user !== undefined) this.#drop(address, 'none');
    const instance = this.#find(options);
    const networkInterface = findInterface(instance, nic);
    const present = networkInterface.accessConfigs.find((one) => one.type === type);
    const bare =
      present === undefined
        ? instance
        : dropConfig(project, instance, networkInterface, present, 'displaced', 'hand');
    const request = {
      type,
      ip: address.address,
      name: options.accessConfigName,
      networkTier: address.networkTier,
    };
    addAccessConfig(project, bare, nic, request, 'hand', {
      kind: previous === undefined ? 'associated' : 'reassociated',
      previousInstanceId: previous ?? null,
    });
  }

  /**
   * Takes an address from whoever has it.
   *
   * @param ephemeral whether an ephemeral one is put in its place
   */
  detachByHand(
    name: string,
    options: { region?: string | undefined; ephemeral?: boolean | undefined } = {},
  ): void {
    const address = findAddress(this.#project, options.region ?? this.#region, name);
    this.#drop(address, options.ephemeral === true ? 'ephemeral' : 'none');
  }

  /** Gives an instance's nic0 a dual stack, with an ephemeral IPv6 address, or takes it. */
  setStackTypeByHand(options: InstanceName & { readonly stackType: StackType }): void {
    const instance = this.#find(options);
    const isNew = options.stackType !== findInterface(instance, 'nic0').stackType;
    const ipv6 = isNew && options.stackType !== 'IPV4_ONLY' ? ({ type: 'DIRECT_IPV6' } as const) : undefined;
    setStackType(this.#project, instance, 'nic0', options.stackType, ipv6, 'hand');
  }

  /** All addresses as they are now, in the order of reservation. */
  addresses(region?: string): GceAddressInfo[] {
    const all = [...this.#project.state.addresses.values()];
    return all
      .filter((one) => region === undefined || one.region === region)
      .sort((a, b) => a.sequence - b.sequence)
      .map(addressInfo);
  }

  /** All instances as they are now, in the order of creation. */
  instances(zone?: string): GceInstanceInfo[] {
    const all = [...this.#project.state.instances.values()];
    return all
      .filter((one) => zone === undefined || one.zone === zone)
      .sort((a, b) => a.sequence - b.sequence)
      .map((one) => this.#instanceInfo(one));
  }

  #drop(address: AddressRecord, instead: 'none' | 'ephemeral'): void {
    const { user } = address;
    if (user === undefined) return;
    const project = this.#project;
    const instance = findInstance(project, user.zone, user.instance);
    const networkInterface = findInterface(instance, user.networkInterface);
    const config = networkInterface.accessConfigs.find((one) => one.ip === address.address);
    if (config === undefined) return;
    const bare = dropConfig(project, instance, networkInterface, config, 'disassociated', 'hand');
    if (instead === 'none') return;
    const { type, name, networkTier } = config;
    addAccessConfig(project, bare, networkInterface.name, { type, name, networkTier }, 'hand');
  }

  #find({ instance, zone }: InstanceName): InstanceRecord {
    if (zone !== undefined) return findInstance(this.#project, zone, instance);
    const named = [...this.#project.state.instances.values()].filter((one) => one.name === instance);
    const [only] = named;
    if (only !== undefined && named.length === 1) return only;
    throw resourceNotFound(instancePath(this.#project, named.length === 0 ? '-' : 'several', instance));
  }

  #newName(stem: string): string {
    this.#made += 1;
    return `${stem}-${this.#made}`;
  }

  #instanceInfo({ name, id, zone, status, labels, networkInterfaces }: InstanceRecord): GceInstanceInfo {
    const project = this.#project;
    const region = zone.slice(0, zone.lastIndexOf('-'));
    const [primary] = networkInterfaces;
    return {
      name,
      id,
      zone,
      region,
      status,
      labels: Object.fromEntries(labels),
      providerId: `gce://${project.projectId}/${zone}/${name}`,
      stackType: primary?.stackType ?? 'IPV4_ONLY',
      privateIp: primary?.networkIp ?? '',
      externalIps: networkInterfaces.flatMap((one) =>
        one.accessConfigs.map((config) => {
          const address = project.state.addressByIp(region, config.ip)?.name;
          return {
            networkInterface: one.name,
            type: config.type,
            accessConfig: config.name,
            ip: config.ip,
            networkTier: config.networkTier,
            ...(address === undefined ? {} : { address }),
          };
        }),
      ),
    };
  }
}

function typeOf({ ipVersion }: AddressRecord): AccessConfigType {
  return ipVersion === 'IPV6' ? 'DIRECT_IPV6' : 'ONE_TO_ONE_NAT';
}

function addressInfo({
  name,
  address,
  region,
  ipVersion,
  networkTier,
  labels,
  user,
}: AddressRecord): GceAddressInfo {
  return {
    name,
    address,
    region,
    ipVersion,
    ...(networkTier === undefined ? {} : { networkTier }),
    status: user === undefined ? 'RESERVED' : 'IN_USE',
    labels: Object.fromEntries(labels),
    ...(user === undefined
      ? {}
      : { instance: user.instance, zone: user.zone, networkInterface: user.networkInterface }),
  };
}
