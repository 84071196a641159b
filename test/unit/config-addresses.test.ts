/** Where a pool's addresses come from, and how a change of it is known. */
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ConfigError,
  loadConfig,
  type Config,
  type ConfigProblem,
  type PoolConfig,
} from '../../config/config.ts';
import { hashPool } from '../../config/pool-hash.ts';

const file = join(mkdtempSync(join(tmpdir(), 'kubeip-config-')), 'kubeip.yaml');

function load(yaml: string): Config {
  writeFileSync(file, yaml);
  return loadConfig({ file, env: {} });
}

/** A pool on GKE that has these lines beside what every pool needs. */
function yamlOf(lines: readonly string[], defaults: readonly string[] = []): string {
  const shared = ['provider: gcp', 'region: europe-west1', ...defaults];
  const own = ['name: game', 'nodeSelector: {}', ...lines];
  return `cluster: prod\ndefaults:\n  ${shared.join('\n  ')}\npools:\n  - ${own.join('\n    ')}\n`;
}

function queriesOf(
  lines: readonly string[],
  defaults: readonly string[] = [],
): PoolConfig['queries'] | undefined {
  return load(yamlOf(lines, defaults)).pools[0]?.queries;
}

function problemsOf(lines: readonly string[], defaults: readonly string[] = []): readonly ConfigProblem[] {
  try {
    load(yamlOf(lines, defaults));
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new Error('The configuration was accepted');
}

const both = [
  'addresses:',
  '  ipv6: { filter: labels.a=6 }',
  '  ipv4: { filter: labels.a=4, orderBy: name }',
];

describe('the addresses of a pool', () => {
  test('are one set of one family with filter', () => {
    const lines = ['filter: labels.a=1', 'orderBy: name'];
    expect(queriesOf(lines)).toEqual([{ family: 'ipv4', filter: 'labels.a=1', orderBy: 'name' }]);
    expect(queriesOf([...lines, 'family: ipv6'])).toEqual([
      { family: 'ipv6', filter: 'labels.a=1', orderBy: 'name' },
    ]);
    expect(queriesOf(lines, ['family: ipv6'])).toMatchObject([{ family: 'ipv6' }]);
  });

  test('are a set for each family with addresses, IPv4 first whatever the order of the file', () => {
    expect(queriesOf(both)).toEqual([
      { family: 'ipv4', filter: 'labels.a=4', orderBy: 'name' },
      { family: 'ipv6', filter: 'labels.a=6', orderBy: '' },
    ]);
    expect(queriesOf(['addresses: { ipv6: { filter: labels.a=6 } }'], ['family: ipv4'])).toEqual([
      { family: 'ipv6', filter: 'labels.a=6', orderBy: '' },
    ]);
  });

  test('take the order of defaults where a set names none', () => {
    const orders = queriesOf(both, ['orderBy: creationTimestamp desc'])?.map(({ orderBy }) => orderBy);
    expect(orders).toEqual(['name', 'creationTimestamp desc']);
  });

  test('are refused by their family where the cloud has no pools of it', () => {
    const defaults = ['account: ocid1.compartment.oc1..aaaa'];
    const pathsOf = (lines: string[], shared: string[] = []) => {
      const yaml = yamlOf(lines, [...defaults, ...shared]);
      try {
        load(yaml.replace('gcp', 'oci').replace('europe-west1', 'eu-frankfurt-1'));
        return [];
      } catch (error) {
        return (error as ConfigError).problems.map(({ path, value }) => [path, value]);
      }
    };
    const filter = 'filter: freeformTags.a=1';
    expect(pathsOf([filter])).toEqual([]);
    expect(pathsOf([filter, 'family: ipv6'])).toEqual([['pools[0].family', 'ipv6']]);
    expect(pathsOf([filter], ['family: ipv6'])).toEqual([['defaults.family', 'ipv6']]);
    expect(pathsOf([`addresses: { ipv6: { ${filter} } }`])).toEqual([['pools[0].addresses.ipv6', 'ipv6']]);
  });

  test('take no order of defaults for IPv6 on AWS, which has none', () => {
    const aws = (lines: string[]) =>
      load(yamlOf(lines, ['orderBy: PublicIp']).replace('gcp', 'aws').replace('europe-west1', 'eu-west-1'))
        .pools[0]?.queries;
    const filter = 'Name=tag:a,Values=1';
    const sets = [`ipv4: { filter: "${filter}" }`, `ipv6: { filter: "${filter}" }`];
    expect(aws([`addresses: { ${sets.join(', ')} }`])).toEqual([
      { family: 'ipv4', filter, orderBy: 'PublicIp' },
      { family: 'ipv6', filter, orderBy: '' },
    ]);
    expect(aws([`filter: ${filter}`, 'family: ipv6'])).toEqual([{ family: 'ipv6', filter, orderBy: '' }]);
  });

  test('are all required unless the pool or defaults say otherwise', () => {
    const requireOf = (lines: string[], defaults: string[] = []) =>
      load(yamlOf([...both, ...lines], defaults)).pools[0]?.require;
    expect(requireOf([])).toBe('all');
    expect(requireOf(['require: any'])).toBe('any');
    expect(requireOf([], ['require: any'])).toBe('any');
    expect(requireOf(['require: all'], ['require: any'])).toBe('all');
  });

  test('a requirement among one family is noticed where the pool itself states it', () => {
    const one = ['filter: labels.a=1'];
    expect(load(yamlOf([...one, 'require: any'])).notices).toEqual([
      expect.stringContaining('require has no meaning'),
    ]);
    expect(load(yamlOf(one, ['require: any'])).notices).toEqual([]);
    expect(load(yamlOf([...both, 'require: any'])).notices).toEqual([]);
  });

  test.each<[string, string[], string, string]>([
    ['nothing', [], 'pools[0].filter', 'or, for a set of each family, addresses'],
    ['an empty filter', ['filter:'], 'pools[0].filter', 'is empty'],
    ['filter and addresses', [...both, 'filter: labels.a=1'], 'pools[0].filter', 'beside addresses'],
    ['family and addresses', [...both, 'family: ipv6'], 'pools[0].family', 'Remove it'],
    ['orderBy and addresses', [...both, 'orderBy: name'], 'pools[0].orderBy', 'addresses.ipv4'],
    ['no family', ['addresses: {}'], 'pools[0].addresses', 'ipv4, ipv6 or both'],
    ['empty addresses', ['addresses:'], 'pools[0].addresses', 'is empty'],
    [
      'a family without a filter',
      ['addresses: { ipv6: {} }'],
      'pools[0].addresses.ipv6.filter',
      'is missing',
    ],
    ['another key', ['addresses: { ipv5: {} }'], 'pools[0].addresses.ipv5', 'Did you mean ipv'],
    [
      'a bad filter',
      ['addresses: { ipv4: { filter: label.a=1 } }'],
      'pools[0].addresses.ipv4.filter',
      'labels.a',
    ],
    [
      'a bad order',
      ['addresses: { ipv4: { filter: labels.a=1, orderBy: Size } }'],
      'pools[0].addresses.ipv4.orderBy',
      'creationTimestamp desc',
    ],
    ['a bad requirement', [...both, 'require: both'], 'pools[0].require', 'all, any'],
  ])('refuse %s', (_, lines, path, remedy) => {
    const problems = problemsOf(lines);
    expect(problems.map((problem) => problem.path)).toContain(path);
    expect(problems.find((problem) => problem.path === path)?.message).toContain(remedy);
    expect(problems[0]?.line).toBeGreaterThan(0);
  });

  test('whose order is wrong in defaults are told so there', () => {
    expect(problemsOf(both, ['orderBy: Size']).map(({ path }) => path)).toEqual(['defaults.orderBy']);
  });
});

describe('the pacing', () => {
  test('is that of each cloud, and one setting leaves the others at their defaults', () => {
    const { pacing } = load(`pacing: { gcp: { perSecond: 2.5 } }\n${yamlOf(both)}`);
    expect(pacing).toEqual({
      aws: { burst: 45, perSecond: 4.95 },
      gcp: { burst: 200, perSecond: 2.5 },
      oci: { burst: 10, perSecond: 2 },
    });
  });
});

describe('the hash of a pool', () => {
  const pool = load(yamlOf([...both, 'taintKey: example.com/a'])).pools[0] as PoolConfig;

  test('is the same for the same settings, however they are written', () => {
    const inDefaults = load(
      yamlOf([both[0] ?? '', both[2] ?? '', both[1] ?? ''], ['taintKey: example.com/a']),
    );
    expect(inDefaults.pools[0]?.hash).toBe(pool.hash);
  });

  const changes: Record<string, Partial<PoolConfig>> = {
    'its name': { name: 'other' },
    'its cloud': { provider: 'aws' },
    'its account': { account: 'other' },
    'its region': { region: 'europe-west4' },
    'a filter': { queries: pool.queries.map((query) => ({ ...query, filter: `${query.filter}x` })) },
    'an order': { queries: pool.queries.map((query) => ({ ...query, orderBy: 'creationTimestamp desc' })) },
    'a family': { queries: pool.queries.slice(0, 1) },
    'what is required': { require: 'any' },
    'its priority': { priority: 1 },
    'its attempts': { retries: { ...pool.retries, attempts: 1 } },
    'its interval': { retries: { ...pool.retries, intervalMs: 1 } },
    'whether it releases': { release: { ...pool.release, onNodeDelete: false } },
    'its grace period': { release: { ...pool.release, gracePeriodMs: 1 } },
    'its taint': { taintKey: 'example.com/b' },
    'when its taint goes': { taintPolicy: 'assignedOrGaveUp' },
    'how long its taint waits': { taintWaitMs: 0 },
  };

  test.each(Object.keys(changes))('changes with %s', (name) => {
    expect(hashPool({ ...pool, ...changes[name] })).not.toBe(pool.hash);
  });

  test('does not change with the nodes that the pool serves', () => {
    expect(hashPool({ ...pool, nodeSelector: { matchLabels: { a: 'b' } } })).toBe(pool.hash);
  });

  test('tells apart what runs together in a row', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), fc.string(), (a, b, c, d) => {
        const hashOf = (filter: string, orderBy: string) =>
          hashPool({ ...pool, queries: [{ family: 'ipv4', filter, orderBy }] });
        expect(hashOf(a, b) === hashOf(c, d)).toBe(a === c && b === d);
      }),
    );
  });
});
