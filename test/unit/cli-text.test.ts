/** What the command line makes of what it was told: tables, sentences, suggestions. */
import { describe, expect, test } from '@jest/globals';
import pico from 'picocolors';
import { description } from '../../cli/commands/describe.ts';
import { checksText } from '../../cli/commands/doctor.ts';
import { diagnosisChecks } from '../../cli/commands/doctor-checks.ts';
import { lockText } from '../../cli/commands/lock.ts';
import { planText } from '../../cli/commands/plan.ts';
import { idleCost, poolRows, poolTable } from '../../cli/commands/pools.ts';
import { nodeTable } from '../../cli/commands/status.ts';
import { parseScope } from '../../cli/scope-name.ts';
import { rendered } from '../../cli/speech.ts';
import { age, table } from '../../cli/table.ts';
import { similarNames } from '../../cli/unknown-node.ts';
import type { AddressPoolStatus, AssignIpStatus, PoolSize } from '../../workflows/messages.ts';
import type { DiagnoseReport } from '../../workflows/reports.ts';

const plain = pico.createColors(false);
const now = Date.parse('2026-11-24T12:00:00Z');

const waiting: AssignIpStatus = {
  phase: 'waiting',
  cluster: 'prod',
  node: { name: 'node-a', uid: 'u1' },
  since: '2026-11-24T11:55:00.000Z',
  message: 'Pool public has no free IPv4 address.',
  pool: 'public',
  scope: 'aws/123456789012/eu-west-1',
  addresses: [],
  releasedByHand: false,
  tried: [
    { at: '2026-11-24T11:55:00.000Z', what: 'claim an address', outcome: 'waiting', error: 'none is free' },
  ],
};

const mutex: AddressPoolStatus = {
  scope: 'aws/123456789012/eu-west-1',
  pools: [
    { name: 'public', family: 'ipv4', waiting: 1, size: 3, free: 0, lookedAt: '2026-11-24T11:59:00.000Z' },
  ],
  queueLength: 1,
  waiting: [
    {
      position: 2,
      place: 1,
      workflowId: 'assign-ip/prod/node-a',
      family: 'ipv4',
      pool: 'public',
      priority: 5,
      since: '2026-11-24T11:55:00.000Z',
    },
  ],
  claims: [
    {
      address: { id: 'eipalloc-1', ip: '203.0.113.7' },
      workflowId: 'assign-ip/prod/node-b',
      instance: 'i-1',
      token: 42,
      state: 'granted',
      deadline: '2026-11-24T12:02:00.000Z',
    },
    {
      address: { id: 'eipalloc-2', ip: '203.0.113.8' },
      workflowId: 'assign-ip/prod/node-c',
      instance: 'i-1',
      token: 41,
      state: 'lingering',
      deadline: '2026-11-24T12:01:00.000Z',
    },
  ],
  refused: [],
  nextToken: 43,
  pacing: { burst: 48, perSecond: 4.75, available: 40 },
};

describe('a table', () => {
  test('has its columns in line and no trailing blanks, so that other tools can cut it', () => {
    const lines = table(
      ['A', 'LONG NAME'],
      [
        ['x', 1],
        ['yyyy', 'two\nlines'],
      ],
    ).split('\n');
    expect(lines).toEqual([
      expect.stringMatching(/^A\s+LONG NAME$/),
      expect.stringMatching(/^x\s+1$/),
      expect.stringMatching(/^yyyy\s+two lines$/),
    ]);
    expect(
      new Set(['LONG NAME', '1', 'two lines'].map((text, index) => lines[index]?.indexOf(text))).size,
    ).toBe(1);
  });

  test.each([
    ['2026-11-24T11:59:30Z', '30s'],
    ['2026-11-24T11:55:00Z', '5m'],
    ['2026-11-24T02:00:00Z', '10h'],
    ['2026-11-14T12:00:00Z', '10d'],
    ['2026-11-24T12:00:05Z', '0s'],
    [undefined, '-'],
    ['nonsense', '-'],
  ])('says of %s that it is %s ago', (since, text) => {
    expect(age(since, now)).toBe(text);
  });
});

