/** Pages of a list: orderBy, maxResults and pageToken. */
import { invalidValue } from './gce-error.ts';

export interface PageRequest {
  readonly maxResults?: string | undefined;
  readonly orderBy?: string | undefined;
  readonly pageToken?: string | undefined;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  /** Present when there is more. */
  readonly nextPageToken?: string;
}

interface Listed {
  readonly sequence: number;
  readonly name: string;
}

const DEFAULT_PAGE = 500;

/** Where a page ended: the next begins after it, so records that come or go between two pages hide no others. */
interface Position {
  readonly orderBy: string;
  readonly name: string;
  readonly sequence: number;
}

/**
 * Cuts a page out of a list: by name, or the newest first.
 *
 * @throws GceError `invalid` for another order, maxResults outside 0 to 500, a token that is none of ours
 */
export function cutPage<Item extends Listed>(list: readonly Item[], request: PageRequest): Page<Item> {
  const orderBy = request.orderBy ?? '';
  const compare = orderOf(orderBy);
  const max = readMaxResults(request.maxResults);
  const { pageToken } = request;
  const after = pageToken === undefined || pageToken === '' ? undefined : readToken(pageToken, orderBy);
  const rest = list.filter((item) => after === undefined || compare(item, after) > 0).sort(compare);
  const items = rest.slice(0, max);
  const last = items.at(-1);
  if (rest.length <= max || last === undefined) return { items };
  return { items, nextPageToken: writeToken({ orderBy, name: last.name, sequence: last.sequence }) };
}

function orderOf(orderBy: string): (a: Listed, b: Listed) => number {
  if (orderBy === '' || orderBy === 'name') {
    return (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.sequence - b.sequence);
  }
  if (orderBy === 'creationTimestamp desc') return (a, b) => b.sequence - a.sequence;
  throw invalidValue('orderBy', orderBy, 'Only sorting by name or creationTimestamp desc is supported.');
}

function readMaxResults(text: string | undefined): number {
  if (text === undefined) return DEFAULT_PAGE;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : -1;
  if (value < 0 || value > DEFAULT_PAGE) {
    throw invalidValue('maxResults', text, `Values must be within the range: [0, ${DEFAULT_PAGE}]`);
  }
  return value === 0 ? DEFAULT_PAGE : value;
}

function writeToken(position: Position): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

function readToken(token: string, orderBy: string): Position {
  try {
    const parsed = JSON.parse(Buffer.from(token, 'base64url').toString('utf8')) as Partial<Position> | null;
    const { name, sequence } = parsed ?? {};
    if (typeof name === 'string' && typeof sequence === 'number' && parsed?.orderBy === orderBy) {
      return { orderBy, name, sequence };
    }
  } catch {
    // Not one of ours: answered below.
  }
  throw invalidValue('pageToken', token, 'The page token is not valid for this request.');
}
