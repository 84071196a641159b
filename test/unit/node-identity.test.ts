import { describe, expect, test } from '@jest/globals';
import { instanceIdentity as ec2Identity } from '../../clouds/aws/instance-identity.ts';
import { instanceIdentity as gceIdentity } from '../../clouds/gcp/instance-identity.ts';
import { instanceIdentity as ociIdentity } from '../../clouds/oci/instance-identity.ts';
import { identityMismatch } from '../../clouds/node-identity.ts';
import type { NodeNamePolicy } from '../../model/node-identity.ts';

const ec2 = ec2Identity({
  InstanceId: 'i-0123456789abcdef0',
  PrivateDnsName: 'ip-10-0-1-5.eu-west-1.compute.internal',
  NetworkInterfaces: [
    { PrivateIpAddress: '10.0.1.5', PrivateIpAddresses: [{ PrivateIpAddress: '10.0.1.77' }] },
    { PrivateIpAddress: '10.0.9.9' },
  ],
  Tags: [
    { Key: 'kubernetes.io/cluster/prod', Value: 'owned' },
    { Key: 'eks:eks-cluster-name', Value: 'prod' },
    { Key: 'aws:eks:cluster-name', Value: 'older' },
    { Key: 'kubernetes.io/cluster/', Value: 'owned' },
  ],
});

test('EC2 calls an instance by the private address of each interface and by its id, and its tags name its clusters', () => {
  expect(ec2).toEqual({
    nodeNames: ['ip-10-0-1-5', 'ip-10-0-9-9', 'i-0123456789abcdef0'],
    namesAreCertain: false,
    clusters: ['prod', 'older'],
  });
  expect(ec2Identity({})).toEqual({ nodeNames: [], namesAreCertain: false, clusters: [] });
});

test('of Compute Engine’s instances only those of GKE have their Node’s name for certain', () => {
  expect(gceIdentity({ name: 'vm-1' })).toEqual({
    nodeNames: ['vm-1'],
    namesAreCertain: false,
    clusters: [],
  });
  expect(gceIdentity({ name: 'vm-1', labels: { 'goog-gke-node': '' } }).namesAreCertain).toBe(true);
  const metadata = {
    items: [
      { key: 'kube-env', value: 'a secret' },
      { key: 'cluster-name', value: 'prod' },
    ],
  };
  expect(gceIdentity({ name: 'vm-1', metadata })).toEqual({
    nodeNames: ['vm-1'],
    namesAreCertain: true,
    clusters: ['prod'],
  });
});

test('Oracle Cloud calls an instance by its private IP, its host name and its own name, and OKE names its cluster', () => {
  const instance = {
    id: 'ocid1.instance.oc1.iad.x',
    compartmentId: 'ocid1.compartment.oc1..x',
    lifecycleState: 'RUNNING',
    displayName: 'oke-cabc-n1-0',
    metadata: { 'oke-cluster-display-name': 'prod', ssh_authorized_keys: 'a secret' },
    systemTags: { 'orcl-containerengine': { Cluster: 'ocid1.cluster.oc1.iad.y' } },
  };
  const vnic = { id: 'ocid1.vnic.oc1.iad.z', privateIp: '10.0.10.2', hostnameLabel: 'Node-1' };
  const identity = ociIdentity(instance, vnic);
  expect(identity).toEqual({
    nodeNames: ['10.0.10.2', 'node-1', 'oke-cabc-n1-0'],
    namesAreCertain: false,
    clusters: ['ocid1.cluster.oc1.iad.y', 'prod'],
  });
  const isRefused = (nodeName: string) =>
    identityMismatch(nodeName, { provider: 'oci', id: instance.id, identity }, { name: 'required' }) !==
    undefined;
  expect(['10.0.10.2', 'node-1.sub.vcn.oraclevcn.com', 'oke-cabc-n1-0'].filter(isRefused)).toEqual([]);
  expect(['10.0.10.3', '10', 'node-2'].filter((name) => !isRefused(name))).toEqual([]);
});

test('where machines are called by their private IPs, as on OKE, the IP of another one is refused; a host name may be anybody’s', () => {
  const on = (nodeNames: readonly string[]) => {
    const identity = { nodeNames, namesAreCertain: false, clusters: [] };
    return (nodeName: string) =>
      identityMismatch(nodeName, { provider: 'oci', id: 'ocid1.instance.x', identity }, { name: 'auto' });
  };
  const onOke = on(['10.0.10.2', 'oke-cabc-n1-0']);
  expect(onOke('10.0.10.3')).toBe(
    'The cloud calls instance ocid1.instance.x 10.0.10.2 or oke-cabc-n1-0, and the Node is called 10.0.10.3.',
  );
  expect(['10.0.10.2', 'oke-cabc-n1-0', 'game-7.example.com', '10'].filter(onOke)).toEqual([]);
  // Elsewhere a Node may be called by an IP that the cloud does not call it by.
  expect(on(['ip-10-0-1-5'])('10.0.10.3')).toBeUndefined();
});

