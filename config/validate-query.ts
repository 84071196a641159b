/** The one place where the configuration asks a cloud's own parsers about a filter and an order. No call is made. */
import { parseFilter } from '../clouds/aws/filter.ts';
import { parseOrder } from '../clouds/aws/order.ts';
import { CloudError } from '../clouds/provider.ts';
import type { ProviderName } from '../model/scope.ts';

export interface QueryProblem {
  readonly key: 'filter' | 'orderBy';
  readonly message: string;
}

/**
 * @param query its filter may be missing, which is for others to report
 * @returns what is wrong with it in the provider's syntax; nothing for a provider that is not served yet
 */
export function validateQuery(
  provider: ProviderName,
  query: { readonly filter: string | undefined; readonly orderBy: string },
): QueryProblem[] {
  if (provider !== 'aws') return [];
  const problems: QueryProblem[] = [];
  const { filter } = query;
  const filterProblem = filter === undefined ? undefined : messageOf(() => parseFilter(filter));
  if (filter !== undefined && filterProblem !== undefined) {
    problems.push({ key: 'filter', message: filterProblem + gcpHint(filter) });
  }
  const orderProblem = messageOf(() => parseOrder(query.orderBy));
  if (orderProblem !== undefined) problems.push({ key: 'orderBy', message: orderProblem });
  return problems;
}

/** A user of KubeIP on Google Cloud brings a filter such as `labels.kubeip=reserved`. */
function gcpHint(filter: string): string {
  return /^\s*\(?\s*(labels\.|status|addressType|name\s*[=:~])/.test(filter)
    ? ' This looks like a filter of Google Cloud, which this version does not serve yet.'
    : '';
}

function messageOf(parse: () => unknown): string | undefined {
  try {
    parse();
    return undefined;
  } catch (error) {
    if (error instanceof CloudError) return error.message;
    throw error;
  }
}