test('status cuts a long error in the table, and has all of it in the wide one', () => {
  const lastError = 'ec2:AssociateAddress was refused: '.repeat(5).trim();
  const node = {
    node: 'node-a',
    workflowId: 'assign-ip/prod/node-a',
    phase: 'failed' as const,
    addresses: ['203.0.113.7', '2001:db8::7'],
    attempts: 3,
    startedAt: '2026-11-24T11:00:00Z',
    lastError,
  };
  const narrow = nodeTable([node], { isWide: false, now, colors: plain });
  expect(narrow).toMatch(/^node-a\s+failed\s+203\.0\.113\.7,2001:db8::7\s+-\s+-\s+3\s+ec2:.*…$/m);
  const wide = nodeTable([node], { isWide: true, now, colors: plain });
  expect(wide).toContain(lastError);
  expect(wide).toContain('assign-ip/prod/node-a');
  const coloured = nodeTable([node], { isWide: false, now, colors: pico.createColors(true) });
  expect(coloured).toContain('\u001B[31mfailed');
});

test('describe tells why, the place with its pool’s counts, and what was tried', () => {
  const text = description(
    waiting,
    { id: 'assign-ip/prod/node-a', status: 'RUNNING' },
    { ...mutex, claims: [] },
    now,
  );
  for (const line of [
    /^Why:\s+Pool public has no free IPv4 address\.$/m,
    /^Phase:\s+waiting, since 5m \(2026-11-24T11:55:00\.000Z\)$/m,
    /^ {2}IPv4: place 1 of 1 in the queue of pool public, priority 5, .* Pool public has 3 addresses, 0 of them free, as of 2026-11-24T11:59:00\.000Z\.$/m,
    /waiting {2}claim an address: none is free$/m,
  ]) {
    expect(text).toMatch(line);
  }
  expect(description(waiting, { id: 'x', status: 'RUNNING' }, undefined, now)).toContain(
    'The mutex does not answer',
  );
});

test('lock show has who waits and every claim with its token', () => {
  const text = lockText(mutex, now);
  expect(text).toMatch(/^2\s+assign-ip\/prod\/node-a\s+ipv4\s+public\s+5\s+5m$/m);
  expect(text).toMatch(/^42\s+203\.0\.113\.7\s+assign-ip\/prod\/node-b\s+granted\s/m);
});

test('pools count claims in flight by the pool of their node, and cost what is idle by the cloud’s price or the given one', () => {
  const sizes = [
    { name: 'public', family: 'ipv4', size: 3, used: 1, free: 2 },
    { name: 'public', family: 'ipv6', size: 1003, used: 3, free: 1000, more: true },
    { name: 'other', family: 'ipv4', size: 0, used: 0, free: 0 },
  ] as const;
  const poolOf = new Map([
    ['assign-ip/prod/node-b', 'public'],
    ['assign-ip/prod/node-c', 'public'],
  ]);
  const rows = poolRows({ scope: mutex.scope, pools: sizes }, mutex, poolOf, undefined);
  expect(rows.map(({ waiting: w, claims, idleCostAMonth }) => [w, claims, idleCostAMonth])).toEqual([
    [1, 1, 7.3],
    [0, 0, 0],
    [0, 0, 0],
  ]);
  expect(
    poolRows({ scope: 'gcp/p/europe-west1', pools: sizes }, undefined, poolOf, undefined)[0]?.idleCostAMonth,
  ).toBe(14.6);
  expect(poolRows({ scope: mutex.scope, pools: sizes }, mutex, poolOf, 1)[0]?.idleCostAMonth).toBe(1460);
  const text = poolTable(rows, idleCost([{ scope: mutex.scope, pools: sizes, free: 1002 }], undefined));
  expect(text).toMatch(/public\s+ipv6\s+\S+\s+1003\+\s+3\s+1000\+/);
  expect(text).toContain('Idle addresses cost $7.30 a month.');
});

