/** What the tenancy's owner says and is told. */
import type { DefinedTags, FreeformTags, InstanceState, PublicIpState } from './tenancy-state.ts';

export interface LaunchOptions {
  /** Without it: a new one. */
  readonly displayName?: string | undefined;
  /** Without it: the first of the region. */
  readonly availabilityDomain?: string | undefined;
  /** Without it: that of the emulator. */
  readonly compartmentId?: string | undefined;
  readonly freeformTags?: FreeformTags | undefined;
  /** The OKE cluster that it is a node of, by its display name. */
  readonly cluster?: string | undefined;
  /** Whether it starts with an ephemeral public IP, as nodes in a public subnet do. @default true */
  readonly publicIp?: boolean | undefined;
  /** VNICs in all; only the first has a public IP. @default 1 */
  readonly vnics?: number | undefined;
  /** Whether its subnet prohibits public IPs. @default false */
  readonly privateSubnet?: boolean | undefined;
}

export interface ReserveOptions {
  readonly displayName?: string | undefined;
  readonly compartmentId?: string | undefined;
  readonly freeformTags?: FreeformTags | undefined;
  readonly definedTags?: DefinedTags | undefined;
}

export interface AssignOptions {
  /** OCIDs. */
  readonly publicIp: string;
  readonly instance: string;
  /** Which of the instance's VNICs. @default 0 */
  readonly vnic?: number | undefined;
}

export interface OciPublicIpInfo {
  readonly id: string;
  readonly ip: string;
  readonly lifetime: 'RESERVED' | 'EPHEMERAL';
  readonly state: PublicIpState;
  readonly displayName: string;
  readonly compartmentId: string;
  readonly freeformTags: FreeformTags;
  readonly definedTags: DefinedTags;
  /** What has it. */
  readonly privateIp?: string;
  readonly vnic?: string;
  readonly instance?: string;
}

export interface OciInstanceInfo {
  readonly id: string;
  readonly displayName: string;
  readonly availabilityDomain: string;
  readonly compartmentId: string;
  readonly state: InstanceState;
  /** As a Node's `spec.providerID`. */
  readonly providerId: string;
  readonly privateIp: string;
  readonly publicIps: readonly {
    /** The first is the primary one. */
    readonly vnic: number;
    readonly id: string;
    readonly ip: string;
    readonly lifetime: 'RESERVED' | 'EPHEMERAL';
  }[];
}
