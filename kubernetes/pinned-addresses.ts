/** What the annotations of a Node say about the addresses that it is to have. */
import { type Family, families, isAddressName } from '../model/address.ts';
import { pinnedAnnotations } from './keys.ts';

export interface PinnedAddresses {
  /** What the node is to have, by IP or id, as it was written. */
  readonly pinned: Readonly<Partial<Record<Family, string>>>;
  /** Annotations whose value can be no address. */
  readonly ignored: readonly string[];
}

/** An annotation without a value pins nothing. Whether there is such an address is for the cloud to say. */
export function pinnedAddresses(annotations: Readonly<Record<string, string>>): PinnedAddresses {
  const pinned: Partial<Record<Family, string>> = {};
  const ignored: string[] = [];
  for (const family of families) {
    const annotation = pinnedAnnotations[family];
    const value = annotations[annotation]?.trim() ?? '';
    if (value === '') continue;
    if (isAddressName(value)) pinned[family] = value;
    else ignored.push(annotation);
  }
  return { pinned, ignored };
}

/**
 * @param pins by family: the address, by IP or id, or null for none
 * @returns the annotations to write, or (null) to remove
 */
export function pinAnnotations(
  pins: Readonly<Partial<Record<Family, string | null>>>,
): Record<string, string | null> {
  return Object.fromEntries(
    families.flatMap((family) =>
      pins[family] === undefined ? [] : [[pinnedAnnotations[family], pins[family]]],
    ),
  );
}
