/** What a Node says about the addresses that it is to have, and whose word that is. Pure. */
import { type Family, families, isAddressName } from '../model/address.ts';
import type { PinPolicy } from '../model/node-identity.ts';
import { pinnedAnnotations, pinnedLabels } from './keys.ts';
import type { NodeView } from './nodes.ts';

export interface PinnedAddresses {
  /** What the node is to have, by IP or id, as it was written. */
  readonly pinned: Readonly<Partial<Record<Family, string>>>;
  /** By which of them: a label, which a kubelet may not set, or an annotation. */
  readonly pinnedBy: Readonly<Partial<Record<Family, 'label' | 'annotation'>>>;
  /** Annotations that pin nothing, and why. */
  readonly ignored: readonly { readonly annotation: string; readonly why: 'operatorOnly' | 'malformed' }[];
}

/**
 * A label takes precedence over an annotation. One without a value pins nothing. Whether there is such an address is for the cloud to say.
 *
 * @param policy whether annotations count, which a kubelet may write on its own Node
 */
export function pinnedAddresses(
  { annotations, labels }: Pick<NodeView, 'annotations' | 'labels'>,
  policy: PinPolicy,
): PinnedAddresses {
  const pinned: Partial<Record<Family, string>> = {};
  const pinnedBy: Partial<Record<Family, 'label' | 'annotation'>> = {};
  const ignored: PinnedAddresses['ignored'][number][] = [];
  for (const family of families) {
    const annotation = pinnedAnnotations[family];
    const label = labelValue(family, labels[pinnedLabels[family]] ?? '');
    const value = annotations[annotation]?.trim() ?? '';
    if (label !== '') {
      pinned[family] = label;
      pinnedBy[family] = 'label';
    } else if (value === '') continue;
    else if (policy !== 'annotation') ignored.push({ annotation, why: 'operatorOnly' });
    else if (!isAddressName(value)) ignored.push({ annotation, why: 'malformed' });
    else {
      pinned[family] = value;
      pinnedBy[family] = 'annotation';
    }
  }
  return { pinned, pinnedBy, ignored };
}

/** A label's value takes no colon: an IPv6 address is written with hyphens instead. */
function labelValue(family: Family, value: string): string {
  const isIpv6 = family === 'ipv6' && /^(?=.*[0-9].*-)[0-9a-f]{1,4}(?:-{1,2}[0-9a-f]{1,4}){1,7}$/.test(value);
  return isIpv6 ? value.replaceAll('-', ':') : value;
}
