/** The JSON forms of the records ("Core Services API", Oracle Cloud Infrastructure documentation). */
import { imageIdOf } from './instances.ts';
import { shownRegion } from './places.ts';
import type { Tenancy } from './tenancy.ts';
import {
  type InstanceRecord,
  type PrivateIpRecord,
  primaryPrivateIp,
  publicIpOf,
  type PublicIpRecord,
  type TenancyView,
  type VnicRecord,
} from './tenancy-state.ts';

export type Json = Readonly<Record<string, unknown>>;

export function renderPublicIp(view: TenancyView, publicIp: PublicIpRecord): Json {
  const { assigned, lifetime } = publicIp;
  const privateIp = assigned && view.privateIps.get(assigned.privateIpId);
  const vnic = privateIp && view.vnics.get(privateIp.vnicId);
  const isEphemeral = lifetime === 'EPHEMERAL';
  return {
    id: publicIp.id,
    compartmentId: publicIp.compartmentId,
    displayName: publicIp.displayName,
    definedTags: publicIp.definedTags,
    freeformTags: publicIp.freeformTags,
    ipAddress: publicIp.ip,
    lifecycleState: publicIp.state,
    lifetime,
    scope: isEphemeral ? 'AVAILABILITY_DOMAIN' : 'REGION',
    availabilityDomain: isEphemeral ? (vnic?.availabilityDomain ?? null) : null,
    assignedEntityId: assigned?.privateIpId ?? null,
    assignedEntityType: assigned === undefined ? null : 'PRIVATE_IP',
    privateIpId: assigned?.privateIpId ?? null,
    publicIpPoolId: null,
    timeCreated: isoTime(publicIp.createdAt),
  };
}

export function renderPrivateIp(view: TenancyView, privateIp: PrivateIpRecord): Json {
  const vnic = view.vnics.get(privateIp.vnicId);
  return {
    id: privateIp.id,
    availabilityDomain: vnic?.availabilityDomain ?? null,
    compartmentId: vnic?.compartmentId,
    definedTags: {},
    displayName: `privateip${privateIp.sequence}`,
    freeformTags: {},
    hostnameLabel: vnic?.hostnameLabel ?? null,
    ipAddress: privateIp.ip,
    ipState: 'ASSIGNED',
    isPrimary: privateIp.isPrimary,
    lifetime: 'EPHEMERAL',
    subnetId: vnic?.subnetId,
    timeCreated: isoTime(privateIp.createdAt),
    vlanId: null,
    vnicId: privateIp.vnicId,
  };
}

export function renderVnic(view: TenancyView, vnic: VnicRecord): Json {
  const privateIp = primaryPrivateIp(view, vnic.id);
  const publicIp = privateIp && publicIpOf(view, privateIp.id);
  const isShown = publicIp?.state === 'ASSIGNED' || publicIp?.state === 'ASSIGNING';
  return {
    id: vnic.id,
    availabilityDomain: vnic.availabilityDomain,
    compartmentId: vnic.compartmentId,
    definedTags: {},
    displayName: vnic.hostnameLabel,
    freeformTags: {},
    hostnameLabel: vnic.hostnameLabel,
    isPrimary: vnic.isPrimary,
    lifecycleState: 'AVAILABLE',
    macAddress: '02:00:17:00:00:01',
    nsgIds: [],
    privateIp: privateIp?.ip ?? null,
    publicIp: isShown ? publicIp.ip : null,
    skipSourceDestCheck: false,
    subnetId: vnic.subnetId,
    timeCreated: isoTime(vnic.createdAt),
    vlanId: null,
  };
}

export function renderAttachment({ attachment, ...vnic }: VnicRecord): Json {
  return {
    id: attachment?.id,
    availabilityDomain: vnic.availabilityDomain,
    compartmentId: vnic.compartmentId,
    displayName: null,
    instanceId: attachment?.instanceId,
    lifecycleState: attachment?.isOver === true ? 'DETACHED' : 'ATTACHED',
    nicIndex: 0,
    subnetId: vnic.subnetId,
    timeCreated: isoTime(vnic.createdAt),
    vlanId: null,
    vlanTag: 1,
    vnicId: vnic.id,
  };
}

export function renderInstance({ region }: Tenancy, instance: InstanceRecord): Json {
  return {
    id: instance.id,
    availabilityDomain: instance.availabilityDomain,
    compartmentId: instance.compartmentId,
    definedTags: {},
    displayName: instance.displayName,
    extendedMetadata: {},
    faultDomain: 'FAULT-DOMAIN-1',
    freeformTags: instance.freeformTags,
    imageId: null,
    launchMode: 'PARAVIRTUALIZED',
    lifecycleState: instance.state,
    metadata: instance.metadata,
    region: shownRegion(region),
    shape: 'VM.Standard.E5.Flex',
    systemTags: instance.systemTags,
    timeCreated: isoTime(instance.createdAt),
  };
}

export function renderImage({ region, tenancyId }: Tenancy): Json {
  return {
    id: imageIdOf(region),
    compartmentId: tenancyId,
    createImageAllowed: true,
    displayName: 'Oracle-Linux-9.5-2025.01.31-0',
    freeformTags: {},
    definedTags: {},
    launchMode: 'NATIVE',
    lifecycleState: 'AVAILABLE',
    operatingSystem: 'Oracle Linux',
    operatingSystemVersion: '9',
    sizeInMBs: 47694,
    timeCreated: isoTime(Date.UTC(2025, 0, 31)),
  };
}

function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
