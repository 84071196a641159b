/**
 * Temporal's Worker Deployments: one for each task queue, so that clusters and scopes are upgraded apart. In one deployment for all,
 * a version that does not poll every queue is refused as current ("is missing active task queues").
 */

/**
 * @returns the name of the Worker Deployment of a task queue: that of the queue. The server refuses "." and ":" in it
 * ("Worker Versioning", Temporal documentation), which clusters and projects may have in their names.
 */
export function deploymentOf(taskQueue: string): string {
  return taskQueue.replaceAll('.', '_').replaceAll(':', '_');
}

/** @returns a version as it is written in messages: `<deployment>:<build id>`, as the Temporal UI and Temporal's search attributes write it */
export function versionName(deploymentName: string, buildId: string): string {
  return `${deploymentName}:${buildId}`;
}

/**
 * @param version as {@link versionName} writes it
 * @returns the command that makes it current
 */
export function setCurrentCommand(version: string): string {
  const [deployment, buildId] = partsOf(version);
  return `temporal worker deployment set-current-version --deployment-name ${deployment} --build-id ${buildId}`;
}

/**
 * @param version the current one, as {@link versionName} writes it
 * @returns the command that makes workers without a version current in its place
 */
export function setUnversionedCommand(version: string): string {
  const [deployment] = partsOf(version);
  return `temporal worker deployment set-current-version --deployment-name ${deployment} --unversioned`;
}

function partsOf(version: string): readonly [deployment: string, buildId: string] {
  const at = version.indexOf(':');
  return [version.slice(0, at), version.slice(at + 1)];
}
