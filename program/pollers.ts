/** Who polls a task queue, as the server remembers it for five minutes. */
import type { Connection } from '@temporalio/client';

/** As the server's API numbers them (temporal.api.enums.v1.TaskQueueType), whose names the client does not hand out. */
const types = { workflow: 1 as never, activity: 2 as never };

export interface Poller {
  readonly identity: string;
  /** Milliseconds since the epoch. */
  readonly seenAt: number;
  /** `<deployment>.<build id>` of a versioned worker. */
  readonly version?: string;
}

export async function pollersOf(
  {
    connection,
    namespace,
  }: { readonly connection: Pick<Connection, 'workflowService'>; readonly namespace: string },
  taskQueue: string,
  type: keyof typeof types,
): Promise<Poller[]> {
  const { pollers } = await connection.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: taskQueue },
    taskQueueType: types[type],
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