test('what idle addresses cost counts an address of several pools once', () => {
  // As of examples/priority.yaml: two pools, one filter.
  const size = { family: 'ipv4', size: 100, used: 0, free: 100 } as const;
  const ranges = { family: 'ipv6', size: 1000, used: 0, free: 1000 } as const;
  const [gateways, workers] = ['gateways', 'workers'];
  const ipv4 = [
    { ...size, name: gateways },
    { ...size, name: workers },
  ];
  const ipv6 = [
    { ...ranges, name: gateways },
    { ...ranges, name: workers },
  ];
  const cost = (free: number, pools: readonly PoolSize[], price?: number): string | undefined => {
    const report = { scope: mutex.scope, free, pools };
    return poolTable([], idleCost([report], price))
      .split('\n')
      .at(-1);
  };
  expect(cost(100, ipv4)).toBe('Idle addresses cost $365.00 a month.');
  expect(cost(150, ipv4)).toBe('Idle addresses cost $547.50 a month.');
  expect(cost(200, ipv4)).toBe('Idle addresses cost $730.00 a month.');
  expect(cost(100, ipv4, 0.01)).toBe('Idle addresses cost $730.00 a month.');
  // A report does not say of which family the shared ones are.
  expect(cost(1100, [...ipv4, ...ipv6])).toBe(
    'Idle addresses cost at most $365.00 a month: pools share some of them.',
  );
  expect(cost(2200, [...ipv4, ...ipv6])).toBe('Idle addresses cost $730.00 a month.');
  expect(cost(1000, ipv6)).toBe('Idle addresses cost $0.00 a month.');
});

test('plan marks what depends on who comes first', () => {
  const row = { node: 'a', pool: 'p', family: 'ipv4', outcome: 'gets', why: 'it is free' } as const;
  const others = { waiting: 2, served: 1 };
  const text = planText({
    cluster: 'prod',
    rows: [
      { ...row, assumed: true },
      { ...row, node: 'b' },
    ],
    unselected: 1,
    others,
  });
  expect(text).toMatch(/^a\s+p\s+ipv4\s+gets \*/m);
  expect(text).toMatch(/^b\s+p\s+ipv4\s+gets\s+-/m);
  for (const part of [
    'at once, in the order of their names',
    '1 nodes are selected by no pool',
    '2 requests of other clusters',
  ]) {
    expect(text).toContain(part);
  }
});

test('doctor never takes for ok what could not be tested, nor for a second problem what the missing permission explains', () => {
  const denied =
    'Pool x: ec2:DescribeAddresses was refused: the permission "ec2:DescribeAddresses" is missing; add it';
  const report: DiagnoseReport = {
    cluster: 'prod',
    worker: { version: '1', node: 'v24', host: 'h' },
    kubernetes: [],
    unselected: 0,
    pools: [
      {
        name: 'x',
        scope: 's',
        nodes: 0,
        sets: [{ family: 'ipv4', filter: 'f', addresses: 0, free: 0, error: denied }],
      },
      { name: 'y', scope: 's', nodes: 2, sets: [{ family: 'ipv4', filter: 'g', addresses: 0, free: 0 }] },
    ],
    scopes: [
      { scope: 's', permissions: [{ permission: 'ec2:DescribeAddresses', result: 'missing', detail: 'd' }] },
      { scope: 't', permissions: [], error: 'no worker took it' },
    ],
  };
  const checks = diagnosisChecks(report);
  expect(checks.map(({ what, verdict }) => `${what}: ${verdict}`)).toEqual([
    'ec2:DescribeAddresses: problem',
    'permissions: untested',
    'x, ipv4: untested',
    'x, nodes: warning',
    'y, ipv4: problem',
    'y, nodes: ok',
  ]);
  expect(checksText(checks, plain)).toMatch(/^ {2}not testable\s+permissions: no worker took it$/m);
});

test('names that are like a mistyped one are found, and no others', () => {
  const known = ['ip-10-0-1-7.ec2.internal', 'node-a', 'node-b', 'gke-pool-x1'];
  expect(similarNames('nod-a', known)).toEqual(['node-a', 'node-b']);
  expect(similarNames('ip-10-0-1-7', known)).toEqual(['ip-10-0-1-7.ec2.internal']);
  expect(similarNames('something', known)).toEqual([]);
});

test.each([
  ['aws/123456789012/eu-west-1', { provider: 'aws', account: '123456789012', region: 'eu-west-1' }],
  ['azure/a/b', undefined],
  ['aws/a', undefined],
  ['aws/a/b/c', undefined],
])('%s is read as a scope, or is none', (text, scope) => {
  expect(parseScope(text)).toEqual(scope);
});

test('data is written as JSON or YAML without its table being made', () => {
  const never = (): string => {
    throw new Error('not asked for');
  };
  expect(JSON.parse(rendered('json', { a: [1] }, never))).toEqual({ a: [1] });
  expect(rendered('yaml', { a: [1] }, never)).toBe('a:\n  - 1\n');
  expect(rendered('table', {}, () => 'text')).toBe('text\n');
});
