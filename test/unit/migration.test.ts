/** `kubeip migrate check`: KubeIP's own ways to be installed, and what each comes to. */
import { describe, expect, test } from '@jest/globals';
import { type MigratingNode, migrationOf } from '../../cli/migration.ts';
import { kubeipAgents } from '../../kubernetes/kubeip-agents.ts';
import { clusterWith, ofAManifest, ofOracle, ofTerraform, ofTheChart, type Shape } from './kubeip-shapes.ts';

const gke = (name: string, labels: Record<string, string>, ...externalIps: string[]): MigratingNode => ({
  name,
  labels,
  providerID: `gce://my-project/europe-west1-b/${name}`,
  region: 'europe-west1',
  externalIps,
});
const eks = (name: string, labels: Record<string, string>, ...externalIps: string[]): MigratingNode => ({
  name,
  labels,
  providerID: 'aws:///eu-west-1a/i-0123456789abcdef0',
  region: 'eu-west-1',
  externalIps,
});
const oke = (name: string, labels: Record<string, string>, ...externalIps: string[]): MigratingNode => ({
  name,
  labels,
  providerID: `ocid1.instance.oc1.eu-frankfurt-1.${name.replaceAll(/\D/g, 'a')}`,
  region: 'eu-frankfurt-1',
  externalIps,
});
const audit = { drift: 'report', orphans: 'report' };
const system = { nodegroup: 'private' };

describe('of KubeIP’s', () => {
  test('chart: its two labels, region and project by the nodes, no key for what is not set', () => {
    const nodes = [
      gke('a', { nodegroup: 'public', kubeip: 'use' }, '203.0.113.7'),
      gke('b', { nodegroup: 'public' }),
      gke('c', system),
    ];
    const found = migrationOf('prod', kubeipAgents(clusterWith(ofTheChart)), nodes);
    expect(found.config).toEqual({
      cluster: 'prod',
      audit,
      log: { level: 'debug' },
      pools: [
        {
          name: 'default',
          provider: 'gcp',
          region: 'europe-west1',
          account: 'my-project',
          nodeSelector: { matchLabels: { nodegroup: 'public', kubeip: 'use' } },
          filter: 'labels.kubeip=reserved;labels.environment=demo',
        },
      ],
    });
    expect(found.problems).toEqual([]);
    expect(found.nodes).toEqual([{ node: 'a', keeps: ['203.0.113.7'] }]);
    expect(found.differences).toEqual([
      expect.stringContaining('releases its address when its pod ends'),
      expect.stringContaining('cannot renew its Lease'),
      expect.stringContaining('runs doitintl/kubeip-agent, whatever version that is'),
    ]);
  });

  test('manifest on EKS: filter, order, taint and retries', () => {
    const nodes = [eks('a', { kubeip: 'use' }, '203.0.113.7'), eks('b', { kubeip: 'use' }), eks('c', system)];
    const found = migrationOf('prod', kubeipAgents(clusterWith(ofAManifest)), nodes);
    expect(found.config).toMatchObject({
      pools: [
        {
          provider: 'aws',
          region: 'eu-west-1',
          nodeSelector: { matchLabels: { kubeip: 'use' } },
          filter: 'Name=tag:kubeip,Values=reserved,spare;Name=tag:env,Values=prod',
          orderBy: 'Tag:order',
          taintKey: 'kubeip.com/not-ready',
          retries: { attempts: 10, interval: '30s' },
        },
      ],
    });
    expect(found.problems).toEqual([]);
    expect(found.differences.join('\n')).toContain('1 selected nodes show no external address: b.');
    expect(found.differences.join('\n')).not.toContain('no right to patch');
  });

  test('Terraform: IPv6, and what RELEASE_ON_EXIT=false means here', () => {
    const nodes = [gke('a', { nodegroup: 'public' }, '203.0.113.7'), gke('c', system)];
    const found = migrationOf('prod', kubeipAgents(clusterWith(ofTerraform)), nodes);
    expect(found.config).toMatchObject({
      pools: [
        { family: 'ipv6', account: 'my-project', region: 'europe-west1', release: { onNodeDelete: false } },
      ],
    });
    expect(found.problems).toEqual([]);
    expect(found.differences).toEqual([expect.stringContaining('becomes release.onNodeDelete: false')]);
  });
});

