/**
 * KubeIP's order syntax for Elastic IPs: `Tag:<key>`, or the name of a field as DescribeAddresses returns it.
 * Compared as strings, as KubeIP does: `10.0.0.9` comes after `10.0.0.10`.
 */
import type { Address } from '@aws-sdk/client-ec2';
import type { Family } from '../../model/address.ts';
import { checkOrderLength } from '../filter-length.ts';
import { CloudError } from '../provider.ts';

const orderFields = [
  'AllocationId',
  'AssociationId',
  'CarrierIp',
  'CustomerOwnedIp',
  'CustomerOwnedIpv4Pool',
  'Domain',
  'InstanceId',
  'NetworkBorderGroup',
  'NetworkInterfaceId',
  'NetworkInterfaceOwnerId',
  'PrivateIpAddress',
  'PublicIp',
  'PublicIpv4Pool',
  'SubnetId',
] as const satisfies readonly (keyof Address)[];

/** Negative: the first comes first. Never 0 for two addresses with distinct allocation ids. */
export type AddressOrder = (a: Address, b: Address) => number;

/**
 * @param orderBy as a user wrote it; the case of `Tag:` and of field names does not matter, that of a tag's key does
 * @returns the order: addresses without the tag or field come last, ties go by allocation id; undefined if `orderBy`
 * is empty, which stands for EC2's own order
 * @throws CloudError `Invalid`, naming the fields there are; for IPv6 whenever `orderBy` is not empty
 */
export function parseOrder(orderBy: string, family: Family = 'ipv4'): AddressOrder | undefined {
  checkOrderLength(orderBy);
  const text = orderBy.trim();
  if (text === '') return undefined;
  if (family === 'ipv6') {
    throw new CloudError(
      'Invalid',
      `Order "${orderBy}": the IPv6 addresses of a CIDR reservation have neither tags nor fields to order them by. Leave the order out: they are taken in ascending order.`,
    );
  }
  const tag = /^tag:(.*)$/i.exec(text);
  if (tag) {
    const key = tag[1]?.trim() ?? '';
    if (key === '') throw new CloudError('Invalid', `Order "${orderBy}": a tag key is missing after "Tag:".`);
    return by((address) => address.Tags?.find((tag) => tag.Key === key)?.Value);
  }
  const field = orderFields.find((name) => name.toLowerCase() === text.toLowerCase());
  if (field === undefined) {
    throw new CloudError(
      'Invalid',
      `Order "${orderBy}": not a field of an Elastic IP. Use Tag:<key> or one of ${orderFields.join(', ')}.`,
    );
  }
  return by((address) => address[field]);
}

function by(key: (address: Address) => string | undefined): AddressOrder {
  return (a, b) => compare(key(a), key(b)) || compare(a.AllocationId, b.AllocationId);
}

/** Absent comes last. EC2 answers some absent fields as empty elements, which are absent here. */
function compare(a: string | undefined, b: string | undefined): number {
  const left = a ?? '';
  const right = b ?? '';
  if (left === right) return 0;
  if (left === '' || right === '') return left === '' ? 1 : -1;
  return left < right ? -1 : 1;
}
