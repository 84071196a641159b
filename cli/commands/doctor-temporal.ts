/** What `kubeip doctor` finds out about Temporal itself, with the operator's own access. */
import { isGrpcServiceError, ServiceError } from '@temporalio/client';
import { failedTemporalCall } from '../../program/temporal-connection.ts';
import { searchAttributeCliTypes, searchAttributeNumbers } from '../../program/search-attributes.ts';
import { readClusterRecord } from '../../program/cluster-record.ts';
import type { Scope } from '../../model/scope.ts';
import { clusterTaskQueue, scopeTaskQueue } from '../../workflows/messages.ts';
import { exitCodes, StartupError } from '../../program/exit-codes.ts';
import { type HealthCheck, temporalHealth } from '../../program/temporal-health.ts';
import { listScopes } from '../mutexes.ts';
import { isFresh, pollersOf } from '../../program/pollers.ts';
import { age } from '../table.ts';
import type { Session } from '../session.ts';
import type { Check } from './doctor-checks.ts';

const area = 'temporal';

export async function temporalChecks(session: Session): Promise<Check[]> {
  return [
    ...(await untestedIfRefused(session, 'server', () => serverCheck(session))),
    ...(await untestedIfRefused(session, 'namespace', () => namespaceChecks(session))),
    ...(await attributeChecks(session)),
    ...(await untestedIfRefused(session, identityOf(session), () => identityCheck(session))),
    await taskCheck(session),
  ];
}

function untestedIfRefused(session: Session, what: string, look: () => Promise<Check[]>): Promise<Check[]> {
  return unlessRefused(session, look, (detail) => [{ area, what, verdict: 'untested', detail }]);
}

/**
 * What one call may not, or cannot, says nothing against the others.
 *
 * @param refused what there is in place of the look, with the reason in words
 * @throws whatever is no failed call to Temporal; the reason of the session's signal
 */
export async function unlessRefused<T>(
  { signal }: Pick<Session, 'signal'>,
  look: () => Promise<T>,
  refused: (reason: string) => T,
): Promise<T> {
  try {
    return await look();
  } catch (error) {
    signal.throwIfAborted();
    const failed = failedTemporalCall(error);
    if (failed === undefined) throw error;
    return refused(failed.message);
  }
}

async function serverCheck({ connection, address }: Session): Promise<Check[]> {
  const { serverVersion, capabilities } = await connection.workflowService.getSystemInfo({});
  const lacking = [
    ...(capabilities?.supportsSchedules === true ? [] : ['Schedules, which the audit takes']),
    ...(capabilities?.upsertMemo === true ? [] : ['memos that change, which count failures']),
  ];
  const version = serverVersion === '' ? 'a version that it does not tell' : serverVersion;
  const check = { area, what: 'server' };
  return lacking.length === 0
    ? [{ ...check, verdict: 'ok', detail: `${version} at ${address}` }]
    : [{ ...check, verdict: 'problem', detail: `${version} at ${address} lacks ${lacking.join(' and ')}` }];
}

async function namespaceChecks({ connection, namespace }: Session): Promise<Check[]> {
  const { namespaceInfo, config } = await connection.workflowService.describeNamespace({ namespace });
  const days = Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) / 86_400;
  const retention: Check = {
    area,
    what: 'namespace',
    verdict: 'ok',
    detail: `${namespace}, keeps what has ended for ${Math.round(days * 10) / 10} days`,
  };
  if (namespaceInfo?.capabilities?.syncUpdate !== false) return [retention];
  return [
    retention,
    {
      area,
      what: 'Updates',
      verdict: 'problem',
      detail:
        'the namespace does not take them, and kubeip release, assign and move are Updates: signal instead',
    },
  ];
}

