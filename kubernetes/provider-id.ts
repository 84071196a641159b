/** `spec.providerID` of a Node, as the cloud controller managers write it. */
import type { InstanceRef } from '../model/address.ts';

const LONGEST_SHOWN = 200;

/**
 * Parses `aws:///eu-west-1a/i-0123456789abcdef0` and `gce://project/europe-west1-b/name`. Of AWS also `aws:////i-…` and the bare id, as its
 * cloud controller manager does: then the zone is empty, and the instance tells it.
 *
 * @returns the instance, or in `error` why this is none, as a sentence for a person
 */
export function parseProviderId(providerID: string): { instance: InstanceRef } | { error: string } {
  const aws = /^(?:aws:\/\/[^/]*\/(?<zone>[a-z0-9-]*)\/)?(?<id>i-[0-9a-f]+)$/.exec(providerID)?.groups;
  if (aws) return instance('aws', aws['id'], aws['zone']);

  const gce = /^gce:\/\/(?<project>[^/]+)\/(?<zone>[a-z0-9-]+)\/(?<id>[a-z0-9-]+)$/.exec(providerID)?.groups;
  if (gce) return instance('gcp', gce['id'], gce['zone'], gce['project']);

  // It goes into the Node's annotations and an Event, which take no text of any length.
  const shown = providerID.length > LONGEST_SHOWN ? `${providerID.slice(0, LONGEST_SHOWN)}…` : providerID;
  if (providerID.startsWith('aws:')) {
    return {
      error: `providerID ${shown} is not an EC2 instance (aws:///<zone>/i-…): it has no Elastic IP`,
    };
  }
  if (providerID.startsWith('gce:')) {
    return { error: `providerID ${shown} is not a GCE instance (gce://<project>/<zone>/<name>)` };
  }
  return { error: `providerID ${shown} is of a cloud that is not supported: aws and gce are` };
}

function instance(
  provider: InstanceRef['provider'],
  id: string | undefined,
  zone: string | undefined,
  account?: string,
): { instance: InstanceRef } {
  const named = account === undefined ? {} : { account };
  return { instance: { provider, id: id ?? '', zone: zone ?? '', ...named } };
}
