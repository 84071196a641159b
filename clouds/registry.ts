/**
 * The clouds: one row for each, which is all that the rest of the project may ask of a cloud without its client. Workflow code
 * asks `traits.ts`, which is smaller.
 */
import { awsCloud } from './aws/aws-cloud.ts';
import type { Cloud, OpenOptions } from './cloud.ts';
import { gcpCloud } from './gcp/gcp-cloud.ts';
import { ociCloud } from './oci/oci-cloud.ts';
import { type CloudCallEvent, CloudError, type CloudProvider } from './provider.ts';
import type { ProviderName } from './traits.ts';

const clouds: Readonly<Record<ProviderName, Cloud>> = { aws: awsCloud, gcp: gcpCloud, oci: ociCloud };

/** In the order in which they stand wherever they are listed. */
export const providerNames = Object.keys(clouds) as [ProviderName, ...ProviderName[]];

/** Of a pool for which nothing tells the cloud. */
export const defaultProvider: ProviderName = 'aws';

/** @returns the row of a cloud */
export function cloudOf(provider: ProviderName): Cloud {
  return clouds[provider];
}

/** @returns whether the text is the name of a cloud that has a row */
export function isProviderName(text: string | undefined): text is ProviderName {
  return text !== undefined && Object.hasOwn(clouds, text);
}

/** @returns what is made for each cloud, by its name */
export function forEachCloud<T>(make: (cloud: Cloud, name: ProviderName) => T): Record<ProviderName, T> {
  return Object.fromEntries(providerNames.map((name) => [name, make(clouds[name], name)])) as Record<
    ProviderName,
    T
  >;
}

/** A finished call, with the cloud that it went to. */
export interface ProviderCallEvent extends CloudCallEvent {
  readonly provider: ProviderName;
}

export interface OpenProviderOptions extends Omit<OpenOptions, 'onCall'> {
  readonly provider: ProviderName;
  /** Told about every finished call. Must not throw. */
  readonly onCall?: ((event: ProviderCallEvent) => void) | undefined;
}

/**
 * Loads the one cloud's client that is needed.
 *
 * @returns the provider, its scope complete
 * @throws CloudError `Denied` or `Unavailable` when the account is not given and cannot be found out; `Invalid` for a
 * cloud that has no row
 */
export async function openProvider({
  provider,
  onCall,
  ...options
}: OpenProviderOptions): Promise<CloudProvider> {
  if (!isProviderName(provider)) {
    const known = providerNames.map((name) => `"${name}"`).join(' and ');
    throw new CloudError('Invalid', `Provider "${String(provider)}" is unknown; ${known} are supported.`);
  }
  const told = onCall && ((event: CloudCallEvent) => onCall({ ...event, provider }));
  return clouds[provider].open({ ...options, onCall: told });
}
