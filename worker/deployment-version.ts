/** Which version of the workers this is, for Temporal's Worker Versioning. */
import type { WorkerDeploymentOptions } from '@temporalio/worker';
import { exitCodes, StartupError } from '../program/exit-codes.ts';
import { deploymentOf } from '../program/worker-deployments.ts';
import { isScopeTaskQueue } from '../workflows/messages.ts';

const buildIdVariable = 'TEMPORAL_WORKER_BUILD_ID';
/** As the Temporal Worker Controller sets it, beside the build id. It looks for its workers under this name. */
const nameVariable = 'TEMPORAL_DEPLOYMENT_NAME';

export interface WorkerVersion {
  readonly buildId: string;
  /** The one Worker Deployment of all task queues. Undefined: each has its own. */
  readonly deploymentName?: string;
}

/**
 * @returns undefined without a build id: the worker is unversioned then
 * @throws StartupError (configuration) if there is a deployment's name without a build id, or if it holds a "." or ":"
 */
export function workerVersion(env: NodeJS.ProcessEnv): WorkerVersion | undefined {
  const deploymentName = env[nameVariable] ?? '';
  const buildId = env[buildIdVariable] ?? '';
  if (buildId === '') {
    if (deploymentName === '') return undefined;
    throw new StartupError(
      exitCodes.configuration,
      `${buildIdVariable} is not set, but ${nameVariable} is. Worker Versioning needs the build id; without both the worker is unversioned.`,
    );
  }
  // The server joins name and build id by them ("Worker Versioning", Temporal documentation).
  if (/[.:]/.test(deploymentName)) {
    throw new StartupError(
      exitCodes.configuration,
      `${nameVariable} is "${deploymentName}": a deployment's name must not contain a dot or a colon. Without it each task queue has a deployment of its own.`,
    );
  }
  return { buildId, ...(deploymentName === '' ? {} : { deploymentName }) };
}

/**
 * A scope's task queue has its mutex alone, whose runs are short: each is pinned to the version that began it. A cluster's has the
 * workflows of nodes, which live for weeks and move on to each new version at once (docs/decisions/0090); those that end within minutes
 * pin themselves (workflows/workflows.ts).
 *
 * @returns the options of a Worker of this task queue
 */
export function deploymentOptions(
  { buildId, deploymentName }: WorkerVersion,
  taskQueue: string,
): WorkerDeploymentOptions {
  return {
    version: { deploymentName: deploymentName ?? deploymentOf(taskQueue), buildId },
    useWorkerVersioning: true,
    defaultVersioningBehavior: isScopeTaskQueue(taskQueue) ? 'PINNED' : 'AUTO_UPGRADE',
  };
}
