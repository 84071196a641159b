/** KubeIP's order for addresses of Compute Engine, which has two (addresses.list, `orderBy`). */
import type { protos } from '@google-cloud/compute';
import { checkOrderLength } from '../filter-length.ts';
import { CloudError } from '../provider.ts';

type GceAddress = protos.google.cloud.compute.v1.IAddress;

/** Negative: the first comes first. Never 0 for two addresses of one region. */
export type AddressOrder = (a: GceAddress, b: GceAddress) => number;

const byName: AddressOrder = (a, b) => compareNames(a.name ?? '', b.name ?? '');

const orders: Readonly<Record<string, AddressOrder>> = {
  '': byName,
  name: byName,
  'creationTimestamp desc': (a, b) => createdAt(b) - createdAt(a) || byName(a, b),
};

/**
 * @param orderBy as a user wrote it; empty stands for the order of names, as with Compute Engine
 * @throws CloudError `Invalid`, naming the orders there are
 */
export function parseOrder(orderBy: string): AddressOrder {
  checkOrderLength(orderBy);
  const text = orderBy.trim().replaceAll(/\s+/g, ' ');
  const order = Object.hasOwn(orders, text) ? orders[text] : undefined;
  if (order === undefined) {
    throw new CloudError(
      'Invalid',
      `Order "${orderBy}": Compute Engine sorts addresses by "name" or by "creationTimestamp desc" only (written so), by no label and no other field.`,
    );
  }
  return order;
}

/** Timestamps carry the offset of the zone they were made in, so they do not compare as text. */
function createdAt({ creationTimestamp }: GceAddress): number {
  return Date.parse(creationTimestamp ?? '') || 0;
}

function compareNames(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
