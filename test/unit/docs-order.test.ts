/**
 * A page that is copied into a shell from its first line to its last explains, sets and makes each thing before it is used. That its commands
 * are right is shown by test/integration/docs-install.test.ts.
 */
import { expect, test } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const pages = [
  'docs/install-eks.md',
  'docs/install-gke.md',
  'docs/install-oke.md',
  'deploy/temporal/README.md',
];

/** A piece of a page: a block to be run, or what is said between two blocks. */
interface Piece {
  readonly kind: 'sh' | 'prose';
  readonly text: string;
}

function piecesOf(page: string): Piece[] {
  // Blocks of a list are indented as it is.
  const parts = page.split(/^( *)```(\w*)\n(.*?)^ *```\n/gms);
  const pieces: Piece[] = [];
  for (let at = 0; at < parts.length; at += 4) {
    const [prose = '', indent = '', language, block = ''] = parts.slice(at, at + 4);
    pieces.push({ kind: 'prose', text: prose });
    if (language === 'sh')
      pieces.push({ kind: 'sh', text: block.replaceAll(new RegExp(`^${indent}`, 'gm'), '') });
  }
  return pieces;
}

/** What of a piece would be typed: a block as it is, and of prose the code that begins with a program's name. */
function commandsIn({ kind, text }: Piece): string {
  if (kind === 'sh') return text;
  const code = [...text.matchAll(/`([^`\n]+)`/g)].map(([, inner = '']) => inner);
  return code
    .filter((inner) => /^(?:aws|docker|gcloud|git|helm|kubectl|oci|tcld) \S+ /.test(inner))
    .join('\n');
}

/** A variable with its value, where that is written out, or where the shell reads or makes it. */
function assignmentsIn(line: string): [name: string, value: string | undefined][] {
  const loops = [...line.matchAll(/^\s*for (\w+) in |^read -rs (\w+)$/g)].map(
    ([, loop, asked]): [string, undefined] => [loop ?? asked ?? '', undefined],
  );
  if (!/^(?:export )?\w+=/.test(line)) return loops;
  const words = line.replace(/^export /, '').matchAll(/(?:^| )(\w+)=('[^']*'|"[^"]*"|\S*)/g);
  return [...words].map(([, name = '', value]): [string, string | undefined] => [name, value]);
}

/** @returns what a reader would have to guess */
function guessesOn(page: string, existsInRepository: (file: string) => boolean): string[] {
  const known = new Set(['HOME', 'PATH']);
  const made = new Set<string>();
  const guesses: string[] = [];
  let said = '';
  for (const piece of piecesOf(page)) {
    if (piece.kind === 'prose') {
      said += piece.text;
      for (const [, file = ''] of piece.text.matchAll(/[Aa]ppend [^.`]*`([^`]+)`/g))
        if (!made.has(file)) guesses.push(`appends to ${file} before it is there`);
    }
    for (const line of commandsIn(piece).replaceAll('\\\n', ' ').split('\n')) {
      for (const [, name = ''] of line.matchAll(/\$\{?([A-Za-z_]\w*)/g)) {
        if (known.has(name) || assignmentsIn(line).some(([own]) => own === name)) continue;
        guesses.push(`uses $${name} before it is set`);
      }
      for (const [name, value] of assignmentsIn(line)) {
        known.add(name);
        const isReaders = value !== undefined && value !== '' && !/[$([]/.test(value);
        if (isReaders && !said.includes(`\`${name}\``))
          guesses.push(`asks for ${name} before it is explained`);
      }
      for (const [, file = ''] of line.matchAll(/>> ?([\w./-]+)/g))
        if (!made.has(file)) guesses.push(`appends to ${file} before it is there`);
      for (const [, file = ''] of line.matchAll(/[^>]> ?([\w./-]+)/g)) made.add(file);
      const taken =
        /(?:file:\/\/|--values[ =]|--(?:condition-from-)?file[ =]|apply -f |sed [^|]*'\s|sed "[^"]*" )([\w./-]+)/g;
      for (const [, file = ''] of line.matchAll(taken))
        if (!made.has(file) && !existsInRepository(file)) guesses.push(`reads ${file} before it is there`);
      if (/…|\.\.\./.test(line)) guesses.push(`leaves a part of a command out: ${line.trim()}`);
      for (const [url] of line.matchAll(/https:\/\/[^\s"]*\/[A-Z]{3,}\/[^\s"]*/g))
        guesses.push(`does not fill in ${url}`);
      const [, component] = /gcloud (alpha|beta) /.exec(line) ?? [];
      if (component !== undefined && !said.includes(`gcloud components install ${component}`))
        guesses.push(`needs gcloud's component ${component} before it is installed`);
      if (/\btcld /.test(line) && !said.includes('`tcld`'))
        guesses.push('needs tcld, which it did not ask for');
    }
  }
  return [...new Set(guesses)];
}

test.each(pages)('%s leaves nothing to guess', (page) => {
  const isThere = (file: string) => existsSync(join(root, file));
  expect(guessesOn(readFileSync(join(root, page), 'utf8'), isThere)).toEqual([]);
});

test.each<[string, string, string[]]>([
  ['an unset variable', '```sh\naws s3 ls "$BUCKET"\n```\n', ['uses $BUCKET before it is set']],
  ['a variable that is set later', '`A`\n```sh\necho "$A"\nexport A=1\n```\n', ['uses $A before it is set']],
  ['one in a sentence', 'Run `gcloud config set "$X"`.\n', ['uses $X before it is set']],
  [
    'a value of the reader’s own',
    '```sh\nexport A=1 B=2\n```\n`A`, `B`\n',
    ['asks for A before it is explained', 'asks for B before it is explained'],
  ],
  ['what the shell finds out', '```sh\nexport A=$(date)\nfor n in 1 2; do echo "$n$A"; done\n```\n', []],
  ['an appended file', '```sh\necho a >> values.yaml\n```\n', ['appends to values.yaml before it is there']],
  [
    'a sentence that appends',
    'Append this to the `values.yaml` of step 5.\n',
    ['appends to values.yaml before it is there'],
  ],
  [
    'a file that is made first',
    '```sh\ncat > a.json <<END\nEND\necho >> a.json\naws x file://a.json\n```\n',
    [],
  ],
  [
    'a file that comes later',
    '```sh\nhelm install a b --values c.yaml\n```\n',
    ['reads c.yaml before it is there'],
  ],
  ['a half command', 'Run `gcloud x y … --z`.\n', ['leaves a part of a command out: gcloud x y … --z']],
  [
    'a gap in an address',
    '```sh\ngit clone https://github.com/OWNER/a.git\n```\n',
    ['does not fill in https://github.com/OWNER/a.git'],
  ],
  ['a component', '```sh\ngcloud beta x\n```\n', ["needs gcloud's component beta before it is installed"]],
])('the check sees %s', (_, page, expected) => expect(guessesOn(page, () => false)).toEqual(expected));
