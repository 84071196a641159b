/** The order of a pool on OCI. KubeIP v2.2 has none there; these are fields of a public IP. */
import { checkOrderLength } from '../filter-length.ts';
import { CloudError } from '../provider.ts';
import type { PublicIp } from './api.ts';

/** Negative: the first comes first. Never 0 for two public IPs. */
export type PublicIpOrder = (a: PublicIp, b: PublicIp) => number;

const fields: Readonly<Record<string, (publicIp: PublicIp) => string | number>> = {
  timeCreated: ({ timeCreated }) => Date.parse(timeCreated ?? '') || 0,
  displayName: ({ displayName }) => displayName ?? '',
  ipAddress: ({ ipAddress }) =>
    (ipAddress ?? '').split('.').reduce((number, byte) => number * 256 + Number(byte), 0),
};

/**
 * @param orderBy as a user wrote it: a field, and ` desc` for the reverse. Empty stands for `timeCreated`
 * @throws CloudError `Invalid`, naming the orders there are
 */
export function parseOrder(orderBy: string): PublicIpOrder {
  checkOrderLength(orderBy);
  const [field = '', direction, ...rest] = (orderBy.trim() || 'timeCreated').split(/\s+/);
  const read = Object.hasOwn(fields, field) ? fields[field] : undefined;
  if (read === undefined || rest.length > 0 || (direction !== undefined && direction !== 'desc')) {
    throw new CloudError(
      'Invalid',
      `Order "${orderBy}": on Oracle Cloud a pool is sorted by ${Object.keys(fields).join(', ')}, each also with " desc" (written so).`,
    );
  }
  const sign = direction === 'desc' ? -1 : 1;
  return (a, b) => sign * compare(read(a), read(b)) || compare(a.id, b.id);
}

function compare(a: string | number, b: string | number): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
