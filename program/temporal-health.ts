/**
 * What may be amiss in Temporal itself without any workflow saying so. For `kubeip doctor` and for the worker's metrics; it takes no
 * query, which would be an action in Temporal Cloud.
 */
import {
  type Client,
  type Connection,
  isGrpcServiceError,
  ScheduleNotFoundError,
  WorkflowNotFoundError,
} from '@temporalio/client';
import { formatScope, type Scope } from '../model/scope.ts';
import { auditId, clusterTaskQueue } from '../workflows/messages.ts';
import { backlogOf, describeQueue, isFresh } from './pollers.ts';
import { searchAttributeNumbers } from './search-attributes.ts';
import { setCurrentCommand, setUnversionedCommand } from './worker-deployments.ts';

export const healthChecks = [
  'retention',
  'searchAttributes',
  'schedule',
  'taskQueue',
  'configuration',
  'version',
] as const;
export type HealthCheck = (typeof healthChecks)[number];

/** Something that is amiss. */
export interface HealthProblem {
  readonly check: HealthCheck;
  /** What it is about: a Schedule, a task queue, the namespace. */
  readonly subject: string;
  /** What is amiss and what to do, as sentences. */
  readonly detail: string;
  /** It is right where an operator wants it so. */
  readonly mayBeMeant?: true;
}

export interface HealthOptions {
  readonly client: Client;
  readonly connection: Pick<Connection, 'workflowService' | 'operatorService'>;
  readonly namespace: string;
  readonly cluster: string;
  /** Those whose Schedules of audits are to be there. */
  readonly audited: readonly Scope[];
}

/**
 * The audit tells what a node's workflow left behind by the run that ended, for as long as Temporal remembers it. Workers that are away
 * for a night must find it.
 */
const LEAST_RETENTION_MS = 24 * 3_600_000;
/** So many audits in a row that failed are no accident. */
const FAILED_AUDITS = 2;

/**
 * All but the search attributes: {@link missingAttributes}.
 *
 * @returns what is amiss; nothing where all is well
 * @throws whatever the Temporal client throws if the server does not answer
 */
export async function temporalHealth(options: HealthOptions): Promise<HealthProblem[]> {
  const found = await Promise.all([
    retention(options),
    ...options.audited.map((scope) => schedule(options, scope)),
    ...(await knownQueues(options.client)).map((queue) => servedQueue(options, queue)),
  ]);
  return found.flat();
}

async function retention({ connection, namespace }: HealthOptions): Promise<HealthProblem[]> {
  const { config } = await connection.workflowService.describeNamespace({ namespace });
  const hours = Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) / 3_600;
  if (hours === 0 || hours * 3_600_000 >= LEAST_RETENTION_MS) return [];
  const detail =
    `Namespace ${namespace} forgets workflows ${Math.round(hours * 10) / 10} hours after they end. An audit then takes an address that a node left behind for ` +
    `one that a person attached, and never releases it. Set it to some days: temporal operator namespace update --namespace ${namespace} --retention 72h`;
  return [{ check: 'retention', subject: namespace, detail }];
}

/**
 * @returns what is amiss; nothing where all is well, or where the server does not tell
 * @throws whatever the Temporal client throws if the server does not answer
 */
export async function missingAttributes({
  connection,
  namespace,
}: Pick<HealthOptions, 'connection' | 'namespace'>): Promise<HealthProblem[]> {
  let registered: Readonly<Record<string, number>>;
  try {
    registered =
      (await connection.operatorService.listSearchAttributes({ namespace })).customAttributes ?? {};
  } catch (error) {
    // Temporal Cloud and restricted roles do not tell.
    if (isGrpcServiceError(error)) return [];
    throw error;
  }
  const missing = Object.keys(searchAttributeNumbers).filter(
    (name) => registered[name] !== searchAttributeNumbers[name],
  );
  if (missing.length === 0) return [];
  const detail = `Namespace ${namespace} lacks ${missing.join(', ')}, or has them with another type: the workflow tasks of nodes fail. The worker registers them: --register-search-attributes.`;
  return [{ check: 'searchAttributes', subject: namespace, detail }];
}

// ---- audits ----

