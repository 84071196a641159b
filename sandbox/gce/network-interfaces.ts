/** Network interfaces: found, replaced, and changed by updateNetworkInterface. */
import { GceError, invalidValue, requiredField } from './gce-error.ts';
import type { GceProject } from './gce-project.ts';
import { fingerprintOf, type InstanceRecord, type NetworkInterfaceRecord } from './project-state.ts';

/** @throws GceError `invalid` */
export function findInterface(
  { networkInterfaces }: InstanceRecord,
  name: string,
  field = 'networkInterface',
): NetworkInterfaceRecord {
  const found = networkInterfaces.find((one) => one.name === name);
  if (found !== undefined) return found;
  throw invalidValue(field, name, 'Must be a valid network interface name (e.g. nic0, nic1)');
}

/** Puts an interface in the place of the one of its name, with a new fingerprint. */
export function replaceInterface(
  project: GceProject,
  instance: InstanceRecord,
  changed: NetworkInterfaceRecord,
): InstanceRecord {
  const revision = changed.revision + 1;
  const replaced = {
    ...instance,
    networkInterfaces: instance.networkInterfaces.map((one) =>
      one.name === changed.name ? { ...changed, revision } : one,
    ),
  };
  project.state.putInstance(replaced);
  return replaced;
}

/** @throws GceError `required` without a fingerprint, `conditionNotMet` (412) with an old one */
export function checkFingerprint(networkInterface: NetworkInterfaceRecord, given: string | undefined): void {
  if (given === undefined || given === '') throw requiredField('resource.fingerprint');
  if (given !== fingerprintOf(networkInterface)) {
    throw new GceError('conditionNotMet', 'Invalid fingerprint.');
  }
}
