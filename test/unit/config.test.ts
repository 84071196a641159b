import { afterAll, describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kubernetesClusterOf } from '../../clouds/kubernetes-cluster.ts';
import { ConfigError, loadConfig, type Config, type ConfigProblem } from '../../config/config.ts';
import { readText } from '../../config/read-text.ts';

const folder = mkdtempSync(join(tmpdir(), 'kubeip-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

function load(yaml: string, env: NodeJS.ProcessEnv = {}): Config {
  const file = join(folder, 'kubeip.yaml');
  writeFileSync(file, yaml);
  return loadConfig({ file, env });
}

function problemsOf(yaml: string, env: NodeJS.ProcessEnv = {}): readonly ConfigProblem[] {
  return errorOf(() => load(yaml, env)).problems;
}

function errorOf(run: () => unknown): ConfigError {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('The configuration was accepted');
}

/** A pool that is right but for what is given, as YAML in flow style. */
function pool(more: Record<string, unknown> = {}): string {
  return JSON.stringify({
    name: 'public',
    region: 'eu-west-1',
    nodeSelector: { matchLabels: { kubeip: 'use' } },
    filter: 'Name=tag:kubeip,Values=reserved',
    ...more,
  });
}

const file = (...pools: string[]) => `cluster: prod\npools: [${pools.join(', ')}]\n`;

describe('loadConfig', () => {
  test('fills in KubeIP’s defaults and those of the programs', () => {
    expect(load(file(pool()))).toEqual({
      cluster: 'prod',
      pools: [
        {
          name: 'public',
          provider: 'aws',
          region: 'eu-west-1',
          nodeSelector: { matchLabels: { kubeip: 'use' } },
          queries: [{ family: 'ipv4', filter: 'Name=tag:kubeip,Values=reserved', orderBy: '' }],
          require: 'all',
          hash: expect.stringMatching(/^[0-9a-f]{12}$/),
          priority: 0,
          retries: { attempts: 60, intervalMs: 60_000 },
          release: { onNodeDelete: true, gracePeriodMs: 600_000, onDeselect: 'keep' },
          taintPolicy: 'assigned',
          taintWaitMs: 600_000,
          pins: 'operator',
          nodeIdentity: { name: 'auto' },
        },
      ],
      pacing: {
        aws: { burst: 45, perSecond: 4.95 },
        gcp: { burst: 200, perSecond: 5.5 },
        oci: { burst: 10, perSecond: 2 },
      },
      watcher: {
        reconcileIntervalMs: 300_000,
        failureCooldown: { initialIntervalMs: 60_000, maximumIntervalMs: 3_600_000 },
      },
      worker: { shutdownGraceTimeMs: 20_000, rollbackWindowMs: 3_600_000 },
      releaseBrake: { percent: 20, minimum: 5, windowMs: 600_000 },
      audit: { enabled: true, intervalMs: 600_000, policy: { drift: 'heal', orphans: 'report' } },
      http: { host: '127.0.0.1', workerPort: 8080, watcherPort: 8081 },
      log: { level: 'info', format: 'json' },
      notices: [],
    });
  });

  test('lets a pool override single keys of defaults, and switch a taint key off', () => {
    const config = load(`
cluster: prod
defaults:
  region: eu-west-1
  retries: { attempts: 5, interval: 1m30s }
  release: { onNodeDelete: false }
  taintKey: example.com/no-address
  taintPolicy: assignedOrGaveUp
  taintWait: 20m
  pins: annotation
  nodeIdentity: { name: required, clusterName: prod }
pools:
  - { name: a, nodeSelector: {}, filter: "Name=tag:a,Values=1", retries: { attempts: 7 } }
  - { name: b, nodeSelector: {}, filter: "Name=tag:b,Values=1", region: us-east-1, taintKey: "", taintPolicy: assigned, taintWait: 0s, pins: operator, nodeIdentity: { clusterName: "" }, release: { gracePeriod: 0s } }
`);
    expect(config.pools[0]).toMatchObject({
      region: 'eu-west-1',
      retries: { attempts: 7, intervalMs: 90_000 },
      release: { onNodeDelete: false, gracePeriodMs: 600_000, onDeselect: 'keep' },
      taintKey: 'example.com/no-address',
      taintPolicy: 'assignedOrGaveUp',
      taintWaitMs: 1_200_000,
      pins: 'annotation',
      nodeIdentity: { name: 'required', clusterName: 'prod' },
    });
    expect(config.pools[1]).toMatchObject({
      region: 'us-east-1',
      release: { onNodeDelete: false, gracePeriodMs: 0, onDeselect: 'keep' },
      taintPolicy: 'assigned',
      taintWaitMs: 0,
      pins: 'operator',
      nodeIdentity: { name: 'required' },
    });
    expect(config.pools[1]).not.toHaveProperty('taintKey');
  });

  test('takes the cool-down after a failure from the file, and refuses a first pause above the longest', () => {
    const watcher = (cooldown: string) => `watcher: { failureCooldown: ${cooldown} }\n${file(pool())}`;
    expect(load(watcher('{ maximumInterval: 10m }')).watcher.failureCooldown).toEqual({
      initialIntervalMs: 60_000,
      maximumIntervalMs: 600_000,
    });
    expect(problemsOf(watcher('{ initialInterval: 2h }'))).toMatchObject([
      {
        path: 'watcher.failureCooldown.initialInterval',
        line: 1,
        message: expect.stringContaining('above maximumInterval (1h)'),
      },
    ]);
    expect(problemsOf(watcher('{ initialInterval: 0s }'))).toMatchObject([
      { path: 'watcher.failureCooldown.initialInterval', message: expect.stringContaining('1s or more') },
    ]);
  });

  test.each([
    // Node's timers run out at once beyond 24.8 days.
    ['watcher: { reconcileInterval: 25h }', 'watcher.reconcileInterval', '24h or less'],
    ['worker: { shutdownGraceTime: 600h }', 'worker.shutdownGraceTime', '24h or less'],
    // Beyond what a date can be.
    ['releaseBrake: { window: 99999999999h }', 'releaseBrake.window', '8760h or less'],
    [
      'watcher: { failureCooldown: { maximumInterval: 99999999999h } }',
      'watcher.failureCooldown.maximumInterval',
      '8760h or less',
    ],
    ['worker: { rollbackWindow: 9000h }', 'worker.rollbackWindow', '8760h or less'],
    ['audit: { interval: 9000h }', 'audit.interval', '8760h or less'],
    ['defaults: { retries: { interval: 25h } }', 'defaults.retries.interval', '24h or less'],
    ['defaults: { release: { gracePeriod: 9000h } }', 'defaults.release.gracePeriod', '8760h or less'],
    [`defaults: { taintWait: ${'9'.repeat(20)}h }`, 'defaults.taintWait', '8760h or less'],
  ])('refuses a duration that is too long: %s', (line, path, remedy) => {
    expect(problemsOf(`${line}\n${file(pool())}`)).toMatchObject([
      { path, line: 1, message: expect.stringContaining(`must be ${remedy}.`) },
    ]);
    expect(load(`watcher: { reconcileInterval: 24h }\n${file(pool())}`).watcher.reconcileIntervalMs).toBe(
      86_400_000,
    );
  });

  test('takes as nodeIdentity.clusterName what a cloud calls a cluster, as it reads it there', () => {
    const oke = ['ocid1.cluster.oc1.eu-frankfurt-1.aaaa', 'Game servers 2.0'];
    for (const clusterName of ['prod', 'eks_1-a', ...oke, 'a'.repeat(255)]) {
      const [taken] = load(file(pool({ nodeIdentity: { clusterName } }))).pools;
      expect(taken?.nodeIdentity).toEqual({ name: 'auto', clusterName });
      expect(kubernetesClusterOf({ 'oke-cluster-display-name': clusterName })).toBe(clusterName);
    }
    const [problem] = problemsOf(file(pool({ nodeIdentity: { clusterName: 'a'.repeat(256) } })));
    expect(problem?.message).toContain('at most 255');
  });

  test('takes the region from the pool, then defaults, then AWS_REGION, then AWS_DEFAULT_REGION', () => {
    const env = { AWS_REGION: 'us-east-1', AWS_DEFAULT_REGION: 'us-west-2' };
    const without = pool({ region: undefined });
    const regionOf = (yaml: string, variables: NodeJS.ProcessEnv) => load(yaml, variables).pools[0]?.region;
    expect(regionOf(file(pool()), env)).toBe('eu-west-1');
    expect(regionOf(`defaults: { region: eu-north-1 }\n${file(without)}`, env)).toBe('eu-north-1');
    expect(regionOf(file(without), env)).toBe('us-east-1');
    expect(regionOf(file(without), { AWS_REGION: '', AWS_DEFAULT_REGION: 'us-west-2' })).toBe('us-west-2');
  });

  test('names every place where a missing region may be set', () => {
    const [problem] = problemsOf(file(pool({ region: undefined })));
    expect(problem?.path).toBe('pools[0].region');
    for (const place of ['defaults.region', 'AWS_REGION', 'AWS_DEFAULT_REGION']) {
      expect(problem?.message).toContain(place);
    }
  });

  test('tells a zone from a region, at the place where it was written', () => {
    const wrong = `defaults: { region: eu-west-1a }\n${file(pool({ region: undefined }), pool({ name: 'b', region: undefined }))}`;
    expect(problemsOf(wrong)).toEqual([
      expect.objectContaining({
        path: 'defaults.region',
        message: expect.stringContaining('its region is eu-west-1'),
      }),
    ]);
    expect(problemsOf(file(pool({ region: undefined })), { AWS_REGION: 'Ireland' })[0]?.path).toBe(
      'AWS_REGION',
    );
  });

  test('takes the cluster’s name from the file, then KUBEIP_CLUSTER, then CLUSTER_NAME, and says which it left out', () => {
    const unnamed = `pools: [${pool()}]`;
    const env = { KUBEIP_CLUSTER: 'blue', CLUSTER_NAME: 'green' };
    expect(load(unnamed, env).cluster).toBe('blue');
    expect(load(unnamed, { CLUSTER_NAME: 'green' }).cluster).toBe('green');
    const named = load(file(pool()), env);
    expect(named.cluster).toBe('prod');
    expect(named.notices).toEqual([expect.stringContaining('KUBEIP_CLUSTER=blue')]);
    expect(problemsOf(unnamed)).toEqual([
      expect.objectContaining({ path: 'cluster', message: expect.stringContaining('KUBEIP_CLUSTER') }),
    ]);
  });

  test('refuses a cluster name that would split a workflow id or end a query’s string', () => {
    for (const cluster of ['a/b', "a'b", '', 'a b']) {
      expect(problemsOf(`cluster: ${JSON.stringify(cluster)}\npools: [${pool()}]`)[0]?.path).toBe('cluster');
    }
  });

  test('tells at most 50 problems, and how many more there are', () => {
    const keys = Array.from({ length: 20_000 }, (_, index) => `unknown${index}: 1`);
    const error = errorOf(() => load(`${file(pool())}${keys.join('\n')}\n`));
    expect(error.problems).toHaveLength(50);
    expect(error.message).toMatch(/^The configuration has 20000 problems/);
    expect(error.message.split('\n')).toHaveLength(52);
    expect(error.message).toMatch(/\n {2}and 19950 more\.$/);
    const twice = errorOf(() => load(`${file(pool())}${'a: 1\n'.repeat(60)}`));
    expect(twice.message).toMatch(/has 59 problems[^]*\n {2}and 9 more\.$/);
    expect(errorOf(() => load(file(pool({ fitler: 'x' })))).message).not.toContain('more.');
  });

  test('waits for the other end of a pipe for a bounded time', () => {
    const path = join(folder, 'pipe');
    execFileSync('mkfifo', [path]);
    // Both ends, so that it never ends by itself.
    const fd = openSync(path, 'r+');
    try {
      expect(() => readText(`/dev/fd/${fd}`, 50)).toThrow(/is a pipe, .* did not end within 50ms/);
    } finally {
      closeSync(fd);
    }
  });

  test('refuses more aliases and more pools than any configuration has', () => {
    const aliases = `${file(pool())}x: [&a 1${', *a'.repeat(501)}]\n`;
    expect(problemsOf(aliases)[0]?.message).toMatch(/501 aliases.*at most 500/);
    expect(problemsOf(file(...Array.from({ length: 1_001 }, () => '{}')))).toEqual([
      expect.objectContaining({ path: 'pools', message: expect.stringContaining('at most 1000 pools') }),
    ]);
  });

  test('takes an anchor that 500 pools share, and refuses one that unfolds without end', () => {
    const shared = 'defaults: { region: eu-west-1, release: &release { gracePeriod: 1m } }';
    const pools = Array.from(
      { length: 500 },
      (_, n) =>
        `- { name: p${n}, nodeSelector: { matchLabels: { a: "${n}" } }, filter: "Name=tag:a,Values=1", release: *release }`,
    );
    const config = load(`cluster: prod\n${shared}\npools:\n${pools.join('\n')}\n`);
    expect(config.pools[499]?.release.gracePeriodMs).toBe(60_000);
    const laughs = Array.from({ length: 20 }, (_, n) => `x${n + 1}: &x${n + 1} [*x${n}, *x${n}, *x${n}]`);
    expect(problemsOf(`x0: &x0 [a, a]\n${laughs.join('\n')}\n`)[0]?.message).toContain('not valid YAML');
  });

  test('refuses a cluster and an account that make a workflow id too long for Temporal’s database', () => {
    const long = pool({
      provider: 'gcp',
      region: 'europe-west1',
      filter: 'labels.a=b',
      account: `${'d'.repeat(120)}:project-1`,
    });
    const [problem] = problemsOf(`cluster: ${'c'.repeat(100)}\npools: [${long}]\n`);
    expect(problem?.path).toBe('pools[0].account');
    expect(problem?.message).toMatch(
      /would have 2\d\d characters, and Temporal keeps 255 .*cluster c+… has 100, account d+… has 130/,
    );
    expect(load(`cluster: c\npools: [${long}]\n`).pools).toHaveLength(1);
  });

  test('tells all problems at once, in the order of the file, each with its line', () => {
    const problems = problemsOf(`cluster: prod
pool: []
defaults:
  retrys: { attempts: 3 }
pools:
  - name: public
    filter: Name=tags:kubeip,Values=reserved
    retries: { attempts: "3", interval: 5 m }
  - name: public
    region: eu-west-1
    nodeSelector:
      matchExpressions:
        - { key: a, operator: in, values: [a] }
    filter: ""
`);
    expect(problems.map(({ path, line }) => [path, line])).toEqual([
      ['pool', 2],
      ['defaults.retrys', 4],
      ['pools[0].nodeSelector', 6],
      ['pools[0].region', 6],
      ['pools[0].filter', 7],
      ['pools[0].retries.attempts', 8],
      ['pools[0].retries.interval', 8],
      ['pools[1].name', 9],
      ['pools[1].nodeSelector.matchExpressions[0].operator', 13],
      ['pools[1].filter', 14],
    ]);
  });

  test('shows file, path, value and remedy in the message', () => {
    const { message } = errorOf(() =>
      load(
        file(pool({ nodeSelector: { matchExpressions: [{ key: 'a', operator: 'Inn', values: ['b'] }] } })),
      ),
    );
    expect(message).toContain('kubeip.yaml');
    expect(message).toContain(
      'pools[0].nodeSelector.matchExpressions[0].operator (line 2): "Inn" is not one of',
    );
    expect(message).toContain('Did you mean In?');
  });

  test.each([
    ['nodeselector', 'nodeSelector'],
    ['node-selector', 'nodeSelector'],
    ['taint_key', 'taintKey'],
    ['priorty', 'priority'],
  ])('suggests the setting that is near the unknown key %s', (key, meant) => {
    const [problem] = problemsOf(file(pool({ [key]: 1 })));
    expect(problem).toMatchObject({ path: expect.stringContaining(key), value: 1 });
    expect(problem?.message).toBe(`is not a setting. Did you mean ${meant}?`);
  });

  test('lists the settings there are where no near one is known', () => {
    const [problem] = problemsOf(`http: { port: 80 }\n${file(pool())}`);
    expect(problem?.message).toBe('is not a setting. Known here: host, workerPort, watcherPort.');
  });

  test.each([
    ['account: 012345678901', 'pools[0].account', 'quotes'],
    ['account: "1234"', 'pools[0].account', '12 digits'],
    ['nodeSelector: { matchLabels: { a: true } }', 'pools[0].nodeSelector.matchLabels.a', 'quotes'],
    ['nodeSelector: { matchLabels: { "a b": x } }', 'pools[0].nodeSelector.matchLabels["a b"]', 'label key'],
    ['nodeSelector: { matchLabels: { a: "x y" } }', 'pools[0].nodeSelector.matchLabels.a', 'label value'],
    ['nodeSelector:', 'pools[0].nodeSelector', 'is empty'],
    ['nodeSelector: []', 'pools[0].nodeSelector', 'a block of keys'],
    [
      'nodeSelector: { matchExpressions: [{ key: a, operator: In }] }',
      'pools[0].nodeSelector.matchExpressions[0].values',
      'is missing',
    ],
    [
      'nodeSelector: { matchExpressions: [{ key: a, operator: Exists, values: [b] }] }',
      'pools[0].nodeSelector.matchExpressions[0].values',
      'left out',
    ],
    [
      'nodeSelector: { matchExpressions: [{ key: a, operator: Gt, values: [x] }] }',
      'pools[0].nodeSelector.matchExpressions[0].values[0]',
      'integer',
    ],
    [
      'nodeSelector: { matchExpressions: [{ key: a, operator: Lt, values: ["1", "2"] }] }',
      'pools[0].nodeSelector.matchExpressions[0].values',
      'exactly one',
    ],
    ['filter: "tag:kubeip=reserved"', 'pools[0].filter', 'Name='],
    ['filter: labels.kubeip=reserved', 'pools[0].filter', 'Google Cloud'],
    ['orderBy: Size', 'pools[0].orderBy', 'PublicIp'],
    ['provider: azure', 'pools[0].provider', 'gcp'],
    ['family: ipv5', 'pools[0].family', 'ipv4, ipv6'],
    ['priority: high', 'pools[0].priority', 'a number'],
    ['retries: { attempts: 0 }', 'pools[0].retries.attempts', '1 or more'],
    ['retries: { attempts: 2147483648 }', 'pools[0].retries.attempts', '1000000 or less'],
    ['retries: { interval: 0s }', 'pools[0].retries.interval', '1ms or more'],
    ['release: { onNodeDelete: "yes" }', 'pools[0].release.onNodeDelete', 'true or false'],
    ['taintWait: 5x', 'pools[0].taintWait', 'is not a duration'],
    ['taintPolicy: never', 'pools[0].taintPolicy', 'assignedOrGaveUp'],
    ['pins: kubelet', 'pools[0].pins', 'operator, annotation'],
    ['nodeIdentity: { name: maybe }', 'pools[0].nodeIdentity.name', 'auto, required, off'],
    [
      'nodeIdentity: { clusterName: "a/b" }',
      'pools[0].nodeIdentity.clusterName',
      'is not the name of a cluster',
    ],
    ['nodeIdentity: { tag: x }', 'pools[0].nodeIdentity.tag', 'clusterName'],
    ['taintKey: "a b"', 'pools[0].taintKey', 'taint key'],
    ['copyTags: { labels: ["cost:team"] }', 'pools[0].copyTags.labels[0]', 'no key there'],
    [
      'copyTags: { annotations: [a], prefix: node.kubernetes.io/ }',
      'pools[0].copyTags.annotations[0]',
      'another prefix',
    ],
    ['copyTags: { tags: [a] }', 'pools[0].copyTags.tags', 'annotations'],
    ['endpoint: localhost', 'pools[0].endpoint', 'https://'],
    ['name: "a/b"', 'pools[0].name', 'pool name'],
  ])('refuses %s', (line, path, remedy) => {
    const key = line.split(':', 1)[0] ?? '';
    const lines: Record<string, string> = {
      name: 'name: public',
      region: 'region: eu-west-1',
      nodeSelector: 'nodeSelector: {}',
      filter: 'filter: Name=tag:kubeip,Values=reserved',
    };
    lines[key] = line;
    const problems = problemsOf(`cluster: prod\npools:\n  - ${Object.values(lines).join('\n    ')}\n`);
    expect(problems).toHaveLength(1);
    expect(problems[0]?.path).toBe(path);
    expect(problems[0]?.message).toContain(remedy);
  });

  test.each([
    ['region: eu-west-1', 'pools[0].region', 'europe-west1'],
    ['region: europe-west1-b', 'pools[0].region', 'its region is europe-west1'],
    ['account: "123456789012"', 'pools[0].account', 'project id'],
    ['filter: Name=tag:kubeip,Values=reserved', 'pools[0].filter', 'set provider to aws'],
    ['filter: label.kubeip=reserved', 'pools[0].filter', 'did you mean "labels.kubeip"'],
    ['orderBy: PublicIp', 'pools[0].orderBy', 'creationTimestamp desc'],
  ])('refuses %s for Google Cloud', (line, path, remedy) => {
    const lines: Record<string, string> = {
      name: 'name: public',
      provider: 'provider: gcp',
      region: 'region: europe-west1',
      nodeSelector: 'nodeSelector: {}',
      filter: 'filter: labels.kubeip=reserved',
    };
    const written = (changed: Record<string, string>) =>
      `cluster: prod\npools:\n  - ${Object.values({ ...lines, ...changed }).join('\n    ')}\n`;
    const problems = problemsOf(written({ [line.split(':', 1)[0] ?? '']: line }));
    expect(problems).toMatchObject([{ path, message: expect.stringContaining(remedy) }]);
  });

  test.each([
    ['', 'pools'],
    ['- a', ''],
    ['cluster: prod\npools: []', 'pools'],
    ['cluster: prod\npools: public', 'pools'],
    ['cluster: prod\npools: [public]', 'pools[0]'],
  ])('refuses a file without pools: %j', (yaml, path) => {
    expect(problemsOf(yaml).map((problem) => problem.path)).toContain(path);
  });

  test('gives line and column of a syntax error, and refuses a key that stands twice', () => {
    const [twice] = problemsOf('cluster: a\ncluster: b\n');
    expect(twice).toMatchObject({
      line: 2,
      message: expect.stringContaining('column 1: this key stands twice'),
    });
    const [tab] = problemsOf('cluster: a\npools:\n\t- name: b\n');
    expect(tab).toMatchObject({ line: 3, message: expect.stringContaining('a tab') });
    const [open] = problemsOf('cluster: "a\n');
    expect(open?.message).toContain('not valid YAML');
    const [second] = problemsOf('cluster: a\n---\ncluster: b\n');
    expect(second).toMatchObject({ line: 2, message: expect.stringContaining('second document') });
    const [alias] = problemsOf('cluster: *prod\n');
    expect(alias?.message).toContain('alias');
  });

  test.each(['1: a, "1": b', '&k a: b, *k : c', 'null: a, "": b'])(
    'refuses a key that stands twice, however it is written: %s',
    (labels) => {
      const yaml = `cluster: prod\npools:\n  - nodeSelector:\n      matchLabels: { ${labels} }\n`;
      expect(problemsOf(yaml)).toMatchObject([
        { line: 4, message: expect.stringContaining('this key stands twice') },
      ]);
    },
  );

  test.each([
    ['taintKey: !vault example.com/a', '!vault'],
    ['taintKey: !!int a', '!!int'],
    // A set would be an empty block: every node.
    ['nodeSelector: !!set { kubeip }', '!!set'],
  ])('refuses a tag, which nothing here resolves: %s', (line, tag) => {
    const yaml = `cluster: prod\npools:\n  - name: a\n    region: eu-west-1\n    filter: "Name=tag:a,Values=1"\n    ${line}\n`;
    expect(problemsOf(yaml)).toEqual([
      {
        path: '',
        value: undefined,
        line: 6,
        message: expect.stringMatching(
          /^column \d+: "[^"]+" is a tag that is not known here\. Write the value itself\.$/,
        ),
      },
    ]);
    expect(problemsOf(yaml)[0]?.message).toContain(`"${tag}"`);
  });

  test('takes YAML’s own tags of text and numbers and a bracket below its key, and refuses a directive that it does not know', () => {
    expect(load(file(pool()).replace('prod', '!!str 1')).cluster).toBe('1');
    // What is only unusual is no mistake.
    expect(load(`cluster: prod\npools: [\n  ${pool()}\n]\n`).pools).toHaveLength(1);
    expect(problemsOf(`%OWN 1\n---\n${file(pool())}`)).toMatchObject([
      { line: 1, message: expect.stringContaining('not valid YAML: Unknown directive %OWN') },
    ]);
  });

  test('knows the line of a key that is no text', () => {
    expect(problemsOf(`cluster: prod\npools: [${pool()}]\n1: a\n`)).toMatchObject([
      { path: '["1"]', line: 3 },
    ]);
  });

  test('says how to name another file when there is none, and when it is a folder', () => {
    expect(errorOf(() => loadConfig({ file: join(folder, 'none.yaml'), env: {} })).message).toContain(
      '--config',
    );
    expect(errorOf(() => loadConfig({ env: { KUBEIP_CONFIG: folder } })).message).toContain('folder');
  });

  test('reads the file of KUBEIP_CONFIG unless --config names one', () => {
    const other = join(folder, 'other.yaml');
    writeFileSync(other, file(pool()).replace('prod', 'other'));
    expect(loadConfig({ env: { KUBEIP_CONFIG: other } }).cluster).toBe('other');
    const file1 = join(folder, 'one.yaml');
    writeFileSync(file1, file(pool()));
    expect(loadConfig({ file: file1, env: { KUBEIP_CONFIG: other } }).cluster).toBe('prod');
  });

  test('refuses two endpoints for one account and region, which one provider serves', () => {
    const problems = problemsOf(file(pool(), pool({ name: 'b', endpoint: 'http://127.0.0.1:4566' })));
    expect(problems.map(({ path }) => path)).toEqual(['pools[1].endpoint']);
    const regions = file(pool(), pool({ name: 'b', region: 'us-east-1', endpoint: 'http://127.0.0.1:4566' }));
    expect(load(regions).pools[1]?.endpoint).toBe('http://127.0.0.1:4566');
  });

  test('joins copyTags of a pool with that of defaults by key, and an empty list switches one off', () => {
    const shared =
      'defaults: { copyTags: { labels: [team], annotations: [contract], prefix: example.com/ } }';
    const copiedBy = (copyTags?: object) => load(`${shared}\n${file(pool({ copyTags }))}`).pools[0]?.copyTags;
    const all = { labels: ['team'], annotations: ['contract'], prefix: 'example.com/' };
    expect(copiedBy()).toEqual(all);
    expect(copiedBy({})).toEqual(all);
    expect(copiedBy({ labels: ['owner'] })).toEqual({ ...all, labels: ['owner'] });
    expect(copiedBy({ prefix: 'other.example/' })).toEqual({ ...all, prefix: 'other.example/' });
    expect(copiedBy({ annotations: [] })).toEqual({ ...all, annotations: [] });
    expect(copiedBy({ labels: [], annotations: [] })).toBeUndefined();

    const wrong = `${shared.replace('team', '"a b"')}\n${file(pool({ copyTags: { annotations: ['c d'] } }))}`;
    expect(problemsOf(wrong).map(({ path, line }) => [path, line])).toEqual([
      ['defaults.copyTags.labels[0]', 1],
      ['pools[0].copyTags.annotations[0]', 3],
    ]);
  });

  test('refuses a copied label that any pool selects by, since the tag’s value would move the node', () => {
    const copies = { copyTags: { labels: ['team', 'kubeip'], annotations: ['kubeip'], prefix: '' } };
    const byExpression = {
      name: 'b',
      nodeSelector: { matchExpressions: [{ key: 'team', operator: 'Exists' }] },
    };
    expect(problemsOf(file(pool(copies), pool(byExpression)))).toMatchObject([
      {
        path: 'pools[0].copyTags.labels[0]',
        message: 'would be "team" on the Node, which is a label that pool b selects by: set another prefix.',
      },
      {
        path: 'pools[0].copyTags.labels[1]',
        message:
          'would be "kubeip" on the Node, which is a label that pool public selects by: set another prefix.',
      },
    ]);
    const prefixed = { copyTags: { labels: ['kubeip'], annotations: ['kubeip'], prefix: 'example.com/' } };
    expect(load(file(pool(prefixed))).pools).toHaveLength(1);
  });

  test('notices a pool that an earlier one leaves no node', () => {
    const sameInOtherWords = {
      matchExpressions: [{ key: 'kubeip', operator: 'In', values: ['use'] }],
    };
    expect(load(file(pool(), pool({ name: 'b', nodeSelector: sameInOtherWords }))).notices).toEqual([
      expect.stringContaining('Pool b serves no node'),
    ]);
    expect(load(file(pool({ nodeSelector: {} }), pool({ name: 'b' }))).notices).toHaveLength(1);
    expect(load(file(pool(), pool({ name: 'b', nodeSelector: {} }))).notices).toEqual([]);
  });

  test('listens to the whole network in a pod only, where probes come from outside', () => {
    const env = { KUBERNETES_SERVICE_HOST: '10.0.0.1' };
    expect(load(file(pool()), env).http.host).toBe('0.0.0.0');
    expect(load(`http: { host: "::1" }\n${file(pool())}`, env).http.host).toBe('::1');
  });

  test('lets LOG_LEVEL and LOG_JSON override the file', () => {
    const yaml = `log: { level: warn, format: json }\n${file(pool())}`;
    expect(load(yaml).log).toEqual({ level: 'warn', format: 'json' });
    expect(load(yaml, { LOG_LEVEL: 'DEBUG', LOG_JSON: 'false' }).log).toEqual({
      level: 'debug',
      format: 'pretty',
    });
    expect(problemsOf(yaml, { LOG_LEVEL: 'loud', LOG_JSON: 'maybe' }).map(({ path }) => path)).toEqual([
      'LOG_LEVEL',
      'LOG_JSON',
    ]);
  });

  test('answers whatever a file holds by a configuration or by a ConfigError, never by another error', () => {
    const words =
      'cluster defaults pools pacing aws burst log level name region filter nodeSelector matchLabels matchExpressions operator values retries interval __proto__';
    const keys = fc.constantFrom(...words.split(' '));
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 6 },
        fc.constantFrom(null, true, 0, -1.5, '', 'In', '5 m', '1m', 'eu-west-1', 'Name=tag:a,Values=b'),
        fc.string(),
        fc.array(tie('tree'), { maxLength: 3 }),
        fc.dictionary(keys, tie('tree')),
      ),
    }));
    fc.assert(
      fc.property(tree, (content) => {
        try {
          load(JSON.stringify(content));
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError);
          expect((error as ConfigError).problems).not.toHaveLength(0);
        }
      }),
      { numRuns: 300 },
    );
  });
});
