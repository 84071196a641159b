/** Which permissions a call needs, and in which compartment: a statement of a policy is of one compartment. */
import { matchesAny } from '../cloud/wildcard.ts';
import { notFound, type OciError, relatedNotFound } from './oci-error.ts';
import type { OciSwitches } from './oci-switches.ts';
import type { Tenancy } from './tenancy.ts';
import type { PrivateIpRecord, PublicIpRecord, TenancyView, VnicRecord } from './tenancy-state.ts';

export interface NeededPermission {
  readonly permission: string;
  /** Where it is needed. Undefined: what it is about does not exist. */
  readonly compartmentId: string | undefined;
  /** What it is about is named in the body of the request. */
  readonly isOfBody?: boolean;
}

export function neededIn(
  compartmentId: string | undefined,
  ...permissions: readonly string[]
): NeededPermission[] {
  return permissions.map((permission) => ({ permission, compartmentId }));
}

/** @param privateIpId as the body names it; empty: none */
export function neededOfBody(tenancy: Tenancy, privateIpId: string, permission: string): NeededPermission {
  const compartmentId = compartmentOfPrivateIp(tenancy.state, privateIpId);
  return { permission, compartmentId, isOfBody: privateIpId !== '' };
}

/** What a permission is asked for depends on which kind of public IP it is about. */
export function readsOf(publicIp: PublicIpRecord | undefined): NeededPermission[] {
  const permission = publicIp?.lifetime === 'EPHEMERAL' ? 'PRIVATE_IP_READ' : 'PUBLIC_IP_READ';
  return neededIn(publicIp?.compartmentId, permission);
}

/**
 * Of an update of a reserved public IP. "Details for the Core Services" lists all five for the operation, and does not say whether an
 * update that assigns nothing needs them all.
 *
 * @param privateIpId undefined: it stays where it is; empty: nowhere
 */
export function updatesOf(
  tenancy: Tenancy,
  publicIp: PublicIpRecord | undefined,
  privateIpId: string | undefined,
): NeededPermission[] {
  const { updatePublicIpNeeds } = tenancy.switches;
  const where = publicIp?.compartmentId;
  const present = publicIp?.assigned?.privateIpId;
  const isAssigned = privateIpId !== undefined && privateIpId !== '';
  const isUnassigned = privateIpId !== undefined && present !== undefined;
  const needsAll = updatePublicIpNeeds === 'all';
  return [
    ...neededIn(where, 'PUBLIC_IP_UPDATE'),
    ...(needsAll || isAssigned
      ? [
          ...neededIn(where, 'PUBLIC_IP_ASSIGN_PRIVATE_IP'),
          neededOfBody(tenancy, privateIpId ?? '', 'PRIVATE_IP_ASSIGN_PUBLIC_IP'),
        ]
      : []),
    ...(needsAll || isUnassigned
      ? [
          ...neededIn(where, 'PUBLIC_IP_UNASSIGN_PRIVATE_IP'),
          ...neededIn(compartmentOfPrivateIp(tenancy.state, present ?? ''), 'PRIVATE_IP_UNASSIGN_PUBLIC_IP'),
        ]
      : []),
  ];
}

export function compartmentOfPrivateIp(view: TenancyView, privateIpId: string): string | undefined {
  const privateIp: PrivateIpRecord | undefined = view.privateIps.get(privateIpId);
  const vnic: VnicRecord | undefined = privateIp && view.vnics.get(privateIp.vnicId);
  return vnic?.compartmentId;
}

/** @returns the first that the caller lacks in its compartment */
export function lackedIn(
  { deniedIn }: Pick<OciSwitches, 'deniedIn'>,
  needed: readonly NeededPermission[],
): NeededPermission | undefined {
  return needed.find(({ permission, compartmentId }) =>
    deniedIn.some((one) => one.compartmentId === compartmentId && matchesAny(one.permissions, permission)),
  );
}

/** @returns the answer to a caller that lacks a permission: the same as for what does not exist */
export function refusalOf({ switches }: Tenancy, needed: NeededPermission | undefined): OciError {
  return needed?.isOfBody === true ? relatedNotFound(switches) : notFound();
}
