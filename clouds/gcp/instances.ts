/** Reads instances from Compute Engine, and what of them concerns their external addresses. */
import type { protos } from '@google-cloud/compute';
import type { Family, InstanceRef } from '../../model/address.ts';
import type { InstanceIdentity } from '../../model/node-identity.ts';
import type { Scope } from '../../model/scope.ts';
import { instanceIdentity } from './instance-identity.ts';
import { kubernetesClusterOf } from '../kubernetes-cluster.ts';
import { batchLookups } from '../batch.ts';
import { listSpacingMs } from './addresses.ts';
import { CloudError } from '../provider.ts';
import { checkKind, type GcpCall, type GcpClients } from './client.ts';
import { canonicalIp, sameIp } from '../ip.ts';

type GceInstance = protos.google.cloud.compute.v1.IInstance;
type GceNetworkInterface = protos.google.cloud.compute.v1.INetworkInterface;
type GceAccessConfig = protos.google.cloud.compute.v1.IAccessConfig;

/** The one access config that an interface has for a family. */
export interface AccessConfig {
  /** "external-nat" on GKE, "External NAT" by hand, or anything else: it is never assumed. */
  readonly name: string;
  /** Empty: an ephemeral address that the instance gets when it starts. */
  readonly ip: string;
}

export interface NetworkInterface {
  /** `nic0` */
  readonly name: string;
  /** Changes with the interface, so it tells which state a decision was made on. */
  readonly fingerprint: string;
  readonly stackType: 'IPV4_ONLY' | 'IPV4_IPV6' | 'IPV6_ONLY';
  /** Its IPv6 addresses are internal ones, so it can have no external one. */
  readonly internalIpv6: boolean;
  readonly privateIp: string;
  /** The name of its subnetwork. */
  readonly subnetwork: string | undefined;
  readonly accessConfigs: Readonly<Partial<Record<Family, AccessConfig>>>;
}

/** An instance as it is read, before it is known which of its addresses are static. */
export interface FoundInstance {
  readonly name: string;
  readonly zone: string;
  readonly alive: boolean;
  /** The Kubernetes cluster that it is a node of, by its labels. */
  readonly cluster?: string | undefined;
  /** nic0. An instance that is gone may have none. */
  readonly primary: NetworkInterface | undefined;
  /** All, nic0 among them. */
  readonly interfaces: readonly NetworkInterface[];
  readonly identity: InstanceIdentity;
}

export interface InstanceReader {
  /**
   * Reads an instance as it is now. Calls at the same time for one instance share a request.
   *
   * @throws CloudError `NotFound`; `Invalid` if the instance is not of the scope
   */
  read(ref: InstanceRef): Promise<FoundInstance>;
  /**
   * As `read`, but several instances of a zone that are asked for together are read by one list, which may be some seconds old. One that
   * it does not show, or not as alive, is read by itself; so are all where the identity may not list.
   *
   * @throws as `read`
   */
  look(ref: InstanceRef): Promise<FoundInstance>;
}

/** So many names go into the filter of one list: a URL is not to be longer than 8 KB. */
const listedNames = 80;

/** Statuses of an instance that ends or has ended ("VM instance lifecycle", Compute Engine documentation). */
const endingStatuses = ['PENDING_STOP', 'STOPPING', 'DEPROVISIONING', 'TERMINATED'];

export function createInstanceReader(
  clients: GcpClients,
  call: GcpCall,
  scope: Scope,
  windowMs: number,
): InstanceReader {
  const get = async ({ zone, id }: InstanceRef): Promise<GceInstance> => {
    const [found] = await call('compute.instances.get', (options) =>
      clients.instances.get({ project: scope.account, zone, instance: id }, options),
    );
    checkKind(found.kind, 'compute#instance', 'compute.instances.get');
    return found;
  };
  const lookup = batchLookups<InstanceRef, FoundInstance>({
    windowMs,
    maxKeys: 1000,
    keyOf: keyOfRef,
    // There is no call for several instances by name that would also show their fingerprints at once.
    read: async (refs) => {
      const found = await Promise.allSettled(refs.map(get));
      return new Map(refs.map((ref, index) => [keyOfRef(ref), toResult(ref, found[index])]));
    },
  });
  const read: InstanceReader['read'] = async (ref) => {
    checkRef(ref, scope);
    const found = await lookup(ref);
    if (found === undefined) throw new CloudError('Unavailable', `Instance ${ref.id} was not looked up.`);
    return found;
  };
  const list = async (zone: string, names: readonly string[]): Promise<GceInstance[]> => {
    const filter = names.map((name) => `(name = ${name})`).join(' OR ');
    const listed: GceInstance[] = [];
    let pageToken: string | undefined;
    do {
      const request = { project: scope.account, zone, filter, ...(pageToken ? { pageToken } : {}) };
      const [items, , page] = await call('compute.instances.list', (options) =>
        clients.instances.list(request, { ...options, autoPaginate: false }),
      );
      checkKind(page.kind, 'compute#instanceList', 'compute.instances.list');
      listed.push(...items);
      pageToken = page.nextPageToken ?? undefined;
    } while (pageToken);
    return listed;
  };
  /** @returns those that are alive; none if the list cannot be had */
  const listAlive = async (refs: readonly InstanceRef[]): Promise<[string, FoundInstance][]> => {
    const [first] = refs;
    if (first === undefined || refs.length === 1) return [];
    try {
      const raw = await list(
        first.zone,
        refs.map(({ id }) => id),
      );
      return raw.flatMap((one): [string, FoundInstance][] => {
        const ref = refs.find(({ id }) => id === one.name);
        const found = ref && toFoundInstance(ref, one);
        return ref && found && !(found instanceof CloudError) && found.alive ? [[keyOfRef(ref), found]] : [];
      });
    } catch (error) {
      if (error instanceof CloudError) return [];
      throw error;
    }
  };
  const glance = batchLookups<InstanceRef, FoundInstance>({
    windowMs,
    spacingMs: listSpacingMs(windowMs),
    maxKeys: listedNames,
    keyOf: keyOfRef,
    read: async (refs) => {
      const zones = Map.groupBy(refs, ({ zone }) => zone);
      return new Map((await Promise.all([...zones.values()].map(listAlive))).flat());
    },
  });
  return {
    read,
    async look(ref) {
      checkRef(ref, scope);
      return (await glance(ref)) ?? (await read(ref));
    },
  };
}

