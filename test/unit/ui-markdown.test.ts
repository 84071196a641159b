/** Whatever a Node, a tag or a cloud says, the pages of the Temporal UI have the markup of this project and no other. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { auditDetails } from '../../workflows/audit-details.ts';
import type { Phase } from '../../model/phase.ts';
import type { AddressPoolStatus, AssignIpStatus, AuditReport } from '../../workflows/messages.ts';
import { nodeDetails } from '../../workflows/assign-ip/details.ts';
import { nodeStart } from '../../workflows/node-start.ts';
import { poolDetails } from '../../workflows/pool/status.ts';
import { code, md, plainSummary, row } from '../../workflows/ui-markdown.ts';
import { hostileText, madeHostile, markupAttack, terminalCharacters } from './hostile-text.ts';

const seed = Number(process.env['KUBEIP_TEST_SEED'] ?? 7);

/** What is left of a text for Markdown to act on: code spans and characters behind a backslash are taken out. */
function markupOf(text: string): string[] {
  const lines = text.split('\n').map((line) => {
    let rest = line;
    for (let at = 0; at < rest.length; at++) {
      if (rest[at] === '\\') {
        rest = `${rest.slice(0, at)}.${rest.slice(at + 2)}`;
      } else if (rest[at] === '`') {
        const fence = /^`+/.exec(rest.slice(at))?.[0] ?? '';
        const end = new RegExp(`(?<!\`)${fence}(?!\`)`).exec(rest.slice(at + fence.length));
        expect(end).not.toBeNull();
        rest = `${rest.slice(0, at)}.${rest.slice(at + 2 * fence.length + (end?.index ?? 0))}`;
      }
    }
    return rest.replaceAll(/&#6[02];/g, '.');
  });
  return lines.flatMap((line) => [
    // At the beginning of a line, and anywhere in it.
    /^\s*(?:[#>+-]|\d+[.)])/.exec(line)?.[0] ?? '',
    ...(line.match(/[`*_[\]<>|~&$]|:\/\/|www\.|@|mailto:/gi) ?? []),
  ]);
}

const node: AssignIpStatus = {
  phase: 'waiting',
  cluster: 'prod',
  node: { name: 'node-a', uid: 'u1' },
  since: '2026-11-24T11:55:00.000Z',
  message: 'no free address',
  pool: 'public',
  scope: 'aws/123456789012/eu-west-1',
  instance: 'i-1',
  attempt: 3,
  lastError: 'refused',
  retryAt: '2026-11-24T12:55:00.000Z',
  pinned: { ipv4: '203.0.113.7', ipv6: '2001:db8::7' },
  addresses: [
    {
      family: 'ipv4',
      phase: 'assigned',
      message: 'is there',
      address: { id: 'eipalloc-1', ip: '203.0.113.7' },
    },
    { family: 'ipv6', phase: 'waiting', message: 'is not' },
  ],
  releasedByHand: false,
  tried: [
    { at: '2026-11-24T11:55:00.000Z', what: 'claim an address', outcome: 'waiting', error: 'none is free' },
    { at: '2026-11-24T11:55:00.000Z', what: 'associate', outcome: 'done' },
  ],
};

const pool: AddressPoolStatus = {
  scope: 'aws/123456789012/eu-west-1',
  pools: [
    { name: 'public', family: 'ipv6', subnet: 'subnet-1', waiting: 1, size: 3, free: 0, lookedAt: 'noon' },
  ],
  queueLength: 1,
  waiting: [
    {
      position: 2,
      place: 1,
      workflowId: 'assign-ip/prod/a',
      family: 'ipv4',
      pool: 'p',
      priority: 5,
      since: 'noon',
    },
  ],
  claims: [
    {
      address: { id: 'e', ip: '203.0.113.7' },
      workflowId: 'w',
      instance: 'i-1',
      token: 42,
      state: 'granted',
      deadline: 'noon',
    },
  ],
  refused: [],
  nextToken: 43,
  pacing: { burst: 48, perSecond: 4.75, available: 40 },
  lastError: 'refused',
};

const audit: AuditReport = {
  scope: 'aws/123456789012/eu-west-1',
  addresses: 3,
  free: 1,
  nodes: 2,
  policy: { drift: 'report', orphans: 'report' },
  drifted: [{ node: 'node-a', ip: '203.0.113.7', told: true }],
  orphans: [
    { addressId: 'e', ip: '203.0.113.8', pool: 'public', instance: 'i-2', what: 'left behind' },
  ] as never,
};

const phases: Phase[] = ['waiting', 'assigned', 'failed', 'discovering'];
const withPhase = (status: AssignIpStatus, phase: Phase): AssignIpStatus => ({
  ...status,
  phase,
  addresses: status.addresses.map((one, index) => ({ ...one, family: index === 0 ? 'ipv4' : 'ipv6' })),
});

/** By name: what the page is made of, of harmless values and of others. */
const pages: [string, (change: <T>(value: T) => T) => string][] = [
  ...phases.map((phase): [string, (change: <T>(value: T) => T) => string] => [
    `a node that is ${phase}`,
    (change) => nodeDetails(withPhase(change(node), phase)),
  ]),
  [
    'a node that was released by hand',
    (change) => nodeDetails({ ...withPhase(change(node), 'released'), releasedByHand: true }),
  ],
  ['a mutex', (change) => poolDetails(change(pool))],
  ['an audit', (change) => auditDetails(change(audit))],
  ['the beginning of a node', (change) => nodeStart(change('prod'), change(node.node)).staticDetails],
];

describe.each(pages)('the page of %s', (_, page) => {
  const own = markupOf(page((value) => value));

  test('has no foreign markup, and no control characters, of a hostile Node', () => {
    const text = page((value) => madeHostile(value));
    expect(markupOf(text)).toEqual(own);
    expect(text).not.toMatch(terminalCharacters);
    expect(text).toContain(String.raw`\\u001b`);
  });

  test('has none of any text', () => {
    const piece = fc.constantFrom(
      ...'\\`*_[]()<>|~&$!#-+1. \n\r\t'.split(''),
      '://',
      'www.',
      'a@b.c',
      'mailto:',
      '``',
      '<b>',
      '![',
      '](',
      'x',
    );
    const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(text, (value) => {
        expect(markupOf(page((it) => madeHostile(it, value)))).toEqual(own);
      }),
      { seed, numRuns: 200 },
    );
  });
});

test('a value says what it is, as far as it can be seen', () => {
  expect(String(md`**a** ${'b*c_d<e>'} ${7}`)).toBe(String.raw`**a** b\*c\_d&#60;e&#62; 7`);
  expect(String(md`see ${'https://docs.example/a_b (there)'}`)).toBe(
    'see `https://docs.example/a_b` (there)',
  );
  expect(String(code('a`b'))).toBe('``a`b``');
  expect(String(code('`'))).toBe('`` ` ``');
  expect(String(row('a|b', undefined, 3))).toBe(String.raw`| a\|b |  | 3 |`);
  expect(plainSummary('203.0.113.7 → i-0123, my_pool')).toBe('203.0.113.7 → i-0123, my_pool');
  expect(plainSummary(markupAttack)).not.toMatch(/[<>[\]|`*$\\\n]|:\/\//);
  expect(plainSummary(hostileText)).not.toMatch(terminalCharacters);
});

test('nothing else writes what the UI shows', () => {
  const root = join(import.meta.dirname, '../..');
  const sources = ['workflows', 'worker', 'watcher', 'cli', 'activities'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(root, folder, name)),
  );
  const shows = sources.flatMap((file) =>
    Array.from(
      readFileSync(file, 'utf8').matchAll(
        /\b(?:setCurrentDetails\(|static(?:Summary|Details): )(?<value>\w+)/g,
      ),
      ({ groups }) => groups?.['value'],
    ),
  );
  expect(shows.length).toBeGreaterThanOrEqual(8);
  expect(new Set(shows)).toEqual(
    new Set(['nodeDetails', 'poolDetails', 'auditDetails', 'plainSummary', 'uiMarkdown']),
  );
});
