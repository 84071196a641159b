/** The worker of the floor, as a process: the project's worker without the product. It runs until SIGTERM. */
import { NativeConnection, Worker } from '@temporalio/worker';
import { workerSettings } from '../../worker/worker-settings.ts';
import { type FloorActivities, floorQueues } from './contract.ts';

const [address = '', codePath = ''] = process.argv.slice(2);

const nothing = async (): Promise<void> => {};
const activities: FloorActivities = {
  discover: nothing,
  select: nothing,
  associate: nothing,
  verify: nothing,
  publish: nothing,
};

const connection = await NativeConnection.connect({ address });
const workers = await Promise.all(
  Object.values(floorQueues).map((taskQueue) =>
    Worker.create({ connection, taskQueue, activities, workflowBundle: { codePath }, ...workerSettings }),
  ),
);
console.log('floor started');
await Promise.all(workers.map((worker) => worker.run()));
await connection.close();
