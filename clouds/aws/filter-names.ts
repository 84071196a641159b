/** The filters that EC2 knows for what pools are made of, so that a slip is found before any call is made. */
import { closest, distance } from 'fastest-levenshtein';
import type { Family } from '../../model/address.ts';

/**
 * From "DescribeAddresses", Amazon EC2 API Reference. `domain` and `tag-value` stood there in earlier versions and are
 * still taken.
 */
const addressFilters = [
  'allocation-id',
  'domain',
  'network-border-group',
  'public-ip',
  'tag-key',
  'tag-value',
];

/** What an association changes: an address would leave its pool as soon as it is in use, or enter one by it. */
const changingFilters = [
  'association-id',
  'instance-id',
  'network-interface-id',
  'network-interface-owner-id',
  'private-ip-address',
];

/** From "GetSubnetCidrReservations", Amazon EC2 API Reference. */
const reservationFilters = ['reservationType', 'subnet-id', 'tag-key'];

const listed: Readonly<Record<Family, { readonly action: string; readonly names: readonly string[] }>> = {
  ipv4: { action: 'DescribeAddresses', names: addressFilters },
  ipv6: { action: 'GetSubnetCidrReservations', names: reservationFilters },
};

/** @returns what is wrong with the name and what would be right; undefined if EC2 knows it */
export function checkFilterName(name: string, family: Family): string | undefined {
  const { action, names } = listed[family];
  if (name.startsWith('tag:')) return name.length > 4 ? undefined : '"tag:" needs a tag key after the colon';
  if (names.includes(name)) return undefined;
  if (family === 'ipv4' && changingFilters.includes(name)) {
    return `"${name}" changes with every association, so it cannot tell what is of the pool; leave it out, free addresses are found without it`;
  }
  const known = `EC2 knows tag:<key>, ${names.join(', ')}`;
  const wanted = nearest(name, names);
  return `"${name}" is no filter of ${action}${wanted === undefined ? '' : `; did you mean "${wanted}"?`} (${known})`;
}

function nearest(name: string, names: readonly string[]): string | undefined {
  // EC2's names are case-sensitive: `Tag:env` and `tag=env` are the commonest slips.
  const tag = /^tag[:=](.+)$/i.exec(name);
  if (tag) return `tag:${tag[1]}`;
  // KubeIP's order takes AllocationId where the filter wants allocation-id.
  const dashed = name.replaceAll(/(?<=[a-z])(?=[A-Z])|_/g, '-').toLowerCase();
  const candidate = closest(dashed, [...names]);
  return distance(dashed, candidate) <= 3 ? candidate : undefined;
}
