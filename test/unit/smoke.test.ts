/** What the smoke test says without a cloud: masks, known answers, the report. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { masked } from '../../smoke/mask.ts';
import { smokeCases } from '../../smoke/cases.ts';
import { ipv4Questions } from '../../smoke/aws/ipv4-questions.ts';
import { ipv6Questions as ec2Ipv6Questions, writtenOut } from '../../smoke/aws/ipv6-questions.ts';
import { commonQuestions, ipv6Questions as gceIpv6Questions } from '../../smoke/gcp/questions.ts';
import { ociQuestions } from '../../smoke/oci/questions.ts';
import { isClean, toMarkdown, type Report } from '../../smoke/report.ts';

test.each([
  [
    'is not authorized: arn:aws:iam::123456789012:user/alice, on arn:aws:ec2:eu-west-1:123456789012:instance/i-1',
    'is not authorized: <arn>, on <arn>',
  ],
  ['Encoded authorization failure message: Xy12-_abc', 'Encoded authorization failure message: <masked>'],
  ["consumer 'project_number:1048576'", "consumer 'project_number:<number>'"],
  ['projects/1048576/regions/europe-west1', 'projects/<number>/regions/europe-west1'],
  ['projects/my-project/regions/europe-west1', 'projects/<account>/regions/europe-west1'],
  ['asked by worker@my-project.iam.gserviceaccount.com', 'asked by <email>'],
  ['the key AKIAIOSFODNN7EXAMPLE', 'the key <key id>'],
  ['OwnerId 210987654321', 'OwnerId <account>'],
  [
    'ocid1.compartment.oc1..aaaabbbb in Uocm:EU-FRANKFURT-1-AD-1',
    'ocid1.compartment.<id> in EU-FRANKFURT-1-AD-1',
  ],
  [
    'eipalloc-0123456789012345f of 198.51.100.1 at 2026-11-29T22:00:00Z',
    'eipalloc-0123456789012345f of 198.51.100.1 at 2026-11-29T22:00:00Z',
  ],
])('%j is shown as %j', (text, expected) => {
  expect(masked(text, ['my-project'])).toBe(expected);
});

test('every answer that names a world names one of test/conformance/either-answer, and ids are unique', () => {
  const folder = join(import.meta.dirname, '../conformance');
  const worlds = globSync('either-answer-*.test.ts', { cwd: folder })
    .map((file) => readFileSync(join(folder, file), 'utf8'))
    .join('\n');
  const two = [
    { id: 'a', ip: '192.0.2.1' },
    { id: 'b', ip: '192.0.2.2' },
  ] as const;
  const aws = { hand: {}, instance: {}, hasAutoAddress: true } as never;
  const gcp = { hand: {}, instance: {} } as never;
  const oci = { hand: {}, instance: { id: '' }, node: {} } as never;
  const sets = [
    [...ipv4Questions(aws, two), ...ec2Ipv6Questions(aws, two)],
    [...commonQuestions(gcp, two), ...gceIpv6Questions(gcp, two)],
    ociQuestions(oci, two),
  ];
  for (const questions of sets) {
    const ids = questions.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { world } of questions.flatMap(({ known }) => known)) {
      if (world !== undefined) expect(worlds).toContain(`name: '${world}'`);
    }
  }
  expect(new Set(smokeCases.map(({ id }) => id)).size).toBe(smokeCases.length);
});

test('an IPv6 address is written out in full', () => {
  expect(writtenOut('2001:db8::5')).toBe('2001:0db8:0000:0000:0000:0000:0000:0005');
});

const report: Report = {
  program: 'kubeip-temporal smoke',
  version: '1',
  cloud: 'aws',
  region: 'eu-west-1',
  endpoint: 'the cloud’s own',
  run: '0123abcd',
  begun: '2026-11-29T22:00:00.000Z',
  seconds: 60,
  denied: [],
  cases: [{ id: 'release', family: 'ipv4', name: 'a | b', result: 'passed' }],
  questions: [{ id: 'q', asked: 'what?', answer: 'other', code: 'New', message: 'line 1\nline 2' }],
  notAsked: [],
  cleanUp: { removed: 4, left: [] },
};

test('the report is a table that no text breaks', () => {
  const text = toMarkdown(report);
  expect(text).toContain(String.raw`| release | ipv4 | a \| b | passed |`);
  expect(text).toContain('| q | what? | other |  | New: line 1 line 2 |');
  expect(text).toContain('4 removed, nothing is left.');
});

test('a run is clean only if nothing failed, nothing was denied, and nothing is left', () => {
  const [first] = report.cases;
  expect(isClean(report)).toBe(true);
  expect(isClean({ ...report, cases: [{ ...first!, result: 'knownGap' }] })).toBe(true);
  expect(isClean({ ...report, cases: [{ ...first!, result: 'failed' }] })).toBe(false);
  expect(isClean({ ...report, denied: ['ec2:RunInstances'] })).toBe(false);
  expect(isClean({ ...report, stopped: 'It was interrupted.' })).toBe(false);
  expect(isClean({ ...report, cleanUp: { removed: 0, left: ['address a'] } })).toBe(false);
});
