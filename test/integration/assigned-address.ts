import type { AddressRef } from '../../model/address.ts';
import type { AssignIpStatus } from '../../workflows/messages.ts';

/** The first address that a node's status shows: of a pool with one family, the address. */
export function addressOf({ addresses }: Pick<AssignIpStatus, 'addresses'>): AddressRef | undefined {
  return addresses.find(({ address }) => address !== undefined)?.address;
}

/** The token of the claim under which a node got its first address. */
export function tokenOf({ addresses }: Pick<AssignIpStatus, 'addresses'>): number | undefined {
  return addresses.find(({ address }) => address !== undefined)?.token;
}
