/** Instances with their VNICs and private IPs: launched and terminated. */
import { createPublicIp, dropPublicIp } from './public-ips.ts';
import type { ChangedBy, Tenancy } from './tenancy.ts';
import { notFound } from './oci-error.ts';
import {
  type DefinedTags,
  type FreeformTags,
  type InstanceRecord,
  ocid,
  primaryPrivateIp,
  vnicsOf,
  type VnicRecord,
} from './tenancy-state.ts';

export interface LaunchRequest {
  readonly displayName?: string | undefined;
  readonly availabilityDomain: string;
  readonly compartmentId: string;
  readonly freeformTags?: FreeformTags | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly systemTags?: DefinedTags | undefined;
  /** Whether the primary private IP has an ephemeral public IP, as nodes in a public subnet have. */
  readonly publicIp: boolean;
  /** VNICs in all. */
  readonly vnics: number;
  /** Whether the subnet prohibits public IPs. */
  readonly privateSubnet: boolean;
}

/** @returns the OCID of the region's subnet of this kind: a private one prohibits public IPs */
export function subnetIdOf(region: string, kind: 'private' | 'public'): string {
  return ocid('subnet', region, kind).replace(/.{7}$/, kind);
}

/** The one image that there is. */
export function imageIdOf(region: string): string {
  return ocid('image', region, 'Oracle Linux');
}

export function launchInstance(tenancy: Tenancy, request: LaunchRequest, by: ChangedBy): InstanceRecord {
  const sequence = tenancy.state.nextSequence();
  const { availabilityDomain, compartmentId } = request;
  tenancy.checkCompartment(compartmentId);
  const instance: InstanceRecord = {
    sequence,
    id: tenancy.newId('instance'),
    displayName: request.displayName ?? `instance-${sequence}`,
    compartmentId,
    availabilityDomain,
    state: 'RUNNING',
    freeformTags: request.freeformTags ?? {},
    metadata: request.metadata ?? {},
    systemTags: request.systemTags ?? {},
    createdAt: tenancy.now,
  };
  tenancy.state.instances.set(instance.id, instance);
  const subnetId = subnetIdOf(tenancy.region, request.privateSubnet ? 'private' : 'public');
  for (let index = 0; index < request.vnics; index++) {
    addVnic(tenancy, { compartmentId, availabilityDomain, subnetId, isPrimary: index === 0, instance });
  }
  if (request.publicIp) {
    const [vnic] = vnicsOf(tenancy.state, instance.id);
    const privateIpId = primaryPrivateIp(tenancy.state, vnic?.id ?? '')?.id;
    createPublicIp(tenancy, { lifetime: 'EPHEMERAL', compartmentId, privateIpId }, by);
  }
  return instance;
}

/** @param request without an instance: that of a load balancer */
export function addVnic(
  tenancy: Tenancy,
  request: Pick<VnicRecord, 'compartmentId' | 'availabilityDomain' | 'subnetId' | 'isPrimary'> & {
    readonly instance?: InstanceRecord;
  },
): VnicRecord {
  const { instance, ...rest } = request;
  const sequence = tenancy.state.nextSequence();
  const vnic: VnicRecord = {
    ...rest,
    sequence,
    id: tenancy.newId('vnic'),
    hostnameLabel:
      instance === undefined ? `lb-${sequence}` : `${instance.displayName}-${sequence}`.toLowerCase(),
    createdAt: tenancy.now,
    ...(instance && {
      attachment: { id: tenancy.newId('vnicattachment'), instanceId: instance.id, isOver: false },
    }),
  };
  tenancy.state.vnics.set(vnic.id, vnic);
  const privateIp = {
    sequence: tenancy.state.nextSequence(),
    id: tenancy.newId('privateip'),
    ip: tenancy.ips.internal.next(),
    vnicId: vnic.id,
    isPrimary: true,
    createdAt: tenancy.now,
  };
  tenancy.state.privateIps.set(privateIp.id, privateIp);
  return vnic;
}

/** Ends an instance: its VNICs are gone, its reserved public IPs free, its ephemeral one gone. It stays visible as TERMINATED. */
export function terminateInstance(tenancy: Tenancy, instance: InstanceRecord, by: ChangedBy): void {
  for (const vnic of vnicsOf(tenancy.state, instance.id)) {
    const privateIps = [...tenancy.state.privateIps.values()].filter(({ vnicId }) => vnicId === vnic.id);
    for (const { id } of privateIps) {
      dropPublicIp(tenancy, id, by);
      tenancy.state.privateIps.delete(id);
    }
    const { attachment } = vnic;
    tenancy.state.vnics.set(vnic.id, {
      ...vnic,
      ...(attachment && { attachment: { ...attachment, isOver: true } }),
    });
  }
  tenancy.state.instances.set(instance.id, { ...instance, state: 'TERMINATED' });
}

export function findInstance(tenancy: Tenancy, id: string): InstanceRecord {
  const found = tenancy.state.instances.get(id);
  if (found === undefined) throw notFound();
  return found;
}
