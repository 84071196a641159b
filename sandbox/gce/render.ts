/** Compute Engine's JSON forms of the records. */
import type { GceProject } from './gce-project.ts';
import type { OperationRecord } from './operations.ts';
import type { Location } from './places.ts';
import {
  fingerprintOf,
  labelFingerprintOf,
  type AccessConfigRecord,
  type AddressRecord,
  type InstanceRecord,
  type NetworkInterfaceRecord,
} from './project-state.ts';
import { regionOf } from './places.ts';

/** Links in answers start like this whatever the endpoint is, as Compute Engine's own do. */
const LINK_BASE = 'https://www.googleapis.com/compute/v1/';

export type Json = Readonly<Record<string, unknown>>;

export function link(project: GceProject, path: string): string {
  return LINK_BASE + project.path(path);
}

export function locationPath({ kind, name }: Location): string {
  return `${kind}/${name}`;
}

export function renderProject(project: GceProject): Json {
  return {
    kind: 'compute#project',
    id: project.projectNumber,
    creationTimestamp: isoTime(Date.UTC(2020, 0, 1)),
    name: project.projectId,
    commonInstanceMetadata: { kind: 'compute#metadata', fingerprint: 'AAAAAAAAAAA=' },
    defaultNetworkTier: 'PREMIUM',
    defaultServiceAccount: `${project.projectNumber}-compute@developer.gserviceaccount.com`,
    selfLink: LINK_BASE + `projects/${project.projectId}`,
  };
}

export function renderAddress(project: GceProject, address: AddressRecord): Json {
  const { region, name, addressType, ipVersion, subnetwork, labels, user } = address;
  const isIpv6 = ipVersion === 'IPV6';
  return {
    kind: 'compute#address',
    id: address.id,
    creationTimestamp: isoTime(address.createdAt),
    name,
    description: address.description,
    address: address.address,
    addressType,
    status: user === undefined ? 'RESERVED' : 'IN_USE',
    region: link(project, `regions/${region}`),
    networkTier: address.networkTier,
    // An IPv4 address shows no version.
    ...(isIpv6 ? { ipVersion, prefixLength: 96, ipv6EndpointType: 'VM' } : {}),
    ...(addressType === 'INTERNAL' ? { purpose: 'GCE_ENDPOINT' } : {}),
    subnetwork: subnetwork && link(project, `regions/${region}/subnetworks/${subnetwork}`),
    users: user && [link(project, `zones/${user.zone}/instances/${user.instance}`)],
    labels: labels.size === 0 ? undefined : Object.fromEntries(labels),
    labelFingerprint: labelFingerprintOf(labels),
    selfLink: link(project, `regions/${region}/addresses/${name}`),
  };
}

export function renderInstance(project: GceProject, instance: InstanceRecord): Json {
  const { zone, name, labels } = instance;
  return {
    kind: 'compute#instance',
    id: instance.id,
    creationTimestamp: isoTime(instance.createdAt),
    lastStartTimestamp: isoTime(instance.createdAt),
    name,
    description: '',
    status: instance.status,
    zone: link(project, `zones/${zone}`),
    machineType: link(project, `zones/${zone}/machineTypes/${instance.machineType}`),
    cpuPlatform: 'Intel Broadwell',
    canIpForward: false,
    deletionProtection: false,
    networkInterfaces: instance.networkInterfaces.map((one) => renderInterface(project, zone, one)),
    tags: { fingerprint: 'AAAAAAAAAAA=' },
    metadata: { kind: 'compute#metadata', fingerprint: 'AAAAAAAAAAA=' },
    labels: labels.size === 0 ? undefined : Object.fromEntries(labels),
    labelFingerprint: labelFingerprintOf(labels),
    selfLink: link(project, `zones/${zone}/instances/${name}`),
  };
}

function renderInterface(project: GceProject, zone: string, one: NetworkInterfaceRecord): Json {
  const ipv4 = one.accessConfigs.filter(({ type }) => type === 'ONE_TO_ONE_NAT');
  const ipv6 = one.accessConfigs.filter(({ type }) => type === 'DIRECT_IPV6');
  return {
    kind: 'compute#networkInterface',
    name: one.name,
    network: link(project, `global/networks/${one.network}`),
    subnetwork: link(project, `regions/${regionOf(zone)}/subnetworks/${one.subnetwork}`),
    ...(one.stackType === 'IPV6_ONLY' ? {} : { networkIP: one.networkIp }),
    stackType: one.stackType,
    ...(one.stackType !== 'IPV4_ONLY' ? { ipv6AccessType: 'EXTERNAL' } : {}),
    fingerprint: fingerprintOf(one),
    ...(ipv4.length === 0 ? {} : { accessConfigs: ipv4.map(renderAccessConfig) }),
    ...(ipv6.length === 0 ? {} : { ipv6AccessConfigs: ipv6.map(renderAccessConfig) }),
  };
}

function renderAccessConfig({ type, name, ip, networkTier, publicPtrDomainName }: AccessConfigRecord): Json {
  return {
    kind: 'compute#accessConfig',
    type,
    name,
    // Empty: an ephemeral one, of an instance that does not run.
    ...(type === 'ONE_TO_ONE_NAT'
      ? { natIP: ip || undefined }
      : { externalIpv6: ip || undefined, externalIpv6PrefixLength: 96 }),
    networkTier,
    ...(publicPtrDomainName === undefined ? {} : { publicPtrDomainName }),
  };
}

export function renderOperation(project: GceProject, operation: OperationRecord): Json {
  const { location, name, done, error, insertedAt, endsAt } = operation;
  const place = location.kind === 'zones' ? 'zone' : 'region';
  return {
    kind: 'compute#operation',
    id: operation.id,
    name,
    [place]: link(project, locationPath(location)),
    operationType: operation.type,
    targetLink: LINK_BASE + operation.targetPath,
    targetId: operation.targetId,
    status: done ? 'DONE' : 'RUNNING',
    user: 'sandbox@example.com',
    progress: done ? 100 : 0,
    insertTime: isoTime(insertedAt),
    startTime: isoTime(insertedAt),
    ...(done ? { endTime: isoTime(endsAt) } : {}),
    ...(error === undefined
      ? {}
      : {
          error: { errors: [{ code: error.code, message: error.message }] },
          httpErrorStatusCode: error.httpStatus,
          httpErrorMessage: httpMessages.get(error.httpStatus) ?? 'BAD REQUEST',
        }),
    selfLink: link(project, `${locationPath(location)}/operations/${name}`),
  };
}

const httpMessages = new Map([
  [403, 'FORBIDDEN'],
  [404, 'NOT FOUND'],
  [409, 'CONFLICT'],
  [412, 'PRECONDITION FAILED'],
  [429, 'TOO MANY REQUESTS'],
  [500, 'INTERNAL SERVER ERROR'],
  [503, 'SERVICE UNAVAILABLE'],
]);

function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
