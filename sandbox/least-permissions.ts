/** The emulators' IAM with the documented permissions and no others. */
import { awsIpv6Permissions, awsPermissions } from '../clouds/aws/permissions.ts';
import { gcpPermissions, gcpIpv6Permissions } from '../clouds/gcp/permissions.ts';
import { ociPermissions } from '../clouds/oci/permissions.ts';

/** For `configure({ allowed })` of the EC2 emulator. GetCallerIdentity takes no permission ("GetCallerIdentity", STS API reference). */
export const leastOnEc2: readonly string[] = [
  ...Object.keys({ ...awsPermissions, ...awsIpv6Permissions }).map((name) => name.replace(/^ec2:/, '')),
  'GetCallerIdentity',
];

/**
 * For `configure({ allowed })` of the Compute Engine emulator. `wait` has no permission of its own, and whoever is asked about
 * may ask what it may do.
 */
export const leastOnGce: readonly string[] = [
  ...Object.keys({ ...gcpPermissions, ...gcpIpv6Permissions }).map((name) => name.replace(/^compute\./, '')),
  'zoneOperations.wait',
  'instances.testIamPermissions',
  'addresses.testIamPermissions',
  'subnetworks.testIamPermissions',
];

/** For `configure({ allowed })` of the Oracle Cloud emulator, which asks for operations as well as for the permissions that they take. */
export const leastOnOci: readonly string[] = [
  ...Object.keys(ociPermissions),
  ...new Set(Object.values(ociPermissions).flat()),
];
