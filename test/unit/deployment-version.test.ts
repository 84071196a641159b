import { expect, test } from '@jest/globals';
import { deploymentVersion } from '../../worker/deployment-version.ts';

test('without the variables the worker is unversioned', () => {
  expect(deploymentVersion({})).toBeUndefined();
  expect(deploymentVersion({ TEMPORAL_DEPLOYMENT_NAME: '', TEMPORAL_WORKER_BUILD_ID: '' })).toBeUndefined();
});

test('with both, workflows move on to each new version', () => {
  expect(
    deploymentVersion({ TEMPORAL_DEPLOYMENT_NAME: 'kubeip', TEMPORAL_WORKER_BUILD_ID: '1.2.0' }),
  ).toEqual({
    version: { deploymentName: 'kubeip', buildId: '1.2.0' },
    useWorkerVersioning: true,
    defaultVersioningBehavior: 'AUTO_UPGRADE',
  });
});

test.each([
  [{ TEMPORAL_DEPLOYMENT_NAME: 'kubeip' }, 'TEMPORAL_WORKER_BUILD_ID is not set'],
  [{ TEMPORAL_WORKER_BUILD_ID: '1' }, 'TEMPORAL_DEPLOYMENT_NAME is not set'],
  [{ TEMPORAL_DEPLOYMENT_NAME: 'a.b', TEMPORAL_WORKER_BUILD_ID: '1' }, 'must not contain a dot'],
])('%j is refused with what is wrong', (env, message) => {
  expect(() => deploymentVersion(env)).toThrow(message);
});
