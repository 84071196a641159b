/** Where a pool's addresses come from: one set of one family (`filter`), or a set for each (`addresses`). */
import { cloudOf } from '../clouds/registry.ts';
import { families, type Family } from '../model/address.ts';
import type { ProviderName } from '../model/scope.ts';
import { isBlock, readKey, type Report } from './check-shape.ts';
import type { ConfigPath } from './config-file.ts';
import { defaults } from './defaults.ts';
import type { DefaultsInput, PoolInput } from './schema.ts';

/** A query of a pool, of which the filter may be missing or wrong. */
export interface QueryDraft {
  readonly family: Family;
  readonly filter: string | undefined;
  readonly orderBy: string;
  /** Where the user wrote each part, or would write it. */
  readonly paths: Readonly<Record<'family' | 'filter' | 'orderBy', ConfigPath>>;
}

/** @returns the pool's queries, at least one, IPv4 first */
export function draftQueries(
  input: Partial<PoolInput>,
  shared: DefaultsInput,
  at: ConfigPath,
  pathOf: (key: 'family' | 'filter' | 'orderBy') => ConfigPath,
): QueryDraft[] {
  const provider = input.provider ?? shared.provider ?? defaults.pool.provider;
  const sharedOrder = (family: Family): string =>
    hasOrders(provider, family) ? (shared.orderBy ?? defaults.pool.orderBy) : defaults.pool.orderBy;
  if (input.addresses === undefined) {
    const family = input.family ?? shared.family ?? defaults.pool.family;
    return [
      {
        family,
        filter: input.filter,
        orderBy: input.orderBy ?? sharedOrder(family),
        paths: { family: pathOf('family'), filter: pathOf('filter'), orderBy: pathOf('orderBy') },
      },
    ];
  }
  const sets = input.addresses;
  return families.flatMap((family) => {
    const set = sets[family];
    if (set === undefined) return [];
    const own = [...at, 'addresses', family];
    const orderPath = set.orderBy === undefined ? pathOf('orderBy') : [...own, 'orderBy'];
    return [
      {
        family,
        filter: set.filter,
        orderBy: set.orderBy ?? sharedOrder(family),
        paths: { family: own, filter: [...own, 'filter'], orderBy: orderPath },
      },
    ];
  });
}

/** Addresses of a range have no order to choose: one in `defaults` is meant for the others. */
function hasOrders(provider: ProviderName, family: Family): boolean {
  return !cloudOf(provider).rangeFamilies.includes(family);
}

/** Reports a pool that says twice, or not at all, where its addresses come from. */
export function checkAddressSource(raw: unknown, at: ConfigPath, report: Report): void {
  if (!isBlock(raw)) return;
  const says = (key: string) => readKey(raw, key) !== undefined;
  if (!says('addresses')) {
    if (!says('filter')) {
      report(
        [...at, 'filter'],
        undefined,
        'is missing. Say which addresses make up the pool, such as Name=tag:kubeip,Values=reserved; or, for a set of each family, addresses.',
      );
    }
    return;
  }
  if (says('filter')) {
    report(
      [...at, 'filter'],
      readKey(raw, 'filter'),
      'stands beside addresses, and both say which addresses make up the pool. Keep addresses for a set of each family, or filter for one set.',
    );
  }
  if (says('family')) {
    report(
      [...at, 'family'],
      readKey(raw, 'family'),
      'has no meaning beside addresses, which has a key for each family. Remove it.',
    );
  }
  if (says('orderBy')) {
    report(
      [...at, 'orderBy'],
      readKey(raw, 'orderBy'),
      'has no meaning beside addresses. Write it in addresses.ipv4 or addresses.ipv6.',
    );
  }
}
