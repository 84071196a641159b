/** Hundreds of pools in one account and region: a worker starts at once, and one list serves them all. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { compileFilters } from '../../clouds/aws/filter-match.ts';
import { parseFilter } from '../../clouds/aws/filter.ts';
import { createAwsProvider } from '../../clouds/aws/aws-provider.ts';
import type { CloudProvider } from '../../clouds/provider.ts';
import { loadConfig } from '../../config/config.ts';
import { createLogger } from '../../program/logger.ts';
import { type Ec2Emulator, startEc2Emulator } from '../../sandbox/ec2/emulator.ts';
import { openProviders } from '../../worker/providers.ts';

const POOLS = 300;
const ADDRESSES = 5_000;
const filterOf = (n: number): string => `Name=tag:pool,Values=p${n}`;

let ec2: Ec2Emulator;
let dir: string;

beforeEach(async () => {
  process.env['AWS_ACCESS_KEY_ID'] = 'test';
  process.env['AWS_SECRET_ACCESS_KEY'] = 'test';
  ec2 = await startEc2Emulator({ latencyMs: 20, limits: 'off' });
  dir = mkdtempSync(join(tmpdir(), 'many-pools-'));
});

afterEach(async () => {
  await ec2.close();
  rmSync(dir, { recursive: true });
});

function countOf(action: string): number {
  return Object.values(ec2.calls().counts[action] ?? {}).reduce((all, one) => all + one, 0);
}

test('the start makes a call or two for each account and region, not for each pool', async () => {
  for (let n = 0; n < ADDRESSES; n++) ec2.allocateAddress({ tags: { pool: `p${n % POOLS}` } });
  const file = join(dir, 'kubeip.yaml');
  const pools = Array.from({ length: POOLS }, (_, n) => ({
    name: `p${n}`,
    provider: 'aws',
    region: ec2.region,
    endpoint: ec2.url,
    nodeSelector: { matchLabels: { pool: `p${n}` } },
    addresses: { ipv4: { filter: filterOf(n) } },
  }));
  writeFileSync(file, stringify({ cluster: 'test', pools }));
  const config = loadConfig({ file, env: {} });
  const logger = createLogger({ name: 'worker', level: 'error', format: 'json' });

  const { byScope, byPool } = await openProviders({ config, logger, onCall: () => {} });
  expect(byScope.size).toBe(1);
  expect(byPool.size).toBe(POOLS);
  expect(countOf('GetCallerIdentity')).toBeLessThanOrEqual(1);
  expect(countOf('DescribeAddresses')).toBeLessThanOrEqual(2);

  // As an audit does, and `kubeip pools` by it.
  const before = countOf('DescribeAddresses');
  const lists = await Promise.all(
    config.pools.flatMap((pool) => pool.queries.map((query) => byPool.get(pool.name)!.listAddresses(query))),
  );
  expect(countOf('DescribeAddresses') - before).toBeLessThanOrEqual(2);
  expect(lists.map((list) => list.length).every((length) => length === 16 || length === 17)).toBe(true);
  expect(new Set(lists.flat().map(({ id }) => id)).size).toBe(ADDRESSES);
  for (const provider of byScope.values()) provider.close();
});

test('many lists at once have what each has alone, in its order, and a wrong filter fails alone', async () => {
  const provider: CloudProvider = createAwsProvider({
    region: ec2.region,
    account: ec2.accountId,
    endpoint: ec2.url,
  });
  for (let n = 0; n < 30; n++) {
    ec2.allocateAddress({ tags: { pool: `p${n % 3}`, nth: `${n}`, 'with a *': n % 2 === 0 ? '' : 'a\\b' } });
  }
  const filters = [
    'Name=tag:pool,Values=p1',
    'Name=tag:pool,Values=p*;Name=tag:nth,Values=1?,2',
    'Name=tag:pool,Values=p0,p2;Name=tag:pool,Values=p2,p1',
    'Name=tag-key,Values=nth',
    'Name=tag-value,Values=p?',
    'Name=tag:with a *,Values=',
    'Name=tag:with a *,Values=a\\\\b',
    'Name=domain,Values=vpc;Name=tag:nth,Values=7',
    `Name=network-border-group,Values=${ec2.region}`,
    'Name=public-ip,Values=*.1?',
    'Name=tag:Pool,Values=p1',
  ];
  const queries = filters.map((filter) => ({ family: 'ipv4' as const, filter, orderBy: 'Tag:nth' }));
  const alone = [];
  for (const query of queries) alone.push(await provider.listAddresses(query));
  const wrong = provider.listAddresses({ family: 'ipv4', filter: 'Name=nothing,Values=x', orderBy: '' });
  const [together, failed] = await Promise.all([
    Promise.all(queries.map((query) => provider.listAddresses(query))),
    wrong.catch((error: unknown) => error),
  ]);
  expect(together).toEqual(alone);
  expect(alone.map(({ length }) => length > 0)).toEqual(
    filters.map((filter) => !filter.includes('tag:Pool')),
  );
  expect(failed).toMatchObject({ kind: 'Invalid' });
  provider.close();
});

test('any tag value matches a filter as EC2 says: by wildcards, and by characters that a backslash makes plain', () => {
  const escaped = (text: string): string => text.replaceAll(/[*?\\]/g, '\\$&');
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*', '?', '\\', '$', '(') });
  fc.assert(
    fc.property(text, text, (value, other) => {
      const matches = (pattern: string): boolean | undefined =>
        compileFilters([{ name: 'tag:k', values: [pattern] }])?.({ Tags: [{ Key: 'k', Value: value }] });
      expect(matches(escaped(value))).toBe(true);
      expect(matches('*')).toBe(true);
      expect(matches('?'.repeat(value.length))).toBe(true);
      expect(matches('?'.repeat(value.length + 1))).toBe(false);
      expect(matches(`${escaped(value)}${escaped(other)}`)).toBe(other === '');
      expect(matches(`${escaped(value.slice(0, 1))}*`)).toBe(true);
    }),
  );
  expect(compileFilters(parseFilter('Name=tag:k,Values=a'))?.({ Tags: [{ Key: 'K', Value: 'a' }] })).toBe(
    false,
  );
});
