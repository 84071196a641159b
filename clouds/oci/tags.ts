/** Freeform and defined tags of OCI ("Overview of Tagging", Oracle Cloud Infrastructure documentation). Pure. */

/** What of a resource carries its tags. */
export interface Tagged {
  readonly freeformTags?: Readonly<Record<string, string>> | null;
  readonly definedTags?: Readonly<Record<string, Readonly<Record<string, unknown>>>> | null;
}

/**
 * Set on a reserved public IP that was assigned in place of an ephemeral one, by the call that assigns it. Its value is the private IP
 * that it was assigned to; it counts for that one only. A release, also by another worker, sees by it that an ephemeral public IP must
 * come back.
 */
const IN_PLACE_OF_EPHEMERAL = 'kubeip-temporal-in-place-of-ephemeral';

/** A resource has at most so many freeform tags. */
const MAX_FREEFORM_TAGS = 10;

/** @returns whether the public IP was assigned to this private IP in place of an ephemeral one */
export function isInPlaceOfEphemeral(publicIp: Tagged, privateIpId: string): boolean {
  return publicIp.freeformTags?.[IN_PLACE_OF_EPHEMERAL] === privateIpId;
}

/**
 * @param privateIpId where an ephemeral public IP gives way; undefined: nowhere
 * @returns the freeform tags that the public IP is to have; undefined: those that it has. Where there is no room for one more, it is left out
 */
export function markedTags(
  { freeformTags }: Tagged,
  privateIpId: string | undefined,
): Record<string, string> | undefined {
  const { [IN_PLACE_OF_EPHEMERAL]: present, ...others } = freeformTags ?? {};
  if (present === privateIpId) return undefined;
  if (privateIpId === undefined) return others;
  if (Object.keys(others).length >= MAX_FREEFORM_TAGS) return present === undefined ? undefined : others;
  return { ...others, [IN_PLACE_OF_EPHEMERAL]: privateIpId };
}

/**
 * @returns the tags of a resource as one record: freeform tags by their keys, defined tags as `<namespace>.<key>`. The mark of this
 * program is left out
 */
export function tagsOf({ freeformTags, definedTags }: Tagged): Record<string, string> {
  const { [IN_PLACE_OF_EPHEMERAL]: _mark, ...freeform } = freeformTags ?? {};
  const defined = Object.entries(definedTags ?? {}).flatMap(([namespace, values]) =>
    Object.entries(values).map(([key, value]) => [`${namespace}.${key}`, String(value)] as const),
  );
  return { ...Object.fromEntries(defined), ...freeform };
}
