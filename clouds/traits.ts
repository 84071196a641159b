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
}

const traits = {
  aws: { instanceIdsAreUniqueIn: 'region', restoresEphemeral: true },
  gcp: { instanceIdsAreUniqueIn: 'zone', restoresEphemeral: false },
} as const satisfies Readonly<Record<string, CloudTraits>>;

/** The clouds that this project has a provider for. */
export type ProviderName = keyof typeof traits;

/** @returns the traits of a cloud */
export function traitsOf(provider: ProviderName): CloudTraits {
  return traits[provider];
}
