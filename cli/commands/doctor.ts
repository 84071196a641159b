/** `kubeip doctor`: what is wrong, and what to do; by the operator's access to Temporal, and by a worker with its own identity. */
import { neededRules } from '../../kubernetes/needed-rules.ts';
import { exitCodes, StartupError } from '../../program/exit-codes.ts';
import { programVersion } from '../../program/version.ts';
import { clusterTaskQueue } from '../../workflows/messages.ts';
import { type DiagnoseInput, type DiagnoseReport, inspectionId } from '../../workflows/reports.ts';
import type { Scope } from '../../model/scope.ts';
import { parseScope } from '../scope-name.ts';
import { run } from '../asking.ts';
import type { OutputFormat } from '../options.ts';
import type { Session } from '../session.ts';
import type { Speech } from '../speech.ts';
import { type Check, diagnosisChecks, type Verdict, watcherChecks } from './doctor-checks.ts';
import { healthChecks, queueChecks, temporalChecks, unlessRefused } from './doctor-temporal.ts';

export interface DoctorOptions {
  readonly output: OutputFormat;
  readonly timeout: number;
}

export async function doctor(session: Session, { output, timeout }: DoctorOptions): Promise<void> {
  const temporal = await temporalChecks(session);
  const queues = await queueChecks(session);
  const told = queues.isServed
    ? await workerChecks(session, timeout)
    : { checks: [leftOut(`no worker polls ${clusterTaskQueue(session.cluster)}`)] };
  const checks = [
    ...temporal,
    ...(await healthChecks(session, told.scopes)),
    ...queues.checks,
    ...told.checks,
    ...watcherChecks(neededRules.watcher),
  ];
  const problems = checks.filter(({ verdict }) => verdict === 'problem');
  const value = { cluster: session.cluster, problems: problems.length, checks };
  session.speech.data(output, value, (shown) => checksText(shown.checks, session.speech.colors));
  if (problems.length === 0) return;
  const named = problems.map(({ what }) => what).join(', ');
  throw new StartupError(
    exitCodes.problemsFound,
    `${problems.length === 1 ? '1 problem' : `${problems.length} problems`}: ${named}.`,
  );
}

interface WorkerChecks {
  readonly checks: readonly Check[];
  /** Those of the cluster's pools; absent: the worker did not tell. */
  readonly scopes?: readonly Scope[];
}

async function workerChecks(session: Session, timeout: number): Promise<WorkerChecks> {
  try {
    return await unlessRefused(
      session,
      async () => reportChecks(await diagnose(session, timeout)),
      (reason): WorkerChecks => ({ checks: [leftOut(reason)] }),
    );
  } catch (error) {
    if (!(error instanceof StartupError)) throw error;
    return { checks: [leftOut(error.message)] };
  }
}

function diagnose(session: Session, timeout: number): Promise<DiagnoseReport> {
  const { cluster } = session;
  return run<DiagnoseReport, DiagnoseInput>(
    session,
    {
      type: 'DiagnoseWorkflow',
      workflowId: inspectionId('diagnose', cluster, new Date().toISOString()),
      taskQueue: clusterTaskQueue(cluster),
      input: { cluster },
      summary: `Diagnosis of cluster ${cluster}`,
    },
    timeout,
  );
}

function reportChecks(report: DiagnoseReport): WorkerChecks {
  const scopes = report.scopes.map(({ scope }) => parseScope(scope)).filter((scope) => scope !== undefined);
  return { checks: [versionCheck(report), ...diagnosisChecks(report)], scopes };
}

function leftOut(reason: string): Check {
  return {
    area: 'workers',
    what: 'what a worker can tell',
    verdict: 'problem',
    detail: `permissions, pools and nodes were not looked at: ${reason}`,
  };
}

function versionCheck({ worker }: DiagnoseReport): Check {
  const own = programVersion();
  const { version, node, host, kubernetes } = worker;
  const detail = `worker ${version} on ${host}, Node.js ${node}; this command ${own}; Kubernetes ${kubernetes ?? 'does not tell'}`;
  return { area: 'workers', what: 'versions', verdict: version === own ? 'ok' : 'warning', detail };
}

const MARKS: Readonly<Record<Verdict, string>> = {
  ok: 'ok',
  problem: 'PROBLEM',
  warning: 'warning',
  untested: 'not testable',
};

/** Pure. */
export function checksText(checks: readonly Check[], colors: Speech['colors']): string {
  const tint: Partial<Record<Verdict, (text: string) => string>> = {
    ok: colors.green,
    problem: colors.red,
    warning: colors.yellow,
  };
  const width = Math.max(...Object.values(MARKS).map((mark) => mark.length)) + 2;
  const lines: string[] = [];
  for (const [area, own] of Map.groupBy(checks, (check) => check.area)) {
    lines.push(...(lines.length === 0 ? [] : ['']), colors.bold(area));
    for (const { what, verdict, detail } of own) {
      const mark = MARKS[verdict].padEnd(width);
      lines.push(`  ${tint[verdict]?.(mark) ?? mark}${what}: ${detail.replaceAll('\n', ' ')}`);
    }
  }
  return lines.join('\n');
}