function keyOfRef({ zone, id }: InstanceRef): string {
  return `${zone}/${id}`;
}

function toResult(
  ref: InstanceRef,
  result: PromiseSettledResult<GceInstance> | undefined,
): FoundInstance | Error {
  if (result?.status === 'fulfilled') return toFoundInstance(ref, result.value);
  const error: unknown = result?.reason;
  if (!(error instanceof CloudError)) return new CloudError('Unavailable', String(error), { cause: error });
  if (error.kind !== 'NotFound') return error;
  return new CloudError(
    'NotFound',
    `GCE instance ${ref.id} does not exist in zone ${ref.zone}. ${error.message}`,
    {
      code: error.code,
      cause: error,
    },
  );
}

function checkRef(ref: InstanceRef, scope: Scope): void {
  const invalid = (message: string) => new CloudError('Invalid', message);
  if (ref.provider !== 'gcp') throw invalid(`Instance ${ref.id} is of provider ${ref.provider}, not gcp.`);
  if (!/^[a-z](?:[-a-z0-9]*[a-z0-9])?$/.test(ref.id))
    throw invalid(`"${ref.id}" is no name of a GCE instance.`);
  if (ref.account !== undefined && ref.account !== scope.account) {
    throw invalid(
      `Instance ${ref.id} is of project ${ref.account}, its pool of ${scope.account}. An address serves instances of its own project only; give these nodes a pool of project ${ref.account}.`,
    );
  }
  // Zones of a region begin with its name, and end in a letter, or otherwise: europe-west1-b, europe-west1-ai1a.
  if (!ref.zone.startsWith(`${scope.region}-`)) {
    throw invalid(
      `Instance ${ref.id} is in zone ${ref.zone}, but its pool is of region ${scope.region}. An address serves its own region only.`,
    );
  }
}

function toFoundInstance(ref: InstanceRef, raw: GceInstance): FoundInstance | CloudError {
  const interfaces = (raw.networkInterfaces ?? []).map(toInterface);
  const primary = interfaces.find(({ name }) => name === 'nic0');
  const alive = !endingStatuses.includes(raw.status ?? '');
  if (alive && primary === undefined) {
    return new CloudError('Unavailable', `Instance ${ref.id} has no primary network interface (nic0) yet.`);
  }
  const cluster = kubernetesClusterOf(raw.labels ?? {});
  const identity = instanceIdentity({ ...raw, name: ref.id });
  return { name: ref.id, zone: ref.zone, alive, cluster, primary, interfaces, identity };
}

function toInterface(raw: GceNetworkInterface): NetworkInterface {
  const ipv4 = toAccessConfig(raw.accessConfigs?.[0], (config) => config.natIP);
  const ipv6 = toAccessConfig(raw.ipv6AccessConfigs?.[0], (config) => config.externalIpv6);
  return {
    name: raw.name ?? '',
    fingerprint: raw.fingerprint ?? '',
    // Interfaces that are older than IPv6 do not say.
    stackType: isStackType(raw.stackType) ? raw.stackType : 'IPV4_ONLY',
    internalIpv6: raw.ipv6AccessType === 'INTERNAL',
    privateIp: raw.networkIP ?? '',
    subnetwork: raw.subnetwork?.replace(/^.*\//, '') || undefined,
    accessConfigs: { ...(ipv4 && { ipv4 }), ...(ipv6 && { ipv6 }) },
  };
}

function toAccessConfig(
  raw: GceAccessConfig | undefined,
  ipOf: (config: GceAccessConfig) => string | null | undefined,
): AccessConfig | undefined {
  return raw === undefined ? undefined : { name: raw.name ?? '', ip: canonicalIp(ipOf(raw) ?? '') };
}

function isStackType(text: unknown): text is NetworkInterface['stackType'] {
  return text === 'IPV4_ONLY' || text === 'IPV4_IPV6' || text === 'IPV6_ONLY';
}

/** @returns the interface whose access config has this address */
export function interfaceWith(found: FoundInstance, ip: string): NetworkInterface | undefined {
  return found.interfaces.find(({ accessConfigs }) =>
    [accessConfigs.ipv4, accessConfigs.ipv6].some((config) => config !== undefined && sameIp(config.ip, ip)),
  );
}

/** nic0 is the name of each instance's interface: only with zone and instance it names one of the project. */
export function networkInterfaceId({ zone, name }: FoundInstance, { name: nic }: NetworkInterface): string {
  return `${zone}/${name}/${nic}`;
}
