/** Pages of a list: MaxResults and NextToken. */
import { Ec2Error, invalidValue } from './ec2-error.ts';
import type { Parameters } from './parameters.ts';

export const PAGE_PARAMETERS = ['MaxResults', 'NextToken'] as const;

export interface Page<Item> {
  readonly items: readonly Item[];
  /** Present when there is more. */
  readonly nextToken?: string;
}

/**
 * Cuts a page out of a list that is in the order of creation. The token names the last record seen, so records that
 * come or go between two pages neither repeat nor hide others.
 *
 * @throws Ec2Error `InvalidParameterValue` for MaxResults outside 5 to 1000, `InvalidNextToken`
 */
export function cutPage<Item extends { readonly sequence: number }>(
  list: readonly Item[],
  parameters: Parameters,
): Page<Item> {
  const max = readMaxResults(parameters);
  const token = parameters.string('NextToken');
  const after = token === undefined || token === '' ? 0 : readToken(token);
  const rest = after === 0 ? list : list.filter((item) => item.sequence > after);
  if (max === undefined || rest.length <= max) return { items: rest };
  const page = rest.slice(0, max);
  return { items: page, nextToken: writeToken(page.at(-1)?.sequence ?? 0) };
}

function readMaxResults(parameters: Parameters): number | undefined {
  const max = parameters.integer('MaxResults', { min: -(2 ** 31), max: 2 ** 31 });
  if (max === undefined) return undefined;
  if (max < 5) throw invalidValue('maxResults', String(max), 'Expecting a value greater than 5.');
  return Math.min(max, 1000);
}

function writeToken(sequence: number): string {
  return Buffer.from(JSON.stringify({ after: sequence })).toString('base64url');
}

function readToken(token: string): number {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
    if (typeof parsed === 'object' && parsed !== null && 'after' in parsed) {
      const { after } = parsed;
      if (typeof after === 'number' && Number.isInteger(after) && after > 0) return after;
    }
  } catch {
    // Not one of ours: answered below.
  }
  throw new Ec2Error('InvalidNextToken', `The token '${token}' is not valid`);
}