describe.each([
  { name: 'EC2', provider: 'aws', id: 'i-0123456789abcdef0', identity: ec2 },
  {
    name: 'Compute Engine',
    provider: 'gcp',
    id: 'vm-1',
    identity: { nodeNames: ['vm-1'], namesAreCertain: false, clusters: [] },
  },
  {
    name: 'GKE',
    provider: 'gcp',
    id: 'gke-prod-pool-0a1b2c3d-x1y2',
    identity: { nodeNames: ['gke-prod-pool-0a1b2c3d-x1y2'], namesAreCertain: true, clusters: ['prod'] },
  },
  { name: 'a cloud that does not tell', provider: 'aws', id: 'i-1', identity: undefined },
] as const)('on $name', ({ name: cloud, provider, id, identity }) => {
  const isRefused = (nodeName: string, name: NodeNamePolicy): boolean =>
    identityMismatch(nodeName, { provider, id, ...(identity && { identity }) }, { name }) !== undefined;

  // Names as clusters have them: which policies refuse them there.
  test.each<[string, string, Readonly<Record<string, readonly NodeNamePolicy[]>>]>([
    ['EKS', 'ip-10-0-1-5.eu-west-1.compute.internal', { EC2: [], GKE: ['auto', 'required'] }],
    [
      'EKS in a VPC with a domain of its own',
      'ip-10-0-1-5.corp.example',
      { EC2: [], GKE: ['auto', 'required'] },
    ],
    [
      'EKS with resource names',
      'i-0123456789abcdef0.eu-west-1.compute.internal',
      { EC2: [], GKE: ['auto', 'required'] },
    ],
    ['a second interface', 'IP-10-0-9-9.ec2.internal', { EC2: [], GKE: ['auto', 'required'] }],
    [
      'another machine of EKS',
      'ip-10-0-1-6.ec2.internal',
      { EC2: ['auto', 'required'], GKE: ['auto', 'required'] },
    ],
    [
      'another machine by its id',
      'i-0fffffffffffffff0',
      { EC2: ['auto', 'required'], GKE: ['auto', 'required'] },
    ],
    [
      'another machine of GKE',
      'gke-prod-pool-0a1b2c3d-zzzz',
      { EC2: ['auto', 'required'], GKE: ['auto', 'required'] },
    ],
    [
      'another machine of Autopilot',
      'gk3-prod-nap-1-0a1b2c3d-zzzz',
      { EC2: ['auto', 'required'], GKE: ['auto', 'required'] },
    ],
    ['the same machine of GKE', 'gke-prod-pool-0a1b2c3d-x1y2', { EC2: ['auto', 'required'], GKE: [] }],
    ['a host name', 'game-7.example.com', { EC2: ['required'], GKE: ['auto', 'required'] }],
    ['a name that is like one of EC2', 'ip-10-0-1-5-blue', { EC2: ['required'], GKE: ['auto', 'required'] }],
    [
      'the name of a machine of Compute Engine',
      'vm-1.c.project.internal',
      { EC2: ['required'], GKE: ['auto', 'required'] },
    ],
  ])('the name of %s', (_, nodeName, refusedBy) => {
    const isOwn = nodeName.startsWith('vm-1.');
    const isCloudGiven =
      refusedBy['EC2']?.includes('auto') === true || /^ip-[\d-]+\.|^i-0|^gke-/i.test(nodeName);
    const expected: Readonly<Record<string, readonly NodeNamePolicy[]>> = {
      ...refusedBy,
      'Compute Engine': isOwn ? [] : isCloudGiven ? ['auto', 'required'] : ['required'],
      'a cloud that does not tell': ['required'],
    };
    const policies = ['auto', 'required', 'off'] as const;
    expect(policies.filter((policy) => isRefused(nodeName, policy))).toEqual(expected[cloud]);
  });
});

test.each([
  ['of the cluster', ec2, 'prod', undefined],
  [
    'of another cluster',
    ec2,
    'staging',
    'has not the tag kubernetes.io/cluster/staging. It belongs to prod, older.',
  ],
  ['of none', ec2Identity({}), 'prod', 'has not the tag kubernetes.io/cluster/prod.'],
])('an instance %s, where the cluster is named', (_, identity, clusterName, expected) => {
  const instance = { provider: 'aws', id: 'i-1', identity } as const;
  const mismatch = identityMismatch('node-a', instance, { name: 'off', clusterName });
  if (expected === undefined) expect(mismatch).toBeUndefined();
  else expect(mismatch).toContain(expected);
});
