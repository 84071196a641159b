/** A figure that stands in two places comes from one: prices from docs/cost.md, versions and defaults from the code. */
import { describe, expect, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { HOURS_A_MONTH } from '../../cli/commands/pools.ts';
import { cloudOf, providerNames } from '../../clouds/registry.ts';
import { defaults } from '../../config/defaults.ts';
import { exitCodes } from '../../program/exit-codes.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (page: string) => readFileSync(join(root, page), 'utf8');
const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const amounts = (text: string) => [...text.matchAll(/\$(\d[\d.,]*\d|\d)/g)].map(([amount]) => amount);

describe('prices', () => {
  const source = read('docs/cost.md');
  const known = new Set(amounts(source));

  test.each(pages.filter((page) => page !== 'docs/cost.md'))('of %s are those of docs/cost.md', (page) => {
    // The arguments of a shell.
    const text = read(page).replaceAll(/^```sh\n.*?^```$/gms, '');
    expect(amounts(text).filter((amount) => !known.has(amount))).toEqual([]);
  });

  test('that `kubeip pools` counts with are on its page', () => {
    for (const price of providerNames.map((name) => cloudOf(name).idlePrice.ipv4)) {
      // Where an idle address costs nothing there is no price to be shown.
      if (price === 0) continue;
      expect(source).toContain(`$${price} an hour, $${(price * HOURS_A_MONTH).toFixed(2)} a month`);
    }
    expect(source).toContain(`a month is ${HOURS_A_MONTH} hours`);
  });

  test('of its example add up', () => {
    const [addresses = 0, gateways = 0, their = 0, traffic = 0] = amounts(
      source.slice(source.indexOf('Ten nodes in three zones'), source.indexOf('**static addresses / NAT')),
    ).map((amount) => Number(amount.slice(1)));
    expect(addresses).toBeCloseTo(10 * cloudOf('aws').idlePrice.ipv4 * HOURS_A_MONTH);
    expect(gateways).toBeCloseTo(3 * 0.045 * HOURS_A_MONTH);
    expect(their).toBeCloseTo(3 * cloudOf('aws').idlePrice.ipv4 * HOURS_A_MONTH);
    expect(source).toContain(`**$${addresses.toFixed(2)} / $${(gateways + their + traffic).toFixed(2)}**`);
  });
});

test('the version of the pages is that of the package and of the chart', () => {
  const { version } = JSON.parse(read('package.json')) as { version: string };
  const chart = parse(read('deploy/helm/kubeip-temporal/Chart.yaml')) as Record<string, string>;
  expect([chart['version'], chart['appVersion']]).toEqual([version, version]);
  for (const page of ['docs/install-eks.md', 'docs/install-gke.md', 'docs/install-oke.md']) {
    expect(read(page)).toContain(`$IMAGE:${version}"`);
  }
});

test('exit codes of the pages are those of the programs', () => {
  const table = read('docs/cli.md');
  const listed = [...table.matchAll(/^\| (\d+) \| /gm)].map(([, code]) => Number(code));
  expect(new Set(listed)).toEqual(new Set(Object.values(exitCodes)));
});

test('the default grace period is the same wherever a page says it', () => {
  const minutes = defaults.pool.release.gracePeriod;
  expect(minutes).toBe('10m');
  for (const page of pages) {
    for (const [, value] of read(page).matchAll(/gracePeriod`? \((\d+) minutes\)/g)) {
      expect(`${page} ${value}m`).toBe(`${page} ${minutes}`);
    }
  }
});
