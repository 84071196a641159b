/** `spec.providerID` of a Node, as the cloud controller managers write it. */
import { cloudOf, providerNames } from '../clouds/registry.ts';
import type { InstanceRef } from '../model/address.ts';

const LONGEST_SHOWN = 200;

/**
 * Parses `aws:///eu-west-1a/i-0123456789abcdef0`, `gce://project/europe-west1-b/name` and `ocid1.instance.…`. Of AWS also `aws:////i-…` and
 * the bare id, of Oracle Cloud also `oci://ocid1.instance.…`, as their cloud controller managers do: then the zone is empty, and the instance
 * tells it.
 *
 * @returns the instance, or in `error` why this is none, as a sentence for a person
 */
export function parseProviderId(providerID: string): { instance: InstanceRef } | { error: string } {
  for (const provider of providerNames) {
    const found = cloudOf(provider).providerId.parse(providerID);
    if (found !== undefined) return { instance: { provider, ...found } };
  }
  // It goes into the Node's annotations and an Event, which take no text of any length.
  const shown = providerID.length > LONGEST_SHOWN ? `${providerID.slice(0, LONGEST_SHOWN)}…` : providerID;
  const forms = providerNames.map((name) => cloudOf(name).providerId);
  const near = forms.find(({ scheme, bare = `${scheme}:` }) =>
    [`${scheme}:`, bare].some((begin) => providerID.startsWith(begin)),
  );
  const schemes = forms.map(({ scheme }) => scheme).join(' and ');
  return {
    error: `providerID ${shown} ${near?.advice ?? `is of a cloud that is not supported: ${schemes} are`}`,
  };
}

/**
 * @param label the Node's region by its label
 * @returns the region as the configuration has it
 */
export function regionOf(providerID = '', label?: string): string | undefined {
  const found = parseProviderId(providerID);
  if (label === undefined || 'error' in found) return label;
  return cloudOf(found.instance.provider).region.of(label) ?? label;
}
