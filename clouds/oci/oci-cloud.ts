/** The registry's row for Oracle Cloud. */
import type { Cloud } from '../cloud.ts';
import { CloudError } from '../provider.ts';
import { beginsWithTagCondition, parseFilter } from './filter.ts';
import { parseOrder } from './order.ts';

const compartmentNeeded =
  'The compartment of the reserved public IPs is not known: write its OCID as the account of the pool (PROJECT for KubeIP).';

/** "Instance", API reference: `phx` and `iad` are returned, the full name for all other regions. OKE labels Nodes with it. */
const keys: Readonly<Record<string, string>> = { iad: 'us-ashburn-1', phx: 'us-phoenix-1' };

/** "Regions and Availability Domains": a city, where AWS has a point of the compass. */
const region = /^(?!.*-(?:north|south|east|west|central)[a-z]*-)[a-z]{2}(?:-[a-z]+){1,2}-[0-9]$/;

export const ociCloud: Cloud = {
  title: 'Oracle Cloud',
  providerId: {
    scheme: 'oci',
    bare: 'ocid1.',
    // The instance's OCID, as OKE writes it, or with the prefix that its cloud controller manager takes as well.
    parse: (providerID) => {
      const id = /^(?:oci:\/\/)?(?<id>ocid1\.instance\.[\w.-]+)$/.exec(providerID)?.groups?.['id'];
      // The availability domain is not in it: the instance tells it.
      return id === undefined ? undefined : { id, zone: '' };
    },
    advice: 'is not an instance of Oracle Cloud (ocid1.instance.…): virtual nodes have no public IP',
  },
  region: {
    of: (text) => (region.test(text) ? text : (keys[text] ?? regionOfDomain(text))),
    advice: 'is not a region of Oracle Cloud: write one such as eu-frankfurt-1.',
    variables: ['OCI_REGION', 'OCI_CLI_REGION'],
  },
  account: {
    // "Resource Identifiers". The root compartment has the tenancy's OCID.
    pattern: /^ocid1\.(?:compartment|tenancy)\.[a-z0-9-]+\.[a-z0-9-]*(?:\.[a-z0-9-]+)?\.[a-z0-9]+$/,
    advice:
      'is not the OCID of a compartment (ocid1.compartment.oc1..…): write that of the reserved public IPs.',
    needed: compartmentNeeded,
    help: 'the OCID of the compartment of the reserved public IPs, which must be written',
  },
  // Oracle publishes no rate: a call too many is answered 429 ("API Errors", TooManyRequests). An assignment takes 15 calls, of which two
  // change something, and more the longer the changes take: they are read once a second. At 2 a second that is about 50 calls.
  pacing: { burst: 10, perSecond: 2 },
  pacingHelp: 'Oracle Cloud publishes no limit; an assignment takes about 25 calls.',
  filter: {
    parse: parseFilter,
    isLikely: beginsWithTagCondition,
    help: 'freeformTags.kubeip=reserved;definedTags.<namespace>.<key>=<value>;...',
  },
  order: { parse: parseOrder, help: 'timeCreated, displayName or ipAddress, also with " desc"' },
  emptyListAdvice:
    'Reserved public IPs of other compartments are not among them, those of compartments below it neither.',
  rangeFamilies: [],
  // Oracle's price list has no entry for public IPs.
  idlePrice: { ipv4: 0, ipv6: 0 },
  rpcSystem: 'oci-api',
  clusterMark: {
    of: (cluster) =>
      `the system tag orcl-containerengine.Cluster=${cluster} (or oke-cluster-display-name in its metadata)`,
    help: 'the system tag orcl-containerengine.Cluster, or oke-cluster-display-name in its metadata',
  },
  holderOf: ({ instanceId }) => instanceId,
  instanceOfKey: (key) => ({ id: key, zone: '' }),
  open: async (options) => {
    const { account: compartment } = options;
    if (compartment === undefined) {
      throw new CloudError('Invalid', compartmentNeeded, { code: 'NO_COMPARTMENT' });
    }
    const { createOciProvider } = await import('./oci-provider.ts');
    return createOciProvider({ ...options, compartment });
  },
};

/**
 * @param text an availability domain, with the tenancy's prefix or without: `Uocm:EU-FRANKFURT-1-AD-1`, `US-ASHBURN-AD-1`, `PHX-AD-1`
 * @returns its region; undefined if it is none
 */
function regionOfDomain(text: string): string | undefined {
  const name = /^(?:[A-Za-z0-9]{4}:)?([A-Z]+(?:-[A-Z]+){0,2}(?:-[0-9])?)-AD-[0-9]$/
    .exec(text)?.[1]
    ?.toLowerCase();
  if (name === undefined) return undefined;
  // The oldest regions' domains have names of their own: one of them is the region without its number.
  return keys[name] ?? (name === 'us-ashburn' ? keys['iad'] : name);
}
