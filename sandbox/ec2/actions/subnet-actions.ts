/** DescribeSubnets: subnets are only names with a zone here; each region begins with one in three of its zones. */
import { compileFilters, FILTER_PARAMETERS, hasFilters } from '../filters.ts';
import { cutPage, PAGE_PARAMETERS } from '../pages.ts';
import { items } from '../query-xml.ts';
import { checkId, notFound } from '../resource-ids.ts';
import type { RegionState } from '../region-state.ts';
import type { Ec2Action } from './action.ts';

interface SubnetRecord {
  readonly sequence: number;
  readonly subnetId: string;
  readonly zone: string;
}

const describe: Ec2Action = {
  mutating: false,
  parameters: [...FILTER_PARAMETERS, ...PAGE_PARAMETERS, 'SubnetId.N'],
  unfiltered: (parameters) => !hasFilters(parameters) && parameters.list('SubnetId').length === 0,
  run({ account, region, parameters }) {
    const ids = parameters.list('SubnetId');
    for (const id of ids) checkId('subnet', id);
    const missing = ids.filter((id) => !region.subnetZones.has(id));
    if (missing.length > 0) throw notFound('subnet', missing);
    const matches = compileFilters<SubnetRecord>(parameters, {
      fields: {
        'availability-zone': (subnet) => [subnet.zone],
        'owner-id': () => [account.accountId],
        state: () => ['available'],
        'subnet-id': (subnet) => [subnet.subnetId],
        'vpc-id': () => [region.vpcId],
      },
    });
    const named = subnetsOf(region).filter(({ subnetId }) => ids.length === 0 || ids.includes(subnetId));
    const page = cutPage(named.filter(matches), parameters);
    const subnetSet = page.items.map(({ subnetId, zone }) => ({
      subnetId,
      vpcId: region.vpcId,
      ownerId: account.accountId,
      availabilityZone: zone,
      state: 'available',
      cidrBlock: '10.0.0.0/8',
      mapPublicIpOnLaunch: false,
    }));
    return { subnetSet: items(subnetSet), nextToken: page.nextToken };
  },
};

export const subnetActions: Readonly<Record<string, Ec2Action>> = { DescribeSubnets: describe };

function subnetsOf(region: RegionState): SubnetRecord[] {
  return [...region.subnetZones].map(([subnetId, zone], index) => ({ sequence: index + 1, subnetId, zone }));
}
