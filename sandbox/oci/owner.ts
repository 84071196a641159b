/** The tenancy's owner: makes and removes things by hand, and sees all as it is. */
import { addVnic, findInstance, launchInstance, terminateInstance } from './instances.ts';
import type {
  AssignOptions,
  LaunchOptions,
  OciInstanceInfo,
  OciPublicIpInfo,
  ReserveOptions,
} from './owner-types.ts';
import { availabilityDomain } from './places.ts';
import { assignPublicIp, createPublicIp, deletePublicIp, dropPublicIp, findPublicIp } from './public-ips.ts';
import type { Tenancy } from './tenancy.ts';
import {
  type FreeformTags,
  type InstanceRecord,
  type InstanceState,
  ocid,
  primaryPrivateIp,
  publicIpOf,
  type PublicIpRecord,
  vnicsOf,
} from './tenancy-state.ts';

export class TenancyOwner {
  readonly #tenancy: Tenancy;
  readonly #compartmentId: string;

  constructor(tenancy: Tenancy, compartmentId: string) {
    this.#tenancy = tenancy;
    this.#compartmentId = compartmentId;
  }

  launchInstance(options: LaunchOptions = {}): OciInstanceInfo {
    const { region } = this.#tenancy;
    const { cluster, publicIp = true, vnics = 1, privateSubnet = false, ...rest } = options;
    const clusterId = ocid('cluster', region, cluster ?? '');
    const made = launchInstance(
      this.#tenancy,
      {
        ...rest,
        availabilityDomain: rest.availabilityDomain ?? availabilityDomain(region, 1),
        compartmentId: rest.compartmentId ?? this.#compartmentId,
        publicIp: publicIp && !privateSubnet,
        vnics,
        privateSubnet,
        ...(cluster !== undefined && {
          metadata: { 'oke-cluster-display-name': cluster, 'oke-cluster-id': clusterId },
          systemTags: { 'orcl-containerengine': { Cluster: clusterId } },
        }),
      },
      'hand',
    );
    return this.#instanceInfo(made);
  }

