/** What the project's owner says and is told. */
import type { AccessConfigType, InstanceStatus, IpVersion, NetworkTier, StackType } from './project-state.ts';

export interface InsertInstanceOptions {
  /** Without it: a new one. */
  readonly name?: string | undefined;
  /** As `europe-west1-b`. Without it: zone b of the emulator's region. */
  readonly zone?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Whether it starts with an ephemeral IPv4 address, as GKE's nodes do. @default true */
  readonly externalIp?: boolean | undefined;
  /** The name of its IPv4 access config. @default external-nat */
  readonly accessConfigName?: string | undefined;
  readonly networkTier?: NetworkTier | undefined;
  /** IPV4_IPV6: with an ephemeral IPv6 address too; IPV6_ONLY: with that alone. @default IPV4_ONLY */
  readonly stackType?: StackType | undefined;
  readonly subnetwork?: string | undefined;
  /** Network interfaces in all; those after nic0 have no external address. @default 1 */
  readonly interfaces?: number | undefined;
}

export interface ReserveAddressOptions {
  /** Without it: a new one. */
  readonly name?: string | undefined;
  readonly region?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** @default IPV4 */
  readonly ipVersion?: IpVersion | undefined;
  /** @default PREMIUM */
  readonly networkTier?: NetworkTier | undefined;
  /** @default EXTERNAL */
  readonly addressType?: 'EXTERNAL' | 'INTERNAL' | undefined;
  /** Of an IPv6 address. @default default */
  readonly subnetwork?: string | undefined;
}

/** Names an instance. Without the zone: the only one of that name. */
export interface InstanceName {
  readonly instance: string;
  readonly zone?: string | undefined;
}

export interface AttachOptions extends InstanceName {
  readonly address: string;
  readonly region?: string | undefined;
  /** @default nic0 */
  readonly networkInterface?: string | undefined;
  /** The name of the new access config. @default External NAT, or External IPv6 */
  readonly accessConfigName?: string | undefined;
}

export interface ExternalIpInfo {
  readonly networkInterface: string;
  readonly type: AccessConfigType;
  readonly accessConfig: string;
  readonly ip: string;
  readonly networkTier: NetworkTier;
  /** The static address that it is; absent for an ephemeral one. */
  readonly address?: string;
}

export interface GceInstanceInfo {
  readonly name: string;
  readonly id: string;
  readonly zone: string;
  readonly region: string;
  readonly status: InstanceStatus;
  readonly labels: Readonly<Record<string, string>>;
  /** As a Node's `spec.providerID`. */
  readonly providerId: string;
  readonly stackType: StackType;
  readonly privateIp: string;
  readonly externalIps: readonly ExternalIpInfo[];
}

export interface GceAddressInfo {
  readonly name: string;
  readonly address: string;
  readonly region: string;
  readonly ipVersion: IpVersion;
  readonly networkTier?: NetworkTier;
  readonly status: 'RESERVED' | 'IN_USE';
  readonly labels: Readonly<Record<string, string>>;
  /** Who has it. */
  readonly instance?: string;
  readonly zone?: string;
  readonly networkInterface?: string;
}