async function attributeChecks({ connection, namespace }: Session): Promise<Check[]> {
  let registered: Readonly<Record<string, number>>;
  try {
    const answer = await connection.operatorService.listSearchAttributes({ namespace });
    registered = answer.customAttributes ?? {};
  } catch (error) {
    // Temporal Cloud and restricted roles do not tell.
    if (!isGrpcServiceError(error)) throw error;
    return [{ area, what: 'search attributes', verdict: 'untested', detail: error.details }];
  }
  return Object.entries(searchAttributeNumbers).map(([name, type]): Check => {
    const what = `search attribute ${name}`;
    const present = registered[name];
    const wanted = searchAttributeCliTypes[name];
    if (present === type) return { area, what, verdict: 'ok', detail: String(wanted) };
    const create = `temporal operator search-attribute create --namespace ${namespace} --name ${name} --type ${wanted}`;
    const detail = present === undefined ? `missing: ${create}` : `has another type than ${wanted}`;
    return { area, what, verdict: 'problem', detail };
  });
}

function identityOf({ cluster }: Session): string {
  return `identity of cluster ${cluster}`;
}

/** A worker that reaches another cluster ends at once, so it cannot be asked. */
async function identityCheck(session: Session): Promise<Check[]> {
  const { client, cluster } = session;
  const what = identityOf(session);
  const kept = await readClusterRecord(client, cluster);
  if (kept === undefined) {
    const detail = 'not known yet: the first worker or watcher that starts tells it';
    return [{ area, what, verdict: 'warning', detail }];
  }
  const { clusterUid, since } = kept;
  const detail =
    `uid ${clusterUid} of kube-system, since ${since.toISOString()}; ` +
    'a worker or watcher that reaches another cluster ends with exit code 11, and says why';
  return [{ area, what, verdict: 'ok', detail }];
}

/** So many are named; the query finds the others. */
const MAX_NAMED = 5;

/**
 * Workflows whose tasks fail one after the other: they stand still, and nothing else says so. Temporal notes them in a search attribute of
 * its own after five tries ("Detect workflow task failures", from server 1.30 on).
 */
async function taskCheck({ client, cluster, namespace }: Session): Promise<Check> {
  const what = 'workflow tasks';
  const query =
    "ExecutionStatus='Running' AND TemporalReportedProblems IN ('category=WorkflowTaskFailed', 'category=WorkflowTaskTimedOut') " +
    `AND (KubeipCluster='${cluster}' OR WorkflowType='AddressPoolWorkflow')`;
  const stuck: string[] = [];
  try {
    for await (const { workflowId } of client.workflow.list({ query })) stuck.push(workflowId);
  } catch (error) {
    const cause = error instanceof ServiceError ? error.cause : error;
    if (!isGrpcServiceError(cause)) throw error;
    return { area, what, verdict: 'untested', detail: `the server does not tell: ${cause.details}` };
  }
  if (stuck.length === 0) return { area, what, verdict: 'ok', detail: 'no workflow whose tasks fail' };
  const named = stuck.slice(0, MAX_NAMED).join(', ') + (stuck.length > MAX_NAMED ? ', …' : '');
  const detail =
    `${stuck.length} stand still, their tasks fail: ${named}. The worker's log says why. After a rollout roll back; otherwise: ` +
    `temporal workflow reset --namespace ${namespace} --workflow-id ${stuck[0]} --type LastWorkflowTask --reason "its tasks fail"`;
  return { area, what, verdict: 'problem', detail };
}

/** What each check of `temporalHealth` is about, where nothing is amiss. */
const healthy: Readonly<Partial<Record<HealthCheck, readonly [what: string, detail: string]>>> = {
  retention: ['retention', 'long enough for audits'],
  schedule: ['audits', 'their Schedules run'],
  taskQueue: ['task queues', 'none in which tasks wait without a worker'],
  configuration: ['scopes and clusters', 'none without a worker'],
  version: ['worker deployments', 'workers of their current versions poll, or they have none'],
};

const healthNames = Object.values(healthy)
  .map(([what]) => what)
  .join(', ');

