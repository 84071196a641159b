/**
 * A worker that its test kills: `node worker.ts <address> <task queue> <workflow interceptor modules…>`.
 * It writes `ready`, and polls once it gets SIGUSR2.
 */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';

const [address = '', taskQueue = '', ...workflowInterceptorModules] = process.argv.slice(2);
const logger = new DefaultLogger('ERROR');
// SIGUSR2 is ours here; the SDK would end its workers by it.
Runtime.install({ logger, shutdownSignals: [] });
const keepsAlive = setInterval(() => undefined, 60_000);
const workflowBundle = await bundleWorkflowCode({
  workflowsPath: fileURLToPath(new URL('./waiter.ts', import.meta.url)),
  workflowInterceptorModules,
  logger,
});
const connection = await NativeConnection.connect({ address });
const toPoll = once(process, 'SIGUSR2');
console.log('ready');
await toPoll;
const worker = await Worker.create({
  connection,
  taskQueue,
  workflowBundle,
  // How long the task of a killed worker waits for it: time for a query and a signal before another worker gets it.
  stickyQueueScheduleToStartTimeout: '10 seconds',
  activities: { look: () => Promise.resolve() },
});
clearInterval(keepsAlive);
await worker.run();
