/** The clouds of the smoke test: what each takes from the command line, and how it is opened. */
import type { ProviderName } from '../model/scope.ts';
import type { SmokeCloud } from './cloud.ts';

/** What the command line says of where and with what. */
export interface SmokeOptions {
  readonly region: string;
  /** A zone of Google Cloud, an availability domain of Oracle Cloud. */
  readonly zone?: string;
  /** A project of Google Cloud, a compartment of Oracle Cloud. */
  readonly project?: string;
  readonly subnet?: string;
  readonly image?: string;
  readonly machineType?: string;
  readonly endpoint?: string;
  /** False by `--no-auto-address`. */
  readonly autoAddress: boolean;
}

/** Options that mean nothing on some clouds. */
export type OwnOption = 'zone' | 'project' | 'subnet';

interface SmokeRow {
  /** Options that the cloud cannot do without. */
  readonly needs: readonly OwnOption[];
  /** Options that the cloud has no use for. */
  readonly ignores: readonly OwnOption[];
  /** What a run with one or two small instances cannot ask. */
  readonly notAsked: readonly string[];
  /**
   * Loads the cloud's client.
   *
   * @throws CloudError if the account is not known
   */
  readonly open: (options: SmokeOptions) => Promise<SmokeCloud>;
}

export const smokeClouds: Readonly<Record<ProviderName, SmokeRow>> = {
  aws: {
    needs: [],
    ignores: ['zone', 'project'],
    notAsked: [
      'managed instances (EKS Auto Mode): they need a cluster.',
      'Elastic IPs of another network border group: they need a Local Zone.',
      'addresses of another account: they need one.',
    ],
    open: async (options) => (await import('./aws/aws-smoke.ts')).openAwsSmoke(options),
  },
  gcp: {
    needs: [],
    ignores: [],
    notAsked: ['suspended and repairing instances: they take long.'],
    open: async (options) => (await import('./gcp/gcp-smoke.ts')).openGcpSmoke(options),
  },
  oci: {
    // There is no default network, and the names of availability domains are each tenancy's own.
    needs: ['project', 'zone', 'subnet'],
    ignores: [],
    notAsked: [
      'workload identity, and the tags and metadata that OKE sets: they need a cluster.',
      'the rate limits, which Oracle does not publish: to find them would use them up for others.',
      'whether a permission is asked for before the etag is compared: it needs a second identity.',
    ],
    open: async (options) => (await import('./oci/oci-smoke.ts')).openOciSmoke(options),
  },
};
