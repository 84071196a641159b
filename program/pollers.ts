/** Who polls a task queue, as the server remembers it for five minutes; and how much waits there. Neither is an action in Temporal Cloud. */
import type { Connection } from '@temporalio/client';
import { versionName } from './worker-deployments.ts';

/** As the server's API numbers them (temporal.api.enums.v1.TaskQueueType), whose names the client does not hand out. */
const types = { workflow: 1 as never, activity: 2 as never };

export interface Poller {
  readonly identity: string;
  /** Milliseconds since the epoch. */
  readonly seenAt: number;
  /** Of a versioned worker, as {@link versionName} writes it. */
  readonly version?: string;
}

/** A worker polls at least once a minute; the server lists it for five. */
const FRESH_MS = 90_000;

/** @returns whether the worker polls still, as far as the server knows. Pure */
export function isFresh({ seenAt }: Pick<Poller, 'seenAt'>, now: number): boolean {
  return now - seenAt < FRESH_MS;
}

export interface DescribedQueue {
  readonly pollers: readonly Poller[];
  /** That new tasks go to, as {@link Poller.version}; undefined: to workers without one. */
  readonly currentVersion?: string;
  /** That some new tasks go to while it is rolled out. */
  readonly rampingVersion?: string;
}

interface Server {
  readonly connection: Pick<Connection, 'workflowService'>;
  readonly namespace: string;
}

export async function describeQueue(
  { connection, namespace }: Server,
  taskQueue: string,
  type: keyof typeof types,
): Promise<DescribedQueue> {
  const { pollers, versioningInfo } = await connection.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: taskQueue },
    taskQueueType: types[type],
  });
  const currentVersion = nameOf(versioningInfo?.currentDeploymentVersion);
  const rampingVersion = nameOf(versioningInfo?.rampingDeploymentVersion);
  return {
    pollers: (pollers ?? []).map(({ identity, lastAccessTime, deploymentOptions: options }) => ({
      identity: identity ?? '',
      seenAt: Number(lastAccessTime?.seconds ?? 0) * 1000 + (lastAccessTime?.nanos ?? 0) / 1_000_000,
      ...(options?.buildId ? { version: versionName(options.deploymentName ?? '', options.buildId) } : {}),
    })),
    ...(currentVersion === undefined ? {} : { currentVersion }),
    ...(rampingVersion === undefined ? {} : { rampingVersion }),
  };
}

/** As the server's API has a version (temporal.api.deployment.v1.WorkerDeploymentVersion). Without a build id: workers without one. */
function nameOf(
  version: { readonly deploymentName?: string | null; readonly buildId?: string | null } | null | undefined,
): string | undefined {
  return version?.buildId ? versionName(version.deploymentName ?? '', version.buildId) : undefined;
}

/**
 * It costs the server more than {@link describeQueue}, as it asks each partition of the queue.
 *
 * @returns about how many tasks wait, of both types
 */
export async function backlogOf({ connection, namespace }: Server, taskQueue: string): Promise<number> {
  const answers = await Promise.all(
    Object.values(types).map((taskQueueType) =>
      connection.workflowService.describeTaskQueue({
        namespace,
        taskQueue: { name: taskQueue },
        taskQueueType,
        reportStats: true,
      }),
    ),
  );
  const counts = answers.map(({ stats }) => Number(stats?.approximateBacklogCount ?? 0));
  return counts.reduce((all, one) => all + one, 0);
}

export async function pollersOf(
  server: Server,
  taskQueue: string,
  type: keyof typeof types,
): Promise<readonly Poller[]> {
  return (await describeQueue(server, taskQueue, type)).pollers;
}
