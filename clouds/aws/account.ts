import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { CloudError } from '../provider.ts';
import { awsClientConfig, createAwsCall, type AwsClientOptions } from './client.ts';

/**
 * Asks AWS whose credentials these are (STS GetCallerIdentity, which needs no permission).
 *
 * @param given their endpoint is one of EC2, as a private one of a VPC. STS is asked there only if it is an emulator's, with `http:`
 * @returns the account id, 12 digits
 * @throws CloudError `Denied` without usable credentials, `Unavailable` when the endpoint cannot be reached
 */
export async function resolveAwsAccount(given: AwsClientOptions): Promise<string> {
  const { endpoint, ...own } = given;
  const options = endpoint?.startsWith('http:') === true ? given : own;
  const client = new STSClient(awsClientConfig(options));
  try {
    const identity = await createAwsCall(options)('sts:GetCallerIdentity', () =>
      client.send(new GetCallerIdentityCommand({})),
    );
    if (identity.Account === undefined) {
      throw new CloudError('Unavailable', 'sts:GetCallerIdentity answered without an account');
    }
    return identity.Account;
  } finally {
    client.destroy();
  }
}
