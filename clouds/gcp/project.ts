import { CloudError } from '../provider.ts';
import { createGcpAuth, type GcpClientOptions } from './client.ts';

/**
 * Finds the project out as every Google Cloud program does: GOOGLE_CLOUD_PROJECT, the credentials, gcloud's
 * configuration, the metadata server.
 *
 * @returns the project id
 * @throws CloudError `Invalid` if none of them says one
 */
export async function resolveGcpProject(options: GcpClientOptions): Promise<string> {
  try {
    return await createGcpAuth(options).getProjectId();
  } catch (cause) {
    throw new CloudError(
      'Invalid',
      'The Google Cloud project is not known: write it as the account of the pool (PROJECT for KubeIP), or set GOOGLE_CLOUD_PROJECT.',
      { code: 'NO_PROJECT', cause },
    );
  }
}
