/** Which version of the workers this is, for Temporal's Worker Versioning. */
import type { WorkerDeploymentOptions } from '@temporalio/worker';
import { exitCodes, StartupError } from '../program/exit-codes.ts';

/** As the Temporal Worker Controller sets them. */
const nameVariable = 'TEMPORAL_DEPLOYMENT_NAME';
const buildIdVariable = 'TEMPORAL_WORKER_BUILD_ID';

/**
 * Workflows of nodes live for weeks, so they move on to each new version (`AUTO_UPGRADE`); changes are guarded by `patched()`.
 *
 * @returns undefined if neither variable is set: the worker is unversioned then
 * @throws StartupError (configuration) if one is set without the other, or holds a "."
 */
export function deploymentVersion(env: NodeJS.ProcessEnv): WorkerDeploymentOptions | undefined {
  const deploymentName = env[nameVariable] ?? '';
  const buildId = env[buildIdVariable] ?? '';
  if (deploymentName === '' && buildId === '') return undefined;
  const missing = deploymentName === '' ? nameVariable : buildId === '' ? buildIdVariable : undefined;
  if (missing !== undefined) {
    const other = missing === nameVariable ? buildIdVariable : nameVariable;
    throw new StartupError(
      exitCodes.configuration,
      `${missing} is not set, but ${other} is. Worker Versioning needs both; without both the worker is unversioned.`,
    );
  }
  // The server joins name and build id by a dot ("Worker Versioning", Temporal documentation).
  if (deploymentName.includes('.')) {
    throw new StartupError(
      exitCodes.configuration,
      `${nameVariable} is "${deploymentName}": a deployment's name must not contain a dot.`,
    );
  }
  return {
    version: { deploymentName, buildId },
    useWorkerVersioning: true,
    defaultVersioningBehavior: 'AUTO_UPGRADE',
  };
}
