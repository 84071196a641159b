/** What the tests of metrics, alerts and the dashboard share: the files, and Prometheus' own checker. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ensurePromtool } from '../../sandbox/tools/promtool.ts';

export const root = join(import.meta.dirname, '../..');
const files = 'deploy/helm/kubeip-temporal/files';
export const rulesFile = `${files}/alerts.yaml`;
export const dashboardFile = `${files}/dashboards/kubeip-temporal.json`;
export const casesFiles = ['test/alerts/cases.yaml', 'test/alerts/slow-cases.yaml'];

/** A rule of Prometheus: it has an `alert` or a `record`. */
export interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export function readRules(): Rule[] {
  const { groups } = parse(readFileSync(join(root, rulesFile), 'utf8')) as { groups: { rules: Rule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

export function alertRules(rules: readonly Rule[]): Rule[] {
  return rules.filter(({ alert }) => alert !== undefined);
}

/** Runs promtool in the project's folder. @param input for its standard input */
export async function promtool(
  args: readonly string[],
  input = '',
): Promise<{ code: number | null; output: string }> {
  const child = spawn(await ensurePromtool(), args, { cwd: root, stdio: 'pipe' });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}

/** What stands beside metrics in an expression and is no metric. */
const WORDS = [
  'and',
  'or',
  'unless',
  'by',
  'without',
  'on',
  'ignoring',
  'group_left',
  'group_right',
  'offset',
  'bool',
];

/** @returns the metrics of a PromQL expression, those of a histogram without the suffix of its series */
export function metricsOf(expression: string): string[] {
  const bare = expression
    .replaceAll(/"[^"]*"|'[^']*'/g, '')
    .replaceAll(/\{[^}]*\}|\[[^\]]*\]/g, '')
    .replaceAll(/\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, '');
  const names = [...bare.matchAll(/(?<![\w:.$])([a-zA-Z_:][\w:]*)(?!\s*\()(?![\w:])/g)].map(
    ([, name]) => name ?? '',
  );
  return [...new Set(names)]
    .filter((name) => !WORDS.includes(name))
    .map((name) => name.replace(/_bucket$/, ''));
}
