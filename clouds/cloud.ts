/** What a row of the registry says of its cloud. */
import type { Association, Family, InstanceRef } from '../model/address.ts';
import type { RateLimit } from '../model/settings.ts';
import type { CloudCallEvent, CloudProvider, LeftOut } from './provider.ts';

/** One cloud, as far as it can be described without its client. Nothing here makes a call but `open`. */
export interface Cloud {
  /** As people call it: "This looks like a filter of Google Cloud". */
  readonly title: string;
  readonly providerId: ProviderIdForm;
  readonly region: RegionForm;
  readonly account: {
    readonly pattern: RegExp;
    /** Of a text that does not match, as the end of a sentence that begins with it. */
    readonly advice: string;
    /** What to say of a pool without one, where the cloud cannot be asked for it. */
    readonly needed?: string;
    /** For the reference of the configuration. */
    readonly help: string;
  };
  /** How fast associations are made and ended, for each scope: below the limit that the cloud publishes. */
  readonly pacing: RateLimit;
  /** The published limit that `pacing` is below, in a sentence for the reference of the configuration. */
  readonly pacingHelp: string;
  readonly filter: FilterSyntax;
  readonly order: OrderSyntax;
  /**
   * Families whose pools are ranges, too large to be listed in full: their free addresses are counted up to a limit, and have no
   * order to choose.
   */
  readonly rangeFamilies: readonly Family[];
  /** What to look for where no address matches a filter, as a sentence. */
  readonly emptyListAdvice?: string;
  /** Dollars an hour for an address that nothing uses, by the cloud's price list. */
  readonly idlePrice: Readonly<Record<Family, number>>;
  /** OpenTelemetry's `rpc.system` of its calls ("Semantic conventions for RPC"). */
  readonly rpcSystem: string;
  /** How the cloud shows which Kubernetes cluster an instance belongs to. */
  readonly clusterMark: {
    /** As it stands in a message: `the tag kubernetes.io/cluster/<name>`. */
    readonly of: (cluster: string) => string;
    readonly help: string;
  };
  /** @returns the instance that an association names, as `instanceKey` writes it; undefined: an interface alone has the address */
  readonly holderOf: (association: Association) => string | undefined;
  /** @param key as `instanceKey` writes it @returns where the instance is to be looked for */
  readonly instanceOfKey: (key: string, region: string) => Omit<InstanceRef, 'provider'>;
  /**
   * Loads the cloud's client, which takes a second and 100 MB for Google's.
   *
   * @returns the provider, its scope complete
   * @throws CloudError `Denied` or `Unavailable` when the account is not given and cannot be found out
   */
  readonly open: (options: OpenOptions) => Promise<CloudProvider>;
}

/** `spec.providerID` of a Node, as the cloud controller manager writes it. */
export interface ProviderIdForm {
  /** What stands before the colon. */
  readonly scheme: string;
  /** What a text begins with that has no scheme. */
  readonly bare?: string;
  /** @returns the instance, or undefined if the text names none */
  readonly parse: (providerID: string) => Omit<InstanceRef, 'provider'> | undefined;
  /** Of a text that names none, as the end of a sentence. */
  readonly advice: string;
}

/** What names a region, and where a region comes from that the configuration does not name. */
export interface RegionForm {
  /**
   * @param text the region itself, a zone of it, or another name that the cloud has for it
   * @returns the region, as the configuration has it; undefined if the text names none
   */
  readonly of: (text: string) => string | undefined;
  /** Of a text that is no region, as the end of a sentence that begins with it. */
  readonly advice: string;
  /** The variables by which the cloud's own tools are told a region, the first one first. */
  readonly variables: readonly string[];
}

export interface FilterSyntax {
  /** @throws CloudError `Invalid` */
  readonly parse: (text: string, family: Family) => unknown;
  /** @returns whether the text looks like a filter of this cloud, and of no other */
  readonly isLikely: (text: string) => boolean;
  readonly help: string;
}

export interface OrderSyntax {
  /** @throws CloudError `Invalid` */
  readonly parse: (text: string, family: Family) => unknown;
  readonly help: string;
}

export interface OpenOptions {
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
