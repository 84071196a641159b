/** Whatever a Node, a tag, a cloud or a workflow says, a terminal is shown text. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import pico from 'picocolors';
import { parse } from 'yaml';
import { reportText } from '../../cli/commands/audit.ts';
import { description } from '../../cli/commands/describe.ts';
import { checksText } from '../../cli/commands/doctor.ts';
import { type Check, diagnosisChecks } from '../../cli/commands/doctor-checks.ts';
import { lockText } from '../../cli/commands/lock.ts';
import { planText } from '../../cli/commands/plan.ts';
import { poolTable } from '../../cli/commands/pools.ts';
import { nodeTable } from '../../cli/commands/status.ts';
import { rendered } from '../../cli/speech.ts';
import { shownText } from '../../cli/streams.ts';
import { visibleLines, visibleText } from '../../model/visible-text.ts';
import { exitCodes, StartupError } from '../../program/exit-codes.ts';
import { presentError } from '../../program/present-error.ts';
import type { AddressPoolStatus, AssignIpStatus, AuditReport } from '../../workflows/messages.ts';
import type { DiagnoseReport, PlanReport } from '../../workflows/reports.ts';
import { hostileText, madeHostile, terminalCharacters } from './hostile-text.ts';

const esc = '\u001b';
const colors = pico.createColors(true);
const now = Date.parse('2026-11-24T12:00:00Z');
const since = '2026-11-24T11:55:00.000Z';

const status: AssignIpStatus = {
  phase: 'waiting',
  cluster: 'prod',
  node: { name: 'node-a', uid: 'u1' },
  since,
  message: 'no free address',
  pool: 'public',
  scope: 'aws/123456789012/eu-west-1',
  instance: 'i-1',
  attempt: 3,
  lastError: 'refused',
  retryAt: since,
  pinned: { ipv4: '203.0.113.7' },
  addresses: [
    { family: 'ipv4', phase: 'waiting', message: 'none', address: { id: 'eipalloc-1', ip: '203.0.113.7' } },
  ],
  releasedByHand: true,
  tried: [{ at: since, what: 'claim an address', outcome: 'waiting', error: 'none is free' }],
};
const mutex: AddressPoolStatus = {
  scope: 'aws/123456789012/eu-west-1',
  pools: [{ name: 'public', family: 'ipv4', waiting: 1, size: 3, free: 0, lookedAt: since }],
  queueLength: 1,
  waiting: [
    {
      position: 2,
      place: 1,
      workflowId: 'assign-ip/prod/a',
      family: 'ipv4',
      pool: 'public',
      priority: 5,
      since,
    },
  ],
  claims: [
    {
      address: { id: 'e', ip: '203.0.113.7' },
      workflowId: 'w',
      instance: 'i-1',
      token: 42,
      state: 'granted',
      deadline: since,
    },
  ],
  refused: [],
  nextToken: 43,
  pacing: { burst: 48, perSecond: 4.75, available: 40 },
  lastError: 'refused',
};
const audit: AuditReport = {
  scope: 'aws/123456789012/eu-west-1',
  policy: { drift: 'report', orphans: 'report' },
  addresses: 3,
  free: 1,
  nodes: 2,
  drifted: [{ node: 'node-a', ip: '203.0.113.7', told: true }],
  orphans: [{ ip: '203.0.113.8', pool: 'public', instance: 'i-2', what: 'left behind' }] as never,
};
const plan: PlanReport = {
  cluster: 'prod',
  rows: [
    {
      node: 'a',
      pool: 'p',
      family: 'ipv4',
      outcome: 'gets',
      why: 'free',
      address: { id: 'e', ip: '203.0.113.7' },
    },
  ],
  unselected: 1,
  others: { waiting: 2, served: 1 },
};
const diagnosis: DiagnoseReport = {
  cluster: 'prod',
  worker: { version: '1', node: 'v24', host: 'h' },
  kubernetes: [{ verb: 'get', resource: 'nodes', result: 'missing', detail: 'refused' }],
  unselected: 0,
  pools: [
    {
      name: 'x',
      scope: 's',
      nodes: 0,
      sets: [{ family: 'ipv4', filter: 'f', addresses: 0, free: 0, error: 'denied' }],
    },
  ],
  scopes: [{ scope: 's', permissions: [{ permission: 'p', result: 'missing', detail: 'd' }], error: 'e' }],
};
const view = {
  node: 'node-a',
  workflowId: 'assign-ip/prod/node-a',
  phase: 'failed' as const,
  addresses: ['203.0.113.7'],
  pool: 'public',
  attempts: 3,
  startedAt: since,
  since,
  lastError: 'refused',
  instance: 'i-1',
  scope: 's',
  message: 'm',
};
const pool = {
  name: 'p',
  family: 'ipv4' as const,
  scope: 's',
  size: 1,
  used: 0,
  free: 1,
  waiting: 0,
  claims: 0,
  idleCostAMonth: 1,
};
const checks: Check[] = diagnosisChecks(diagnosis);

/** What each command hands to its output. */
const answers: [string, unknown, (shown: never) => string][] = [
  [
    'status',
    { nodes: [view] },
    (shown: { nodes: [typeof view] }) => nodeTable(shown.nodes, { isWide: false, now, colors }),
  ],
  [
    'status -o wide',
    { nodes: [view] },
    (shown: { nodes: [typeof view] }) => nodeTable(shown.nodes, { isWide: true, now, colors }),
  ],
  [
    'describe',
    { status, mutex: { ...mutex, length: 1 } },
    (shown: { status: AssignIpStatus; mutex: never }) =>
      description(shown.status, { id: 'w', status: 'RUNNING' }, shown.mutex, now),
  ],
  ['lock show', mutex, (shown: AddressPoolStatus) => lockText(shown, now)],
  ['audit', audit, reportText],
  ['plan', plan, planText],
  // The verdict is the command's own.
  [
    'doctor',
    checks,
    (shown: Check[]) =>
      checksText(
        shown.map((one) => ({ ...one, verdict: 'problem' as const })),
        colors,
      ),
  ],
  ['pools', [pool], (shown: [typeof pool]) => poolTable(shown, { costAMonth: 1 })],
];

