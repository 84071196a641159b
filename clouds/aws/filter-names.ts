/** The filters that EC2's DescribeAddresses knows, so that a slip is found before any call is made. */
import { closest, distance } from 'fastest-levenshtein';

/**
 * From "DescribeAddresses", Amazon EC2 API Reference. `domain` and `tag-value` stood there in earlier versions and are
 * still taken.
 */
const filterNames = [
  'allocation-id',
  'association-id',
  'domain',
  'instance-id',
  'network-border-group',
  'network-interface-id',
  'network-interface-owner-id',
  'private-ip-address',
  'public-ip',
  'tag-key',
  'tag-value',
];

/** @returns what is wrong with the name and what would be right; undefined if EC2 knows it */
export function checkFilterName(name: string): string | undefined {
  if (name.startsWith('tag:')) return name.length > 4 ? undefined : '"tag:" needs a tag key after the colon';
  if (filterNames.includes(name)) return undefined;
  const known = `EC2 knows tag:<key>, ${filterNames.join(', ')}`;
  const wanted = nearest(name);
  return `"${name}" is no filter of DescribeAddresses${wanted === undefined ? '' : `; did you mean "${wanted}"?`} (${known})`;
}

function nearest(name: string): string | undefined {
  // EC2's names are case-sensitive: `Tag:env` and `tag=env` are the commonest slips.
  const tag = /^tag[:=](.+)$/i.exec(name);
  if (tag) return `tag:${tag[1]}`;
  // KubeIP's order takes AllocationId where the filter wants allocation-id.
  const dashed = name.replaceAll(/(?<=[a-z])(?=[A-Z])|_/g, '-').toLowerCase();
  const candidate = closest(dashed, filterNames);
  return distance(dashed, candidate) <= 3 ? candidate : undefined;
}