  terminateInstance(id: string): void {
    terminateInstance(this.#tenancy, findInstance(this.#tenancy, id), 'hand');
  }

  /** Stops it, or starts it again: whatever its state, it keeps its public IPs. */
  setStateByHand(id: string, state: InstanceState): void {
    this.#tenancy.state.instances.set(id, { ...findInstance(this.#tenancy, id), state });
  }

  /** As OCI does some hours after its end: nothing is known of the instance any more. */
  forgetInstance(id: string): void {
    terminateInstance(this.#tenancy, findInstance(this.#tenancy, id), 'hand');
    this.#tenancy.state.instances.delete(id);
  }

  reservePublicIp(options: ReserveOptions = {}): OciPublicIpInfo {
    const compartmentId = options.compartmentId ?? this.#compartmentId;
    return this.#publicIpInfo(
      createPublicIp(this.#tenancy, { ...options, lifetime: 'RESERVED', compartmentId }, 'hand'),
    );
  }

  /** Gives a public IP back to Oracle, whatever has it. */
  deletePublicIp(id: string): void {
    deletePublicIp(this.#tenancy, findPublicIp(this.#tenancy, id), 'hand');
  }

  /** Puts freeform tags in the place of those that a public IP has. */
  setFreeformTags(id: string, freeformTags: FreeformTags): void {
    this.#tenancy.put({ ...findPublicIp(this.#tenancy, id), freeformTags });
  }

  /** Assigns a public IP, whatever had it, in the place of what the private IP had. */
  assignByHand({ publicIp, instance, vnic = 0 }: AssignOptions): void {
    const tenancy = this.#tenancy;
    const vnicId = vnicsOf(tenancy.state, instance)[vnic]?.id ?? '';
    const target = primaryPrivateIp(tenancy.state, vnicId);
    if (target === undefined) throw new Error(`instance ${instance} has no VNIC ${vnic}`);
    if (publicIpOf(tenancy.state, target.id)?.id === publicIp) return;
    this.#clear(target.id);
    assignPublicIp(tenancy, this.#atRest(publicIp), target.id, 'hand');
  }

  /** Assigns a public IP to a load balancer, whose VNIC is of no instance. */
  assignToLoadBalancer(publicIp: string): void {
    const tenancy = this.#tenancy;
    const vnic = addVnic(tenancy, {
      compartmentId: this.#compartmentId,
      availabilityDomain: availabilityDomain(tenancy.region, 1),
      subnetId: ocid('subnet', tenancy.region, 'load balancers'),
      isPrimary: true,
    });
    const target = primaryPrivateIp(tenancy.state, vnic.id);
    assignPublicIp(tenancy, this.#atRest(publicIp), target?.id ?? '', 'hand');
  }

  /**
   * Takes a public IP from whatever has it.
   *
   * @param ephemeral whether an ephemeral one is put in its place
   */
  unassignByHand(id: string, { ephemeral = false }: { readonly ephemeral?: boolean } = {}): void {
    const tenancy = this.#tenancy;
    const publicIp = this.#atRest(id);
    const privateIpId = publicIp.assigned?.privateIpId;
    const { assigned: _assigned, ...free } = publicIp;
    if (privateIpId === undefined) return;
    tenancy.note(free, 'disassociated', 'hand', publicIp);
    tenancy.put({ ...free, state: 'AVAILABLE' });
    if (ephemeral) {
      createPublicIp(
        tenancy,
        { lifetime: 'EPHEMERAL', compartmentId: this.#compartmentId, privateIpId },
        'hand',
      );
    }
  }

  /** All public IPs as they are now, in the order of creation. */
  publicIps(): OciPublicIpInfo[] {
    return [...this.#tenancy.state.publicIps.values()]
      .sort((a, b) => a.sequence - b.sequence)
      .map((one) => this.#publicIpInfo(one));
  }

  /** All instances as they are now, in the order of creation. */
  instances(): OciInstanceInfo[] {
    return [...this.#tenancy.state.instances.values()]
      .sort((a, b) => a.sequence - b.sequence)
      .map((one) => this.#instanceInfo(one));
  }

  /** What a person does comes to an end at once. */
  #atRest(id: string): PublicIpRecord {
    const { next: _next, ...publicIp } = findPublicIp(this.#tenancy, id);
    const state = publicIp.assigned === undefined ? 'AVAILABLE' : 'ASSIGNED';
    return this.#tenancy.put({ ...publicIp, state });
  }

  #clear(privateIpId: string): void {
    const present = publicIpOf(this.#tenancy.state, privateIpId);
    if (present?.lifetime === 'RESERVED') this.unassignByHand(present.id);
    else if (present !== undefined) dropPublicIp(this.#tenancy, privateIpId, 'hand');
  }

  #publicIpInfo(publicIp: PublicIpRecord): OciPublicIpInfo {
    const { state } = this.#tenancy;
    const privateIp = publicIp.assigned && state.privateIps.get(publicIp.assigned.privateIpId);
    const vnic = privateIp && state.vnics.get(privateIp.vnicId);
    return {
      id: publicIp.id,
      ip: publicIp.ip,
      lifetime: publicIp.lifetime,
      state: publicIp.state,
      displayName: publicIp.displayName,
      compartmentId: publicIp.compartmentId,
      freeformTags: publicIp.freeformTags,
      definedTags: publicIp.definedTags,
      ...(privateIp && { privateIp: privateIp.id }),
      ...(vnic && { vnic: vnic.id }),
      ...(vnic?.attachment && { instance: vnic.attachment.instanceId }),
    };
  }

  #instanceInfo(instance: InstanceRecord): OciInstanceInfo {
    const { state } = this.#tenancy;
    const privateIps = vnicsOf(state, instance.id).map(({ id }) => primaryPrivateIp(state, id));
    return {
      id: instance.id,
      displayName: instance.displayName,
      availabilityDomain: instance.availabilityDomain,
      compartmentId: instance.compartmentId,
      state: instance.state,
      providerId: instance.id,
      privateIp: privateIps[0]?.ip ?? '',
      publicIps: privateIps.flatMap((privateIp, vnic) => {
        const publicIp = privateIp && publicIpOf(state, privateIp.id);
        return publicIp === undefined
          ? []
          : [{ vnic, id: publicIp.id, ip: publicIp.ip, lifetime: publicIp.lifetime }];
      }),
    };
  }
}