describe('on Oracle Cloud', () => {
  const nodes = [
    oke('10.0.10.2', { nodegroup: 'public' }, '203.0.113.7'),
    oke('10.0.10.3', { nodegroup: 'public' }, '203.0.113.8'),
    oke('10.0.20.2', system),
  ];
  const check = (env: Readonly<Record<string, string>>, all: readonly MigratingNode[] = nodes) =>
    migrationOf('prod', kubeipAgents(clusterWith({ ...ofOracle, env: { ...ofOracle.env, ...env } })), all);

  test('the compartment is the account, the region that of the nodes, and nothing stands in the way', () => {
    const found = check({});
    expect(found.config).toEqual({
      cluster: 'prod',
      audit,
      pools: [
        {
          name: 'default',
          provider: 'oci',
          region: 'eu-frankfurt-1',
          account: 'ocid1.compartment.oc1..aaaaaaaatest',
          nodeSelector: { matchLabels: { nodegroup: 'public' } },
          filter: 'freeformTags.kubeip=reserved;freeformTags.env=prod',
          release: { onNodeDelete: true },
        },
      ],
    });
    expect(found.problems).toEqual([]);
    expect(found.differences).toEqual([expect.stringContaining('releases its address when its pod ends')]);
    expect(found.nodes.map(({ keeps }) => keeps)).toEqual([['203.0.113.7'], ['203.0.113.8']]);
  });

  test.each([
    ['no compartment', { PROJECT: '' }, /account.*write its OCID as the account of the pool/],
    [
      'a filter of another cloud',
      { FILTER: 'labels.kubeip=reserved' },
      /This looks like a filter of Google Cloud/,
    ],
    ['IPv6', { IPV6: 'true' }, /Pools of IPv6 are not supported on Oracle Cloud/],
    [
      'a region by its key',
      { REGION: 'iad' },
      /"iad" is not the name of a region: its region is us-ashburn-1\./,
    ],
    [
      'a zone',
      { REGION: 'PHX-AD-1' },
      /"PHX-AD-1" is not the name of a region: its region is us-phoenix-1\./,
    ],
  ])('%s is a problem', (_, env, words) => {
    expect(check(env).problems.join('\n')).toMatch(words);
  });
});

describe('told as a difference or a problem:', () => {
  const nodes = [gke('a', { kubeip: 'use' }), gke('c', system)];
  const check = (shape: Shape, all: readonly MigratingNode[] = nodes) =>
    migrationOf('prod', kubeipAgents(clusterWith(shape)), all);

  test('a taint that KubeIP has no right to remove', () => {
    const { differences } = check({ ...ofAManifest, nodeVerbs: ['get'] });
    expect(differences).toContainEqual(expect.stringContaining('no right to patch Nodes'));
  });

  test('no node group outside the pools', () => {
    const { problems } = check(ofTheChart, [gke('a', ofTheChart.nodeSelector ?? {})]);
    expect(problems).toContainEqual(expect.stringContaining('none is left for worker and watcher'));
  });

  test('no filter, a filter that cannot be read, and nodes of several regions', () => {
    expect(check({ ...ofTheChart, env: {} }).problems).toContainEqual(
      expect.stringContaining('has no FILTER'),
    );
    const bad = check({ ...ofTheChart, env: { FILTER: 'Name=tag:kubeip' }, nodeSelector: { kubeip: 'use' } });
    expect(bad.problems.join('\n')).toMatch(/filter/);
    const far = { ...gke('d', { kubeip: 'use' }), region: 'europe-west4' };
    expect(
      check({ ...ofTheChart, nodeSelector: { kubeip: 'use' } }, [...nodes, far]).problems,
    ).toContainEqual(expect.stringContaining('several regions (europe-west1, europe-west4)'));
  });

  test('a variable that stands in a ConfigMap', () => {
    const objects = clusterWith(ofTheChart);
    const container = objects.daemonSets[1]?.spec?.template.spec?.containers[0];
    container?.env?.push({
      name: 'ORDER_BY',
      valueFrom: { configMapKeyRef: { name: 'kubeip', key: 'order' } },
    });
    expect(migrationOf('prod', kubeipAgents(objects), nodes).problems).toContainEqual(
      expect.stringContaining('ORDER_BY comes from ConfigMap kubeip, key order'),
    );
  });

  test.each([
    [{}, { format: 'pretty' }],
    [
      { LOG_LEVEL: 'warning', LOG_JSON: 'false' },
      { level: 'warn', format: 'pretty' },
    ],
    [{ LOG_LEVEL: '', LOG_JSON: 'true' }, undefined],
  ])('logging of %j', (env, log) => {
    const found = check({
      ...ofTerraform,
      nodeSelector: { kubeip: 'use' },
      env: { FILTER: 'labels.a=b', ...env },
    });
    expect((found.config as { log?: object }).log).toEqual(log);
    expect(found.problems).toEqual([]);
  });

  test('logging that cannot be read, and of several DaemonSets that of the first', () => {
    const loud = { ...ofTerraform, name: 'loud', env: { ...ofTerraform.env, LOG_LEVEL: 'loud' } };
    expect(check(loud).problems).toEqual([
      expect.stringMatching(/^DaemonSet kube-system\/loud: LOG_LEVEL: "loud" is not one of trace, /),
    ]);
    const { config, problems } = migrationOf('prod', kubeipAgents(clusterWith(ofAManifest, loud)), nodes);
    expect(config).toHaveProperty('log', { format: 'pretty' });
    expect(problems.join()).not.toContain('LOG_LEVEL');
  });

  test('several DaemonSets: a pool of each, by their names', () => {
    const two = clusterWith(ofTerraform, {
      ...ofTerraform,
      name: 'kubeip-game',
      nodeSelector: { kubeip: 'game' },
    });
    const { config } = migrationOf('prod', kubeipAgents(two), nodes);
    expect((config as { pools: { name: string }[] }).pools.map(({ name }) => name)).toEqual([
      'kubeip',
      'kubeip-game',
    ]);
  });
});

test('this project’s own DaemonSets, and others, are none of KubeIP', () => {
  const objects = clusterWith({ ...ofTheChart, image: 'registry.example.com/kubeip-temporal:0.1.0' });
  expect(kubeipAgents(objects)).toEqual([]);
});
