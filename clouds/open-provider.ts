/** Opens the provider of a scope: the one place that knows every cloud. */
import type { ProviderName } from '../model/scope.ts';
import { CloudError, type CloudCallEvent, type CloudProvider, type LeftOut } from './provider.ts';

export interface OpenProviderOptions {
  readonly provider: ProviderName;
  readonly region: string;
  /** AWS account id, GCP project id; asked of the cloud where it is left out. */
  readonly account?: string | undefined;
  /** In place of the cloud's own. */
  readonly endpoint?: string | undefined;
  /** The longest that one call may take, in milliseconds. @default 10000 */
  readonly requestTimeoutMs?: number | undefined;
  /** How long a lookup waits for others to share its request, in milliseconds. @default 20 */
  readonly batchWindowMs?: number | undefined;
  /** Told once about each address that matches a filter and can be given to no node. Must not throw. */
  readonly onLeftOut?: ((left: LeftOut) => void) | undefined;
  /** Told about every finished call. Must not throw. */
  readonly onCall?: ((event: CloudCallEvent) => void) | undefined;
}

/**
 * Loads the one cloud's client that is needed: Google's takes a second and 100 MB.
 *
 * @returns the provider, its scope complete
 * @throws CloudError `Denied` or `Unavailable` when the account is not given and cannot be found out; `Invalid` for a
 * cloud that has no provider
 */
export async function openProvider(options: OpenProviderOptions): Promise<CloudProvider> {
  switch (options.provider) {
    case 'aws': {
      const [{ createAwsProvider }, { resolveAwsAccount }] = await Promise.all([
        import('./aws/aws-provider.ts'),
        import('./aws/account.ts'),
      ]);
      return createAwsProvider({
        ...options,
        account: options.account ?? (await resolveAwsAccount(options)),
      });
    }
    case 'gcp': {
      const [{ createGcpProvider }, { resolveGcpProject }] = await Promise.all([
        import('./gcp/gcp-provider.ts'),
        import('./gcp/project.ts'),
      ]);
      return createGcpProvider({
        ...options,
        project: options.account ?? (await resolveGcpProject(options)),
      });
    }
    default:
      throw new CloudError(
        'Invalid',
        `Provider "${String(options.provider)}" is unknown; "aws" and "gcp" are supported.`,
      );
  }
}
