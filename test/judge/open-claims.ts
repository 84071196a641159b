/** Which claims of a mutex are still worked on, by what the cloud has. */
import type { AddressPoolStatus } from '../../workflows/messages.ts';

/** An address as its cloud has it. */
interface PlacedAddress {
  readonly id: string;
  readonly instance?: string | undefined;
}

/**
 * @returns claims that are granted and not carried out. A node does not tell the mutex that it has its address: the next list shows it
 * (docs/decisions/0081)
 */
export function openClaims(
  { claims }: AddressPoolStatus,
  addresses: readonly PlacedAddress[],
): AddressPoolStatus['claims'][number][] {
  const instanceOf = new Map(addresses.map(({ id, instance }) => [id, instance]));
  return claims.filter(
    ({ state, address, instance }) => state === 'granted' && instanceOf.get(address.id) !== instance,
  );
}
