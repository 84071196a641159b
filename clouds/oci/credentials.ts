/**
 * The worker's identity on OCI, found as Oracle's own tools find it: `OCI_CLI_AUTH` names the kind; without it a configuration file is
 * used if there is one, then OKE's workload identity if the pod has its variables, then the instance's own.
 */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type common from 'oci-common';
import { CloudError } from '../provider.ts';
import { messageOf } from './errors.ts';
import { openInstancePrincipal } from './instance-principal.ts';
import type { Signer } from './session-signer.ts';
import { openWorkloadIdentity, proxymuxExchange } from './workload-identity.ts';

export interface OciCredentials {
  readonly signer: Signer;
  /** Of Core Services in the region, without a path. */
  readonly serviceUrl: string;
}

/** The kinds of `OCI_CLI_AUTH` that are supported. */
const kinds = ['api_key', 'oke_workload_identity', 'instance_principal'] as const;
type AuthKind = (typeof kinds)[number];

/** The domain of a realm that the SDK does not know. */
const COMMERCIAL_DOMAIN = 'oraclecloud.com';

/**
 * Loads the SDK's part for credentials, which takes a tenth of a second.
 *
 * @throws CloudError `Denied` if no credentials are found; `Unavailable` if the token service gives none now; `Invalid` for a kind that
 * is not supported
 */
export async function openCredentials(region: string, env = process.env): Promise<OciCredentials> {
  const { default: sdk } = await import('oci-common');
  const kind = kindOf(env);
  const signer = await openSigner(sdk, kind, env);
  const domain = sdk.Region.fromRegionId(region)?.realm.secondLevelDomain ?? env['OCI_DEFAULT_REALM'];
  return {
    signer: withCredentialErrors(signer, kind),
    serviceUrl: `https://iaas.${region}.${domain ?? COMMERCIAL_DOMAIN}`,
  };
}

/** @returns the configuration file that Oracle's tools would read, whether it is there or not */
export function configFileOf(env: NodeJS.ProcessEnv): string {
  const named = env['OCI_CLI_CONFIG_FILE'] || env['OCI_CONFIG_FILE'];
  return named ? named.replace(/^~(?=\/)/, homedir()) : join(homedir(), '.oci', 'config');
}

function kindOf(env: NodeJS.ProcessEnv): AuthKind {
  const named = env['OCI_CLI_AUTH'];
  if (named) {
    const kind = kinds.find((kind) => kind === named);
    if (kind !== undefined) return kind;
    throw new CloudError('Invalid', `OCI_CLI_AUTH is ${named}, and ${kinds.join(', ')} are supported.`);
  }
  if (existsSync(configFileOf(env))) return 'api_key';
  return env['OCI_RESOURCE_PRINCIPAL_VERSION'] ? 'oke_workload_identity' : 'instance_principal';
}

async function openSigner(sdk: typeof common, kind: AuthKind, env: NodeJS.ProcessEnv): Promise<Signer> {
  try {
    switch (kind) {
      case 'api_key': {
        const profile = env['OCI_CLI_PROFILE'] || undefined;
        const details = new sdk.ConfigFileAuthenticationDetailsProvider(configFileOf(env), profile);
        return new sdk.DefaultRequestSigner(details);
      }
      case 'oke_workload_identity':
        return await openWorkloadIdentity(sdk, proxymuxExchange(env));
      case 'instance_principal':
        return await openInstancePrincipal(sdk);
    }
  } catch (cause) {
    if (cause instanceof CloudError) throw cause;
    throw new CloudError(
      'Denied',
      `No credentials of Oracle Cloud were found (${kind}): give the pod OKE's workload identity (OCI_CLI_AUTH=oke_workload_identity), or the nodes a dynamic group; elsewhere name a configuration file by OCI_CLI_CONFIG_FILE. ${messageOf(cause)}`,
      { code: 'NO_CREDENTIALS', cause },
    );
  }
}

/** Signing may ask a token service. Without this its failure would be reported as one of the network to the API. */
function withCredentialErrors(signer: Signer, kind: AuthKind): Signer {
  return {
    async signHttpRequest(request, excludeBody) {
      try {
        await signer.signHttpRequest(request, excludeBody);
      } catch (cause) {
        if (cause instanceof CloudError) throw cause;
        throw new CloudError(
          'Unavailable',
          `The credentials of Oracle Cloud (${kind}) cannot be used now: ${messageOf(cause)}`,
          { code: 'NO_CREDENTIALS', cause },
        );
      }
    },
  };
}