/** Without the colours, which are this program's own. */
function written(name: string, format: 'table' | 'json' | 'yaml', value: unknown): string {
  const text = answers.find(([known]) => known === name)?.[2] ?? String;
  return shownText(rendered(format, value, text as never)).replaceAll(
    new RegExp(`${esc}\\[(3[123]|39|1|22)m`, 'g'),
    '',
  );
}

describe.each(answers)('%s', (name, value) => {
  test('shows a hostile text as text, in as many lines as any other', () => {
    const text = written(name, 'table', madeHostile(value));
    expect(text).not.toMatch(terminalCharacters);
    expect(text).toContain(String.raw`x\u001b]0;PWNED\u0007`);
    expect(text.split('\n').length).toBe(written(name, 'table', value).split('\n').length);
  });

  test.each([
    ['json', (text: string): unknown => JSON.parse(text)],
    ['yaml', (text: string): unknown => parse(text)],
  ] as const)('as %s keeps every character, written out', (format, read) => {
    const hostile = madeHostile(value);
    const text = written(name, format, hostile);
    expect(text).not.toMatch(terminalCharacters);
    expect(read(text)).toEqual(JSON.parse(JSON.stringify(hostile)));
  });
});

test('JSON and YAML of any text can be shown, and read back', () => {
  const text = fc.string({ unit: 'binary', maxLength: 20 });
  fc.assert(
    fc.property(fc.dictionary(text, fc.oneof(text, fc.array(text))), (plain) => {
      const value = Object.fromEntries(Object.entries(plain).filter(([key]) => key !== '__proto__'));
      for (const [format, read] of [
        ['json', (text: string): unknown => JSON.parse(text)],
        ['yaml', (text: string): unknown => parse(text)],
      ] as const) {
        const out = rendered(format, value, String);
        expect(out).not.toMatch(terminalCharacters);
        expect(read(out)).toEqual(value);
      }
    }),
    { numRuns: 500 },
  );
});

test('a text that went around is shown without what a terminal obeys, but for the colours', () => {
  const coloured = colors.green('a');
  expect(shownText(`${coloured}${hostileText}`).startsWith(`${coloured}x\\u001b]0;PWNED\\u0007`)).toBe(true);
  expect(shownText(hostileText)).not.toMatch(terminalCharacters);
  expect(visibleText('two\n  lines\tand ESC\u001b[1m')).toBe(String.raw`two lines and ESC\u001b[1m`);
  expect(visibleLines('two\nlines\u0085\r')).toBe('two\nlines\\u0085\\u000d');
  expect(visibleText('Größe 漢字 → 😀')).toBe('Größe 漢字 → 😀');
});

test('an error is shown as text, and so is the stack of one', () => {
  const error = new StartupError(exitCodes.rejected, `says no: ${hostileText}`, {
    cause: new Error(hostileText),
  });
  for (const debug of [false, true]) {
    expect(visibleLines(presentError('kubeip', error, debug).text)).not.toMatch(terminalCharacters);
  }
});

test('only cli/streams.ts writes to the standard streams', () => {
  const folder = join(import.meta.dirname, '../../cli');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  expect(files.length).toBeGreaterThan(20);
  const direct = /process\.std(out|err)|console\.|log-update|node:tty|writeSync|node:fs/;
  const found = files.filter((name) => direct.test(readFileSync(join(folder, name), 'utf8')));
  expect(found).toEqual(['streams.ts']);
});
