/** Commands on the pages are there: those of `kubeip` with their options, and npm's scripts. */
import { expect, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { createCommandLine } from '../../cli/command-line.ts';
import packageJson from '../../package.json' with { type: 'json' };

const root = join(import.meta.dirname, '../..');
const pages = [
  'README.md',
  'SECURITY.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'deploy/temporal/README.md',
  'deploy/helm/kubeip-temporal/README.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const read = (page: string) => readFileSync(join(root, page), 'utf8');

const program = createCommandLine(new AbortController().signal);
const named = (command: Command, name: string) => command.commands.find((it) => it.name() === name);

/** What stands in code, and begins with the command: `kubeip release node-a --yes`. */
function invocations(text: string): string[] {
  const code = [...text.matchAll(/^ *```(?:sh)?\n(.*?)^ *```/gms), ...text.matchAll(/`([^`\n]+)`/g)];
  return code
    .flatMap(([, block = '']) => block.split('\n'))
    .map((line) => line.replace(/\s#.*$/, ''))
    .flatMap((line) => /(?:^\s*(?:\$ )?|-- )(kubeip [a-z].*)$/.exec(line)?.[1] ?? []);
}

/** @returns what is wrong with it, if anything */
function mistakesIn(invocation: string): string[] {
  const [, ...words] = invocation.split(/\s+/);
  let command: Command = program;
  for (const word of words) {
    const next = named(command, word);
    if (next === undefined) break;
    command = next;
  }
  if (command === program) return words[0] === 'help' ? [] : [`kubeip has no command ${words[0]}`];
  const known = [...command.options, ...program.options].flatMap(({ long, short }) => [long, short]);
  return words
    .filter((word) => word.startsWith('-'))
    .map((word) => word.replace(/=.*/, ''))
    .filter((option) => ![...known, '--help'].includes(option))
    .map((option) => `kubeip ${command.name()} has no ${option}`);
}

test.each(pages)('%s names commands and options of kubeip that are there', (page) => {
  expect(invocations(read(page)).flatMap(mistakesIn)).toEqual([]);
});

test('docs/cli.md names each command', () => {
  const page = read('docs/cli.md');
  const names = program
    .createHelp()
    .visibleCommands(program)
    .map((command) => command.name());
  expect(names.filter((name) => name !== 'help' && !new RegExp(`\\b${name}\\b`).test(page))).toEqual([]);
});

test.each([
  ['kubeip relaese node-a', ['kubeip has no command relaese']],
  ['kubeip status --fase held', ['kubeip status has no --fase']],
  ['kubeip lock release 42', []],
])('the check judges %s', (invocation, expected) => expect(mistakesIn(invocation)).toEqual(expected));

test.each(pages)('%s names scripts of npm that are there', (page) => {
  const scripts = [...read(page).matchAll(/npm run (?:--silent )?([a-z:]+)/g)].map(([, name]) => name);
  expect(scripts.filter((name) => !Object.hasOwn(packageJson.scripts, name ?? ''))).toEqual([]);
});
