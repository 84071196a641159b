/** The alert rules, held against Prometheus' own checker, their cases and the runbook. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { alertRules, casesFiles, promtool, readRules, root, rulesFile } from './rules.ts';

interface Cases {
  readonly tests: readonly {
    readonly alert_rule_test: readonly {
      readonly alertname: string;
      readonly exp_alerts: readonly unknown[];
    }[];
  }[];
}

const runbook = readFileSync(join(root, 'docs/runbook.md'), 'utf8');

beforeAll(async () => {
  await promtool(['--version']);
}, 600_000);

describe("Prometheus' own checker", () => {
  test('takes the rules', async () => {
    expect(await promtool(['check', 'rules', rulesFile])).toMatchObject({ code: 0 });
  });

  test('sees each alert fire, and keep quiet, as the cases say', async () => {
    const { code, output } = await promtool(['test', 'rules', ...casesFiles]);
    expect(output).not.toContain('FAILED');
    expect(code).toBe(0);
  });

  test('sees a case that says something else', async () => {
    const [file = ''] = casesFiles;
    const spoilt = file.replace('.yaml', `-spoilt-${process.pid}.yaml`);
    const text = readFileSync(join(root, file), 'utf8');
    writeFileSync(join(root, spoilt), text.replace('10 of 10 are in use', '9 of 10 are in use'));
    try {
      expect(await promtool(['test', 'rules', spoilt])).toMatchObject({ code: 1 });
    } finally {
      rmSync(join(root, spoilt));
    }
  });
});

describe('each alert', () => {
  const alerts = alertRules(readRules());

  test.each(alerts)(
    '$alert says how bad it is, what it means, and where to read on',
    ({ alert, labels, annotations }) => {
      expect(['critical', 'warning', 'info']).toContain(labels?.['severity']);
      expect(Object.keys(annotations ?? {}).toSorted()).toEqual(['description', 'runbook_url', 'summary']);
      expect(annotations?.['runbook_url']).toBe(`docs/runbook.md#${alert?.toLowerCase()}`);
      expect(annotations?.['description']).toMatch(/[.]$/);
    },
  );

  test('has a section of the runbook, and each section has its alert', () => {
    const sections = [...runbook.matchAll(/^## (\w+)$/gm)].map(([, name]) => name);
    expect(new Set(sections)).toEqual(new Set(alerts.map(({ alert }) => alert)));
    expect(sections).toHaveLength(alerts.length);
  });

  test('is said there to mean something, with how to look and what to do', () => {
    for (const section of runbook.split(/^## /m).slice(1)) {
      for (const part of ['**Means.**', '**Look.**', '**Do.**']) expect(section).toContain(part);
    }
  });

  test('fires in at least one case', () => {
    const tests = casesFiles
      .map((file) => parse(readFileSync(join(root, file), 'utf8')) as Cases)
      .flatMap((cases) => cases.tests.flatMap((one) => one.alert_rule_test));
    const fired = tests.filter(({ exp_alerts: expected }) => expected.length > 0).map((one) => one.alertname);
    expect(new Set(fired)).toEqual(new Set(alerts.map(({ alert }) => alert)));
  });
});
