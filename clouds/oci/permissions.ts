/**
 * What the provider may do on OCI, as its policies name it ("Details for the Core Services", Oracle Cloud Infrastructure documentation).
 * A policy grants verbs on kinds of resources: the statements of docs/permissions.md come to these permissions.
 */

/** A permission, with the calls that need it. */
export const ociPermissions = {
  INSTANCE_READ: ['GetInstance', 'ListInstances'],
  INSTANCE_INSPECT: ['ListVnicAttachments'],
  VNIC_ATTACHMENT_READ: ['ListVnicAttachments'],
  VNIC_READ: ['GetVnic'],
  /** Of ephemeral public IPs too: they have no permissions of their own. */
  PRIVATE_IP_READ: ['ListPrivateIps', 'GetPrivateIp'],
  PRIVATE_IP_ASSIGN_PUBLIC_IP: ['UpdatePublicIp', 'CreatePublicIp'],
  PRIVATE_IP_UNASSIGN_PUBLIC_IP: ['UpdatePublicIp', 'DeletePublicIp'],
  PUBLIC_IP_READ: ['ListPublicIps', 'GetPublicIp', 'GetPublicIpByPrivateIpId', 'GetPublicIpByIpAddress'],
  PUBLIC_IP_UPDATE: ['UpdatePublicIp'],
  PUBLIC_IP_ASSIGN_PRIVATE_IP: ['UpdatePublicIp'],
  PUBLIC_IP_UNASSIGN_PRIVATE_IP: ['UpdatePublicIp'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** A permission by its name. */
export type OciPermission = keyof typeof ociPermissions;

/** Every operation of the API that is called. */
export type OciAction = (typeof ociPermissions)[OciPermission][number];

/** The compartment that a permission is needed in. */
export const whereOf = (permission: OciPermission): 'nodes' | 'addresses' =>
  permission.startsWith('PUBLIC_IP') ? 'addresses' : 'nodes';

/** @returns the permissions that an operation cannot do without, in the order of the list above */
export function permissionsOf(action: OciAction): OciPermission[] {
  return (Object.keys(ociPermissions) as OciPermission[]).filter((permission) =>
    (ociPermissions[permission] as readonly string[]).includes(action),
  );
}
