/** Carries out the one activity that the yardstick has for itself, in the bench's own process. */
import { NativeConnection, Worker } from '@temporalio/worker';
import { openProvider } from '../../clouds/registry.ts';
import type { Scope } from '../../model/scope.ts';
import type { World } from '../../sandbox/world.ts';
import { type NaiveActivities, naiveTaskQueue } from './contract.ts';

/** @returns what stops it */
export async function startAssociateWorker(
  { temporal, ec2 }: World,
  { provider: name, account, region }: Scope,
): Promise<() => Promise<void>> {
  // The SDK reads the emulator's credentials from there.
  Object.assign(process.env, ec2.environment);
  const provider = await openProvider({ provider: name, account, region, endpoint: ec2.url });
  const activities: NaiveActivities = {
    // Conditional, as the project's: a second run finds its own association.
    associateOnly: ({ instance, address }) => provider.associate(instance, address),
  };
  const connection = await NativeConnection.connect({ address: temporal.address });
  const worker = await Worker.create({ connection, taskQueue: naiveTaskQueue, activities });
  const running = worker.run();
  return async () => {
    worker.shutdown();
    await running;
    await connection.close();
    provider.close();
  };
}
