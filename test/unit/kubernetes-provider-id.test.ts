import { describe, expect, test } from '@jest/globals';
import { parseProviderId, regionOf } from '../../kubernetes/provider-id.ts';

test.each([
  [
    'aws:///eu-west-1a/i-0123456789abcdef0',
    { provider: 'aws', id: 'i-0123456789abcdef0', zone: 'eu-west-1a' },
  ],
  // The cloud controller managers accept these too.
  ['aws:////i-0123456789abcdef0', { provider: 'aws', id: 'i-0123456789abcdef0', zone: '' }],
  ['i-0123456789abcdef0', { provider: 'aws', id: 'i-0123456789abcdef0', zone: '' }],
  ['gce://p/europe-west1-ai1a/n', { provider: 'gcp', id: 'n', zone: 'europe-west1-ai1a', account: 'p' }],
  ['aws://x/us-west-2-lax-1a/i-0a', { provider: 'aws', id: 'i-0a', zone: 'us-west-2-lax-1a' }],
  [
    'gce://project/europe-west1-b/node-1',
    { provider: 'gcp', id: 'node-1', zone: 'europe-west1-b', account: 'project' },
  ],
  [
    'gce://example.com:project/europe-west1-b/node-1',
    { provider: 'gcp', id: 'node-1', zone: 'europe-west1-b', account: 'example.com:project' },
  ],
  // OKE writes the bare OCID; older regions have a short name in it.
  [
    'ocid1.instance.oc1.eu-frankfurt-1.antheljtx2',
    { provider: 'oci', id: 'ocid1.instance.oc1.eu-frankfurt-1.antheljtx2', zone: '' },
  ],
  [
    'oci://ocid1.instance.oc1.phx.abyhqljtx2',
    { provider: 'oci', id: 'ocid1.instance.oc1.phx.abyhqljtx2', zone: '' },
  ],
])('%s is an instance', (providerID, instance) => {
  expect(parseProviderId(providerID)).toEqual({ instance });
});

test.each([
  ['aws:///eu-west-1a/fargate-ip-10-0-0-1.eu-west-1.compute.internal', /is not an EC2 instance/],
  ['aws:///i-0123456789abcdef0', /is not an EC2 instance/],
  ['gce://project/node-1', /is not a GCE instance/],
  ['ocid1.virtualnode.oc1.iad.x', /is not an instance of Oracle Cloud .*virtual nodes/],
  ['oci://x', /is not an instance of Oracle Cloud/],
  ['kind://docker/kind/kind-worker', /of a cloud that is not supported/],
  ['', /of a cloud that is not supported/],
])('%s is none, and the error says why', (providerID, message) => {
  const parsed = parseProviderId(providerID);
  expect('error' in parsed ? parsed.error : undefined).toMatch(message);
});

describe('the region of a Node', () => {
  const oracle = 'ocid1.instance.oc1.iad.antheljtx2';

  // "Instance", API reference: the two oldest regions are shown by their keys, and so are the labels of their Nodes.
  test.each([
    [oracle, 'iad', 'us-ashburn-1'],
    [oracle, 'phx', 'us-phoenix-1'],
    [oracle, 'eu-frankfurt-1', 'eu-frankfurt-1'],
    ['aws:///eu-west-1a/i-0123456789abcdef0', 'eu-west-1', 'eu-west-1'],
    ['gce://project/europe-west1-b/node-1', 'europe-west1', 'europe-west1'],
    ['gce://project/europe-west1-b/node-1', 'iad', 'iad'],
    ['kind://docker/kind/kind-worker', 'iad', 'iad'],
    [undefined, 'iad', 'iad'],
    [oracle, undefined, undefined],
  ])('%s with the label %s is in %s', (providerID, label, region) => {
    expect(regionOf(providerID, label)).toBe(region);
  });
});