/**
 * @param own the scopes of the cluster's pools, which its audits have Schedules for; undefined: not known, as only a worker tells. Then
 * all scopes of the namespace are looked at, and a Schedule that is missing may be one that was never meant to be
 */
export function healthChecks(session: Session, own: readonly Scope[] | undefined): Promise<Check[]> {
  return untestedIfRefused(session, healthNames, () => healthLines(session, own));
}

async function healthLines(session: Session, own: readonly Scope[] | undefined): Promise<Check[]> {
  const problems = await temporalHealth({ ...session, audited: own ?? (await scopesIfAny(session)) });
  return Object.entries(healthy).flatMap(([check, [what, fine]]): Check[] => {
    const found = problems.filter((problem) => problem.check === check);
    if (found.length === 0) return [{ area, what, verdict: 'ok', detail: fine }];
    return found.map(({ subject, detail, mayBeMeant }): Check => {
      const line = { area, what: `${what}: ${subject}` };
      if (mayBeMeant !== true) return { ...line, verdict: 'problem', detail };
      if (check === 'schedule' && own === undefined) {
        return { ...line, verdict: 'untested', detail: `${ofUnknownScope} ${detail}` };
      }
      // It may be meant: an installation that is gone, audits that are switched off.
      return { ...line, verdict: 'warning', detail };
    });
  });
}

const ofUnknownScope = 'Only a worker tells whether the cluster has pools there.';

/** That none runs is one of the checks. */
async function scopesIfAny(session: Session): Promise<Scope[]> {
  try {
    return await listScopes(session, undefined);
  } catch (error) {
    if (error instanceof StartupError && error.exitCode === exitCodes.notFound) return [];
    throw error;
  }
}

export interface QueueChecks {
  readonly checks: readonly Check[];
  /** Whether a workflow can be started on the cluster's queue: false only if it is known that no worker polls it. */
  readonly isServed: boolean;
}

export async function queueChecks(session: Session): Promise<QueueChecks> {
  const own = await queueCheck(session, clusterTaskQueue(session.cluster));
  const others = await unlessRefused(
    session,
    () => mutexChecks(session),
    (detail): Check[] => [{ area: 'workers', what: 'mutexes', verdict: 'untested', detail }],
  );
  return { checks: [own, ...others], isServed: own.verdict !== 'problem' };
}

async function mutexChecks(session: Session): Promise<Check[]> {
  const scopes = await scopesIfAny(session);
  if (scopes.length > 0) {
    return Promise.all(scopes.map((scope) => queueCheck(session, scopeTaskQueue(scope))));
  }
  const detail = 'none runs: a worker starts it';
  return [{ area: 'workers', what: 'mutexes', verdict: 'problem', detail }];
}

function queueCheck(session: Session, name: string): Promise<Check> {
  return unlessRefused(
    session,
    () => pollersCheck(session, name),
    (detail): Check => ({ area: 'workers', what: name, verdict: 'untested', detail }),
  );
}

async function pollersCheck(session: Session, name: string): Promise<Check> {
  const [workflows, activities] = await Promise.all([
    pollersOf(session, name, 'workflow'),
    pollersOf(session, name, 'activity'),
  ]);
  const now = Date.now();
  const fresh = workflows.filter((poller) => isFresh(poller, now));
  const base = { area: 'workers', what: name };
  if (fresh.length === 0) {
    const last = Math.max(...workflows.map(({ seenAt }) => seenAt));
    const when =
      workflows.length === 0 ? 'in the last five minutes' : `for ${age(new Date(last).toISOString(), now)}`;
    return { ...base, verdict: 'problem', detail: `no worker has polled ${when}` };
  }
  const who = fresh.map(({ identity, version }) =>
    version === undefined ? identity : `${identity} (${version})`,
  );
  const list = [...new Set(who)].join(', ');
  return activities.length === 0
    ? { ...base, verdict: 'problem', detail: `nobody polls for activities; for workflows: ${list}` }
    : { ...base, verdict: 'ok', detail: list };
}
