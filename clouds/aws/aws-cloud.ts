/** The registry's row for AWS. */
import type { Cloud } from '../cloud.ts';
import { parseFilter } from './filter.ts';
import { parseOrder } from './order.ts';

export const awsCloud: Cloud = {
  title: 'AWS',
  providerId: {
    scheme: 'aws',
    // `aws:///eu-west-1a/i-0123456789abcdef0`; also `aws:////i-…` and the bare id, as its cloud controller manager takes them.
    parse: (providerID) => {
      const found = /^(?:aws:\/\/[^/]*\/(?<zone>[a-z0-9-]*)\/)?(?<id>i-[0-9a-f]+)$/.exec(providerID)?.groups;
      return found && { id: found['id'] ?? '', zone: found['zone'] ?? '' };
    },
    advice: 'is not an EC2 instance (aws:///<zone>/i-…): it has no Elastic IP',
  },
  region: {
    of: (text) => /^([a-z]{2,}(-[a-z]+)+-[0-9]+)[a-z]?$/.exec(text)?.[1],
    advice: 'is not an AWS region: write one such as eu-west-1.',
    variables: ['AWS_REGION', 'AWS_DEFAULT_REGION'],
  },
  account: {
    pattern: /^[0-9]{12}$/,
    advice: 'is not an AWS account id: write its 12 digits in quotes, or leave it out.',
    help: 'the account id, 12 digits in quotes',
  },
  // EC2 allows 50 calls at once, then 5 a second, for all users of an account's region together ("Request throttling
  // for the Amazon EC2 API"). What is left below it is for grants that are delivered late and then make their calls together, and
  // for the account's other users: associations are rare but for nodes.
  pacing: { burst: 45, perSecond: 4.95 },
  pacingHelp: 'EC2 allows 50 at once and 5 a second to all users of the account.',
  filter: {
    parse: parseFilter,
    // The key in small letters is a common slip, which the parser names.
    isLikely: (text) => /^\s*Name\s*=.*,\s*Values\s*=/is.test(text),
    help: 'Name=tag:kubeip,Values=a,b;Name=...',
  },
  order: { parse: parseOrder, help: 'Tag:<key> or a field of DescribeAddresses, such as PublicIp' },
  // An IPv6 pool is a CIDR reservation of a subnet.
  rangeFamilies: ['ipv6'],
  // "Amazon VPC pricing", public IPv4 addresses.
  idlePrice: { ipv4: 0.005, ipv6: 0 },
  rpcSystem: 'aws-api',
  clusterMark: {
    of: (cluster) => `the tag kubernetes.io/cluster/${cluster}`,
    help: 'the tag kubernetes.io/cluster/<name>',
  },
  holderOf: ({ instanceId }) => instanceId,
  // Any zone of the region will do: the answer has the true one.
  instanceOfKey: (key, region) => ({ id: key, zone: `${region}a` }),
  open: async (options) => {
    const [{ createAwsProvider }, { resolveAwsAccount }] = await Promise.all([
      import('./aws-provider.ts'),
      import('./account.ts'),
    ]);
    return createAwsProvider({
      ...options,
      account: options.account ?? (await resolveAwsAccount(options)),
    });
  },
};
