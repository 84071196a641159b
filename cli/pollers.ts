/** Who polls a task queue, as the server remembers it for five minutes. */
import type { Connection } from '@temporalio/client';
import type { Session } from './session.ts';

type DescribeTaskQueue = Connection['workflowService']['describeTaskQueue'];
type TaskQueueType = NonNullable<Parameters<DescribeTaskQueue>[0]['taskQueueType']>;

/** As the server's API numbers them (temporal.api.enums.v1.TaskQueueType). */
const types = { workflow: 1, activity: 2 } as const;

export interface Poller {
  readonly identity: string;
  /** Milliseconds since the epoch. */
  readonly seenAt: number;
  /** `<deployment>.<build id>` of a versioned worker. */
  readonly version?: string;
}

export async function pollersOf(
  { connection, namespace }: Pick<Session, 'connection' | 'namespace'>,
  taskQueue: string,
  type: keyof typeof types,
): Promise<Poller[]> {
  const { pollers } = await connection.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: taskQueue },
    taskQueueType: types[type] as TaskQueueType,
  });
  return (pollers ?? []).map(({ identity, lastAccessTime, deploymentOptions }) => {
    const { deploymentName, buildId } = deploymentOptions ?? {};
    return {
      identity: identity ?? '',
      seenAt: Number(lastAccessTime?.seconds ?? 0) * 1000,
      ...(buildId ? { version: `${deploymentName}.${buildId}` } : {}),
    };
  });
}
