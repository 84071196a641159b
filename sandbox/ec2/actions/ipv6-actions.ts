/** AssignIpv6Addresses and UnassignIpv6Addresses. Prefixes are not emulated; neither knows a dry run. */
import { canonicalIpv6 } from '../../../clouds/aws/ipv6-range.ts';
import { invalidValue, missingParameter } from '../ec2-error.ts';
import { assignIpv6, unassignIpv6 } from '../ipv6-assignments.ts';
import { findNetworkInterface } from '../network-interfaces.ts';
import type { Parameters } from '../parameters.ts';
import type { XmlNode } from '../query-xml.ts';
import { checkId } from '../resource-ids.ts';
import type { NetworkInterfaceRecord, RegionState } from '../region-state.ts';
import type { Ec2Action } from './action.ts';
import { ipv6WishOf } from './ipv6-parameters.ts';

const assign: Ec2Action = {
  mutating: true,
  dryRun: false,
  parameters: ['NetworkInterfaceId', 'Ipv6Addresses.N', 'Ipv6AddressCount'],
  run({ account, region, parameters }) {
    const networkInterface = readInterface(region, parameters);
    const { networkInterfaceId, subnetId } = networkInterface;
    const wish = ipv6WishOf(region, {
      subnetId,
      present: networkInterface.ipv6Addresses.length,
      addresses: [...new Set(parameters.list('Ipv6Addresses'))],
      count: parameters.integer('Ipv6AddressCount', { min: 1, max: 1000 }),
    });
    if (wish === undefined) throw missingParameter('Ipv6Addresses');
    const added = assignIpv6(account, region, networkInterface, wish, 'api');
    return { networkInterfaceId, assignedIpv6Addresses: listOf(added) };
  },
};

const unassign: Ec2Action = {
  mutating: true,
  dryRun: false,
  parameters: ['NetworkInterfaceId', 'Ipv6Addresses.N'],
  run({ account, region, parameters }) {
    const networkInterface = readInterface(region, parameters);
    const addresses = [...new Set(parameters.list('Ipv6Addresses').map(canonical))];
    if (addresses.length === 0) throw missingParameter('Ipv6Addresses');
    unassignIpv6(account, region, networkInterface, addresses, 'api');
    const { networkInterfaceId } = networkInterface;
    return { networkInterfaceId, unassignedIpv6Addresses: listOf(addresses) };
  },
};

export const ipv6Actions: Readonly<Record<string, Ec2Action>> = {
  AssignIpv6Addresses: assign,
  UnassignIpv6Addresses: unassign,
};

function readInterface(region: RegionState, parameters: Parameters): NetworkInterfaceRecord {
  const id = parameters.required('NetworkInterfaceId');
  checkId('network-interface', id);
  return findNetworkInterface(region, id);
}

function canonical(text: string): string {
  const ip = canonicalIpv6(text);
  if (ip === undefined) throw invalidValue('ipv6Addresses', text, 'It is not an IPv6 address.');
  return ip;
}

/** Plain text in `<item>`s. */
function listOf(addresses: readonly string[]): XmlNode {
  return { item: addresses };
}
