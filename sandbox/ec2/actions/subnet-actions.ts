/** DescribeSubnets: subnets are names with a zone and an IPv6 block; each region begins with one in three of its zones. */
import { compileFilters, FILTER_PARAMETERS, hasFilters } from '../filters.ts';
import { cutPage, PAGE_PARAMETERS } from '../pages.ts';
import { items, type XmlNode } from '../query-xml.ts';
import { checkId, notFound } from '../resource-ids.ts';
import type { SubnetRecord } from '../region-state.ts';
import type { Ec2Action } from './action.ts';

const describe: Ec2Action = {
  mutating: false,
  parameters: [...FILTER_PARAMETERS, ...PAGE_PARAMETERS, 'SubnetId.N'],
  unfiltered: (parameters) => !hasFilters(parameters) && parameters.list('SubnetId').length === 0,
  run({ account, region, parameters }) {
    const ids = parameters.list('SubnetId');
    for (const id of ids) checkId('subnet', id);
    const missing = ids.filter((id) => !region.subnets.has(id));
    if (missing.length > 0) throw notFound('subnet', missing);
    const matches = compileFilters<SubnetRecord>(parameters, {
      fields: {
        'availability-zone': (subnet) => [subnet.zone],
        'default-for-az': () => [true],
        'ipv6-cidr-block-association.association-id': (subnet) => [ipv6AssociationId(subnet)],
        'ipv6-cidr-block-association.ipv6-cidr-block': (subnet) => [subnet.ipv6Cidr],
        'ipv6-cidr-block-association.state': (subnet) => [subnet.ipv6Cidr && 'associated'],
        'owner-id': () => [account.accountId],
        state: () => ['available'],
        'subnet-id': (subnet) => [subnet.subnetId],
        'vpc-id': () => [region.vpcId],
      },
    });
    const named = [...region.subnets.values()].filter(
      ({ subnetId }) => ids.length === 0 || ids.includes(subnetId),
    );
    const page = cutPage(named.filter(matches), parameters);
    const subnetSet = page.items.map(({ subnetId, zone, ...subnet }) => ({
      subnetId,
      vpcId: region.vpcId,
      ownerId: account.accountId,
      availabilityZone: zone,
      state: 'available',
      cidrBlock: '10.0.0.0/8',
      ipv6CidrBlockAssociationSet: items(ipv6Associations({ subnetId, zone, ...subnet })),
      assignIpv6AddressOnCreation: false,
      defaultForAz: true,
      mapPublicIpOnLaunch: false,
    }));
    return { subnetSet: items(subnetSet), nextToken: page.nextToken };
  },
};

export const subnetActions: Readonly<Record<string, Ec2Action>> = { DescribeSubnets: describe };

function ipv6Associations(subnet: SubnetRecord): XmlNode[] {
  const { ipv6Cidr: ipv6CidrBlock } = subnet;
  const ipv6CidrBlockState = { state: 'associated' };
  const associationId = ipv6AssociationId(subnet);
  return ipv6CidrBlock === undefined ? [] : [{ associationId, ipv6CidrBlock, ipv6CidrBlockState }];
}

function ipv6AssociationId({ subnetId, ipv6Cidr }: SubnetRecord): string | undefined {
  return ipv6Cidr && subnetId.replace('subnet-', 'subnet-cidr-assoc-');
}
