/** Opens the provider of a scope: the one place that knows every cloud. */
import type { ProviderName } from '../model/scope.ts';
import { resolveAwsAccount } from './aws/account.ts';
import { createAwsProvider } from './aws/aws-provider.ts';
import type { AwsClientOptions } from './aws/client.ts';
import { CloudError, type CloudProvider } from './provider.ts';

export interface OpenProviderOptions extends AwsClientOptions {
  readonly provider: ProviderName;
  /** AWS account id; asked of AWS where it is left out. */
  readonly account?: string | undefined;
  readonly batchWindowMs?: number | undefined;
}

/**
 * @returns the provider, its scope complete
 * @throws CloudError `Denied` or `Unavailable` when the account is not given and cannot be found out; `Invalid` for a
 * cloud that has no provider
 */
export async function openProvider(options: OpenProviderOptions): Promise<CloudProvider> {
  switch (options.provider) {
    case 'aws':
      return createAwsProvider({
        ...options,
        account: options.account ?? (await resolveAwsAccount(options)),
      });
    case 'gcp':
      throw new CloudError('Invalid', 'Provider "gcp" is not supported yet; "aws" is.');
    default:
      throw new CloudError(
        'Invalid',
        `Provider "${String(options.provider)}" is unknown; "aws" is supported.`,
      );
  }
}
