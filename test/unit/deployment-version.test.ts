import { expect, test } from '@jest/globals';
import { deploymentOf } from '../../program/worker-deployments.ts';
import { deploymentOptions, workerVersion } from '../../worker/deployment-version.ts';
import { clusterTaskQueue, scopeTaskQueue } from '../../workflows/messages.ts';

test('without the variables the worker is unversioned', () => {
  expect(workerVersion({})).toBeUndefined();
  expect(workerVersion({ TEMPORAL_DEPLOYMENT_NAME: '', TEMPORAL_WORKER_BUILD_ID: '' })).toBeUndefined();
});

test('with a build id each task queue has a deployment of its own, and workflows that do not say otherwise move on', () => {
  const version = workerVersion({ TEMPORAL_WORKER_BUILD_ID: '1.2.0' });
  if (version === undefined) throw new Error('unversioned');
  const mutex = scopeTaskQueue({ provider: 'aws', account: '123456789012', region: 'eu-west-1' });
  expect(deploymentOptions(version, clusterTaskQueue('prod'))).toEqual({
    version: { deploymentName: 'kubeip/cluster/prod', buildId: '1.2.0' },
    useWorkerVersioning: true,
    defaultVersioningBehavior: 'AUTO_UPGRADE',
  });
  expect(deploymentOptions(version, mutex)).toEqual({
    version: { deploymentName: 'kubeip/scope/aws/123456789012/eu-west-1', buildId: '1.2.0' },
    useWorkerVersioning: true,
    defaultVersioningBehavior: 'PINNED',
  });
});

test('a name of a cluster or project that the server refuses in a deployment is written otherwise', () => {
  expect(deploymentOf(clusterTaskQueue('eu.prod'))).toBe('kubeip/cluster/eu_prod');
  expect(
    deploymentOf(scopeTaskQueue({ provider: 'gcp', account: 'example.com:games', region: 'europe-west1' })),
  ).toBe('kubeip/scope/gcp/example_com_games/europe-west1');
});

test('with the name that the Temporal Worker Controller sets all task queues are in that deployment', () => {
  const version = workerVersion({
    TEMPORAL_DEPLOYMENT_NAME: 'kubeip/worker',
    TEMPORAL_WORKER_BUILD_ID: '1.2.0',
  });
  if (version === undefined) throw new Error('unversioned');
  expect(deploymentOptions(version, clusterTaskQueue('prod')).version).toEqual({
    deploymentName: 'kubeip/worker',
    buildId: '1.2.0',
  });
});

test.each([
  [{ TEMPORAL_DEPLOYMENT_NAME: 'kubeip' }, 'TEMPORAL_WORKER_BUILD_ID is not set'],
  [{ TEMPORAL_DEPLOYMENT_NAME: 'a.b', TEMPORAL_WORKER_BUILD_ID: '1' }, 'must not contain a dot'],
  [{ TEMPORAL_DEPLOYMENT_NAME: 'a:b', TEMPORAL_WORKER_BUILD_ID: '1' }, 'must not contain a dot or a colon'],
])('%j is refused with what is wrong', (env, message) => {
  expect(() => workerVersion(env)).toThrow(message);
});