async function schedule({ client, cluster }: HealthOptions, scope: Scope): Promise<HealthProblem[]> {
  const id = auditId(cluster, scope);
  const problem = (detail: string): HealthProblem[] => [{ check: 'schedule', subject: id, detail }];
  try {
    const { state, info } = await client.schedule.getHandle(id).describe();
    if (state.paused) {
      const note = state.note === undefined || state.note === '' ? '' : ` ("${state.note}")`;
      return problem(
        `The Schedule ${id} is paused${note}: no audit looks for addresses that were taken or left behind. temporal schedule toggle --schedule-id ${id} --unpause`,
      );
    }
    const latest = info.recentActions.slice(-FAILED_AUDITS);
    const failed = await Promise.all(latest.map(({ action }) => hasFailed(client, action.workflow)));
    if (failed.length < FAILED_AUDITS || failed.includes(false)) return [];
    return problem(
      `The last ${FAILED_AUDITS} audits of ${formatScope(scope)} failed. Why is in the result of the workflows: temporal workflow list --query "WorkflowId STARTS_WITH '${id}'"`,
    );
  } catch (error) {
    if (!(error instanceof ScheduleNotFoundError)) throw error;
    const detail = `There is no Schedule ${id}: somebody deleted it, and a worker makes it again when it starts. Where \`audit.enabled\` is false that is right.`;
    return [{ check: 'schedule', subject: id, detail, mayBeMeant: true }];
  }
}

async function hasFailed(
  client: Client,
  { workflowId, firstExecutionRunId }: { readonly workflowId: string; readonly firstExecutionRunId: string },
): Promise<boolean> {
  try {
    const { status } = await client.workflow.getHandle(workflowId, firstExecutionRunId).describe();
    return ['FAILED', 'TIMED_OUT', 'TERMINATED'].includes(status.name);
  } catch (error) {
    // It is forgotten: nothing is known of it.
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

// ---- task queues ----

/** A task queue that workflows of this project have in the namespace, of whatever cluster. */
interface KnownQueue {
  readonly name: string;
  readonly what: string;
}

const MUTEX_PREFIX = 'address-pool/';
const CLUSTER_PREFIX = 'cluster/';

async function knownQueues(client: Client): Promise<KnownQueue[]> {
  const queues = new Map<string, KnownQueue>();
  const query = `WorkflowType IN ('AddressPoolWorkflow', 'ClusterWorkflow') AND ExecutionStatus = 'Running'`;
  for await (const { workflowId } of client.workflow.list({ query })) {
    if (workflowId.startsWith(MUTEX_PREFIX)) {
      const scope = workflowId.slice(MUTEX_PREFIX.length);
      queues.set(workflowId, { name: `kubeip/scope/${scope}`, what: `account and region ${scope}` });
    } else if (workflowId.startsWith(CLUSTER_PREFIX)) {
      const cluster = workflowId.slice(CLUSTER_PREFIX.length);
      queues.set(workflowId, { name: clusterTaskQueue(cluster), what: `cluster ${cluster}` });
    }
  }
  return [...queues.values()];
}

async function servedQueue(options: HealthOptions, { name, what }: KnownQueue): Promise<HealthProblem[]> {
  // A worker polls for workflows and activities alike, so one of both is asked for.
  const { pollers, currentVersion } = await describeQueue(options, name, 'workflow');
  const polling = pollers.filter((poller) => isFresh(poller, Date.now()));
  if (polling.length > 0) {
    return versionProblem(
      name,
      currentVersion,
      polling.map(({ version }) => version),
    );
  }
  const waiting = await backlogOf(options, name);
  if (waiting > 0) {
    const detail = `${waiting} tasks wait in ${name}, and no worker polls it: the workflows of ${what} stand still. Start a worker whose configuration has it, or see why none polls.`;
    return [{ check: 'taskQueue', subject: name, detail }];
  }
  const detail =
    `Temporal has workflows of ${what}, and no worker polls ${name}: it seems to be in no configuration any more. Nodes keep their addresses, and nobody looks after them. ` +
    'If it is meant to be gone, release what nodes have, and terminate its workflows.';
  return [{ check: 'configuration', subject: name, detail, mayBeMeant: true }];
}

/**
 * @param current where the server sends new tasks of the queue; undefined: to workers without a version
 * @param polling the versions of the workers that poll, at least one
 * @returns the problem that no worker is of the version that gets the tasks; nothing if one is
 */
export function versionProblem(
  queue: string,
  current: string | undefined,
  polling: readonly (string | undefined)[],
): HealthProblem[] {
  if (polling.includes(current)) return [];
  const versions = [...new Set(polling.filter((version) => version !== undefined))];
  const have = versions.length > 0 ? versions.join(', ') : 'no version';
  const [one] = versions;
  const problem = (detail: string): HealthProblem[] => [{ check: 'version', subject: queue, detail }];
  if (current === undefined) {
    return problem(
      `In the Worker Deployment of ${queue} no version is current, and all workers that poll have ${have}: they get no tasks, and workflows wait. ` +
        `Make the one that runs current: ${setCurrentCommand(one ?? '')}`,
    );
  }
  return problem(
    `The current version of the Worker Deployment of ${queue} is ${current}, and the workers that poll have ${have}: workflows wait for one that is not there. ` +
      `Start workers of that version, or make the one that runs current: ${one === undefined ? setUnversionedCommand(current) : setCurrentCommand(one)}`,
  );
}
