/** What must hold before an ephemeral address is removed to make room: it would be missed if the rest then failed. */
import type { AddressRef, InstanceRef } from '../../model/address.ts';
import { CloudError } from '../provider.ts';
import type { Target } from './access-configs.ts';
import type { FoundAddress } from './addresses.ts';
import { interfaceWith, type FoundInstance } from './instances.ts';
import { sameIp } from '../ip.ts';

/** @throws CloudError `NotFound` if the instance shuts down or is stopped */
export function livingTarget(found: FoundInstance, ref: InstanceRef): Target {
  if (found.alive && found.primary !== undefined) return { found, nic: found.primary };
  throw new CloudError('NotFound', `Instance ${ref.id} is stopped or shuts down, so it gets no address.`);
}

/**
 * @param wanted as it was claimed
 * @throws CloudError `NotFound` if another address is reserved under the name by now; `InUse`; `Unavailable` if the instance itself uses it
 * and no interface shows it: then an earlier addition is still under way
 */
export function checkFree(
  { address, holder: user }: FoundAddress,
  wanted: AddressRef,
  { found }: Target,
): void {
  const { id, ip } = wanted;
  if (!sameIp(address.ip, ip)) {
    throw new CloudError('NotFound', `${ip} (${id}) is not reserved any more: ${id} is now ${address.ip}.`);
  }
  if (address.association === undefined) return;
  const isOwn = user?.instance === found.name && user.zone === found.zone;
  if (isOwn && interfaceWith(found, ip) === undefined) {
    throw new CloudError(
      'Unavailable',
      `${ip} (${id}) is in use by instance ${found.name}, whose interfaces do not show it yet: it is still being added or removed.`,
    );
  }
  const holder = isOwn ? `another interface of instance ${found.name}` : address.association.id;
  throw new CloudError('InUse', `${ip} (${id}) is held by ${holder}.`, {
    code: 'IP_IN_USE_BY_ANOTHER_RESOURCE',
  });
}

/** @throws CloudError `Invalid` if the interface can never have the address */
export function checkFits({ found, nic }: Target, { address, subnetwork }: FoundAddress): void {
  const refuse = (why: string, isOfPair = false): never => {
    throw new CloudError(
      'Invalid',
      `Instance ${found.name} cannot have ${address.ip} (${address.id}): ${why}`,
      { isOfPair },
    );
  };
  if (address.family === 'ipv4') {
    if (nic.stackType === 'IPV6_ONLY') refuse('its interface is IPv6 only.');
    return;
  }
  if (nic.stackType === 'IPV6_ONLY') {
    refuse(
      'its interface is IPv6 only. Its address comes and goes with the stack type, which is changed between IPV4_ONLY and IPV4_IPV6 only.',
    );
  }
  if (nic.internalIpv6) {
    refuse("its subnetwork's IPv6 access type is INTERNAL, which allows no external addresses.");
  }
  if (subnetwork !== undefined && nic.subnetwork !== undefined && subnetwork !== nic.subnetwork) {
    refuse(
      `an IPv6 address serves its own subnetwork only, ${subnetwork}; the instance is in ${nic.subnetwork}.`,
      true,
    );
  }
}
