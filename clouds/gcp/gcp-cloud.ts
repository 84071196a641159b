/** The registry's row for Google Cloud. */
import type { Cloud } from '../cloud.ts';
import { beginsWithAddressField, parseFilter } from './filter.ts';
import { parseOrder } from './order.ts';

export const gcpCloud: Cloud = {
  title: 'Google Cloud',
  providerId: {
    scheme: 'gce',
    // `gce://project/europe-west1-b/name`
    parse: (providerID) => {
      const found = /^gce:\/\/(?<project>[^/]+)\/(?<zone>[a-z0-9-]+)\/(?<id>[a-z0-9-]+)$/.exec(
        providerID,
      )?.groups;
      return found && { id: found['id'] ?? '', zone: found['zone'] ?? '', account: found['project'] ?? '' };
    },
    advice: 'is not a GCE instance (gce://<project>/<zone>/<name>)',
  },
  region: {
    of: (text) => /^([a-z]+-[a-z]+[0-9]+)(-[a-z])?$/.exec(text)?.[1],
    advice: 'is not a Google Cloud region: write one such as europe-west1.',
    variables: ['CLOUDSDK_COMPUTE_REGION'],
  },
  account: {
    // "Creating and managing projects", Google Cloud documentation; older ones have a domain in front.
    pattern: /^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$/,
    advice: 'is not a Google Cloud project id (not its name or number): write it, or leave it out.',
    help: 'the project id',
  },
  // Compute Engine allows 1,500 changes a minute to all users of a project's region together, and counts by the minute ("Compute Engine
  // rate quotas and system limits"). An association takes two of them: an access config deleted, another one added. So these come to
  // (200 + 60 × 5.5) × 2 = 1,060 in the busiest minute; GKE itself needs the rest.
  pacing: { burst: 200, perSecond: 5.5 },
  pacingHelp:
    'Compute Engine allows 1,500 changes a minute to all users of the project, of which an association takes two.',
  filter: {
    parse: parseFilter,
    isLikely: beginsWithAddressField,
    help: 'labels.kubeip=reserved;...',
  },
  order: { parse: parseOrder, help: 'name, or creationTimestamp desc' },
  emptyListAdvice:
    'Global addresses (made with --global) are not among those of a region, and no instance takes them.',
  rangeFamilies: [],
  // "VPC network pricing", static external addresses that are reserved and not used.
  idlePrice: { ipv4: 0.01, ipv6: 0 },
  rpcSystem: 'gcp-api',
  clusterMark: {
    of: (cluster) => `the label goog-k8s-cluster-name=${cluster} (or cluster-name in its metadata)`,
    help: 'the label goog-k8s-cluster-name, or cluster-name in its metadata',
  },
  // An association's id is the path of what uses the address, which has the zone.
  holderOf: ({ id, instanceId }) => {
    const zone = /zones\/([^/]+)\//.exec(id)?.[1];
    return zone === undefined || instanceId === undefined ? undefined : `${zone}/${instanceId}`;
  },
  instanceOfKey: (key) => {
    const [zone = '', id = ''] = key.split('/');
    return { id, zone };
  },
  open: async (options) => {
    const [{ createGcpProvider }, { resolveGcpProject }] = await Promise.all([
      import('./gcp-provider.ts'),
      import('./project.ts'),
    ]);
    return createGcpProvider({
      ...options,
      project: options.account ?? (await resolveGcpProject(options)),
    });
  },
};
