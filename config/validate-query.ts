/** Asks a cloud's own parsers about a filter and an order. No call is made. */
import { CloudError, FAMILY_NOT_SUPPORTED } from '../clouds/provider.ts';
import { cloudOf, providerNames } from '../clouds/registry.ts';
import type { Family } from '../model/address.ts';
import { MAX_FILTER_LENGTH } from '../model/limits.ts';
import type { ProviderName } from '../model/scope.ts';

export interface QueryProblem {
  readonly key: 'family' | 'filter' | 'orderBy';
  readonly message: string;
}

/**
 * @param query its filter may be missing, which is for others to report
 * @returns what is wrong with it in the provider's syntax
 */
export function validateQuery(
  provider: ProviderName,
  query: { readonly family: Family; readonly filter: string | undefined; readonly orderBy: string },
): QueryProblem[] {
  const problems: QueryProblem[] = [];
  const { filter, family } = query;
  const cloud = cloudOf(provider);
  const refusal = filter === undefined ? undefined : errorOf(() => cloud.filter.parse(filter, family));
  if (refusal?.code === FAMILY_NOT_SUPPORTED) {
    problems.push({ key: 'family', message: refusal.message });
  } else if (filter !== undefined && refusal !== undefined) {
    const hint = filter.length > MAX_FILTER_LENGTH ? '' : otherCloudHint(provider, filter);
    problems.push({ key: 'filter', message: refusal.message + hint });
  }
  const orderRefusal = errorOf(() => cloud.order.parse(query.orderBy, family));
  if (orderRefusal !== undefined) problems.push({ key: 'orderBy', message: orderRefusal.message });
  return problems;
}

/** @returns the cloud whose filters look like this one; undefined if that cannot be told */
export function providerOfFilter(filter: string): ProviderName | undefined {
  return providerNames.find((name) => cloudOf(name).filter.isLikely(filter));
}

function otherCloudHint(provider: ProviderName, filter: string): string {
  const other = providerOfFilter(filter);
  return other === undefined || other === provider
    ? ''
    : ` This looks like a filter of ${cloudOf(other).title}: set provider to ${other}.`;
}

function errorOf(parse: () => unknown): CloudError | undefined {
  try {
    parse();
    return undefined;
  } catch (error) {
    if (error instanceof CloudError) return error;
    throw error;
  }
}
