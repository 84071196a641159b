/** Reading an address back: is it where the association says? Reads only. */
import { ApplicationFailure } from '@temporalio/common';
import { CloudError, type CloudProvider } from '../clouds/provider.ts';
import type { AddressRef, Association, InstanceRef } from '../model/address.ts';
import type { ScopeActivities } from './contract.ts';

/** By then some seconds have passed, as the workflows retry `verify`. */
const BELIEVED_FROM_ATTEMPT = 5;

export type VerifyInput = Parameters<ScopeActivities['verify']>[0];

/**
 * @param attempt of the activity, from 1
 * @returns the association as the provider shows it
 * @throws ApplicationFailure `NotVisibleYet` while the provider does not show the address on this instance
 * @throws CloudError `InUse` once it is believed that another has it; whatever the provider throws
 */
export async function verifyAssociation(
  provider: CloudProvider,
  { instance, address, query, association }: VerifyInput,
  attempt: number,
): Promise<Association> {
  const shown = (await provider.readAddress(query, address.id))?.association;
  if (shown !== undefined && isSameHolder(shown, association, instance)) return shown;
  throw notOn(instance, address, shown, attempt);
}

/** The interface tells more than the instance, whose name is unique in its zone only on GCE. */
function isSameHolder(shown: Association, expected: Association, instance: InstanceRef): boolean {
  if (expected.networkInterfaceId === undefined) return shown.instanceId === instance.id;
  return shown.networkInterfaceId === expected.networkInterfaceId;
}

/**
 * The provider's lists are some seconds old: one that shows the address with its last holder is believed only when it is
 * still shown so at a later attempt. Otherwise a node would give up an address that it has.
 */
function notOn(
  instance: InstanceRef,
  address: AddressRef,
  association: Association | undefined,
  attempt: number,
): Error {
  if (association !== undefined && attempt >= BELIEVED_FROM_ATTEMPT) {
    const holder = association.instanceId ?? association.networkInterfaceId ?? 'another interface';
    return new CloudError('InUse', `${address.ip} is associated with ${holder}, not with ${instance.id}`);
  }
  return ApplicationFailure.create({
    type: 'NotVisibleYet',
    message: `${address.ip} is not shown on ${instance.id} (yet)`,
    category: 'BENIGN',
  });
}
