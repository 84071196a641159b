/**
 * What workflow code must know of each cloud. It is part of the workflow bundle, which is evaluated for every cached workflow: so it
 * imports nothing, and all else about a cloud is in its row of the registry.
 */

/** What tells the workflows of two clouds apart. */
export interface CloudTraits {
  /** Within what the name of an instance (`InstanceRef.id`) is unique. */
  readonly instanceIdsAreUniqueIn: 'region' | 'zone';
  /**
   * Whether the cloud gives an instance a new ephemeral address when it loses its static one. Where it does not, somebody must:
   * `CloudProvider.restoreEphemeral`.
   */
  readonly restoresEphemeral: boolean;
  /** When an instance that has given its static IPv4 address back gets another public one, in a sentence: where the cloud sees to it. */
  readonly afterRelease?: string;
  /**
   * Whose public addresses the cloud's controller manager writes into `status.addresses` of a Node as ExternalIP. Those of AWS and GCP
   * write IPv4 only (`extractIPv6NodeAddresses` of cloud-provider-aws, `nodeAddressesFromInstance` of cloud-provider-gcp): a public
   * IPv6 address is an InternalIP there, if it is shown at all. Oracle's writes both (`getNodeAddresses` of oci-cloud-controller-manager).
   */
  readonly externalIpFamilies: readonly ('ipv4' | 'ipv6')[];
}

const traits = {
  aws: {
    instanceIdsAreUniqueIn: 'region',
    restoresEphemeral: true,
    // "Elastic IP addresses", Amazon EC2 User Guide. The VPC CNI attaches more interfaces to most nodes.
    afterRelease:
      'EC2 gives the instance another public IPv4 address only if it has a single network interface.',
    externalIpFamilies: ['ipv4'],
  },
  gcp: { instanceIdsAreUniqueIn: 'zone', restoresEphemeral: false, externalIpFamilies: ['ipv4'] },
  oci: { instanceIdsAreUniqueIn: 'region', restoresEphemeral: false, externalIpFamilies: ['ipv4', 'ipv6'] },
} as const satisfies Readonly<Record<string, CloudTraits>>;

/** The clouds that this project has a provider for. */
export type ProviderName = keyof typeof traits;

/** @returns the traits of a cloud */
export function traitsOf(provider: ProviderName): CloudTraits {
  return traits[provider];
}
