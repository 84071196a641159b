/** `kubeip audit [--fix]`: addresses against workflows, now. */
import { exitCodes, StartupError } from '../../program/exit-codes.ts';
import { formatScope, type Scope } from '../../model/scope.ts';
import type { AuditPolicy } from '../../model/settings.ts';
import {
  auditByHandId,
  type AuditInput,
  type AuditReport,
  clusterTaskQueue,
} from '../../workflows/messages.ts';
import { run } from '../asking.ts';
import { confirmed } from '../confirm.ts';
import { listScopes } from '../mutexes.ts';
import type { OutputFormat } from '../options.ts';
import type { Session } from '../session.ts';
import { table } from '../table.ts';

/** As the Schedule's own: longer than lists and visibility lag. */
const SECOND_LOOK_MS = 60_000;

const REPORT: AuditPolicy = { drift: 'report', orphans: 'report' };
const FIX: AuditPolicy = { drift: 'heal', orphans: 'release' };

export interface AuditOptions {
  readonly output: OutputFormat;
  readonly fix?: boolean;
  readonly yes?: boolean;
  readonly scope?: string;
  readonly timeout: number;
}

export async function audit(session: Session, options: AuditOptions): Promise<void> {
  if (options.fix === true) {
    await confirmed(
      `Heal the nodes of cluster ${session.cluster} that lost their address, and give back what ended workflows left behind?`,
      options.yes,
      session.signal,
    );
  }
  const policy = options.fix === true ? FIX : REPORT;
  const reports = await auditScopes(session, policy, options);
  session.speech.data(options.output, { cluster: session.cluster, reports }, (shown) =>
    shown.reports.map(reportText).join('\n\n'),
  );
  const drifted = reports.flatMap((report) => report.drifted).length;
  const orphans = reports.flatMap((report) => report.orphans).length;
  if (drifted + orphans === 0) return;
  throw new StartupError(
    exitCodes.problemsFound,
    `${drifted} drifted, ${orphans} unclaimed.${options.fix === true ? '' : ' --fix heals and releases what is ours.'}`,
  );
}

/** @returns a report of each scope in which the cluster has a pool */
export async function auditScopes(
  session: Session,
  policy: AuditPolicy,
  { scope: named, timeout }: Pick<AuditOptions, 'scope' | 'timeout'>,
): Promise<AuditReport[]> {
  const scopes = await listScopes(session, named);
  const reports = await Promise.all(scopes.map((scope) => auditScope(session, scope, policy, timeout)));
  // Those of other clusters that share the namespace.
  return reports.filter(({ pools }) => named !== undefined || pools === undefined || pools.length > 0);
}

function auditScope(
  session: Session,
  scope: Scope,
  policy: AuditPolicy,
  timeout: number,
): Promise<AuditReport> {
  const { cluster } = session;
  const input: AuditInput = { cluster, scope, policy, secondLookMs: SECOND_LOOK_MS };
  return run<AuditReport, AuditInput>(
    session,
    {
      type: 'AuditWorkflow',
      workflowId: auditByHandId(cluster, scope, new Date()),
      taskQueue: clusterTaskQueue(cluster),
      input,
      summary: `Audit of ${formatScope(scope)} for cluster ${cluster}, by hand`,
      // It looks twice only before it releases.
      ...(policy.orphans === 'release' ? { pausesMs: SECOND_LOOK_MS } : {}),
    },
    timeout,
  );
}

/** Pure. */
export function reportText(report: AuditReport): string {
  const { scope, addresses, free, nodes, drifted, orphans, unlisted } = report;
  const lines = [
    `${scope}: ${addresses} addresses of the cluster's pools, ${free} of them free; ${nodes} nodes looked after.`,
  ];
  if (drifted.length > 0) {
    const rows = drifted.map(({ node, ip, told }) => [node, ip, told ? 'told' : 'not told']);
    lines.push('', table(['DRIFTED NODE', 'LOST', 'ITS WORKFLOW'], rows));
  }
  if (orphans.length > 0) {
    const rows = orphans.map(({ ip, pool, instance, what }) => [ip, pool, instance, what]);
    lines.push('', table(['UNCLAIMED ADDRESS', 'POOL', 'ON', 'WHAT'], rows));
  }
  if (unlisted !== undefined) lines.push('', `${unlisted} more findings are for the next audits.`);
  if (drifted.length + orphans.length + (unlisted ?? 0) === 0) lines.push('Nothing is amiss.');
  return lines.join('\n');
}
