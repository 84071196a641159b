/** What exists in the tenancy. Records are never changed but replaced, so a shallow copy of the maps is a snapshot. */
import { createHash } from 'node:crypto';

export type FreeformTags = Readonly<Record<string, string>>;
export type DefinedTags = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** States of an instance ("Instance", API reference) that the emulator's owner can set. */
export const instanceStates = ['RUNNING', 'STOPPING', 'STOPPED', 'STARTING', 'TERMINATING'] as const;
export type InstanceState = (typeof instanceStates)[number] | 'TERMINATED';

export interface InstanceRecord {
  /** The order of creation. */
  readonly sequence: number;
  readonly id: string;
  readonly displayName: string;
  readonly compartmentId: string;
  readonly availabilityDomain: string;
  readonly state: InstanceState;
  readonly freeformTags: FreeformTags;
  readonly metadata: Readonly<Record<string, string>>;
  readonly systemTags: DefinedTags;
  /** Milliseconds. */
  readonly createdAt: number;
}

/** A VNIC with the attachment that it has; one of a load balancer has none. */
export interface VnicRecord {
  readonly sequence: number;
  readonly id: string;
  readonly compartmentId: string;
  readonly availabilityDomain: string;
  readonly subnetId: string;
  readonly hostnameLabel: string;
  readonly isPrimary: boolean;
  readonly createdAt: number;
  readonly attachment?: { readonly id: string; readonly instanceId: string; readonly isOver: boolean };
}

export interface PrivateIpRecord {
  readonly sequence: number;
  readonly id: string;
  readonly ip: string;
  readonly vnicId: string;
  readonly isPrimary: boolean;
  readonly createdAt: number;
}

export type PublicIpState = 'AVAILABLE' | 'ASSIGNING' | 'ASSIGNED' | 'UNASSIGNING' | 'TERMINATING';

export interface PublicIpRecord {
  readonly sequence: number;
  readonly id: string;
  readonly ip: string;
  readonly lifetime: 'RESERVED' | 'EPHEMERAL';
  readonly compartmentId: string;
  readonly displayName: string;
  readonly freeformTags: FreeformTags;
  readonly definedTags: DefinedTags;
  readonly state: PublicIpState;
  readonly createdAt: number;
  /** Grows with every change; its hash is the etag. */
  readonly revision: number;
  /** The private IP that has it, or is about to have it, or still has it. */
  readonly assigned?: {
    readonly privateIpId: string;
    /** The emulator's own name for this binding: new for each. */
    readonly bindingId: string;
  };
  readonly next?: NextState;
}

/** How a state that passes by itself goes on, and when. */
export interface NextState {
  readonly at: number;
  readonly to: 'ASSIGNED' | 'AVAILABLE' | 'TERMINATED';
  readonly by: 'api' | 'hand';
}

/** What lists are made from: the present, or a snapshot of it. */
export interface TenancyView {
  readonly instances: ReadonlyMap<string, InstanceRecord>;
  readonly vnics: ReadonlyMap<string, VnicRecord>;
  readonly privateIps: ReadonlyMap<string, PrivateIpRecord>;
  readonly publicIps: ReadonlyMap<string, PublicIpRecord>;
}

export class TenancyState implements TenancyView {
  readonly instances = new Map<string, InstanceRecord>();
  readonly vnics = new Map<string, VnicRecord>();
  readonly privateIps = new Map<string, PrivateIpRecord>();
  readonly publicIps = new Map<string, PublicIpRecord>();
  #sequence = 0;

  nextSequence(): number {
    this.#sequence += 1;
    return this.#sequence;
  }

  snapshot(): TenancyView {
    return {
      instances: new Map(this.instances),
      vnics: new Map(this.vnics),
      privateIps: new Map(this.privateIps),
      publicIps: new Map(this.publicIps),
    };
  }
}

/** @returns those of an instance that are attached, the primary one first */
export function vnicsOf(view: TenancyView, instanceId: string): VnicRecord[] {
  return [...view.vnics.values()]
    .filter(({ attachment }) => attachment?.instanceId === instanceId && !attachment.isOver)
    .sort((a, b) => a.sequence - b.sequence);
}

/** @returns the primary private IP of a VNIC */
export function primaryPrivateIp(view: TenancyView, vnicId: string): PrivateIpRecord | undefined {
  return [...view.privateIps.values()].find((one) => one.vnicId === vnicId && one.isPrimary);
}

/** @returns the public IP that a private IP has, is about to have, or still has */
export function publicIpOf(view: TenancyView, privateIpId: string): PublicIpRecord | undefined {
  return [...view.publicIps.values()].find(({ assigned }) => assigned?.privateIpId === privateIpId);
}

export function etagOf({ id, revision }: Pick<PublicIpRecord, 'id' | 'revision'>): string {
  return createHash('sha256').update(`${id} ${revision}`).digest('hex').slice(0, 8);
}

/** @returns an OCID of the kind, which no other has */
export function ocid(kind: string, region: string, unique: string): string {
  const letters = createHash('sha256').update(`${kind} ${unique}`).digest('hex');
  return `ocid1.${kind}.oc1.${region}.${letters.slice(0, 60).replaceAll(/[0189]/g, (digit) => 'wxyz'['0189'.indexOf(digit)] ?? 'w')}`;
}
