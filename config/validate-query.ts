/** The one place where the configuration asks a cloud's own parsers about a filter and an order. No call is made. */
import * as aws from '../clouds/aws/filter.ts';
import * as awsOrder from '../clouds/aws/order.ts';
import * as gcp from '../clouds/gcp/filter.ts';
import * as gcpOrder from '../clouds/gcp/order.ts';
import { CloudError } from '../clouds/provider.ts';
import type { Family } from '../model/address.ts';
import { MAX_FILTER_LENGTH } from '../model/limits.ts';
import type { ProviderName } from '../model/scope.ts';

export interface QueryProblem {
  readonly key: 'filter' | 'orderBy';
  readonly message: string;
}

/** What throws if the text is wrong. */
type Parse = (text: string, family: Family) => unknown;

const parsers: Readonly<Record<ProviderName, { readonly filter: Parse; readonly order: Parse }>> = {
  aws: { filter: aws.parseFilter, order: awsOrder.parseOrder },
  gcp: { filter: gcp.parseFilter, order: gcpOrder.parseOrder },
};

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
  const filterProblem =
    filter === undefined ? undefined : messageOf(() => parsers[provider].filter(filter, family));
  if (filter !== undefined && filterProblem !== undefined) {
    const hint = filter.length > MAX_FILTER_LENGTH ? '' : otherCloudHint(provider, filter);
    problems.push({ key: 'filter', message: filterProblem + hint });
  }
  const orderProblem = messageOf(() => parsers[provider].order(query.orderBy, family));
  if (orderProblem !== undefined) problems.push({ key: 'orderBy', message: orderProblem });
  return problems;
}

/** @returns the cloud whose filters look like this one; undefined if that cannot be told */
export function providerOfFilter(filter: string): ProviderName | undefined {
  if (/^\s*Name\s*=.*,\s*Values\s*=/s.test(filter)) return 'aws';
  return /^\s*(?:\(\s*)?(labels\.|status|addressType|networkTier|name\s*[=:~])/.test(filter)
    ? 'gcp'
    : undefined;
}

function otherCloudHint(provider: ProviderName, filter: string): string {
  const other = providerOfFilter(filter);
  if (other === undefined || other === provider) return '';
  return other === 'gcp'
    ? ' This looks like a filter of Google Cloud: set provider to gcp.'
    : ' This looks like a filter of AWS: set provider to aws.';
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
