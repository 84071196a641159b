/** What is said of a node, joined of sentences that come from elsewhere. */
import { expect, test } from '@jest/globals';
import * as words from '../../workflows/assign-ip/words.ts';
import { diagnosisChecks } from '../../cli/commands/doctor-checks.ts';
import type { DiagnoseReport } from '../../workflows/reports.ts';
import { nodeMessage } from '../../workflows/assign-ip/status.ts';

test.each([
  ['The pool is elsewhere', 'The pool is elsewhere. It is tried again'],
  ['The pool is elsewhere.', 'The pool is elsewhere. It is tried again'],
  ['Is it there?', 'Is it there? It is tried again'],
  ['refused (Denied: no.)', 'refused (Denied: no.) It is tried again'],
  ['refused…', 'refused… It is tried again'],
])('what a node failed with ends as a sentence before the next one begins: %s', (error, expected) => {
  expect(words.failedForGood('a', 'Invalid', error).message).toContain(expected);
  expect(words.taintGivenUp({ name: 'p', taintKey: 't' }, error).message).toContain(
    expected.replace('It is tried again', 'It has waited'),
  );
  expect(
    nodeMessage([
      { family: 'ipv4', message: error },
      { family: 'ipv6', message: 'other' },
    ]),
  ).toBe(`IPv4: ${expected.replace('It is tried again', 'IPv6: other')}`);
});

test('drift is told without a word of who did it: a preempted machine that comes back has lost its address, too', () => {
  const assignment = {
    address: { id: 'eipalloc-1', ip: '203.0.113.7' },
    instance: { id: 'i-1' },
    pool: { name: 'p' },
  } as Parameters<typeof words.driftHealed>[0];
  for (const text of [words.driftHealed(assignment, '203.0.113.7').message, words.lost('203.0.113.7')]) {
    expect(text).not.toMatch(/somebody/);
    expect(text).toContain('203.0.113.7');
  }
});

test('where no address of a region matches, Google Cloud’s global ones are thought of', () => {
  const found = (scope: string) =>
    diagnosisChecks({
      kubernetes: [],
      scopes: [],
      unselected: 0,
      pools: [
        {
          name: 'p',
          scope,
          nodes: 1,
          sets: [{ family: 'ipv4', filter: 'labels.a=b', addresses: 0, free: 0 }],
        },
      ],
    } as unknown as DiagnoseReport)[0]?.detail;
  expect(found('gcp/project-1/europe-west1')).toContain('--global');
  expect(found('aws/123456789012/eu-west-1')).not.toContain('--global');
});
