/**
 * The IAM permissions that the GCP provider uses: all that a custom role for the worker must contain. Each is named
 * with the call that needs it ("Compute Engine IAM roles and permissions" and the REST reference, Google Cloud
 * documentation).
 */
export const gcpPermissions = {
  'compute.instances.get': 'instances.get',
  /** Many nodes at once are read by one call. */
  'compute.instances.list': 'instances.list',
  'compute.instances.addAccessConfig': 'instances.addAccessConfig',
  'compute.instances.deleteAccessConfig': 'instances.deleteAccessConfig',
  'compute.addresses.get': 'addresses.get',
  'compute.addresses.list': 'addresses.list',
  /** For the address that goes into the access config. */
  'compute.addresses.use': 'instances.addAccessConfig',
  /** For the subnetwork of the node's interface; in a shared VPC it is granted in the host project. */
  'compute.subnetworks.useExternalIp': 'instances.addAccessConfig',
  /** `wait` has no permission of its own. */
  'compute.zoneOperations.get': 'zoneOperations.wait',
} as const;

/** Needed in addition by IPv6 pools: an external IPv6 address comes and goes with the interface's stack type. */
export const gcpIpv6Permissions = {
  'compute.instances.updateNetworkInterface': 'instances.updateNetworkInterface',
  'compute.subnetworks.use': 'instances.updateNetworkInterface',
} as const;

type Permissions = typeof gcpPermissions & typeof gcpIpv6Permissions;

/** A permission by its name. */
export type GcpPermission = keyof Permissions;

/** Called to find out what the identity may do; they change nothing. */
type GcpDiagnosticAction = `compute.${'instances' | 'addresses' | 'subnetworks'}.testIamPermissions`;

/** Every method of the Compute Engine API that is called. */
export type GcpAction =
  | `compute.${Permissions[GcpPermission]}`
  | GcpDiagnosticAction
  | 'compute.zoneOperations.get';

/** @returns the permissions that a call cannot do without, in the order of the lists above */
export function permissionsOf(action: GcpAction): string[] {
  return Object.entries({ ...gcpPermissions, ...gcpIpv6Permissions })
    .filter(([, method]) => `compute.${method}` === action)
    .map(([permission]) => permission);
}
