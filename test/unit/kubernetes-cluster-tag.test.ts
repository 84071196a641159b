import { expect, test } from '@jest/globals';
import { kubernetesClusterOf } from '../../clouds/kubernetes-cluster.ts';

test.each<[string, Record<string, string>, string | undefined]>([
  ['EKS', { 'eks:cluster-name': 'prod', Name: 'x' }, 'prod'],
  ['a managed node group', { 'aws:eks:cluster-name': 'prod' }, 'prod'],
  ['GKE', { 'goog-k8s-cluster-name': 'prod', 'goog-k8s-node-pool-name': 'default' }, 'prod'],
  ['a cluster made by hand on AWS', { 'kubernetes.io/cluster/prod': 'owned' }, 'prod'],
  ['a machine that several clusters share', { 'kubernetes.io/cluster/prod': 'shared' }, undefined],
  ['hostile text', { 'eks:cluster-name': '\u001b[2Kprod' }, undefined],
  ['no cluster', { Name: 'bastion', 'eks:cluster-name': '' }, undefined],
])('the cluster of a machine of %s', (_what, tags, cluster) => {
  expect(kubernetesClusterOf(tags)).toBe(cluster);
});
