import { describe, expect, test } from '@jest/globals';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, loadConfig } from '../../config/config.ts';

const least = {
  FILTER: 'Name=tag:kubeip,Values=reserved',
  AWS_REGION: 'eu-west-1',
  KUBEIP_CLUSTER: 'prod',
};

function errorOf(env: NodeJS.ProcessEnv, file?: string): ConfigError {
  try {
    loadConfig({ env, file });
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('The configuration was accepted');
}

describe('KubeIP’s environment variables', () => {
  test('make up one pool, with KubeIP’s defaults', () => {
    const config = loadConfig({ env: least });
    expect(config.pools).toEqual([
      {
        name: 'default',
        provider: 'aws',
        region: 'eu-west-1',
        nodeSelector: { matchExpressions: [{ key: 'kubeip', operator: 'In', values: ['use'] }] },
        queries: [{ family: 'ipv4', filter: 'Name=tag:kubeip,Values=reserved', orderBy: '' }],
        require: 'all',
        hash: expect.any(String),
        priority: 0,
        retries: { attempts: 60, intervalMs: 60_000 },
        release: { onNodeDelete: true, gracePeriodMs: 600_000, onDeselect: 'keep' },
        taintPolicy: 'assigned',
        taintWaitMs: 600_000,
        pins: 'operator',
        nodeIdentity: { name: 'auto' },
      },
    ]);
    expect(config.log).toEqual({ level: 'info', format: 'pretty' });
  });

  test('are all read', () => {
    const config = loadConfig({
      env: {
        ...least,
        FILTER: 'Name=tag:env,Values=dev;Name=tag:app,Values=streamer',
        ORDER_BY: 'Tag:seq',
        RETRY_ATTEMPTS: '10',
        RETRY_INTERVAL: '1m30s',
        RELEASE_ON_EXIT: 'F',
        TAINT_KEY: 'kubeip.com/not-ready',
        REGION: 'us-east-1',
        PROJECT: '123456789012',
        IPV6: 'false',
        LOG_LEVEL: 'warning',
        LOG_JSON: 'true',
        NODE_SELECTOR: 'nodegroup=public,kubeip in (use, yes),!spot',
        KUBECONFIG: '/home/someone/.kube/config',
      },
    });
    expect(config.pools).toEqual([
      {
        name: 'default',
        provider: 'aws',
        region: 'us-east-1',
        account: '123456789012',
        nodeSelector: {
          matchExpressions: [
            { key: 'nodegroup', operator: 'In', values: ['public'] },
            { key: 'kubeip', operator: 'In', values: ['use', 'yes'] },
            { key: 'spot', operator: 'DoesNotExist' },
          ],
        },
        queries: [
          {
            family: 'ipv4',
            filter: 'Name=tag:env,Values=dev;Name=tag:app,Values=streamer',
            orderBy: 'Tag:seq',
          },
        ],
        require: 'all',
        hash: expect.any(String),
        priority: 0,
        retries: { attempts: 10, intervalMs: 90_000 },
        release: { onNodeDelete: false, gracePeriodMs: 600_000, onDeselect: 'keep' },
        taintKey: 'kubeip.com/not-ready',
        taintPolicy: 'assigned',
        taintWaitMs: 600_000,
        pins: 'operator',
        nodeIdentity: { name: 'auto' },
      },
    ]);
    expect(config.log).toEqual({ level: 'warn', format: 'json' });
    expect(config.notices).toEqual([]);
  });

  test('count as not set when they are empty, as KubeIP’s chart leaves TAINT_KEY', () => {
    const [pool] = loadConfig({
      env: {
        ...least,
        TAINT_KEY: '',
        ORDER_BY: '',
        RETRY_ATTEMPTS: '',
        LOG_JSON: '',
        LEASE_NAMESPACE: '',
        PROJECT: '',
      },
    }).pools;
    expect(pool).not.toHaveProperty('taintKey');
    expect(pool).not.toHaveProperty('account');
    expect(pool?.retries.attempts).toBe(60);
  });

  test('without meaning here are accepted, and a notice says so', () => {
    const env = {
      ...least,
      NODE_SELECTOR: 'a',
      NODE_NAME: 'node-a',
      LEASE_DURATION: '5',
      LEASE_NAMESPACE: 'default',
    };
    const { notices } = loadConfig({ env });
    expect(notices.map((notice) => notice.split(' ', 1)[0])).toEqual([
      'NODE_NAME',
      'LEASE_DURATION',
      'LEASE_NAMESPACE',
    ]);
  });

  test('serve only nodes labelled kubeip=use without NODE_SELECTOR, and a notice says so', () => {
    const [pool] = loadConfig({ env: least }).pools;
    for (const NODE_SELECTOR of [undefined, '', '  ', '\t\n']) {
      const { pools, notices } = loadConfig({ env: { ...least, NODE_SELECTOR } });
      expect(pools).toEqual([pool]);
      expect(notices).toEqual([expect.stringContaining('kubeip=use')]);
    }
  });

  test('are named in the problems, all of them at once', () => {
    const { problems } = errorOf({
      FILTER: 'tag:env=dev',
      ORDER_BY: 'Size',
      RETRY_ATTEMPTS: 'many',
      RETRY_INTERVAL: '1',
      RELEASE_ON_EXIT: 'maybe',
      TAINT_KEY: 'a b',
      PROJECT: 'My Project',
      IPV6: 'perhaps',
      LOG_LEVEL: 'loud',
      NODE_SELECTOR: 'a=b=c',
    });
    expect(problems.map(({ path }) => path).toSorted()).toEqual([
      'FILTER',
      'IPV6',
      'KUBEIP_CLUSTER',
      'LOG_LEVEL',
      'NODE_SELECTOR',
      'ORDER_BY',
      'PROJECT',
      'REGION',
      'RELEASE_ON_EXIT',
      'RETRY_ATTEMPTS',
      'RETRY_INTERVAL',
      'TAINT_KEY',
    ]);
  });

  test.each([
    { KUBEIP_CLUSTER: '', CLUSTER_NAME: 'a/b' },
    { KUBEIP_CLUSTER: 'a/b', CLUSTER_NAME: 'prod' },
  ])('name the one that the cluster’s name is of: %j', (names) => {
    const variable = names.KUBEIP_CLUSTER === '' ? 'CLUSTER_NAME' : 'KUBEIP_CLUSTER';
    expect(errorOf({ ...least, ...names }).problems).toMatchObject([{ path: variable, value: 'a/b' }]);
    const file = join(mkdtempSync(join(tmpdir(), 'kubeip-config-')), 'kubeip.yaml');
    writeFileSync(
      file,
      'pools: [{ name: a, region: eu-west-1, nodeSelector: {}, filter: "Name=tag:a,Values=1" }]',
    );
    expect(errorOf(names, file).problems).toMatchObject([{ path: variable, value: 'a/b' }]);
  });

  test('of Google Cloud are known by their filter', () => {
    const { pools } = loadConfig({
      env: {
        KUBEIP_CLUSTER: 'prod',
        FILTER: 'labels.env=dev;labels.app=streamer',
        ORDER_BY: 'creationTimestamp desc',
        PROJECT: 'my-project',
        REGION: 'europe-west1',
        IPV6: 'true',
      },
    });
    expect(pools).toMatchObject([
      {
        provider: 'gcp',
        account: 'my-project',
        region: 'europe-west1',
        queries: [
          {
            family: 'ipv6',
            filter: 'labels.env=dev;labels.app=streamer',
            orderBy: 'creationTimestamp desc',
          },
        ],
      },
    ]);
  });

  test.each([
    'address=192.0.2.1 OR address=192.0.2.2',
    'NOT labels.env:prod',
    'description="x"',
    '-labels.env:prod',
  ])('of Google Cloud are known by REGION and PROJECT, whatever the filter begins with: %s', (FILTER) => {
    const env = { KUBEIP_CLUSTER: 'prod', FILTER };
    for (const place of [
      { REGION: 'europe-west1', PROJECT: 'project-1' },
      { REGION: 'europe-west1' },
      { PROVIDER: 'gcp', CLOUDSDK_COMPUTE_REGION: 'europe-west1' },
    ]) {
      expect(loadConfig({ env: { ...env, ...place } }).pools).toMatchObject([
        { provider: 'gcp', region: 'europe-west1', queries: [{ filter: FILTER }] },
      ]);
    }
    const { pools } = loadConfig({ env: { ...env, CLOUDSDK_COMPUTE_REGION: 'us-central1' } });
    expect(pools).toMatchObject([{ provider: 'gcp', region: 'us-central1' }]);
  });

  test.each([
    { PROJECT: 'ocid1.compartment.oc1..aaaa', REGION: 'eu-frankfurt-1' },
    { PROJECT: 'ocid1.tenancy.oc1..aaaa', OCI_REGION: 'us-gov-ashburn-1' },
    // A region of AWS could be called so too: the filter tells.
    { PROVIDER: 'oci', PROJECT: 'ocid1.compartment.oc1..aaaa', OCI_CLI_REGION: 'ap-chuncheon-1' },
  ])('of Oracle Cloud are known by the compartment: %j', (env) => {
    const FILTER = 'freeformTags.kubeip=reserved;freeformTags.env=prod';
    const { pools } = loadConfig({ env: { FILTER, KUBEIP_CLUSTER: 'prod', ...env } });
    expect(pools).toMatchObject([{ provider: 'oci', account: env.PROJECT, queries: [{ filter: FILTER }] }]);
  });

  const compartment = 'ocid1.compartment.oc1..aaaa';
  test.each([
    // What is named outweighs what the filter looks like: one error, about the filter.
    [{ REGION: 'eu-west-1', FILTER: 'labels.a=b' }, ['FILTER'], /looks like a filter of Google Cloud/],
    [{ REGION: 'europe-west1', FILTER: 'Name=tag:a,Values=b' }, ['FILTER'], /filter of AWS/],
    [{ PROVIDER: 'azure', REGION: 'eu-west-1' }, ['PROVIDER'], /"azure" is not aws or gcp or oci/],
    [
      { PROVIDER: 'oci', PROJECT: compartment, REGION: 'eu-west-1', FILTER: 'freeformTags.a=b' },
      ['REGION'],
      /of AWS: set provider to aws/,
    ],
    [
      { PROVIDER: 'oci', PROJECT: compartment, REGION: 'eu-frankfurt-1', FILTER: 'labels.a=b' },
      ['FILTER'],
      /of Google Cloud: set/,
    ],
    [
      {
        PROVIDER: 'oci',
        PROJECT: compartment,
        REGION: 'eu-frankfurt-1',
        FILTER: 'freeformTags.a=b',
        IPV6: 'true',
      },
      ['IPV6'],
      /IPv6 are not supported on Oracle Cloud/,
    ],
    [{ REGION: 'eu-west-1', RETRY_ATTEMPTS: '4294967297' }, ['RETRY_ATTEMPTS'], /must be 1000000 or less/],
    [{ PROVIDER: 'aws', REGION: 'europe-west1' }, ['REGION'], /of Google Cloud: set provider to gcp/],
    [
      { PROVIDER: 'oci', REGION: 'eu-frankfurt-1', FILTER: 'freeformTags.a=b' },
      ['PROJECT'],
      /write its OCID as the account/,
    ],
  ])('%j is refused by what is wrong in it', (env, paths, message) => {
    const { problems } = errorOf({ FILTER: least.FILTER, KUBEIP_CLUSTER: 'prod', ...env });
    expect(problems.map(({ path }) => path)).toEqual(paths);
    expect(problems[0]?.message).toMatch(message);
  });

  test('of KubeIP v1 are known, and the error says what to write instead', () => {
    const { message } = errorOf({
      KUBEIP_LABELKEY: 'kubeip',
      KUBEIP_LABELVALUE: 'static-ingress',
      KUBEIP_NODEPOOL: 'ingress-pool',
      KUBEIP_ADDITIONALNODEPOOLS: 'web-pool,media',
    });
    expect(message).toContain('KUBEIP_LABELKEY, KUBEIP_LABELVALUE');
    expect(message).toContain('KubeIP v1');
    expect(message).toContain('FILTER="labels.kubeip=static-ingress"');
    expect(message).toContain(
      'NODE_SELECTOR="cloud.google.com/gke-nodepool in (ingress-pool,web-pool,media)"',
    );
  });

  test('of KubeIP v1 beside FILTER get a notice each', () => {
    const env = { ...least, NODE_SELECTOR: 'a', KUBEIP_NODEPOOL: 'ingress-pool', KUBEIP_DRYRUN: 'true' };
    expect(loadConfig({ env }).notices).toEqual([
      expect.stringMatching(/^KUBEIP_NODEPOOL is set but not used: .*NODE_SELECTOR/),
      expect.stringMatching(/^KUBEIP_DRYRUN is set but not used: .*kubeip plan/),
    ]);
  });

  test('are not enough without FILTER: the error tells how to start', () => {
    const { message } = errorOf({ TAINT_KEY: 'a', NODE_NAME: 'b' });
    for (const word of ['--config', 'KUBEIP_CONFIG', 'FILTER', 'TAINT_KEY, NODE_NAME alone are not enough']) {
      expect(message).toContain(word);
    }
  });

  test('beside a file: FILTER is refused, the rest of the pool’s is left out with a notice', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'kubeip-config-')), 'kubeip.yaml');
    writeFileSync(
      file,
      'cluster: prod\npools: [{ name: a, nodeSelector: {}, filter: "Name=tag:a,Values=1" }]',
    );
    expect(errorOf({ ...least, KUBEIP_CONFIG: file }).problems).toEqual([
      expect.objectContaining({ path: 'FILTER' }),
    ]);

    const env = { AWS_REGION: 'eu-west-1', ORDER_BY: 'Tag:seq', TAINT_KEY: 'b', LEASE_DURATION: '5' };
    const config = loadConfig({ file, env });
    expect(config.pools[0]?.queries[0]?.orderBy).toBe('');
    expect(config.pools[0]).not.toHaveProperty('taintKey');
    expect(config.notices.map((notice) => notice.split(' ', 1)[0])).toEqual([
      'ORDER_BY',
      'TAINT_KEY',
      'LEASE_DURATION',
    ]);
  });
});
