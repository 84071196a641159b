/** What `kubeip allowlist` writes. */
import { describe, expect, test } from '@jest/globals';
import { allowlistText, changeLine, compareNetworks } from '../../cli/commands/allowlist.ts';
import type { PoolNetworks } from '../../workflows/reports.ts';

const scope = 'aws/123456789012/eu-west-1';
const pools: PoolNetworks[] = [
  { pool: 'public', family: 'ipv4', scope, networks: ['203.0.113.7/32', '203.0.113.9/32'] },
  { pool: 'public', family: 'ipv6', scope, networks: ['2001:db8::/112'] },
  { pool: 'game', family: 'ipv4', scope, networks: ['203.0.113.9/32'] },
];

describe('the list', () => {
  test('as text has each address once, and a range as a network', () => {
    expect(allowlistText('text', 'prod', pools)).toBe('203.0.113.7\n203.0.113.9\n2001:db8::/112\n');
  });

  test('as CSV has a row for each network of each pool', () => {
    expect(allowlistText('csv', 'prod', pools.slice(1))).toBe(
      `network,family,pool,scope\n2001:db8::/112,ipv6,public,${scope}\n203.0.113.9/32,ipv4,game,${scope}\n`,
    );
  });

  test('as JSON is what the worker found', () => {
    expect(JSON.parse(allowlistText('json', 'prod', pools))).toEqual({ cluster: 'prod', pools });
  });

  test('for Terraform is a local value by pool and family', () => {
    expect(allowlistText('terraform', 'prod', pools.slice(1))).toBe(
      [
        'locals {',
        '  kubeip_allowlist = {',
        '    "public" = {',
        '      ipv6 = [',
        '        "2001:db8::/112",',
        '      ]',
        '    }',
        '    "game" = {',
        '      ipv4 = [',
        '        "203.0.113.9/32",',
        '      ]',
        '    }',
        '  }',
        '}',
        '',
      ].join('\n'),
    );
  });
});

describe('a watch', () => {
  /** @returns the lines after each look at the networks of one pool */
  function linesOf(looks: readonly string[][]): string[] {
    let state = compareNetworks(new Map(), new Set(), []);
    return looks.map((networks) => {
      state = compareNetworks(state.shown, state.doubted, [
        { pool: 'a', family: 'ipv4', scope, networks: networks.map((ip) => `${ip}/32`) },
      ]);
      return state.changes.map((change) => changeLine('text', change).trimEnd()).join(', ');
    });
  }

  test('begins with all that is there, and then writes what comes', () => {
    expect(
      linesOf([
        ['1.1.1.1', '1.1.1.2'],
        ['1.1.1.1', '1.1.1.2'],
        ['1.1.1.1', '1.1.1.2', '1.1.1.3'],
      ]),
    ).toEqual(['+ 1.1.1.1 a, + 1.1.1.2 a', '', '+ 1.1.1.3 a']);
  });

  test('removes what two looks miss, and not what one does', () => {
    expect(linesOf([['1.1.1.1'], [], ['1.1.1.1'], [], [], []])).toEqual([
      '+ 1.1.1.1 a',
      '',
      '',
      '',
      '- 1.1.1.1 a',
      '',
    ]);
  });

  test('writes JSON as a line for each change', () => {
    const change = { change: 'removed', network: '203.0.113.7/32', pool: 'a' } as const;
    expect(JSON.parse(changeLine('json', change))).toEqual(change);
  });
});
