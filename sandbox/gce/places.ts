/** Regions, zones and the names of resources. */
import { GceError, invalidValue } from './gce-error.ts';

/** Where something is: in a zone or in a region. */
export interface Location {
  readonly kind: 'zones' | 'regions';
  readonly name: string;
}

export function inZone(name: string): Location {
  return { kind: 'zones', name };
}

export function inRegion(name: string): Location {
  return { kind: 'regions', name };
}

/** @throws GceError `invalid` */
export function checkRegion(region: string): void {
  if (!/^[a-z]+-[a-z]+\d+$/.test(region)) throw invalidValue('region', region, 'Unknown region.');
}

/** @throws GceError `invalid` */
export function checkZone(zone: string): void {
  if (!/^[a-z]+-[a-z]+\d+-(?:[a-f]|ai\d+[a-f])$/.test(zone))
    throw invalidValue('zone', zone, 'Unknown zone.');
}

/** @returns the region of a zone */
export function regionOf(zone: string): string {
  return zone.replace(/-[a-z0-9]+$/, '');
}

/** @throws GceError `invalid` for a name that is not RFC 1035's */
export function checkName(name: string): void {
  const pattern = '(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)';
  if (new RegExp(`^${pattern}$`).test(name)) return;
  throw invalidValue('resource.name', name, `Must be a match of regex '${pattern}'`);
}

/** @throws GceError `invalid` ("Requirements for labels", Resource Manager documentation) */
export function checkLabels(labels: ReadonlyMap<string, string>): void {
  for (const [key, value] of labels) {
    if (!/^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$/u.test(key)) {
      throw invalidValue('resource.labels', key, 'The key of a label is not valid.');
    }
    if (!/^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u.test(value)) {
      throw invalidValue('resource.labels', value, 'The value of a label is not valid.');
    }
  }
}

/** @returns the last part of a path or URL, as requests name networks and subnetworks either way */
export function lastPart(reference: string): string {
  return reference.slice(reference.lastIndexOf('/') + 1);
}

/** @throws GceError `required` */
export function requiredParameter(name: string, value: string | undefined): string {
  if (value === undefined || value === '') {
    throw new GceError('required', `Required parameter: ${name}`);
  }
  return value;
}
