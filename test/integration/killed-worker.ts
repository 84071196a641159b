/**
 * A worker that its test kills: `node killed-worker.ts <address> <task queue> <workflows> <workflow interceptor modules…>`.
 * It writes `ready`, and polls once it gets SIGUSR2.
 */
import { once } from 'node:events';
import { CompleteAsyncError } from '@temporalio/activity';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';

const [address = '', taskQueue = '', workflowsPath = '', ...workflowInterceptorModules] =
  process.argv.slice(2);
const logger = new DefaultLogger('ERROR');
// SIGUSR2 is ours here; the SDK would end its workers by it.
Runtime.install({ logger, shutdownSignals: [] });
const keepsAlive = setInterval(() => undefined, 60_000);
const workflowBundle = await bundleWorkflowCode({
  workflowsPath,
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
  activities: { look: () => Promise.resolve(), lookLater: () => Promise.reject(new CompleteAsyncError()) },
});
clearInterval(keepsAlive);
await worker.run();
