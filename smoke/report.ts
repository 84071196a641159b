/** What a run has found, as it can be sent in. */
import type { Family } from '../model/address.ts';
import type { ProviderName } from '../model/scope.ts';
import { masked, maskedValue } from './mask.ts';

export interface CaseResult {
  readonly id: string;
  readonly family: Family;
  readonly name: string;
  /** `knownGap`: it failed, as the command line said it would. `notRun`: the run ended before it. */
  readonly result: 'passed' | 'failed' | 'knownGap' | 'notRun';
  readonly seconds?: number;
  /** Why it failed. */
  readonly detail?: string;
}

export interface QuestionResult {
  readonly id: string;
  readonly asked: string;
  /** The id of a known answer, `other`, `notAsked`, or `failed`: the question could not be put. */
  readonly answer: string;
  readonly meaning?: string;
  /** The world of `test/conformance/either-answer` that answers so. */
  readonly world?: string;
  readonly code?: string;
  readonly message?: string;
}

export interface Report {
  readonly program: 'kubeip-temporal smoke';
  readonly version: string;
  readonly cloud: ProviderName;
  readonly region: string;
  /** Whether the cloud's own endpoint was asked: an emulator's report confirms nothing. */
  readonly endpoint: 'the cloud’s own' | 'another';
  readonly run: string;
  /** ISO 8601. */
  readonly begun: string;
  readonly seconds: number;
  /** Why the run ended before its end. */
  readonly stopped?: string;
  /** Permissions that were missing, as the cloud's policies name them. */
  readonly denied: readonly string[];
  readonly cases: readonly CaseResult[];
  readonly questions: readonly QuestionResult[];
  /** What this run does not ask at all, and why. */
  readonly notAsked: readonly string[];
  readonly cleanUp: {
    readonly removed: number;
    /** What is still there. */
    readonly left: readonly string[];
    readonly failure?: string;
  };
}

/** @returns whether the run came to its end, no case failed, no permission was missing, and nothing is left */
export function isClean({ stopped, denied, cases, cleanUp }: Report): boolean {
  return (
    stopped === undefined &&
    denied.length === 0 &&
    cases.every(({ result }) => result === 'passed' || result === 'knownGap') &&
    cleanUp.left.length === 0 &&
    cleanUp.failure === undefined
  );
}

/** @returns the report without what tells whose account it was */
export function maskedReport(report: Report, secrets: readonly string[]): Report {
  return maskedValue(report, secrets);
}

/** @param report masked already */
export function toMarkdown(report: Report): string {
  const { cases, questions, cleanUp, denied, notAsked } = report;
  const passed = cases.filter(({ result }) => result === 'passed').length;
  const failed = cases.filter(({ result }) => result === 'failed').length;
  return [
    `# Smoke test of kubeip-temporal ${report.version} on ${report.cloud}`,
    '',
    `Run ${report.run} in ${report.region}, ${report.begun}, ${report.seconds} s, at ${report.endpoint} endpoint.`,
    ...(report.stopped === undefined ? [] : ['', `**It ended early:** ${line(report.stopped)}`]),
    ...(denied.length === 0 ? [] : ['', `**Missing permissions:** ${denied.join(', ')}`]),
    '',
    `## Cases: ${passed} passed, ${failed} failed, ${cases.length - passed - failed} other`,
    '',
    ...table(
      ['case', 'family', 'behaviour', 'result'],
      cases.map(({ id, family, name, result, detail }) => [
        id,
        family,
        name,
        detail === undefined ? result : `${result}: ${detail}`,
      ]),
    ),
    '',
    '## Questions that no document settles',
    '',
    ...table(
      ['question', 'asked', 'answer', 'meaning', 'the cloud’s words'],
      questions.map(({ id, asked, answer, meaning = '', world, code, message }) => [
        id,
        asked,
        answer,
        world === undefined ? meaning : `${meaning} (either-answer: ${world})`,
        [code, message].filter((part) => part !== undefined).join(': '),
      ]),
    ),
    '',
    '## Not asked',
    '',
    ...notAsked.map((one) => `- ${line(one)}`),
    '',
    '## Clean-up',
    '',
    cleanUp.left.length === 0
      ? `${cleanUp.removed} removed, nothing is left.`
      : `${cleanUp.removed} removed. **Still there:** ${cleanUp.left.join(', ')}. Run it again with --cleanup.`,
    ...(cleanUp.failure === undefined ? [] : [line(cleanUp.failure)]),
    '',
  ].join('\n');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const row = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`;
  return [row(head), row(head.map(() => '---')), ...rows.map(row)];
}

function cell(text: string): string {
  const short = text.length > 300 ? `${text.slice(0, 300)}…` : text;
  return line(short).replaceAll('|', '\\|');
}

function line(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}

/** @returns a line for the terminal, masked: a person may send that too */
export function said(text: string, secrets: readonly string[]): string {
  return masked(text, secrets);
}
