/** What is done with no product in it: a workflow of five activities that do nothing, with the names of an assignment's. */
import { proxyActivities } from '@temporalio/workflow';
import { type FloorActivities, floorQueues } from './contract.ts';

const options = { startToCloseTimeout: '1 minute', heartbeatTimeout: '5 seconds' } as const;
const cluster = proxyActivities<FloorActivities>({ ...options, taskQueue: floorQueues.cluster });
const scope = proxyActivities<FloorActivities>({ ...options, taskQueue: floorQueues.scope });

export async function FloorWorkflow(): Promise<void> {
  await cluster.discover();
  await scope.select();
  await scope.associate();
  await scope.verify();
  await cluster.publish();
}
