/** `kubeip pools`: how large the pools are, how much of them is in use, who waits, and what the idle addresses cost. */
import { cloudOf } from '../../clouds/registry.ts';
import { type Family, familyOf } from '../../model/address.ts';
import { inFlight } from '../../model/claims.ts';
import { formatScope } from '../../model/scope.ts';
import {
  type AddressPoolStatus,
  assignIpWorkflowId,
  type AuditReport,
  type PoolSize,
  statusQuery,
} from '../../workflows/messages.ts';
import { query } from '../asking.ts';
import { mapLimited } from '../../program/concurrency.ts';
import { listScopes, mutexStatusIfAny } from '../mutexes.ts';
import type { OutputFormat } from '../options.ts';
import type { Session } from '../session.ts';
import { parseScope } from '../scope-name.ts';
import { table } from '../table.ts';
import { auditScopes } from './audit.ts';

const ASKED_AT_ONCE = 20;

/** As the clouds' price lists count a month. */
export const HOURS_A_MONTH = 730;

export interface PoolsOptions {
  readonly output: OutputFormat;
  readonly scope?: string;
  /** Of an idle IPv4 address an hour, in place of the clouds' list prices. */
  readonly price?: number;
  readonly timeout: number;
}

export interface PoolRow extends PoolSize {
  readonly scope: string;
  readonly waiting: number;
  readonly claims: number;
  readonly idleCostAMonth: number;
}

/** Of the idle addresses of all pools, each counted once. */
export interface IdleCost {
  readonly costAMonth: number;
  /** Pools share addresses, and how many of a family they share is not known. */
  readonly isAtMost?: true;
}

export async function pools(session: Session, options: PoolsOptions): Promise<void> {
  const reports = await auditScopes(session, { drift: 'report', orphans: 'report' }, options);
  const statuses = new Map<string, AddressPoolStatus>();
  for (const scope of await listScopes(session, options.scope)) {
    const status = await mutexStatusIfAny(session, scope);
    if (status !== undefined) statuses.set(formatScope(scope), status);
  }
  const poolOf = await poolsOfClaims(session, [...statuses.values()]);
  const rows = reports.flatMap((report) =>
    poolRows(report, statuses.get(report.scope), poolOf, options.price),
  );
  const value = { cluster: session.cluster, pools: rows, idle: idleCost(reports, options.price) };
  session.speech.data(options.output, value, (shown) => poolTable(shown.pools, shown.idle));
}

/** A claim does not name its pool: its node does. @returns pools by workflow ids */
async function poolsOfClaims(
  session: Session,
  statuses: readonly AddressPoolStatus[],
): Promise<Map<string, string>> {
  const holders = new Set(
    statuses.flatMap((status) => inFlight(status, Date.now())).map((c) => c.workflowId),
  );
  const own = [...holders].filter((id) => id.startsWith(assignIpWorkflowId(session.cluster, '')));
  const found = await mapLimited(own, ASKED_AT_ONCE, async (id): Promise<[string, string] | undefined> => {
    // One that has just ended is in flight no more.
    const status = await query(session, id, statusQuery).catch(() => {
      session.signal.throwIfAborted();
      return undefined;
    });
    return status?.pool === undefined ? undefined : [id, status.pool];
  });
  return new Map(found.filter((pair) => pair !== undefined));
}

/** @param poolOf pools by workflow ids. Pure */
export function poolRows(
  { scope, pools: sizes = [] }: Pick<AuditReport, 'scope' | 'pools'>,
  mutex: Pick<AddressPoolStatus, 'waiting' | 'claims' | 'queueLength'> | undefined,
  poolOf: ReadonlyMap<string, string>,
  price: number | undefined,
): PoolRow[] {
  const claims = mutex === undefined ? [] : inFlight(mutex, Date.now());
  return sizes.map((size) => {
    return {
      ...size,
      scope,
      waiting:
        mutex?.waiting.filter(({ pool, family }) => pool === size.name && family === size.family).length ?? 0,
      claims: claims.filter(
        (claim) => poolOf.get(claim.workflowId) === size.name && familyOf(claim.address.ip) === size.family,
      ).length,
      idleCostAMonth: inCents(size.free * monthlyPrice(scope, size.family, price)),
    };
  });
}

/**
 * What {@link poolRows} add up to, but that an address of several pools is paid for once: of all that are free in a scope, whatever pools
 * they are of, a report has the number.
 *
 * Pure.
 */
export function idleCost(
  reports: readonly Pick<AuditReport, 'scope' | 'pools' | 'free'>[],
  price: number | undefined,
): IdleCost {
  let sum = 0;
  let isAtMost = false;
  for (const { scope, pools: sizes = [], free } of reports) {
    const costs = sizes.map((size) => size.free * monthlyPrice(scope, size.family, price));
    const unpaid = sizes.filter(({ family }) => monthlyPrice(scope, family, price) === 0);
    const dearest = Math.max(0, ...sizes.map(({ family }) => monthlyPrice(scope, family, price)));
    // Those of the largest set are different ones.
    const payable = free - Math.max(0, ...unpaid.map((size) => size.free));
    const isShared = total(sizes.map((size) => size.free)) > free;
    sum += Math.min(total(costs), payable * dearest);
    isAtMost ||= isShared && dearest > 0 && unpaid.length > 0;
  }
  return { costAMonth: inCents(sum), ...(isAtMost ? { isAtMost } : {}) };
}

/** The price that a person names stands in place of one there is. */
function monthlyPrice(scope: string, family: Family, price: number | undefined): number {
  const provider = parseScope(scope)?.provider;
  const listed = provider === undefined ? 0 : cloudOf(provider).idlePrice[family];
  return (listed === 0 ? 0 : (price ?? listed)) * HOURS_A_MONTH;
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, one) => sum + one, 0);
}

function inCents(amount: number): number {
  return Math.round(amount * 100) / 100;
}

/** Pure. */
export function poolTable(rows: readonly PoolRow[], { costAMonth, isAtMost }: IdleCost): string {
  const head = ['POOL', 'FAMILY', 'SCOPE', 'SIZE', 'USED', 'FREE', 'WAITING', 'CLAIMS', 'IDLE COST/MONTH'];
  const lines = rows.map((row) => [
    row.name,
    row.family,
    row.scope,
    atLeast(row, row.size),
    row.used,
    atLeast(row, row.free),
    row.waiting,
    row.claims,
    row.idleCostAMonth === 0 ? '-' : dollars(row.idleCostAMonth),
  ]);
  const cost =
    isAtMost === true
      ? `at most ${dollars(costAMonth)} a month: pools share some of them`
      : `${dollars(costAMonth)} a month`;
  return `${table(head, lines)}\n\nIdle addresses cost ${cost}.`;
}

function atLeast({ more }: PoolRow, count: number): string {
  return more === true ? `${count}+` : String(count);
}

function dollars(amount: number): string {
  return `$${amount.toFixed(2)}`;
}
